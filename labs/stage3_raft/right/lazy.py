"""Lazy: no heartbeat to who was sent entries since the last one, and followers wait longer, each for another span.

Right, because a request with entries says all that a heartbeat says; a read still asks everyone. Paper: Raft, section 5.2: the
broadcast time only has to be well below the election time-out.
"""

from typing import Any

from mq.core.entry import Entry
from mq.core.ids import EntryId
from mq.raft.messages import AppendRequest, Message
from mq.raft.node import RaftNode
from mq.raft.progress import Progress

__all__ = ["Raft"]


class Raft(RaftNode):
    """_fed: who was sent entries since the last round of heartbeats. _resting: who needs none in the round under way."""

    __slots__ = ("_fed", "_resting")

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._fed: set[int] = set()
        self._resting: set[int] = set()
        super().__init__(*arguments, **settings)

    def _restart_timer(self) -> None:
        election_ticks = self.options.election_ticks
        self.elapsed_ticks = 0
        self.timeout_ticks = self.chance.randrange(election_ticks + election_ticks // 2, 3 * election_ticks)

    def _meet_peers(self) -> None:
        super()._meet_peers()
        self._fed.clear()

    def _send_entries(self, peer: Progress, previous: EntryId, entries: tuple[Entry, ...]) -> None:
        super()._send_entries(peer, previous, entries)
        self._fed.add(peer.node_id)

    def _beat(self) -> None:
        self._resting = set() if self.reads else self._fed
        self._fed = set()
        super()._beat()
        self._resting = set()

    def _leave(self) -> None:
        self._fed.clear()  # its last word is for everyone
        super()._leave()

    def _tell(self, message: Message) -> None:
        is_heartbeat = isinstance(message, AppendRequest) and not message.entries
        if not (is_heartbeat and message.to in self._resting):
            super()._tell(message)
