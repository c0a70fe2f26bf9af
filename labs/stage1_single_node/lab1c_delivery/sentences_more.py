"""Ring 1, the second half: progress, changes, renewals, ordered groups, retention, snapshots."""

from typing import Any

from labs.stage1_single_node.lab1c_delivery.bench import dead_place
from labs.stage1_single_node.lab1c_delivery.rules import named, shown
from labs.stage1_single_node.lab1c_delivery.sentences import FAR, QUEUES, SENTENCES, Hand, again, new, sentence
from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import InFlight

__all__ = ["SENTENCES"]


@sentence("1.16", 12, points=1)
def the_consumer_offset_is_the_lowest_that_is_not_done(hand: Hand) -> None:
    hand.same(12, "consumer_offset at the beginning", 0, hand.table.consumer_offset(0))
    hand.take(new(0, 3))
    for offset, wanted in ((1, 0), (0, 2), (2, 3)):
        hand.ack(offset, 1)
        hand.same(12, f"consumer_offset, message {offset} acknowledged", wanted, hand.table.consumer_offset(0))
    hand.same(12, "the queues that were touched", [0], [q for q in hand.table.queues() if hand.table.next_offset(q)])


# ---------------------------------------------------------------- change


@sentence("1.17", 7)
def a_change_moves_the_deadline_and_replaces_the_handle(hand: Hand) -> None:
    hand.take(new(0, 1), renews=True)
    hand.at(3000)
    flight = hand.change(0, 1, 8_000)
    hand.same(7, "what the change returns", InFlight(1, 11_000, 2, "anna", False, 1000), flight)  # noqa: FBT003
    hand.same(7, "what is in flight", flight, hand.table.flights(0).get(0))
    hand.same(4, "the old handle", None, hand.table.valid(0, 0, 1, 4000))
    hand.same(7, "the new handle", flight, hand.table.valid(0, 0, 2, 4000))
    for now_ms, wanted in ((6000, []), (10_999, []), (11_000, [0])):
        hand.same(7, f"what is ready at {now_ms} ms", wanted, list(hand.table.expired(0, now_ms)))


@sentence("1.18", 7, points=1)
def a_change_may_make_it_ready_sooner(hand: Hand) -> None:
    hand.take(new(0, 2))
    hand.at(2000)
    hand.change(1, 1, 0)
    hand.same(7, "what is ready at once", [1], list(hand.table.expired(0, 2000)))
    hand.same(12, "the next deadline", 2000, hand.table.next_deadline_ms())


@sentence("1.19", 4, points=1)
def a_change_with_a_spent_handle_is_refused(hand: Hand) -> None:
    hand.take(new(0, 1))
    hand.change(0, 1, 8_000)
    hand.same(4, "the change with the old handle", None, hand.change(0, 1, 1_000))
    hand.at(9000)
    hand.same(4, "the change at the deadline", None, hand.change(0, 2, 1_000))
    flight = hand.table.flights(0).get(0)
    hand.same(4, "until when message 0 is in flight", 9000, None if flight is None else flight.deadline_ms)
    hand.same(4, "the change in a queue that was never read", None, hand.change(0, 2, 1_000, queue_id=5))


@sentence("1.20", 6, points=1)
def a_delivery_that_did_not_take_place_is_not_counted(hand: Hand) -> None:
    hand.take(new(0, 1))
    flight = hand.change(0, 1, 0, is_counted=False)
    hand.same(6, "the attempt of what never arrived", 0, None if flight is None else flight.attempt)
    got = hand.take(again(1, 0), client="ben")
    hand.same(6, "the attempt of the delivery after it", [1], [one.attempt for one in got.delivered])


# ---------------------------------------------------------------- still due


@sentence("1.21", 3)
def what_was_hidden_again_on_the_way_into_the_log_is_not_due(hand: Hand) -> None:
    hand.take(new(0, 3), span_ms=1_000)
    hand.at(2000)
    hand.take(again(3, 1), client="ben")
    pick = QueuePick(0, 3, 3, 5, (4,), (0, 1), (dead_place(2),))
    (got,) = hand.due(pick)
    hand.same(3, "the pick", QueuePick(0, 3, 3, 5, (4,), (0,), (dead_place(2),)), got)
    (got,) = hand.due(again(3, 1, is_repeat=True))
    hand.same(10, "a repeat for the caller that has it", again(3, 1, is_repeat=True), got)


