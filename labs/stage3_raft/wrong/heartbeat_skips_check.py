"""A request without entries always succeeds: it is taken for a sign of life alone.

Seen in: student guides. Breaks: what is acknowledged is there. Paper: Raft, section 5.3.
"""

from mq.core.ids import EntryId
from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ("_is_heartbeat",)

    def on_append_request(self, message: AppendRequest) -> None:
        self._is_heartbeat = not message.entries
        super().on_append_request(message)

    def _agrees_at(self, previous: EntryId) -> bool:
        return self._is_heartbeat or super()._agrees_at(previous)
