"""Receive, acknowledge, give back: what the delivery table promises, one sentence each."""

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.flight import Delivered, Received
from mq.broker.delivery.receipt import ReceiptHandle
from mq.broker.outcomes import Changed, Done, Outcome
from mq.core.errors import Code, RefusedError
from tests.unit.broker.helpers import Core, offsets


@pytest.fixture
def core() -> Core:
    core = Core()
    core.topic()
    core.group()
    return core


def test_each_message_is_handed_out_once_while_it_is_hidden(core: Core) -> None:
    core.send("a", "b", "c")
    assert offsets(core.receive(2)) == [0, 1]
    assert offsets(core.receive(2)) == [2]
    assert core.receive() == ()


def test_an_answer_holds_as_many_bytes_as_reach_a_consumer_in_time(core: Core) -> None:
    """All of it is read before it leaves, and what comes too late over a slow line counts as delivered."""
    for number in range(5):
        core.do(AppendMessages(core.now_ms, core.now_ms, "t", 0, 1, 0, (f"big {number}",), "", (bytes(3 << 20),)))
    assert offsets(core.receive(5)) == [0, 1, 2]
    assert offsets(core.receive(5)) == [3, 4]
    core.wait(10_000)
    assert offsets(core.receive(5)) == [0, 1, 2]
    core.do(AppendMessages(core.now_ms, core.now_ms, "t", 0, 1, 0, ("bigger",), "", (bytes(9 << 20),)))
    assert offsets(core.receive(5)) == [3, 4, 5], "one alone is never too big"
    core.wait(10_000)
    assert core.receive(1) != ()


def test_an_unacknowledged_message_comes_back_after_its_invisible_time_and_not_earlier(core: Core) -> None:
    core.send("a")
    first = core.receive(invisible_ms=10_000)[0]
    core.wait(9_999)
    assert core.receive() == ()
    core.wait(1)
    again = core.receive()[0]
    assert (first.attempt, again.attempt, again.offset) == (1, 2, 0)
    assert again.stamp != first.stamp


def test_an_acknowledged_message_never_comes_back(core: Core) -> None:
    core.send("a", "b")
    a, b = core.receive()
    assert core.ack(a)
    core.wait(60_000)
    assert offsets(core.receive()) == [b.offset]


def test_a_handle_out_of_time_acknowledges_nothing(core: Core) -> None:
    core.send("a")
    late = core.receive(invisible_ms=10_000)[0]
    core.wait(10_000)
    assert not core.ack(late)
    assert offsets(core.receive()) == [0]


def test_a_replaced_handle_acknowledges_nothing_and_the_new_one_does(core: Core) -> None:
    core.send("a")
    old = core.receive()[0]
    changed = core.change(old, 20_000)
    assert isinstance(changed, Changed)
    assert changed.flight is not None
    assert not core.ack(old)
    assert core.ack(old._replace(stamp=changed.flight.stamp))


def test_another_groups_ack_does_not_count(core: Core) -> None:
    core.group("other")
    core.send("a")
    mine = core.receive()[0]
    assert not core.ack(mine, group="other")
    core.wait(10_000)
    assert offsets(core.receive()) == [0]


def test_changing_to_zero_gives_a_message_back_at_once(core: Core) -> None:
    core.send("a")
    core.change(core.receive()[0], 0)
    assert [d.attempt for d in core.receive()] == [2]


def test_each_group_reads_everything_from_the_beginning(core: Core) -> None:
    core.send("a", "b")
    core.receive()
    core.group("late")
    assert offsets(core.receive(group="late")) == [0, 1]


def test_after_its_last_attempt_a_message_goes_to_the_dead_letter_queue_with_its_place(core: Core) -> None:
    core.group("g", max_attempts=2)
    core.send("a", "b")
    core.ack(core.receive(2)[0])
    for attempt in (1, 2):
        core.wait(10_000)
        taken = core.receive()
        assert [d.attempt for d in taken] == ([2] if attempt == 1 else [])
    dead = core.machine.topics["%DLQ%g"].queues[0]
    assert dead.max_offset == 1
    core.group("reader")
    choice = core.choose(group="reader", topic="%DLQ%g")
    assert [(e.first, e.place, e.log_index) for e in choice.entries.values()] == [(1, None, 4)]
    core.wait(60_000)
    assert core.receive() == ()


def test_two_looks_before_the_first_is_applied_never_choose_the_same_message(core: Core) -> None:
    core.send("a", "b", "c")
    one = core.choose(2)
    core.picker.reserve("g", "t", one.picks)
    two = core.choose(2)
    core.picker.reserve("g", "t", two.picks)
    assert (set(one.entries), set(two.entries)) == ({(0, 0), (0, 1)}, {(0, 2)})


