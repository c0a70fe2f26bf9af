"""Numbers that must not be mixed up, each with a type of its own.

Two collisions to keep in mind: a *log index* counts entries from 1, a *queue offset* counts the
messages of one queue from 0, and a *commit-log position* counts bytes.
"""

from dataclasses import dataclass
from typing import NewType

__all__ = ["CommitLogPosition", "EntryId", "LogIndex", "QueueOffset", "Term"]

Term = NewType("Term", int)
"""Numbered reign of at most one leader; 0 with a single node."""

LogIndex = NewType("LogIndex", int)
"""Place of an entry in the log, from 1; index 0 with term 0 stands before the first entry."""

QueueOffset = NewType("QueueOffset", int)
"""Ordinal of a message in its queue, from 0."""

CommitLogPosition = NewType("CommitLogPosition", int)
"""Byte position in the commit log, counted over all its segments."""


@dataclass(frozen=True, slots=True, order=True)
class EntryId:
    """Term and index together name one entry for ever. Paper: Raft, section 5.3."""

    term: Term
    index: LogIndex
