"""Batches that are refused for now: how often they are tried again, and what their sender is told in the end."""

import asyncio
from collections.abc import Callable

import pytest

from mq.client.errors import NoAnswerError, UnreachableError
from mq.core.errors import MqError, NotServingError, OutcomeUnknownError
from mq.rpc.batch_attempts import Attempts, Batch

FULL, UNKNOWN = NotServingError("no space left for messages"), OutcomeUnknownError("the node stopped")
GONE = UnreachableError("cannot reach here: Connection refused")


class Timer:
    def __init__(self, due_s: float, call: Callable[[], None]) -> None:
        self.due_s, self.call, self.is_off = due_s, call, False

    def cancel(self) -> None:
        self.is_off = True


class Broker:
    """Takes, or does not, what the attempts send to it; time is a number."""

    def __init__(self, batches: int) -> None:
        self.now_s, self.is_taking = 0.0, False
        self.tried: list[tuple[float, int]] = []
        self.taken: list[int] = []
        self._timers: list[Timer] = []
        self.attempts = Attempts(self._receive, self._call_later)
        for number in range(batches):
            self.attempts.hold(batch(number))

    def _call_later(self, after_s: float, call: Callable[[], None]) -> Timer:
        self._timers.append(Timer(self.now_s + after_s, call))
        return self._timers[-1]

    def _receive(self, one: Batch) -> None:
        self.tried.append((round(self.now_s, 3), one.sequence))
        self._call_later(0.001, lambda: self._answer(one))

    def _answer(self, one: Batch) -> None:
        if self.is_taking:
            self.taken.append(one.sequence)
            self.attempts.taken()
        else:
            self.attempts.hold(one)

    def run(self, until_s: float) -> None:
        while due := sorted((t for t in self._timers if not t.is_off and t.due_s <= until_s), key=lambda timer: timer.due_s):
            self._timers.remove(due[0])
            self.now_s = due[0].due_s
            due[0].call()
        self.now_s = until_s


def batch(number: int = 1) -> Batch:
    return Batch(number, b"", asyncio.get_running_loop().create_future(), 10.0)


async def test_what_is_refused_is_tried_again_more_and_more_rarely() -> None:
    broker = Broker(1)
    broker.run(until_s=10)
    times = [at for at, _ in broker.tried]
    pauses = [round(b - a, 1) for a, b in zip([0.0, *times], times, strict=False)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, *[1.0] * 8]


async def test_however_often_it_was_refused_it_is_tried_once_a_second() -> None:
    broker = Broker(1)
    broker.run(until_s=1200)
    assert len(broker.tried) > 1150
    broker.is_taking = True
    broker.run(until_s=1202)
    assert broker.taken == [0]


async def test_of_many_that_are_refused_one_is_tried_at_a_time_each_in_its_turn() -> None:
    broker = Broker(64)
    broker.run(until_s=10)
    assert [number for _, number in broker.tried] == list(range(12)), "the broker writes a line about each"


async def test_when_one_is_taken_all_others_follow_within_the_shortest_pause() -> None:
    broker = Broker(64)
    broker.run(until_s=10)
    broker.is_taking = True
    broker.run(until_s=11.2)
    assert sorted(broker.taken) == list(range(64))
    first, *others = [at for at, _ in broker.tried[12:]]
    assert {round(at - first, 1) for at in others} == {0.1}


async def test_one_that_is_refused_while_others_are_taken_is_not_tried_again_with_each_of_them() -> None:
    broker = Broker(1)
    for tick in range(1000):
        broker.run(until_s=tick / 1000)
        broker.attempts.taken()
    assert 5 <= len(broker.tried) <= 10, broker.tried


async def test_one_whose_time_was_up_meanwhile_is_left_out() -> None:
    broker = Broker(0)
    late, other = batch(1), batch(2)
    late.done.cancel()
    broker.attempts.hold(late)
    broker.attempts.hold(other)
    broker.run(until_s=0.1)
    assert broker.tried == [(0.1, 2)]


async def test_what_was_forgotten_is_not_tried() -> None:
    broker = Broker(3)
    broker.attempts.forget()
    broker.run(until_s=10)
    assert broker.tried == []


NOT_STORED = "here took no batch within 10 s, and it is not stored: no space left for messages"
IN_DOUBT = "here did not acknowledge a batch within 10 s; it may be stored; the last answer was: no space left for messages"
SILENT = "here did not answer a batch within 10 s; it may be stored"


@pytest.mark.parametrize(
    ("life", "unreachable", "kind", "text"),
    [
        ("send refuse", None, NotServingError, NOT_STORED),
        ("send miss send refuse", None, NotServingError, NOT_STORED),
        ("send unsure send refuse", None, NoAnswerError, IN_DOUBT),
        ("send break send refuse", None, NoAnswerError, IN_DOUBT),
        ("send refuse send", None, NoAnswerError, IN_DOUBT),
        ("send", None, NoAnswerError, SILENT),
        ("send break", GONE, NoAnswerError, SILENT),
        ("send miss send", GONE, UnreachableError, str(GONE)),
        ("send refuse send miss", GONE, UnreachableError, f"{GONE}; the last answer was: {FULL}"),
    ],
)
async def test_what_is_told_in_the_end_says_whether_it_may_be_stored_and_why_not(
    life: str, unreachable: UnreachableError | None, kind: type[MqError], text: str
) -> None:
    one = batch()
    for event in life.split():
        match event:
            case "send":
                one.is_out = True
            case "refuse" | "unsure":
                one.refused(FULL if event == "refuse" else UNKNOWN)
            case "break" | "miss":
                one.lost(is_sent=event == "break")
    error = one.late("here", 10.0, unreachable)
    assert (type(error), str(error)) == (kind, text)
