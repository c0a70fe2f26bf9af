"""A hand-over is not over with the reign: clients are sent to who was to lead, and the node's next reign serves nobody.

Seen in: hashicorp/raft #487, in another form: a flag that is not tied to the reign. Breaks: a leader that is well serves.
Thesis: section 3.10.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _on_reign_ended(self) -> None:
        to = self.transfer_to
        super()._on_reign_ended()
        self.transfer_to = to