def test_a_pick_whose_predecessor_was_refused_is_void_and_nothing_is_skipped(core: Core) -> None:
    core.send("a", "b", "c")
    one = core.choose(2)
    core.picker.reserve("g", "t", one.picks)
    two = core.choose(2)
    core.picker.reserve("g", "t", two.picks)
    core.picker.release("g", "t", one.picks)  # the first never got into the log
    assert core.hand_out(two).delivered == ()  # type: ignore[union-attr]
    core.picker.release("g", "t", two.picks)
    assert offsets(core.receive()) == [0, 1, 2]


def test_a_tag_filter_selects_exactly_and_passes_over_the_rest_for_good(core: Core) -> None:
    core.send("1", "2", "3", "4", tags=("a", "b", "", "a"))
    core.send("5", tags="b")
    core.send("6", tags="c")
    wanted = frozenset(("a", "c"))
    assert offsets(core.receive(tags=wanted)) == [0, 3, 5]
    assert core.receive() == ()


def test_an_ordered_group_gets_nothing_more_of_a_queue_until_everything_received_is_done() -> None:
    core = Core()
    core.topic(kind=2)
    core.group(is_fifo=True)
    core.send("a", "b", "c", kind=2)
    a, b = core.receive(2, attempt_id="one")
    assert core.receive(attempt_id="two") == ()
    core.ack(a)
    assert core.receive(attempt_id="two") == ()
    core.ack(b)
    assert offsets(core.receive(attempt_id="two")) == [2]


def test_the_same_ordered_caller_gets_its_lost_batch_again_without_a_new_attempt() -> None:
    core = Core()
    core.topic(kind=2)
    core.group(is_fifo=True)
    core.send("a", "b", kind=2)
    assert offsets(core.receive(1, attempt_id="one")) == [0]
    again = core.receive(1, attempt_id="one")
    assert [(d.offset, d.attempt) for d in again] == [(0, 1)]


def test_an_ordered_batch_out_of_time_comes_back_in_order_as_attempt_two() -> None:
    core = Core()
    core.topic(kind=2)
    core.group(is_fifo=True)
    core.send("a", "b", "c", kind=2)
    core.receive(3, attempt_id="one")
    core.wait(10_000)
    assert [(d.offset, d.attempt) for d in core.receive(attempt_id="two")] == [(0, 2), (1, 2), (2, 2)]


def renew(core: Core, ms: int, *, since: int = 0, not_before_ms: int = 0) -> Outcome:
    return core.do(c.RenewClient(core.now_ms, core.now_ms, "me", "g", core.now_ms + ms, since, not_before_ms))


def test_what_somebody_else_handed_out_is_not_renewed(core: Core) -> None:
    core.send("a", "b")
    core.receive(1, renews=True)
    since = len(core.log) + 1
    (mine,) = core.receive(1, renews=True)
    assert renew(core, 60_000, since=since) == Done(1)
    core.wait(10_000)
    assert [(d.offset, d.attempt) for d in core.receive()] == [(0, 2)]
    assert core.ack(mine)


def test_nothing_is_renewed_for_ever(core: Core) -> None:
    core.send("a")
    core.receive(renews=True)
    taken_ms = core.now_ms
    core.wait(5_000)
    assert renew(core, 60_000, not_before_ms=taken_ms - 1) == Done(1)
    core.wait(50_000)
    assert renew(core, 60_000, not_before_ms=taken_ms) == Done(0)


def test_renewal_moves_only_what_was_received_with_auto_renew_and_keeps_the_handle(core: Core) -> None:
    core.send("a", "b")
    renewed = core.receive(1, renews=True)[0]
    plain = core.receive(1)[0]
    renew(core, 60_000)
    core.wait(15_000)
    assert core.ack(renewed)
    assert not core.ack(plain)


def test_what_was_received_in_the_millisecond_of_a_renewal_is_counted_and_an_earlier_deadline_is_not_taken(core: Core) -> None:
    core.send("a")
    (delivered,) = core.receive(1, renews=True, invisible_ms=60_000)
    assert renew(core, 60_000) == Done(1)
    assert renew(core, 59_999) == Done(0)
    core.wait(59_999)
    assert core.ack(delivered)


