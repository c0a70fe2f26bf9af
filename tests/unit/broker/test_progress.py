"""A group's place in a queue keeps no more than what is in flight, whoever asks it for what."""

from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable


def flight(deadline_ms: int, stamp: int) -> InFlight:
    return InFlight(1, deadline_ms, stamp, "anna", True, 0)


def test_what_was_acknowledged_leaves_nothing_behind_on_a_follower() -> None:
    """Nobody asks a follower what is ready, so that nothing is dropped by being looked at."""
    progress = QueueProgress()
    for offset in range(10_000):
        progress.hide(offset, flight(30_000 + offset, offset))
        if offset >= 10:
            del progress.in_flight[offset - 10]
    assert len(progress.in_flight) == 10
    assert len(progress.ready) < 100
    assert progress.next_deadline_ms() == 39_990
    assert progress.expired(39_995) == [9_990, 9_991, 9_992, 9_993, 9_994, 9_995]


def test_renewals_leave_nothing_behind_either() -> None:
    table = DeliveryTable()
    table.queue(0).hide(0, flight(30_000, 1))
    for renewal in range(1, 10_000):
        assert table.renew("anna", 30_000 + renewal, now_ms=10, since=0, not_before_ms=-1) == 1
    assert len(table.queue(0).ready) < 100
    assert table.next_deadline_ms() == 39_999
