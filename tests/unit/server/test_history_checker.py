"""The checker of what clients saw notices each broken promise, and no other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.cluster.history import Ack, Change, Delivery, History, Outcome, Send, Stored, violations

DONE, REFUSED, UNKNOWN = Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN


def send(number: int, outcome: Outcome = DONE, offset: int | None = None) -> Send:
    return Send(f"m{number}", b"%d" % number, "caller", number, outcome, offset)


def delivery(number: int, attempt: int = 1, *, at_s: float = 10.0, invisible_s: float | None = 10.0) -> Delivery:
    return Delivery(f"m{number}", b"%d" % number, 0, number, attempt, at_s, at_s + 0.1, invisible_s)


def stored(number: int) -> Stored:
    return Stored(f"m{number}", b"%d" % number, 0, number)


def good() -> History:
    """Two messages; the second one comes again after its time and is acknowledged then."""
    return History(
        sends=[send(0, offset=0), send(1)],
        deliveries=[delivery(0), delivery(1), delivery(1, 2, at_s=20.0)],
        acks=[Ack("m0", 1, 11.0, 11.1, DONE), Ack("m1", 2, 21.0, 21.1, DONE)],
        stored=[stored(0), stored(1)],
    )


def test_a_good_history_breaks_no_promise() -> None:
    assert violations(good()) == []


def test_what_was_never_answered_may_have_happened_or_not() -> None:
    history = good()
    history.sends += [send(2, UNKNOWN), send(3, UNKNOWN)]
    history.stored.append(stored(2))
    history.deliveries.append(delivery(2))
    history.acks += [Ack("m2", 1, 12.0, 12.1, UNKNOWN)]
    assert violations(history) == []
    history.deliveries.append(delivery(2, 2, at_s=30.0))
    assert violations(history) == []


def invent(history: History) -> None:
    history.stored.append(stored(2))
    history.deliveries.append(delivery(2))


BREAKS: dict[str, tuple[str, Callable[[History], object]]] = {
    "stored no more": ("lost", lambda h: h.stored.pop()),
    "never delivered": ("lost", lambda h: h.deliveries.__delitem__(0)),
    "never sent": ("invented", invent),
    "refused": ("invented", lambda h: h.sends.__setitem__(1, send(1, REFUSED))),
    "another body": ("changed", lambda h: h.stored.__setitem__(1, Stored("m1", b"other", 0, 1))),
    "stored twice": ("doubled", lambda h: h.stored.append(replace(stored(1), offset=2))),
    "delivered from elsewhere": ("doubled", lambda h: h.deliveries.__setitem__(2, replace(h.deliveries[2], offset=7))),
    "another offset": ("misplaced", lambda h: h.sends.__setitem__(0, send(0, offset=1))),
    "a gap": ("gap", lambda h: h.stored.__setitem__(1, replace(h.stored[1], queue_id=1))),
    "order of a caller": ("order", lambda h: h.sends.__setitem__(0, replace(h.sends[0], number=2))),
    "too early": ("early", lambda h: h.deliveries.__setitem__(2, delivery(1, 2, at_s=19.8))),
    "an ack refused in time": ("refused", lambda h: h.acks.__setitem__(0, replace(h.acks[0], outcome=REFUSED))),
    "after its ack": ("again", lambda h: h.deliveries.append(delivery(0, 2, at_s=25.0))),
    "two acks": ("acknowledged twice", lambda h: h.acks.append(Ack("m1", 1, 11.0, 11.1, DONE))),
    "one attempt twice": ("attempts", lambda h: h.deliveries.append(delivery(1, 2, at_s=20.0))),
    "an attempt left out": ("attempts", lambda h: h.deliveries.__setitem__(2, delivery(1, 3, at_s=20.0))),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_broken_promise_is_noticed(name: str) -> None:
    history = good()
    word, breaks = BREAKS[name]
    breaks(history)
    found = violations(history)
    assert any(sentence.startswith(word) for sentence in found), found


def test_an_attempt_nobody_saw_is_explained_by_a_receive_without_an_answer() -> None:
    history = good()
    history.deliveries[2] = delivery(1, 3, at_s=30.0)
    history.acks[1] = Ack("m1", 3, 31.0, 31.1, DONE)
    assert violations(history) == ["attempts: 1 were counted that nobody saw; lost answers explain 0"]
    history.lost_receives_messages = 1
    assert violations(history) == []


def test_a_changed_time_counts_from_the_change_and_may_be_shorter() -> None:
    history = good()
    history.changes.append(Change("m1", 1, 11.0, 11.1, 3.0, DONE))
    history.deliveries[2] = delivery(1, 2, at_s=13.95)
    assert violations(history) == []
    history.deliveries[2] = delivery(1, 2, at_s=13.85)
    assert [sentence.partition(":")[0] for sentence in violations(history)] == ["early"]


def test_a_longer_time_holds_only_when_the_broker_said_so() -> None:
    history = good()
    history.changes.append(Change("m1", 1, 15.0, 15.1, 10.0, UNKNOWN))
    assert violations(history) == []
    history.changes[0] = replace(history.changes[0], outcome=DONE)
    assert [sentence.partition(":")[0] for sentence in violations(history)] == ["early"]


def test_a_broken_stream_promises_no_invisible_time() -> None:
    history = good()
    history.deliveries[1] = delivery(1, invisible_s=None)
    history.deliveries[2] = delivery(1, 2, at_s=10.5)
    assert violations(history) == []


def test_an_ack_out_of_time_or_with_a_doubtful_handle_may_be_refused() -> None:
    history = good()
    history.acks[0] = Ack("m0", 1, 25.0, 25.1, REFUSED)
    assert violations(history) == []
    history.acks[0] = Ack("m0", 1, 12.0, 12.1, REFUSED)
    history.changes.append(Change("m0", 1, 11.0, 11.1, 12.0, UNKNOWN))
    assert violations(history) == []