def test_a_goodbye_gives_back_what_was_received_with_auto_renew(core: Core) -> None:
    core.send("a", "b")
    core.receive(1, renews=True, invisible_ms=60_000)
    core.receive(1, invisible_ms=60_000)
    core.do(c.ReleaseClient(core.now_ms, core.now_ms, "me", "g", core.now_ms, False))
    assert [(d.offset, d.attempt) for d in core.receive()] == [(0, 2)]


def test_moving_the_offset_forgets_what_is_in_flight(core: Core) -> None:
    core.send("a", "b", "c")
    old = core.receive(2)[0]
    core.do(c.MoveOffset(core.now_ms, core.now_ms, "g", "t", 0, 1))
    assert not core.ack(old)
    assert offsets(core.receive()) == [1, 2]
    outside = core.do(c.MoveOffset(core.now_ms, core.now_ms, "g", "t", 0, 4))
    assert isinstance(outside, RefusedError)
    assert outside.code == Code.ILLEGAL_OFFSET


def test_the_consumer_offset_is_the_lowest_that_is_not_done(core: Core) -> None:
    core.send("a", "b", "c")
    a, b, _ = core.receive()
    table = core.machine.group("g").table("t")
    assert table.consumer_offset(0) == 0
    core.ack(b)
    assert table.consumer_offset(0) == 0
    core.ack(a)
    assert table.consumer_offset(0) == 2


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "r1:1:2:3", "r1:1:2:3:4:5:g:t:x", "r2:1:2:3:4:5:g:t", "r1:-1:2:3:4:5:g:t",
        "r1:١:2:3:4:5:g:t",  # noqa: RUF001 - a digit for int(), but not ours
    ],
)  # fmt: skip
def test_a_handle_of_another_making_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        ReceiptHandle.from_text(text, group="g", topic="t")
    assert refused.value.code == Code.INVALID_RECEIPT_HANDLE


def test_a_handle_survives_its_text() -> None:
    handle = ReceiptHandle(7, 8, 1, 2, 3, "g", "%DLQ%g")
    assert ReceiptHandle.from_text(handle.to_text(), group="g", topic="%DLQ%g") == handle
    with pytest.raises(RefusedError):
        ReceiptHandle.from_text(handle.to_text(), group="other", topic="%DLQ%g")


def test_delivered_is_plain_data() -> None:
    assert tuple(Delivered(0, 1, 2, 3, 4)) == (0, 1, 2, 3, 4)


def test_what_never_reached_its_consumer_is_given_back_uncounted() -> None:
    core = Core()
    core.topic()
    core.group(max_attempts=1)
    core.send("a")
    for _ in range(3):
        (lost,) = core.receive()
        assert lost.attempt == 1
        core.change(lost, 0, is_counted=False)
    (seen,) = core.receive()
    assert seen.attempt == 1
    core.wait(10_000)
    assert core.receive() == ()  # this delivery did count, and was the only one allowed: it is a dead letter now
    assert core.machine.topic("%DLQ%g").queues[0].max_offset == 1


@pytest.mark.parametrize("max_attempts", [17, 1], ids=["again", "dead"])
def test_what_was_hidden_for_longer_while_a_receive_was_on_its_way_stays_hidden(core: Core, max_attempts: int) -> None:
    core.group("g", max_attempts=max_attempts)
    core.send("a", "b")
    first, second = core.receive(invisible_ms=10_000)
    core.wait(9_999)
    change = c.ChangeInvisible(core.now_ms, core.now_ms, "g", "t", 0, first.offset, first.stamp, core.now_ms + 60_000)
    core.wait(1)
    choice = core.choose()  # both are ready again, and the change is not applied yet
    assert [(p.again, tuple(d.offset for d in p.dead)) for p in choice.picks] in ([((0, 1), ())], [((), (0, 1))])
    assert isinstance(core.do(change), Changed)
    received = core.hand_out(choice)
    assert isinstance(received, Received)
    assert [*offsets(received.delivered), *(place.offset for _, place in received.dead)] == [second.offset]
    core.wait(59_998)
    assert first.offset not in offsets(core.receive(attempt_id="later"))


def test_an_ordered_queue_waits_as_a_whole_for_the_message_that_was_hidden_for_longer(core: Core) -> None:
    core.group("g", is_fifo=True)
    core.send("a", "b")
    first = core.receive(invisible_ms=10_000)[0]
    core.wait(9_999)
    change = c.ChangeInvisible(core.now_ms, core.now_ms, "g", "t", 0, first.offset, first.stamp, core.now_ms + 60_000)
    core.wait(1)
    choice = core.choose()
    core.do(change)
    received = core.hand_out(choice)
    assert isinstance(received, Received)
    assert received.delivered == ()