@sentence("1.22", 10)
def of_an_ordered_queue_all_wait_for_the_one_that_is_hidden(hand: Hand) -> None:
    hand.take(new(0, 3), new(0, 2, queue_id=1), span_ms=4_000)
    hand.tell("the first of queue 0 is hidden until 9000 ms", is_drawn=False)
    hand.table.change(0, 0, 1, 1000, deadline_ms=9000, new_stamp=2)
    hand.at(5000)
    got, other = hand.due(again(3, 0, 1, dead=(2,)), QueuePick(1, 2, 2, 2, (), (0, 1)), is_fifo=True)
    hand.same(10, "what is delivered again, and what is dead", (), (*got.again, *got.dead))
    hand.same(10, "what is delivered again of queue 1, where all are ready", (0, 1), tuple(other.again))
    hand.at(9000)
    (got,) = hand.due(again(3, 0, 1, 2), is_fifo=True)
    hand.same(10, "what is delivered again when all are ready", (0, 1, 2), got.again)


# ---------------------------------------------------------------- renew, give back


@sentence("1.23", 8)
def a_renewal_hides_for_longer_and_the_handle_stays_good(hand: Hand) -> None:
    hand.take(new(0, 1), renews=True)
    _nothing_to_the_first(hand, 8, "renew", since=0, not_before_ms=0)
    hand.at(4000)
    hand.tell("renew what anna holds until 9000", is_drawn=False)
    moved = hand.table.renew("anna", 9000, now_ms=4000, since=0, not_before_ms=0)
    hand.same(8, "how many were renewed", 1, moved)
    hand.same(8, "what is ready at the old deadline", [], list(hand.table.expired(0, 6000)))
    hand.same(12, "the next deadline", 9000, hand.table.next_deadline_ms())
    hand.same(8, "what is ready at the new deadline", [0], list(hand.table.expired(0, 9000)))
    hand.yes(4, "the ack with its handle, behind the old deadline", hand.table.ack(0, 0, 1, 8000))


def _nothing_to_the_first(hand: Hand, of_rule: int, name: str, **named: Any) -> None:
    """The same client holds a message of another group: what is asked for it there is nothing to the first one."""
    other = hand.beside()
    before = {offset: flight.deadline_ms for offset, flight in hand.table.flights(0).items()}
    hand.stamp += 1
    until_ms = hand.now_ms + (9_000 if name == "renew" else 0)
    hand.tell(f"anna receives of the other group, too; there comes `{name}` of what it holds, until {until_ms}", is_drawn=False)
    other.take(
        (new(0, 1, queue_id=9),), stamp=hand.stamp, deadline_ms=hand.now_ms + 5_000, client="anna", renews=True, attempt_id="",
        now_ms=hand.now_ms,
    )  # fmt: skip
    moved = getattr(other, name)("anna", until_ms, now_ms=hand.now_ms, **named)
    hand.same(of_rule, "how many that were in the other group", 1, moved)
    after = {offset: flight.deadline_ms for offset, flight in hand.table.flights(0).items()}
    hand.same(of_rule, "the deadlines in the first group", before, after)


_ALIKE = ("annabel", "ann", "Anna", "anna ", " anna", "anna\n", "\uff41nna")
"""Other clients than anna."""


@sentence("1.24", 8, points=1)
def not_renewed_is_what_is_not_meant(hand: Hand) -> None:
    hand.take(new(0, 1), renews=True)
    hand.take(new(1, 2), renews=True)
    hand.at(1500)
    hand.take(new(2, 3), renews=False)
    hand.take(new(3, 4), renews=True, client="ben")
    hand.take(new(4, 5), renews=True, span_ms=20_000)
    hand.take(new(5, 6), renews=True, span_ms=500)
    hand.take(new(6, 7), renews=True)
    for offset, client in enumerate(_ALIKE, 7):
        hand.take(new(offset, offset + 1), renews=True, client=client)
    hand.at(2000)
    hand.tell("renew what anna holds until 12000, taken by command 2 or later, and after 1000 ms", is_drawn=False)
    moved = hand.table.renew("anna", 12_000, now_ms=2000, since=2, not_before_ms=1000)
    deadlines = {offset: flight.deadline_ms for offset, flight in hand.table.flights(0).items()}
    wanted = {0: 6000, 1: 6000, 2: 6500, 3: 6500, 4: 21_500, 5: 2000, 6: 12_000}
    wanted |= {offset: 6500 for offset, _ in enumerate(_ALIKE, 7)}
    hand.same(8, "the deadlines", wanted, deadlines)
    hand.same(8, "how many were renewed", 1, moved)


