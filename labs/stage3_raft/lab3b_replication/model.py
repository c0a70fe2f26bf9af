"""A follower that the tests play: it does what the paper asks for, with a log of its own in memory. Paper: Raft, figure 2."""

from collections.abc import Sequence

from labs.stage3_raft.lone import NOWHERE, command, entry_id
from mq.core.ids import EntryId, LogIndex
from mq.raft.messages import AppendReply, AppendRequest

__all__ = ["PlayedFollower"]


class PlayedFollower:
    """One whose disk is done at once. terms: of the entries that it begins with."""

    def __init__(self, node_id: int, terms: Sequence[int] = ()) -> None:
        self.node_id = node_id
        self._entries = [command(index, term) for index, term in enumerate(terms, 1)]

    @property
    def terms(self) -> list[int]:
        """Of all entries that it has."""
        return [entry.term for entry in self._entries]

    def _term_at(self, index: int) -> int | None:
        if index == 0:
            return 0
        return self._entries[index - 1].term if index <= len(self._entries) else None

    def answer(self, request: AppendRequest) -> AppendReply:
        """Takes what it says, if it follows what is here."""
        previous, entries = request.previous, request.entries
        says = (self.node_id, request.sender, request.term)
        if self._term_at(previous.index) != previous.term:
            return AppendReply(*says, False, LogIndex(0), previous.index, self._hint(previous), request.round)  # noqa: FBT003
        for entry in entries:
            if self._term_at(entry.index) != entry.term:
                self._entries[entry.index - 1 :] = [entry]
        match = LogIndex(previous.index + len(entries))
        return AppendReply(*says, True, match, LogIndex(0), NOWHERE, request.round)  # noqa: FBT003

    def _hint(self, previous: EntryId) -> EntryId:
        """Its last entry that may agree with a log that has `previous`."""
        for index in range(min(previous.index, len(self._entries)), 0, -1):
            term = self._entries[index - 1].term
            if term <= previous.term:
                return entry_id(index, term)
        return NOWHERE
