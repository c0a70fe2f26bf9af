"""Replication with a single node: what is durable here is committed.

The shape is that of a Raft core, so that one takes its place without a change around it: a call returns work,
the host saves it, says so, and is told what is committed.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mq.broker.store.commit_log import Appended, CommitLog
from mq.core.entry import Entry, EntryKind, RecordPlace
from mq.core.ids import LogIndex, Term

__all__ = ["Committed", "Proposed", "Solo"]


class Committed(NamedTuple):
    """An entry that counts for ever, to be applied in index order."""

    log_index: LogIndex
    place: RecordPlace


class Proposed(NamedTuple):
    """What the host has to save: carry out `appended.plan`, then call `saved(appended.sequence)`."""

    first_index: LogIndex
    appended: Appended


@dataclass(slots=True)
class _Waiting:
    sequence: int
    first_index: LogIndex
    places: tuple[RecordPlace, ...]


class Solo:
    """A group of one. commit_index never passes what is durable."""

    def __init__(self, log: CommitLog) -> None:
        self.log = log
        self.commit_index: LogIndex = log.last_index
        self._waiting: deque[_Waiting] = deque()

    def propose(self, payloads: Sequence[bytes]) -> Proposed:
        """Append commands to the log as one group."""
        after = self.log.last_index
        term = Term(0)
        entries = [Entry(LogIndex(after + 1 + i), term, EntryKind.COMMAND, payload) for i, payload in enumerate(payloads)]
        appended = self.log.append(after, entries)
        first = LogIndex(after + 1)
        self._waiting.append(_Waiting(appended.sequence, first, appended.places))
        return Proposed(first, appended)

    def saved(self, sequence: int) -> list[Committed]:
        """Everything up to this append is durable; returns what is committed by that."""
        self.log.synced(sequence)
        committed: list[Committed] = []
        while self._waiting and self._waiting[0].sequence <= sequence:
            waiting = self._waiting.popleft()
            committed.extend(Committed(LogIndex(waiting.first_index + i), place) for i, place in enumerate(waiting.places))
        if committed:
            self.commit_index = committed[-1].log_index
        return committed

    def refused(self, sequence: int) -> None:
        """The disk could not even begin with this append (it is full): the log is as before it."""
        self.log.abandon(sequence)
        self._waiting.pop()
