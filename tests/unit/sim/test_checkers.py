"""Each checker keeps silent about what is right and says in a sentence what is wrong."""

import pytest

from mq.sim.checkers import (
    AcknowledgedIsKept,
    AttemptsAreCounted,
    BrokenPromiseError,
    Checker,
    DamageIsReported,
    HiddenStaysHidden,
    LogIsAPrefix,
    NothingIsInvented,
    OffsetsAreDense,
    OrderIsKept,
    VacuousRunError,
    check_not_vacuous,
)
from mq.sim.store_view import QueuedMessage, StoreView
from mq.sim.trace import Event, Value


def view(*messages: tuple[int, str], entries: tuple[str, ...] = ()) -> StoreView:
    """One queue; a message's bytes are named after it."""
    queue = [QueuedMessage(offset, message, f"x{message}") for offset, message in messages]
    return StoreView(1, len(entries), dict(enumerate(entries, 1)), {("t", 0): queue})


def event(name: str, **details: Value) -> Event:
    return Event(0, "n1", name, details)


def send(message: str, producer: str = "p1") -> Event:
    return event("send", producer=producer, topic="t", message=message, queue=0, body=f"x{message}")


def sent(message: str, offset: int) -> Event:
    return event("sent", topic="t", message=message, queue=0, offset=offset, known=0)


def delivered(
    offset: int = 0, *, message: str = "a", body: str = "xa", attempt: int = 1, now: int = 0, deadline: int = 100
) -> Event:
    return event(
        "delivered", group="g", topic="t", queue=0, offset=offset, message=message, body=body, attempt=attempt, stamp=1, now=now,
        deadline=deadline,
    )  # fmt: skip


def about(name: str, **details: Value) -> Event:
    return event(name, group="g", topic="t", queue=0, offset=0, **details)


def pick(receive: str) -> Event:
    return about("pick", receive=receive)


GOOD: list[tuple[Checker, list[Event | StoreView]]] = [
    (AcknowledgedIsKept(), [send("a"), sent("a", 0), view((0, "a"), (1, "b")), delivered(), event("drained", group="g")]),
    (NothingIsInvented(), [send("a"), delivered(), view((0, "a"))]),
    (OffsetsAreDense(), [sent("a", 0), sent("b", 1), sent("a", 0), view((0, "a"), (1, "b"))]),
    (OrderIsKept(), [send("a"), send("z", "p2"), send("b"), view((0, "a"), (1, "b"), (2, "z"))]),
    (
        LogIsAPrefix(),
        [
            event("append", index=1, term=0, body="x1"),
            event("synced", index=1),
            event("append", index=2, term=0, body="x2"),
            view(entries=("x1",)),
            event("append", index=2, term=0, body="x3"),
            view(entries=("x1", "x3")),
        ],
    ),
    (DamageIsReported(), [event("bit-flip", file="f", at=70, bit=1), event("damage", file="f", at=64), view()]),
    (
        HiddenStaysHidden(),
        [delivered(deadline=100), about("hide", stamp=1, deadline=50), delivered(now=50), about("acked", stamp=1, done=0)],
    ),
    (
        AttemptsAreCounted(),
        [
            pick("c-1"),
            delivered(),
            pick("c-2"),
            about("receive-failed", receive="c-2", definite=0),
            pick("c-3"),
            delivered(attempt=3),
        ],
    ),
]


@pytest.mark.parametrize(("checker", "happened"), GOOD, ids=lambda value: type(value).__name__)
def test_what_is_right_passes(checker: Checker, happened: list[Event | StoreView]) -> None:
    show(checker, happened)
    assert isinstance(checker.promise, str)  # type: ignore[attr-defined]