@sentence("1.25", 9)
def what_a_client_gives_back_is_ready_at_once(hand: Hand) -> None:
    hand.take(new(0, 1), renews=True)
    hand.take(new(1, 2), renews=False)
    hand.take(new(2, 3), renews=True, client="ben")
    hand.take(new(3, 4), renews=True, span_ms=500)
    for queue_id, client in enumerate(_ALIKE, 1):
        hand.take(new(0, 1, queue_id=queue_id), renews=True, client=client)
    _nothing_to_the_first(hand, 9, "give_back", everything=True)
    hand.at(2000)
    hand.tell("anna says goodbye: what renews itself is given back", is_drawn=False)
    moved = hand.table.give_back("anna", 2000, now_ms=2000, everything=False)
    hand.same(9, "how many were given back", 1, moved)
    hand.same(9, "what is ready", [0, 3], list(hand.table.expired(0, 2000)))
    hand.no(4, "the ack with a handle of it", hand.ack(0, 1))
    hand.tell("anna is gone: all that it holds is given back", is_drawn=False)
    hand.same(9, "how many were given back", 1, hand.table.give_back("anna", 2000, now_ms=2000, everything=True))
    deadlines = {offset: flight.deadline_ms for offset, flight in hand.table.flights(0).items()}
    hand.same(9, "the deadlines", {0: 2000, 1: 2000, 2: 6000, 3: 1500}, deadlines)
    for queue_id, client in enumerate(_ALIKE, 1):
        (flight,) = hand.table.flights(queue_id).values() or (None,)
        hand.same(9, f"until when {named(client)} holds message 0 of queue {queue_id}", 6000, flight and flight.deadline_ms)
    hand.same(12, "the next deadline", 1500, hand.table.next_deadline_ms())
    hand.take(new(4, 5))
    hand.at(2500)
    hand.tell("anna was gone at 1800 ms; that comes out of the log now, and what ran out meanwhile stays", is_drawn=False)
    hand.same(9, "how many were given back", 1, hand.table.give_back("anna", 1800, now_ms=2500, everything=True))
    deadlines = {offset: flight.deadline_ms for offset, flight in hand.table.flights(0).items()}
    hand.same(9, "the deadlines", {0: 2000, 1: 2000, 2: 6000, 3: 1500, 4: 1800}, deadlines)


# ---------------------------------------------------------------- retention, reset


@sentence("1.26", 13, points=1)
def retention_forgets_what_is_below_and_counts_what_was_never_delivered(hand: Hand) -> None:
    hand.take(new(0, 4))
    hand.tell("retention takes what is below message 2, then what is below message 6", is_drawn=False)
    hand.same(13, "how many were skipped", 0, hand.table.forget_below(0, 2))
    hand.same(13, "what is in flight", [2, 3], sorted(hand.table.flights(0)))
    hand.same(13, "how many were skipped", 2, hand.table.forget_below(0, 6))
    hand.same(13, "next_offset", 6, hand.table.next_offset(0))
    hand.same(13, "what is in flight", [], sorted(hand.table.flights(0)))
    hand.same(13, "how many were skipped, of what is gone already", 0, hand.table.forget_below(0, 3))
    hand.same(13, "next_offset", 6, hand.table.next_offset(0))


@sentence("1.27", 13, points=1)
def a_reset_goes_on_elsewhere_and_old_handles_count_no_more(hand: Hand) -> None:
    hand.take(new(0, 4))
    hand.tell("queue 0 is reset to message 1", is_drawn=False)
    hand.table.move(0, 1)
    hand.same(13, "next_offset", 1, hand.table.next_offset(0))
    hand.same(13, "what is in flight", [], sorted(hand.table.flights(0)))
    hand.same(13, "the next deadline", None, hand.table.next_deadline_ms())
    got = hand.take(new(1, 3), client="ben")
    hand.same(6, "the attempts of what is delivered from there", [1, 1], [one.attempt for one in got.delivered])
    hand.no(4, "anna's ack from before", hand.ack(1, 1))


