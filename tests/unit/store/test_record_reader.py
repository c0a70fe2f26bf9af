"""From a consume-queue entry to its record: by place or by log index, also where a newer leader's entries superseded others."""

import pytest

from mq.broker.store.consume_queue import NO_POSITION, QueueEntry
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.entry import Entry, RecordPlace
from mq.core.errors import StateError
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Read, Steps, drive
from tests.unit.store.helpers import LogOnDisk


class Searched:
    """A log that notes from which entry on it was searched."""

    def __init__(self, stored: LogOnDisk) -> None:
        self.log, self.searches = stored.log, list[int]()

    @property
    def first_index(self) -> LogIndex:
        return self.log.first_index

    @property
    def durable_index(self) -> LogIndex:
        return self.log.durable_index

    def term_at(self, index: LogIndex) -> Term | None:
        return self.log.term_at(index)

    def read(self, place: RecordPlace) -> Read:
        return self.log.read(place)

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        return self.log.decode(place, data)

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        self.searches.append(int(first))
        return self.log.entries(first, last, bytes_max)


class Reading:
    """A log of twenty entries in groups of four, and a reader of it."""

    def __init__(self) -> None:
        self.stored = LogOnDisk(segment_bytes=512)
        for first in range(1, 21, 4):
            self.stored.append(*(b"payload %d" % index for index in range(first, first + 4)))
        self.log = Searched(self.stored)
        self.reader = RecordReader(self.log)

    def read(self, index: int, position: int = NO_POSITION) -> bytes:
        entry = QueueEntry(0, position, index, 1, 90, 1, 0, 0)
        return drive(self.reader.payload(entry), self.stored.disk)


def test_neighbours_are_found_by_one_search() -> None:
    reading = Reading()
    assert [reading.read(index) for index in range(3, 21)] == [b"payload %d" % index for index in range(3, 21)]
    assert reading.log.searches == [3]
    assert reading.read(2) == b"payload 2"
    assert reading.log.searches == [3, 2]


def test_a_remembered_place_that_holds_something_else_is_not_trusted() -> None:
    reading = Reading()
    reading.read(3)
    places = reading.reader._places
    for wrong in (places[4], RecordPlace(CommitLogPosition(1 << 40), 90), RecordPlace(CommitLogPosition(8), 90)):
        places[3] = wrong
        assert reading.read(3) == b"payload 3"
    assert reading.log.searches == [3] * 4


def test_what_was_superseded_is_not_read_where_it_was_seen() -> None:
    reading = Reading()
    assert reading.read(5) == b"payload 5"
    reading.stored.append(b"newer 18", after=17, term=2)
    assert [reading.read(17), reading.read(18)] == [b"payload 17", b"newer 18"]
    assert reading.log.searches == [5, 18]
    with pytest.raises(StateError):
        reading.read(19)


def test_what_retention_took_is_gone_also_where_it_was_seen() -> None:
    reading = Reading()
    reading.read(1)
    reading.stored.drop_before(15)
    first = reading.log.first_index
    assert 1 < first <= 15
    assert reading.read(15) == b"payload 15"
    with pytest.raises(StateError):
        reading.read(first - 1)
    assert reading.reader.is_gone(QueueEntry(0, 0, first - 1, 1, 90, 1, 0, 0))
    assert not reading.reader.is_gone(QueueEntry(0, 0, first, 1, 90, 1, 0, 0))


def test_what_is_not_durable_yet_is_not_searched_for_in_passing() -> None:
    reading = Reading()
    reading.stored.plan(b"not written")
    assert reading.log.durable_index == 20
    assert reading.read(20) == b"payload 20"
    assert max(reading.reader._places) == 20


def test_a_record_whose_place_is_known_is_read_there() -> None:
    reading = Reading()
    (found,) = drive(reading.stored.log.entries(LogIndex(7), LogIndex(7), 1), reading.stored.disk)
    entry = QueueEntry(0, found.place.position, 7, 1, found.place.size_bytes, 1, 0, 0)
    assert drive(reading.reader.payload(entry), reading.stored.disk) == b"payload 7"
    assert reading.log.searches == []
