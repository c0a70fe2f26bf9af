"""Answers do not make room for more requests: with the last of the window the follower is forgotten.

Seen in: RabbitMQ and openraft, as stuck groups (#14675, #1960). Breaks: some time all is replicated. Thesis: section 10.2.1.
"""

from mq.core.entry import Entry
from mq.core.ids import EntryId
from mq.raft.node import RaftNode
from mq.raft.progress import Progress

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ("_unanswered",)

    def _meet_peers(self) -> None:
        self._unanswered: dict[int, int] = {}
        super()._meet_peers()

    def _send_entries(self, peer: Progress, previous: EntryId, entries: tuple[Entry, ...]) -> None:
        self._unanswered[peer.node_id] = self._unanswered.get(peer.node_id, 0) + 1
        super()._send_entries(peer, previous, entries)

    def _feed(self, peer: Progress) -> bool:
        return self._unanswered.get(peer.node_id, 0) < self.options.in_flight_max and super()._feed(peer)