# ---------------------------------------------------------------- snapshots


@sentence("1.28", 14, points=1)
def a_look_changes_nothing(hand: Hand) -> None:
    hand.take(new(0, 2))
    hand.ack(0, 1)
    before = hand.table.to_plain()
    hand.tell("the table is asked for all that it shows, of queues that were never read as well")
    for queue_id in (0, 1, 5):
        for name in ("next_offset", "consumer_offset", "attempt_id", "flights"):
            getattr(hand.table, name)(queue_id)
        hand.table.expired(queue_id, 9000)
        hand.table.valid(queue_id, 0, 1, 2000)
        hand.table.is_done(queue_id, 0)
    hand.table.next_deadline_ms()
    hand.table.still_due((again(0, 0), QueuePick(5, 0, 0, 1, (), (0,))), 9000, is_fifo=False)
    hand.same(14, "its snapshot", shown(str(before)), shown(str(hand.table.to_plain())))
    for queue_id in (0, 5):
        hand.no(4, "the ack with a handle that nobody got", hand.ack(1, 99, queue_id=queue_id))
        hand.same(4, "the change with it", None, hand.change(1, 99, 1_000, queue_id=queue_id))
    hand.same(4, "its snapshot, when all was refused", shown(str(before)), shown(str(hand.table.to_plain())))


@sentence("1.29", 14)
def a_snapshot_holds_all_that_is_in_flight(hand: Hand) -> None:
    hand.take(new(0, 3), renews=True, attempt_id="a-7")
    hand.take(new(0, 2, queue_id=1), client="ben")
    hand.ack(1, 1)
    hand.change(2, 1, 8_000)
    again_there = _as_it_was(hand, 0, 1)
    hand.same(14, "the next deadline", 6000, again_there.next_deadline_ms())
    hand.same(14, "what is ready at 6000 ms", [0], list(again_there.expired(0, 6000)))
    hand.at(6000)
    hand.delivered_again(300, 3)
    for number, (queue_id, name) in enumerate(zip(QUEUES, _NAMES, strict=False)):
        begin = FAR[number % len(FAR)] + number
        pick = QueuePick(queue_id, 0, begin, begin + 3, (begin + 1,))
        hand.take(pick, client=name, renews=number % 2 == 0, attempt_id=_NAMES[-1 - number])
    _as_it_was(hand, 0, 1, *QUEUES)


_NAMES = (
    "oven-3.bakery.example@4711@0@1k7x0f3wq2m5d", "oven-3@4711@1@8fa09c3e77d1", "@", "1@2@3", "0", "true", "null",
    "6f1d2f4e-8c57-4b0e-9a55-0d3f7c1e2b90", "a,b;c:d|e/f\\g", "the oven's \"third\" = [{(<#$%&*+~^`!?_.>)}]",
    " ", "B\u00e4ckerei \u9762\u5305", "oven\t3", " oven-3 ", "oven\r\n3\n", "\0oven\x1e3\x1f", "oven\u20283",
)  # fmt: skip
"""Of clients, and of what they call their receives: whatever text they like."""


def _as_it_was(hand: Hand, *queue_ids: int) -> Any:
    """What is made of a snapshot shows the same of these queues."""
    again_there = hand.restored()
    for queue_id in queue_ids:
        wanted, got = dict(hand.table.flights(queue_id)), dict(again_there.flights(queue_id))
        hand.same(14, f"what is in flight of queue {queue_id}", wanted, got)
        for name in ("next_offset", "attempt_id", "consumer_offset"):
            hand.same(
                14, f"{name} of queue {queue_id}", getattr(hand.table, name)(queue_id), getattr(again_there, name)(queue_id)
            )
    hand.same(14, "the next deadline", hand.table.next_deadline_ms(), again_there.next_deadline_ms())
    hand.same(14, "its snapshot", shown(str(hand.table.to_plain())), shown(str(again_there.to_plain())))
    return again_there
