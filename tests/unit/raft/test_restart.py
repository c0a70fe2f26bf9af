"""A node that starts anew knows the members that its log tells of. Paper: Raft, sections 5.6 and 6."""

from random import Random

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import FormatError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import drive, perform
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.restart import EntrySource, later_configurations
from mq.sim.disk import SimDisk

FIRST, JOINT, LAST = Configuration.of(1, 2, 3), Configuration((1, 2, 4), (1, 2, 3)), Configuration.of(1, 2, 4)
START = EntryId(Term(0), LogIndex(0))


class Written:
    """Nine entries of term 1: configurations at 3 and 7, commands elsewhere, in small segments."""

    def __init__(self) -> None:
        self.disk, self.log = SimDisk(), CommitLog(segment_bytes=512)
        changes = {3: JOINT, 7: LAST}
        for index in range(1, 10):
            if index in changes:
                self.append(index, EntryKind.CONFIGURATION, changes[index].to_bytes())
            else:
                self.append(index, EntryKind.COMMAND, bytes(100))

    def append(self, index: int, kind: EntryKind, payload: bytes, term: int = 1) -> None:
        entry = Entry(LogIndex(index), Term(term), kind, payload)
        appended = self.log.append(LogIndex(index - 1), [entry], HardState(Term(term), None))
        perform(self.disk, appended.plan)
        self.log.synced(appended.sequence)

    def found(self, index: int, term: int = 1) -> tuple[tuple[LogIndex, Configuration], ...]:
        log: EntrySource = self.log  # mypy holds the signatures
        return drive(later_configurations(log, EntryId(Term(term), LogIndex(index))), self.disk)


@pytest.mark.parametrize(
    ("snapshot", "found"),
    [(0, [(3, JOINT), (7, LAST)]), (2, [(3, JOINT), (7, LAST)]), (3, [(7, LAST)]), (6, [(7, LAST)]), (7, []), (9, [])],
)
def test_configurations_behind_the_snapshot_are_found_in_order(snapshot: int, found: list[tuple[int, Configuration]]) -> None:
    written = Written()
    assert len(written.log.segments()) >= 3
    assert list(written.found(snapshot, term=1 if snapshot else 0)) == found


def test_a_node_made_of_them_has_the_newest_members_in_force_and_an_older_one_when_that_is_superseded() -> None:
    written = Written()
    node = RaftNode(
        1, written.log, Random(1), options=RaftOptions(), configuration=FIRST,
        snapshot=Snapshot(EntryId(Term(1), LogIndex(2)), FIRST), later_configurations=written.found(2),
    )  # fmt: skip
    assert node.view().configuration == LAST
    written.append(6, EntryKind.COMMAND, b"", term=2)
    assert written.found(2) == ((3, JOINT),)


def test_a_superseded_configuration_is_not_found() -> None:
    written = Written()
    written.append(7, EntryKind.COMMAND, b"in its place", term=2)
    assert written.found(0, term=0) == ((3, JOINT),)


@pytest.mark.parametrize(("index", "term"), [(12, 2), (5, 2)])
def test_a_log_that_does_not_hold_what_the_snapshot_stands_for_tells_nothing(index: int, term: int) -> None:
    assert Written().found(index, term) == ()


def test_a_log_that_begins_behind_the_snapshot_is_no_log_of_it() -> None:
    written = Written()
    perform(written.disk, written.log.drop_before(LogIndex(6)))
    first = written.log.first_index
    assert first > 2
    assert written.found(int(first) - 1) == ((7, LAST),)
    with pytest.raises(StateError, match=rf"the log begins at {first} and the newest snapshot stands for {first - 2}"):
        written.found(int(first) - 2)


def test_a_damaged_log_tells_nothing_since_its_node_is_mute() -> None:
    written = Written()
    written.disk.flip_bit(written.log.segments()[0].file, 200, 1)
    written.log = CommitLog(segment_bytes=512)
    assert drive(written.log.recover(written.disk.files()), written.disk).damage
    assert written.found(0, term=0) == ()


def test_an_entry_that_is_no_configuration_is_refused() -> None:
    written = Written()
    written.append(10, EntryKind.CONFIGURATION, b"{}")
    with pytest.raises(FormatError, match="is no configuration"):
        written.found(0, term=0)


def test_an_empty_log_needs_no_reads() -> None:
    log = CommitLog()
    with pytest.raises(StopIteration) as done:
        next(later_configurations(log, START))
    assert done.value.value == ()
