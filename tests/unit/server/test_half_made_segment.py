"""A crash while one segment of the log ends and the next is being made: nothing written afterwards may be lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, drive, perform
from mq.server.disk import FileDisk

SEGMENT_BYTES = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FileDisk]:
    found = FileDisk(tmp_path)
    yield found
    found.close()


def entry(index: int, size_bytes: int) -> Entry:
    return Entry(LogIndex(index), Term(0), EntryKind.COMMAND, b"%d " % index + bytes(size_bytes))


def opened(disk: FileDisk) -> CommitLog:
    log = CommitLog(segment_bytes=SEGMENT_BYTES)
    recovery = drive(log.recover(disk.files(), None), disk)
    assert recovery.damage == ()
    perform(disk, recovery.repairs)
    log.check()
    return log


def append(log: CommitLog, disk: FileDisk, size_bytes: int) -> None:
    appended = log.append(log.last_index, [entry(log.last_index + 1, size_bytes)])
    perform(disk, appended.plan)
    log.synced(appended.sequence)


# The plan of an append that begins a segment: mark the end, sync, create, write and sync the header, write and sync the group.
@pytest.mark.parametrize("carried_out", range(8))
def test_what_follows_a_half_made_segment_is_there_after_the_next_start(disk: FileDisk, carried_out: int) -> None:
    log = opened(disk)
    while log.last_index < 3:
        append(log, disk, 1000)
    plan = log.append(log.last_index, [entry(4, 2000)]).plan
    assert len(plan) == 7
    assert isinstance(plan[2], Create)
    perform(disk, plan[:carried_out])
    # Small ones, which would find room behind the mark of the old segment.
    for _ in range(3):
        log = opened(disk)
        append(log, disk, 10)
    last = 6 + (carried_out >= 6)
    log = opened(disk)
    assert log.last_index == last
    found = drive(log.entries(LogIndex(1), log.last_index, 1 << 20), disk)
    assert [int(one.entry.payload.split()[0]) for one in found] == list(range(1, last + 1))