BAD: list[tuple[Checker, list[Event | StoreView], str]] = [
    (
        AcknowledgedIsKept(),
        [send("a"), sent("a", 0), view()],
        "acknowledged at t/0:0, after opening nothing is there",
    ),
    (AcknowledgedIsKept(), [send("a"), send("b"), sent("a", 0), view((0, "b"))], "message b with bytes xb is there"),
    (AcknowledgedIsKept(), [send("a"), sent("a", 0), event("drained", group="g")], "was never given to group g"),
    (NothingIsInvented(), [view((0, "a"))], "message a was stored, and nobody ever sent it"),
    (NothingIsInvented(), [send("a"), delivered(body="xq")], "message a was sent with bytes xa and delivered with xq"),
    (NothingIsInvented(), [send("a"), view((0, "a"), (1, "a"))], "message a is stored 2 times"),
    (OffsetsAreDense(), [view((0, "a"), (2, "b"))], "offset 1 of t/0 is missing"),
    (OffsetsAreDense(), [sent("a", 0), sent("b", 0)], "offset 0 of t/0 was given to a and to b"),
    (OffsetsAreDense(), [sent("a", 0), sent("a", 1)], "message a was acknowledged at ('t', 0, 0) and again at ('t', 0, 1)"),
    (OrderIsKept(), [send("a"), send("b"), view((0, "b"), (1, "a"))], "in t/0 message a stands behind b, which was sent later"),
    (
        LogIsAPrefix(),
        [event("append", index=1, body="x1"), event("synced", index=1), view()],
        "entry 1 was synced, the log ends at 0",
    ),
    (LogIsAPrefix(), [view(entries=("x1",))], "0 entries were written, the log holds 1"),
    (LogIsAPrefix(), [event("append", index=1, body="x1"), view(entries=("x2",))], "entry 1 was written as x1, it is x2"),
    (
        LogIsAPrefix(),
        [event("append", index=1, body="x1"), event("abandon", last=0), view(entries=("x1",))],
        "0 entries were written, the log holds 1",
    ),
    (DamageIsReported(), [event("damage", file="f", at=64)], "f, byte 64 was reported damaged, and no bit was flipped"),
    (
        DamageIsReported(),
        [event("bit-flip", file="f", at=7, bit=0), event("damage", file="f", at=8)],
        "f, byte 8 was reported damaged, flipped was ('f', 7)",
    ),
    (
        HiddenStaysHidden(),
        [delivered(), delivered(now=99)],
        "t/0:0 of group g was delivered at 99 ms, hidden until 100 ms",
    ),
    (
        HiddenStaysHidden(),
        [delivered(), about("hide", stamp=1, deadline=500), about("hidden", stamp=2, deadline=500), delivered(now=150)],
        "delivered at 150 ms, hidden until 500 ms",
    ),
    (
        HiddenStaysHidden(),
        [delivered(), about("acked", stamp=1, done=1), delivered(now=1000)],
        "message t/0:0 of group g was acknowledged and delivered again",
    ),
    (AttemptsAreCounted(), [pick("c-1"), delivered(), pick("c-2"), delivered()], "with attempt 1; before it had 1"),
    (
        AttemptsAreCounted(),
        [pick("c-1"), delivered(attempt=2)],
        "before it had 0, and it was handed out 1 times at most",
    ),
    (
        AttemptsAreCounted(),
        [pick("c-1"), about("receive-failed", receive="c-1", definite=1), pick("c-2"), delivered(attempt=2)],
        "handed out 1 times at most",
    ),
]


@pytest.mark.parametrize(("checker", "happened", "sentence"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_is_said_in_a_sentence(checker: Checker, happened: list[Event | StoreView], sentence: str) -> None:
    show(checker, happened[:-1])
    with pytest.raises(BrokenPromiseError) as raised:
        show(checker, happened[-1:])
    assert sentence in str(raised.value)
    assert str(raised.value).startswith(raised.value.promise + ": ")


def test_every_checker_is_tried_both_ways() -> None:
    assert {type(checker) for checker, _ in GOOD} == {type(checker) for checker, _, _ in BAD}


def test_a_run_without_what_it_is_about_is_vacuous() -> None:
    check_not_vacuous({"sent": 3, "kill": 1}, ("sent", "kill"))
    with pytest.raises(VacuousRunError, match="it never met kill, power-loss"):
        check_not_vacuous({"sent": 3, "kill": 0}, ("sent", "kill", "power-loss"))


def show(checker: Checker, happened: list[Event | StoreView]) -> None:
    for one in happened:
        if isinstance(one, Event):
            checker.observe(one)
        else:
            checker.examine(one)
