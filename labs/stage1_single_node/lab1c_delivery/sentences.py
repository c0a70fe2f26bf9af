"""Ring 1: one small test per rule of delivery. Here: receive, deadlines, handles, attempts."""

import json
from collections.abc import Sequence
from typing import Any

from labs.grader.seams import Call, Make, at_once, made_beside, made_by
from labs.grader.sentences import Sentences
from labs.grader.suite import Run
from labs.stage1_single_node.lab1c_delivery.bench import dead_place
from labs.stage1_single_node.lab1c_delivery.rules import SOURCES, broken, named, place, shown
from labs.stage1_single_node.lab1c_delivery.timeline import Mark, Moment, Timeline
from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["FAR", "QUEUES", "SENTENCES", "Hand", "again", "new", "sentence"]


QUEUES = (2, 4, 8, 10, 16, 17, 32, 33, 64, 100, 128, 200, 255, 256, 512, 1000, 1023)
"""Of a topic with as many queues as there may be. Those that are used before are 0 and 1."""
FAR = (254, 70_000, (1 << 24) + 3, (1 << 32) + 5, (1 << 53) - 300)
"""Offsets in queues that have been there for years."""


class Hand:
    """A table, and verbs that ask it for one thing at a time. now_ms: log time; stamp: the log index of the last command.

    flights: by queue and offset, as the table's answers to commands say; the picture is made of them.
    """

    def __init__(self, make: Make, run: Run) -> None:
        self.make, self.run, self.table = make, run, make()
        self.now_ms, self.stamp = 1000, 0
        self.flights: dict[int, dict[int, InFlight]] = {}
        self.moments: list[Moment] = []
        self.marks: list[Mark] = []
        run.figure = Timeline(self.moments, self.marks)

    def tell(self, line: str, *, is_drawn: bool = True) -> None:
        """is_drawn: False for a command that the picture knows nothing of; then there is none."""
        self.run.tell(f"{self.now_ms} ms: {line}")
        if not is_drawn:
            self.run.figure = None

    def note(self) -> None:
        """For the picture."""
        self.moments.append(Moment(self.now_ms, {queue_id: dict(flights) for queue_id, flights in self.flights.items()}))

    def take(
        self, *picks: QueuePick, client: str = "anna", span_ms: int = 5_000, renews: bool = False, attempt_id: str = ""
    ) -> Received:
        self.stamp += 1
        until_ms = self.now_ms + span_ms
        self.tell(f"{named(client)} receives, hidden until {until_ms}: {'; '.join(map(shown, picks))}")
        got: Received = self.table.take(
            picks, stamp=self.stamp, deadline_ms=until_ms, client=client, renews=renews, attempt_id=attempt_id, now_ms=self.now_ms
        )
        for queue_id, letter in got.dead:
            self.flights.get(queue_id, {}).pop(letter.offset, None)
        for one in got.delivered:
            flight = InFlight(one.attempt, one.deadline_ms, one.stamp, client, renews, self.now_ms)
            self.flights.setdefault(one.queue_id, {})[one.offset] = flight
        self.note()
        return got

    def ack(self, offset: int, stamp: int, queue_id: int = 0) -> bool:
        self.stamp += 1
        self.tell(f"{place(queue_id, offset)} is acknowledged with handle {stamp}")
        done: bool = self.table.ack(queue_id, offset, stamp, self.now_ms)
        if done:
            self.flights.get(queue_id, {}).pop(offset, None)
        else:
            self.marks.append(Mark(self.now_ms, queue_id, offset, "x"))
        self.note()
        return done

    def change(
        self, offset: int, stamp: int, span_ms: int, *, is_counted: bool = True, queue_id: int = 0
    ) -> InFlight | None:  # fmt: skip
        self.stamp += 1
        self.tell(f"{place(queue_id, offset)} is changed with handle {stamp}, until {self.now_ms + span_ms}")
        new: InFlight | None = self.table.change(
            queue_id, offset, stamp, self.now_ms, deadline_ms=self.now_ms + span_ms, new_stamp=self.stamp, is_counted=is_counted
        )
        if new is not None:
            self.flights.setdefault(queue_id, {})[offset] = new
        self.note()
        return new

    def due(self, *picks: QueuePick, is_fifo: bool = False) -> tuple[QueuePick, ...]:
        self.tell(f"a receive comes out of the log{' of an ordered group' if is_fifo else ''}: {'; '.join(map(shown, picks))}")
        got: tuple[QueuePick, ...] = self.table.still_due(picks, self.now_ms, is_fifo=is_fifo)
        if len(got) != len(picks):
            raise broken(2, expected="`still_due` returns a pick for each one given", found=shown(got))
        return got

    def never_again(self, offset: int, next_offset: int) -> None:
        """A message of queue 0 was acknowledged now. If it is in flight all the same: what comes of it at its deadline?"""
        acked_ms, flight = self.now_ms, self.table.flights(0).get(offset)
        if flight is None:
            return
        self.at(max(self.now_ms, flight.deadline_ms))
        got = self.take(again(next_offset, offset), client="ben")
        what = "it is still in flight"
        if got.delivered:
            self.moments.pop()  # its mark alone is drawn
            self.marks.append(Mark(self.now_ms, 0, offset, "!", f"ben {got.delivered[0].attempt}"))
            what = f"at {self.now_ms} ms it was handed out again, attempt {got.delivered[0].attempt}"
        raise broken(5, expected=f"{place(0, offset)} was acknowledged at {acked_ms} ms", found=what)

    def valid(self, what: str, expected: InFlight | None, queue_id: int, offset: int, stamp: int, at_ms: int) -> None:
        """Whether a handle is good then. The question is a step of the story, and where it was asked is drawn."""
        self.at(at_ms)
        self.tell(f"`valid` is asked about {place(queue_id, offset)} with handle {stamp}")
        self.marks.append(Mark(at_ms, queue_id, offset, "?"))
        self.same(4, what, expected, self.table.valid(queue_id, offset, stamp, at_ms))
        self.marks.pop()

    def delivered_again(self, times: int, next_offset: int) -> Received:
        """Message 0 runs out and is delivered again, so many times, one after the other. What the last time came to."""
        calls = list[Call]()
        for _ in range(times):
            self.stamp, self.now_ms = self.stamp + 1, self.now_ms + 1_000
            named = {
                "stamp": self.stamp, "deadline_ms": self.now_ms + 1_000, "client": "ben", "renews": False, "attempt_id": "",
                "now_ms": self.now_ms,
            }  # fmt: skip
            calls.append(Call("take", ((again(next_offset, 0),),), named))
        self.tell(f"message 0 was delivered {times} times more, and each time ran out", is_drawn=False)
        last: Received = at_once(self.table, calls)[-1]
        return last

    def beside(self) -> Any:
        """Another group's table, in the same process."""
        self.tell("the same broker makes a table for another group", is_drawn=False)
        return made_beside(self.table, self.make)

    def restored(self) -> Any:
        """What is made of a snapshot."""
        self.tell("a snapshot, and what is made of it")
        return made_by(self.make, "from_plain", json.loads(json.dumps(self.table.to_plain())))

    def at(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def yes(self, of_rule: int, what: str, found: Any) -> None:
        self.same(of_rule, what, expected=True, found=found)

    def no(self, of_rule: int, what: str, found: Any) -> None:
        self.same(of_rule, what, expected=False, found=found)

    def same(self, of_rule: int, what: str, expected: Any, found: Any) -> None:
        if expected != found:
            raise broken(of_rule, expected=f"{what} is {shown(expected)}", found=f"it is {shown(found)}")


def new(first: int, after: int, *, queue_id: int = 0, skipped: Sequence[int] = ()) -> QueuePick:
    """New messages from `first` up to `after`."""
    return QueuePick(queue_id, first, first, after, tuple(skipped))


def again(at: int, *offsets: int, dead: Sequence[int] = (), is_repeat: bool = False) -> QueuePick:
    """Messages that were delivered before. at: the next new one."""
    return QueuePick(0, at, at, at, (), offsets, tuple(map(dead_place, dead)), is_repeat)


sentence = Sentences(Hand, sources=SOURCES, points=2)
SENTENCES = sentence.checks
"""In the order in which the methods are written."""


# ---------------------------------------------------------------- receive


@sentence("1.1", 2, points=1)
def a_receive_that_was_picked_for_another_state_hands_out_nothing(hand: Hand) -> None:
    got = hand.take(new(2, 4))
    hand.same(2, "what is handed out of a queue whose next message is 0 and not 2", [], list(got.delivered))
    hand.same(2, "next_offset of queue 0", 0, hand.table.next_offset(0))


@sentence("1.2", 1, points=1)
def where_the_filter_leaves_out_all_nothing_is_handed_out_and_the_queue_goes_on(hand: Hand) -> None:
    got = hand.take(new(0, 3, skipped=(0, 1, 2)))
    hand.same(1, "what is handed out", [], list(got.delivered))
    hand.same(1, "next_offset of queue 0", 3, hand.table.next_offset(0))


@sentence("1.3", 1, points=1)
def a_receive_hands_out_new_messages_in_order_with_attempt_1(hand: Hand) -> None:
    got = hand.take(new(0, 3), new(0, 1, queue_id=1))
    wanted = [Delivered(0, 0, 1, 1, 6000), Delivered(0, 1, 1, 1, 6000), Delivered(0, 2, 1, 1, 6000), Delivered(1, 0, 1, 1, 6000)]
    hand.same(1, "what is handed out", wanted, list(got.delivered))
    hand.same(1, "next_offset of queue 0", 3, hand.table.next_offset(0))
    flights = {offset: InFlight(1, 6000, 1, "anna", False, 1000) for offset in (0, 1, 2)}  # noqa: FBT003 - by its place
    hand.same(1, "what is in flight of queue 0", flights, dict(hand.table.flights(0)))
    other = hand.beside()
    hand.same(1, "next_offset of queue 0 in the other table", 0, other.next_offset(0))
    hand.same(1, "next_offset of queue 0 in the first one", 3, hand.table.next_offset(0))
    _of_many_queues_and_far_down(hand)


def _of_many_queues_and_far_down(hand: Hand) -> None:
    """Retention took what is before: so a queue of which nothing was read begins there."""
    hand.tell("a topic of 1,024 queues, of which retention took the oldest messages", is_drawn=False)
    begins = {queue_id: FAR[number % len(FAR)] + 8 * number for number, queue_id in enumerate(QUEUES)}
    got = hand.take(*(QueuePick(queue_id, 0, begin, begin + 2, ()) for queue_id, begin in begins.items()))
    for queue_id, begin in begins.items():
        offsets = [one.offset for one in got.delivered if one.queue_id == queue_id]
        hand.same(1, f"what is handed out of queue {queue_id}", [begin, begin + 1], offsets)
        hand.same(1, f"next_offset of queue {queue_id}", begin + 2, hand.table.next_offset(queue_id))
        hand.same(1, f"what is in flight of queue {queue_id}", [begin, begin + 1], sorted(hand.table.flights(queue_id)))


@sentence("1.4", 1, points=1)
def what_the_filter_leaves_out_is_not_handed_out_and_not_in_flight(hand: Hand) -> None:
    got = hand.take(new(0, 5, skipped=(1, 3)))
    hand.same(1, "what is handed out", [0, 2, 4], [one.offset for one in got.delivered])
    hand.same(1, "what is in flight", [0, 2, 4], sorted(hand.table.flights(0)))


@sentence("1.5", 2, points=1)
def a_pick_for_another_state_of_the_queue_is_void(hand: Hand) -> None:
    hand.take(new(0, 3), attempt_id="a-1")
    hand.at(7000)
    late = QueuePick(0, 0, 0, 2, (), (1,), (dead_place(2),))
    got = hand.take(late, new(0, 1, queue_id=1), client="ben", attempt_id="b-1")
    hand.same(
        2, "what is handed out of queue 0, whose next message is 3 and not 0", [], [d for d in got.delivered if not d.queue_id]
    )
    hand.same(2, "what is dead", (), got.dead)
    hand.same(2, "next_offset of queue 0", 3, hand.table.next_offset(0))
    hand.same(2, "what is handed out of queue 1", [0], [d.offset for d in got.delivered if d.queue_id == 1])
    hand.same(2, "attempt_id of queue 0, of which ben got nothing", "a-1", hand.table.attempt_id(0))
    hand.same(2, "attempt_id of queue 1", "b-1", hand.table.attempt_id(1))


@sentence("1.6", 6)
def a_message_delivered_again_has_the_next_attempt_and_a_new_handle(hand: Hand) -> None:
    hand.take(new(0, 2))
    hand.at(6000)
    got = hand.take(again(2, 1, 0), client="ben")
    wanted = [Delivered(0, 1, 2, 2, 11_000), Delivered(0, 0, 2, 2, 11_000)]
    hand.same(6, "what is handed out, in the order of the pick", wanted, list(got.delivered))
    hand.at(11_000)
    last = hand.delivered_again(300, 2)
    hand.same(6, "the attempt of message 0 then", [302], [one.attempt for one in last.delivered])


@sentence("1.7", 6, points=1)
def a_repeat_for_the_same_caller_is_not_counted(hand: Hand) -> None:
    hand.take(new(0, 2), attempt_id="a-1")
    hand.at(2000)
    got = hand.take(again(2, 0, 1, is_repeat=True), attempt_id="a-1")
    hand.same(6, "the attempts", [1, 1], [one.attempt for one in got.delivered])
    hand.same(10, "attempt_id of queue 0", "a-1", hand.table.attempt_id(0))


@sentence("1.8", 12, points=1)
def what_was_acknowledged_meanwhile_is_not_made_up_again(hand: Hand) -> None:
    hand.take(new(0, 1))
    hand.at(6000)
    hand.tell("message 7 was picked to be delivered again, and is not in flight")
    got = hand.take(again(1, 0, 7), client="ben")
    hand.same(5, "what is handed out", [0], [one.offset for one in got.delivered])


@sentence("1.9", 11, points=1)
def a_dead_letter_leaves_the_queue_and_is_told_once(hand: Hand) -> None:
    hand.take(new(0, 3))
    hand.at(6000)
    got = hand.take(again(3, 1, dead=(0, 2)), client="ben")
    hand.same(11, "what is dead", ((0, dead_place(0)), (0, dead_place(2))), got.dead)
    hand.same(11, "what is handed out", [1], [one.offset for one in got.delivered])
    hand.same(11, "what is in flight", [1], sorted(hand.table.flights(0)))
    hand.at(20_000)
    hand.same(11, "what is dead, when it is dead already", (), hand.take(again(3, 1, dead=(0,)), client="ben").dead)


# ---------------------------------------------------------------- deadlines


@sentence("1.10", 12, points=1)
def the_next_deadline_is_the_earliest_of_what_is_in_flight(hand: Hand) -> None:
    hand.same(12, "the next deadline of nothing", None, hand.table.next_deadline_ms())
    hand.take(new(0, 1), span_ms=9_000)
    hand.take(new(0, 1, queue_id=1), span_ms=4_000)
    hand.same(12, "the next deadline", 5000, hand.table.next_deadline_ms())
    hand.at(5000)
    hand.take(QueuePick(1, 1, 1, 1, (), (0,)), span_ms=9_000, client="ben")
    hand.same(12, "the next deadline, when the first was delivered again", 10_000, hand.table.next_deadline_ms())


@sentence("1.11", 3)
def a_message_is_ready_again_at_its_deadline_and_not_before(hand: Hand) -> None:
    hand.take(new(0, 1), span_ms=9_000)
    hand.take(new(1, 4), span_ms=5_000)
    for now_ms, wanted in ((5999, []), (6000, [1, 2, 3]), (9999, [1, 2, 3]), (10_000, [0, 1, 2, 3])):
        hand.same(3, f"what is ready at {now_ms} ms", wanted, list(hand.table.expired(0, now_ms)))
    hand.same(3, "what is ready of a queue that was never read", [], list(hand.table.expired(1, 10_000)))
    hand.take(new(0, 200, queue_id=2))
    hand.tell("of queue 2 two hundred messages ran out", is_drawn=False)
    ready = list(hand.table.expired(2, 6000))
    hand.same(3, "how many of queue 2 are ready at 6000 ms", 200, len(ready))
    hand.yes(3, "that they come in queue order", ready == list(range(200)))


# ---------------------------------------------------------------- handles


@sentence("1.12", 4)
def a_handle_is_good_until_its_deadline_and_only_the_newest_one(hand: Hand) -> None:
    hand.take(new(0, 1))
    flight = InFlight(1, 6000, 1, "anna", False, 1000)  # noqa: FBT003 - by its place
    hand.valid("the delivery of handle 1, at 5999 ms", flight, 0, 0, 1, 5999)
    hand.valid("the delivery of handle 1, at 6000 ms", None, 0, 0, 1, 6000)
    for what, asked in (
        ("another handle", (0, 0, 2)),
        *((f"another handle, {gap} further on", (0, 0, 1 + gap)) for gap in (2**4, 2**8, 2**16, 2**32)),
        ("another message", (0, 1, 1)),
        ("a queue that was never read", (5, 0, 1)),
    ):
        hand.valid(f"the delivery of {what}", None, *asked, 2000)


@sentence("1.13", 4)
def an_ack_in_time_takes_the_message_out_of_flight(hand: Hand) -> None:
    hand.take(new(0, 4))
    hand.at(3000)
    hand.yes(4, "the ack with a good handle", hand.ack(1, 1))
    hand.never_again(1, 4)
    hand.at(5999)
    hand.yes(4, "the ack in the last millisecond", hand.ack(2, 1))
    hand.same(5, "what is in flight", [0, 3], sorted(hand.table.flights(0)))
    hand.no(4, "the same ack again", hand.ack(2, 1))


@sentence("1.14", 4)
def an_ack_too_late_or_with_a_replaced_handle_changes_nothing(hand: Hand) -> None:
    hand.take(new(0, 1))
    hand.at(6000)
    hand.no(4, "the ack at the deadline", hand.ack(0, 1))
    hand.take(again(1, 0), client="ben")
    hand.no(4, "the ack with the handle that was replaced, while ben is at work", hand.ack(0, 1))
    hand.same(12, "what is in flight", [0], sorted(hand.table.flights(0)))
    hand.yes(4, "ben's ack", hand.ack(0, 3))
    hand.no(4, "the ack in a queue that was never read", hand.ack(0, 1, queue_id=5))


@sentence("1.15", 5, points=1)
def done_is_what_was_received_or_skipped_and_is_not_in_flight(hand: Hand) -> None:
    hand.take(new(0, 3, skipped=(1,)))
    hand.tell("is it done?")
    for offset, wanted in ((0, False), (1, True), (2, False), (3, False)):
        hand.same(5, f"is_done of message {offset}", wanted, hand.table.is_done(0, offset))
    hand.no(5, "is_done of a queue that was never read", hand.table.is_done(1, 0))
    hand.at(2000)
    hand.ack(2, 1)
    hand.yes(5, "is_done of message 2, which was acknowledged", hand.table.is_done(0, 2))
