"""Numbers that must not be mixed up, each with a type of its own.

Two collisions to keep in mind: a *log index* counts entries from 1, a *queue offset* counts the
messages of one queue from 0, and a *commit-log position* counts bytes.
"""

from typing import NamedTuple, NewType

__all__ = ["CommitLogPosition", "EntryId", "LogIndex", "QueueOffset", "Term"]

Term = NewType("Term", int)
"""Numbered reign of at most one leader; 0 with a single node."""

LogIndex = NewType("LogIndex", int)
"""Place of an entry in the log, from 1; index 0 with term 0 stands before the first entry."""

QueueOffset = NewType("QueueOffset", int)
"""Ordinal of a message in its queue, from 0."""

CommitLogPosition = NewType("CommitLogPosition", int)
"""Byte position in the commit log, counted over all its segments."""


class EntryId(NamedTuple):
    """Term and index together name one entry for ever. Paper: Raft, section 5.3.

    They compare by term first, then by index: of two logs' last entries the greater one belongs to the log that is more up to
    date. Paper: Raft, section 5.4.1.
    """

    term: Term
    index: LogIndex  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
