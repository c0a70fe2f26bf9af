"""Each check of a history notices its own broken promise, and nothing where there is none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mq.chaos.checks import CHECKS, doubles, longest_gap_s
from mq.chaos.history import DONE, REFUSED, UNKNOWN, Ack, Delivery, FaultDone, History, Journal, Receive, Send, Stored

LOST = "nothing acknowledged is lost"
INVENTED = "nothing is invented"
PLACES = "each message is where it was said to be"
ORDER = "queues and message groups are in order"
DOUBLES = "duplicates are accounted for"
HIDDEN = "nothing is delivered inside its invisible time"
FINISHED = "nothing acknowledged is delivered again"
TURN = "an ordered group gets its messages in turn"


def send(number: int, **more: object) -> Send:
    """Message `number` was sent at its number in seconds, and acknowledged half a second later."""
    made = Send(f"m{number}", "t", number, float(number), number + 0.5, DONE, offset=number)
    return replace(made, **more)  # type: ignore[arg-type]


def receive(*numbers: int, at_s: float, group: str = "g", attempt: int = 1, **more: object) -> Receive:
    messages = tuple(Delivery(f"m{number}", number, 0, number, attempt) for number in numbers)
    made = Receive(group, "t", at_s, at_s + 0.1, 10.0, True, messages)
    return replace(made, **more)  # type: ignore[arg-type]


def ack(number: int, at_s: float, *, group: str = "g", attempt: int = 1, outcome: str = DONE) -> Ack:
    return Ack(group, "t", f"m{number}", attempt, at_s, at_s + 0.1, outcome)


def good() -> History:
    """Three messages in one queue for a plain group and an ordered one; m2 comes again to the plain one, after its time."""
    return History(
        sends=[send(0), send(1), send(2)],
        receives=[
            receive(0, 1, 2, at_s=3.0), receive(2, at_s=13.5, attempt=2),
            receive(0, 1, at_s=3.0, group="f"), receive(2, at_s=5.0, group="f"),
        ],
        acks=[
            ack(0, 4.0), ack(1, 4.0), ack(2, 14.0, attempt=2),
            ack(0, 4.0, group="f"), ack(1, 4.5, group="f"), ack(2, 6.0, group="f"),
        ],
        stored=[Stored("t", 0, number, f"m{number}", number) for number in range(3)],
        ordered={"f"},
        drained={"g": ["t"], "f": ["t"]},
    )  # fmt: skip


def broken(history: History) -> set[str]:
    return {name for name, check in CHECKS.items() if list(check(history))}


def test_a_good_history_breaks_no_promise() -> None:
    assert broken(good()) == set()


def test_what_nobody_knows_may_have_happened_or_not() -> None:
    history = good()
    history.sends += [
        send(3, outcome=UNKNOWN, is_unsure=True, offset=None),
        send(4, outcome=UNKNOWN, is_unsure=True, offset=None),
    ]
    history.stored.append(Stored("t", 0, 3, "m3", 3))
    history.receives.append(receive(3, at_s=20.0))
    history.acks.append(ack(3, 20.5, outcome=UNKNOWN))
    history.receives.append(receive(3, at_s=31.0, attempt=2))
    assert broken(history) == set()


def test_a_send_whose_outcome_was_not_known_may_be_stored_twice() -> None:
    history = good()
    history.sends[1] = send(1, is_unsure=True)
    history.stored.append(Stored("t", 0, 3, "m1", 1))
    assert doubles(history) == {"m1": [(0, 1), (0, 3)]}
    assert broken(history) == set()


def move(history: History) -> None:
    """m0 and m1 change places."""
    history.stored[0], history.stored[1] = Stored("t", 0, 0, "m1", 1), Stored("t", 0, 1, "m0", 0)
    history.sends[0], history.sends[1] = send(0, offset=1), send(1, offset=0)
    history.receives[0] = replace(
        history.receives[0], messages=(Delivery("m1", 1, 0, 0, 1), Delivery("m0", 0, 0, 1, 1), Delivery("m2", 2, 0, 2, 1))
    )
    history.receives[2] = replace(history.receives[2], messages=(Delivery("m1", 1, 0, 0, 1), Delivery("m0", 0, 0, 1, 1)))


def part(history: History) -> None:
    """m0 and m1 are of one message group and in two queues."""
    history.sends[0], history.sends[1] = send(0, message_group="x"), send(1, message_group="x", offset=0)
    history.stored[1:] = [Stored("t", 1, 0, "m1", 1), Stored("t", 0, 1, "m2", 2)]
    history.sends[2] = send(2, offset=1)
    history.receives.clear()
    history.drained.clear()


def forget_a_send(history: History) -> None:
    history.sends.pop()
    history.drained.clear()


def skip(history: History) -> None:
    """There is no message with offset 2, but one with offset 3."""
    history.stored[2], history.sends[2] = Stored("t", 0, 3, "m2", 2), send(2, offset=3)
    history.receives.clear()
    history.drained.clear()


BREAKS: list[tuple[str, str, Callable[[History], object]]] = [
    ("a message is stored nowhere", LOST, lambda h: (h.stored.pop(), h.receives.pop(1))),
    ("a message never came to a group", LOST, lambda h: h.receives.__setitem__(3, receive(at_s=5.0, group="f"))),
    ("nobody sent it", INVENTED, forget_a_send),
    ("it was refused", INVENTED, lambda h: h.sends.__setitem__(2, send(2, outcome=REFUSED))),
    ("it has another body", INVENTED, lambda h: h.stored.__setitem__(2, Stored("t", 0, 2, "m2", 7))),
    ("it was sent elsewhere", INVENTED, lambda h: h.sends.__setitem__(2, send(2, topic="u", outcome=UNKNOWN))),
    ("an offset is missing", PLACES, skip),
    ("another offset was answered", PLACES, lambda h: h.sends.__setitem__(1, send(1, offset=5))),
    ("it was delivered from another place", PLACES, lambda h: h.stored.__setitem__(2, Stored("t", 1, 0, "m2", 2))),
    ("a later send stands before an earlier one", ORDER, move),
    ("a message group is in two queues", ORDER, part),
    ("it is there twice", DOUBLES, lambda h: h.stored.append(Stored("t", 0, 3, "m1", 1))),
    ("it came too early", HIDDEN, lambda h: h.receives.__setitem__(1, receive(2, at_s=12.8, attempt=2))),
    ("an attempt came twice", HIDDEN, lambda h: h.receives.__setitem__(1, receive(2, at_s=13.5))),
    ("it came after its ack", FINISHED, lambda h: h.receives.append(receive(0, at_s=20.0, attempt=2))),
    ("an older attempt came after its ack", FINISHED, lambda h: h.receives.append(receive(2, at_s=20.0))),
    ("it came before what precedes it was acknowledged", TURN, lambda h: h.acks.__setitem__(4, ack(1, 5.2, group="f"))),
    ("what precedes it was never acknowledged", TURN, lambda h: h.acks.pop(3)),
    ("a refused ack is none", TURN, lambda h: h.acks.__setitem__(3, ack(0, 4.0, group="f", outcome=REFUSED))),
    ("they came in another order", TURN, lambda h: h.receives.__setitem__(2, receive(1, 0, at_s=3.0, group="f"))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "breaks"), [one[1:] for one in BREAKS], ids=[one[0] for one in BREAKS])
def test_a_check_notices(name: str, breaks: Callable[[History], object]) -> None:
    history = good()
    breaks(history)
    assert name in broken(history)


def test_every_check_is_shown_to_fail() -> None:
    assert {name for _, name, _ in BREAKS} == set(CHECKS)


def test_a_receive_that_broke_says_nothing_of_invisible_times() -> None:
    history = good()
    history.receives[0] = receive(0, 1, 2, at_s=3.0, is_whole=False)
    history.receives[1] = receive(2, at_s=4.0, attempt=2)
    assert broken(history) == set()


def test_the_longest_gap_is_between_acknowledged_sends() -> None:
    history = good()
    history.sends[1] = send(1, outcome=UNKNOWN)
    assert longest_gap_s(history.sends) == 2.0
    assert longest_gap_s([]) == 0.0


def test_a_history_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    journal, written = Journal(tmp_path / "history.jsonl"), good()
    journal.facts(ordered=["f"], seed=7)
    for one in (*written.sends, *written.receives, *written.acks, *written.stored, FaultDone("kill", "n1", 1.0, 2.0, 1)):
        journal.note(one)
    journal.facts(drained={"g": ["t"], "f": ["t"]}, surprises=[])
    journal.close()
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"what":"send","mess')  # where a crash cut it
    found = History.read(tmp_path / "history.jsonl")
    assert found == journal.history
    assert (found.sends, found.receives, found.acks, found.stored) == (
        written.sends,
        written.receives,
        written.acks,
        written.stored,
    )
    assert (found.ordered, found.drained, found.facts["seed"]) == (written.ordered, written.drained, 7)


def test_what_a_receive_that_broke_gave_back_comes_again_as_the_same_attempt() -> None:
    history = good()
    history.receives[0] = receive(0, 1, 2, at_s=3.0, is_whole=False)
    history.receives[1] = receive(2, at_s=4.0)
    history.acks[2] = ack(2, 4.5)
    assert broken(history) == set()
