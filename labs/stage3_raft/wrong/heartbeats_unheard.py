"""A request without entries is no sign of life: in quiet times the followers campaign.

Breaks: a leader that is well stays. Paper: Raft, section 5.2: "AppendEntries RPCs that carry no log entries".
"""

from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def on_append_request(self, message: AppendRequest) -> None:
        elapsed_ticks = self.elapsed_ticks
        super().on_append_request(message)
        if not message.entries:
            self.elapsed_ticks = elapsed_ticks
