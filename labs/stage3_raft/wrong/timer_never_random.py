"""All nodes wait equally long before they campaign, so that they split the votes again and again.

Seen in: first solutions of nearly every course. Breaks: some time a leader is elected. Paper: Raft, section 5.2.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _restart_timer(self) -> None:
        self.elapsed_ticks = 0
        self.timeout_ticks = self.options.election_ticks
