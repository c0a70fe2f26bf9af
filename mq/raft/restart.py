"""What a restart has to find in the log before there is a node: changes of members behind the snapshot.

The newest configuration in a node's log is in force, committed or not, so a node that begins without it may count the wrong
majorities. Term and vote come with the log (`LogStorage.hard_state`), all else is learnt from the others.

Paper: Raft, section 6, "a server always uses the latest configuration in its log"; section 5.5 on crashes.
"""

from collections.abc import Sequence
from typing import Protocol

from mq.core.entry import Entry, EntryKind
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Steps
from mq.raft.configuration import Configuration

__all__ = ["EntrySource", "later_configurations"]

_BYTES_MAX = 1 << 20
"""Read at once: the log may be long, and only a few of its entries are kept."""


class EntrySource(Protocol):
    """A log that was opened, and can be read. The broker's `CommitLog` is one."""

    @property
    def first_index(self) -> LogIndex:
        """Of the oldest entry that is kept."""

    @property
    def last_index(self) -> LogIndex:
        """Of the newest entry."""

    @property
    def is_damaged(self) -> bool:
        """Whether entries that were durable cannot be read any more."""

    def term_at(self, index: LogIndex) -> Term | None:
        """The term of an entry, or of the one before the first; None for what is not there."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[Sequence[tuple[Entry, object]]]:
        """Some of the entries `first` to `last`, in order, at least one; beside each where it lies."""


def later_configurations(log: EntrySource, snapshot: EntryId) -> Steps[tuple[tuple[LogIndex, Configuration], ...]]:
    """Those behind the entry that the newest snapshot stands for ((0, 0) without one), as `RaftNode` takes them.

    None where the log does not hold that entry: a node then begins its log anew behind the snapshot. None of a damaged log: its
    node is mute.
    Raises: StateError when the log begins behind the snapshot, so that entries are missing in between; DamageError; FormatError.
    """
    if log.is_damaged:
        return ()
    if log.first_index > snapshot.index + 1:
        raise StateError(
            f"the log begins at {log.first_index} and the newest snapshot stands for {snapshot.index}: a newer one is gone"
        )
    if log.term_at(snapshot.index) != snapshot.term:
        return ()
    found: list[tuple[LogIndex, Configuration]] = []
    wanted = LogIndex(snapshot.index + 1)
    while wanted <= log.last_index:
        for entry, _ in (yield from log.entries(wanted, log.last_index, _BYTES_MAX)):
            if entry.kind is EntryKind.CONFIGURATION:
                found.append((entry.index, Configuration.from_bytes(entry.payload)))
            wanted = LogIndex(entry.index + 1)
    return tuple(found)
