"""Each check of a history notices its own broken promise, and nothing where there is none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mq.chaos.checks import doubles, hidden
from mq.chaos.history import (
    DONE,
    NOTED,
    REFUSED,
    UNKNOWN,
    Ack,
    Change,
    Copy,
    Delivery,
    FaultDone,
    History,
    Journal,
    Receive,
    Replica,
    Send,
    Stored,
)  # fmt: skip
from mq.chaos.judging import CHECKS, judge
from mq.core.limits import DEDUPLICATION_WINDOW

FAULTS = "faults were carried out"
FAILED = "no send failed"
CALM = "while all is well, nothing is refused"
CHANGED = "a changed invisible time counts"
REPLICAS = "all nodes hold the same state"
COPIES = "all nodes store the same messages"
LOST = "nothing acknowledged is lost"
INVENTED = "nothing is invented"
PLACES = "each message is where it was said to be"
ORDER = "queues and message groups are in order"
DOUBLES = "nothing is stored twice"
HIDDEN = "nothing is delivered inside its invisible time"
COUNTED = "attempts are counted one by one"
SOON = "what ran out while all was well has come again soon"
FINISHED = "nothing acknowledged is delivered again"
TURN = "an ordered group gets its messages in turn"


def send(number: int, **more: object) -> Send:
    """Message `number` was sent at its number in seconds, and acknowledged half a second later."""
    made = Send(f"m{number}", "t", number, float(number), number + 0.5, DONE, message_group="x", offset=number, attempts=1)
    return replace(made, **more)  # type: ignore[arg-type]


def receive(*numbers: int, at_s: float, group: str = "g", attempt: int = 1, **more: object) -> Receive:
    messages = tuple(Delivery(f"m{number}", number, 0, number, attempt) for number in numbers)
    made = Receive(group, "t", at_s, at_s + 0.1, 10.0, True, messages)
    return replace(made, **more)  # type: ignore[arg-type]


def ack(number: int, at_s: float, *, group: str = "g", attempt: int = 1, outcome: str = DONE) -> Ack:
    return Ack(group, "t", f"m{number}", attempt, at_s, at_s + 0.1, outcome)


def change(number: int, at_s: float, invisible_s: float, *, attempt: int = 1, outcome: str = DONE) -> Change:
    return Change("g", "t", f"m{number}", attempt, at_s, at_s + 0.25, invisible_s, outcome)


def good() -> History:
    """Three messages in one queue for a plain group and an ordered one; m2 comes again to the plain one, after its time.

    m1 was sent twice. To the plain group m0 is to be hidden for longer, m2 for a shorter time when it came again.
    """
    return History(
        sends=[send(0), send(1, attempts=2), send(2)],
        receives=[
            receive(0, 1, 2, at_s=3.0), receive(2, at_s=13.5, attempt=2),
            receive(0, 1, at_s=3.0, group="f"), receive(2, at_s=5.0, group="f"),
        ],
        acks=[
            ack(0, 4.0), ack(1, 4.0), ack(2, 14.0, attempt=2),
            ack(0, 4.0, group="f"), ack(1, 4.5, group="f"), ack(2, 6.0, group="f"),
        ],
        changes=[change(0, 3.2, 14.0), change(2, 13.7, 1.0, attempt=2)],
        stored=[Stored("t", 0, number, f"m{number}", number) for number in range(3)],
        faults=[FaultDone("kill", "n1", 100.0, 101.0, 1)],
        replicas=[Replica(f"n{number}", 70, 0xABC) for number in (1, 2, 3)],
        copies=[Copy(f"n{number}", "t", 0, 3, 0xDEF) for number in (1, 2, 3)],
        ordered={"f"},
        drained={"g": ["t"], "f": ["t"]},
        facts={"noted": NOTED, "members": 3},
    )  # fmt: skip


def broken(history: History) -> set[str]:
    return {name for name, check in CHECKS.items() if judge(check, history)[0]}


def why(name: str, history: History) -> list[str]:
    return judge(CHECKS[name], history)[0]


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


def test_a_history_in_which_nothing_happened_passes_no_check_and_each_says_what_it_lacks() -> None:
    empty = History(facts={"noted": NOTED, "members": 3})
    assert broken(empty) == set(CHECKS)
    assert why(DOUBLES, empty) == ["it met nothing to judge: no messages sent again"]
    assert why(FAULTS, empty) == ["it met nothing to judge: no faults"]


def test_a_thousand_refused_sends_pass_only_what_they_are_about() -> None:
    refused = [send(number, outcome=REFUSED, offset=None, error="NotServingError: no") for number in range(1000)]
    history = History(sends=refused, faults=good().faults, replicas=good().replicas, facts=good().facts)
    assert set(CHECKS) - broken(history) == {FAULTS, CALM, REPLICAS}


def test_an_old_history_passes_no_check_of_what_it_does_not_tell() -> None:
    history = good()
    history.facts = {}
    history.changes, history.replicas, history.copies = [], [], []
    assert broken(history) == {CALM, DOUBLES, CHANGED, REPLICAS, COPIES}
    assert why(REPLICAS, history) == [
        "the history does not tell its replicas, as those of an older program do not: nothing to judge"
    ]


@pytest.mark.parametrize("more", [{"is_unsure": True}, {"attempts": 2}, {"outcome": UNKNOWN, "is_unsure": True, "offset": None}])
def test_nothing_excuses_a_message_that_is_stored_twice(more: dict[str, object]) -> None:
    history = good()
    history.sends[1] = send(1, **more)
    history.stored.append(Stored("t", 0, 3, "m1", 1))
    assert doubles(history) == {"m1": [(0, 1), (0, 3)]}
    assert why(DOUBLES, history) == ["m1 is stored more than once: at 0/1, 0/3"]


@pytest.mark.parametrize(("others", "is_excused"), [(DEDUPLICATION_WINDOW - 2, False), (DEDUPLICATION_WINDOW + 1, True)])
def test_but_that_so_many_came_meanwhile_that_it_need_not_be_known(others: int, is_excused: bool) -> None:
    history = good()
    history.sends[1] = send(1, ended_s=40.0, attempts=2)
    history.stored.append(Stored("t", 0, 3, "m1", 1))
    one = send(0, began_s=20.0, ended_s=21.0, message_group="")
    history.sends += [replace(one, message_id=f"x{number}") for number in range(others)]
    assert (why(DOUBLES, history) == []) is is_excused


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


def deliver_what_is_nowhere(history: History) -> None:
    history.sends.append(send(9, outcome=UNKNOWN, is_unsure=True, offset=None))
    history.receives.append(receive(9, at_s=20.0))


def skip(history: History) -> None:
    """There is no message with offset 2, but one with offset 3."""
    history.stored[2], history.sends[2] = Stored("t", 0, 3, "m2", 2), send(2, offset=3)
    history.receives.clear()
    history.drained.clear()


def keep_its_old_time(history: History) -> None:
    """m2 is given back for 1 s, and comes after its 10 s."""
    history.acks[2] = ack(2, 25.0, attempt=3)
    history.receives.append(receive(2, at_s=24.0, attempt=3))


BREAKS: list[tuple[str, str, Callable[[History], object]]] = [
    ("nothing was broken", FAULTS, lambda h: h.faults.clear()),
    ("a send was refused", FAILED, lambda h: h.sends.append(send(3, outcome=REFUSED, error="RefusedError: no"))),
    ("an attempt was refused", CALM, lambda h: h.sends.__setitem__(1, send(1, attempts=2, failed=((1.0, 1.1),)))),
    ("a shorter time does not count", CHANGED, keep_its_old_time),
    ("times are only made longer", CHANGED, lambda h: h.changes.pop(1)),
    ("times are only made shorter", CHANGED, lambda h: h.changes.pop(0)),
    ("a longer time does not count", HIDDEN, lambda h: h.receives.append(receive(0, at_s=14.0, attempt=2))),
    ("a node made another state", REPLICAS, lambda h: h.replicas.__setitem__(1, Replica("n2", 70, 0xABD))),
    ("a node stores other messages", COPIES, lambda h: h.copies.__setitem__(1, Copy("n2", "t", 0, 3, 0xDEE))),
    ("a message is stored nowhere", LOST, lambda h: (h.stored.pop(), h.receives.pop(1))),
    ("a message never came to a group", LOST, lambda h: h.receives.__setitem__(3, receive(at_s=5.0, group="f"))),
    ("nobody sent it", INVENTED, forget_a_send),
    ("it was refused", INVENTED, lambda h: h.sends.__setitem__(2, send(2, outcome=REFUSED))),
    ("it has another body", INVENTED, lambda h: h.stored.__setitem__(2, Stored("t", 0, 2, "m2", 7))),
    ("it was sent elsewhere", INVENTED, lambda h: h.sends.__setitem__(2, send(2, topic="u", outcome=UNKNOWN))),
    ("an offset is missing", PLACES, skip),
    ("another offset was answered", PLACES, lambda h: h.sends.__setitem__(1, send(1, offset=5))),
    ("another offset was answered before", PLACES, lambda h: h.sends.__setitem__(1, send(1, answers=((None, 5),)))),
    ("another queue was answered", PLACES, lambda h: h.sends.__setitem__(1, send(1, queue_id=9))),
    ("what was delivered is nowhere", PLACES, deliver_what_is_nowhere),
    ("it was delivered from another place", PLACES, lambda h: h.stored.__setitem__(2, Stored("t", 1, 0, "m2", 2))),
    ("a later send stands before an earlier one", ORDER, move),
    ("a message group is in two queues", ORDER, part),
    ("it is there twice", DOUBLES, lambda h: h.stored.append(Stored("t", 0, 3, "m1", 1))),
    ("it came too early", HIDDEN, lambda h: h.receives.__setitem__(1, receive(2, at_s=12.8, attempt=2))),
    ("an attempt came twice", HIDDEN, lambda h: h.receives.__setitem__(1, receive(2, at_s=13.5))),
    ("an attempt was left out", COUNTED, lambda h: h.receives.__setitem__(1, receive(2, at_s=13.5, attempt=3))),
    ("the first attempt was left out", COUNTED, lambda h: h.receives.__setitem__(0, receive(0, 1, 2, at_s=3.0, attempt=2))),
    ("it came far too late", SOON, lambda h: h.receives.__setitem__(1, receive(2, at_s=23.5, attempt=2))),
    ("it came after its ack", FINISHED, lambda h: h.receives.append(receive(0, at_s=20.0, attempt=2))),
    ("an older attempt came after its ack", FINISHED, lambda h: h.receives.append(receive(2, at_s=20.0))),
    ("it came before what precedes it was acknowledged", TURN, lambda h: h.acks.__setitem__(4, ack(1, 5.2, group="f"))),
    ("what precedes it was never acknowledged", TURN, lambda h: h.acks.pop(3)),
    ("a refused ack is none", TURN, lambda h: h.acks.__setitem__(3, ack(0, 4.0, group="f", outcome=REFUSED))),
    ("one was left out of those that came together", TURN, lambda h: (
        h.receives.__setitem__(2, receive(0, 2, at_s=3.0, group="f")), h.receives.__setitem__(3, receive(1, at_s=5.0, group="f")),
    )),
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


def test_a_shorter_time_counts_from_its_call_on() -> None:
    history = good()
    history.acks[2] = ack(2, 15.5, attempt=3)
    history.receives.append(receive(2, at_s=14.8, attempt=3))
    assert broken(history) == set()
    history.receives[-1] = receive(2, at_s=14.5, attempt=3)
    assert broken(history) == {HIDDEN}


def test_a_change_that_nobody_knows_of_may_count_or_not_and_a_refused_one_does_not() -> None:
    history = good()
    history.acks[2] = ack(2, 26.0, attempt=3)
    for at_s, outcome, told in ((14.8, UNKNOWN, set()), (24.0, UNKNOWN, set()), (14.8, REFUSED, {HIDDEN})):
        changes = [change(1, 3.2, 1.0), change(0, 3.2, 14.0), change(2, 13.7, 1.0, attempt=2, outcome=outcome)]
        found = replace(history, changes=changes, receives=[*history.receives, receive(2, at_s=at_s, attempt=3)])
        assert broken(found) == told


def test_a_history_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    journal, written = Journal(tmp_path / "history.jsonl"), good()
    written.sends[1] = send(1, attempts=3, failed=((1.0, 1.25), (1.5, 1.75)))
    journal.facts(ordered=["f"], seed=7)
    for one in (
        *written.sends,
        *written.receives,
        *written.acks,
        *written.changes,
        *written.stored,
        *written.faults,
        *written.replicas,
        *written.copies,
    ):
        journal.note(one)
    journal.facts(drained={"g": ["t"], "f": ["t"]}, surprises=[])
    journal.close()
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"what":"send","mess')  # where a crash cut it
    found = History.read(tmp_path / "history.jsonl")
    assert found == journal.history
    for name in ("sends", "receives", "acks", "changes", "stored", "faults", "replicas", "copies"):
        assert getattr(found, name) == getattr(written, name)
    assert (found.ordered, found.drained, found.facts["seed"]) == (written.ordered, written.drained, 7)


def test_what_a_receive_that_broke_gave_back_comes_again_as_the_same_attempt() -> None:
    history = good()
    history.receives[0] = receive(0, 1, 2, at_s=3.0, is_whole=False)
    history.receives[1] = receive(2, at_s=4.0)
    history.acks[2] = ack(2, 4.5)
    history.receives.append(receive(1, at_s=13.5, attempt=2))
    history.acks[1] = ack(1, 14.0, attempt=2)
    assert broken(history) == set()


def of_a_receive_that_broke(*, attempt: int, at_s: float, outcome: str = DONE, changed_s: float = 3.5) -> list[str]:
    """m2 came in a receive that broke, was hidden for 14 s all the same, and came again."""
    history = good()
    history.receives[0] = receive(0, 1, 2, at_s=3.0, is_whole=False)
    history.receives[1] = receive(2, at_s=at_s, attempt=attempt)
    history.changes = [change(0, 3.2, 1.0), change(2, changed_s, 14.0, outcome=outcome)]
    return list(hidden(history))


def test_a_change_that_was_answered_shows_that_a_receive_that_broke_was_not_given_back() -> None:
    assert of_a_receive_that_broke(attempt=2, at_s=17.0) == ["attempt 2 of m2 came to g 0.400 s inside its invisible time"]
    assert of_a_receive_that_broke(attempt=1, at_s=20.0) == ["attempt 1 of m2 came twice to g"]
    assert of_a_receive_that_broke(attempt=2, at_s=17.5) == []


@pytest.mark.parametrize("outcome", [UNKNOWN, REFUSED])
def test_one_that_was_not_answered_shows_nothing(outcome: str) -> None:
    for attempt in (1, 2):
        assert of_a_receive_that_broke(attempt=attempt, at_s=4.0, outcome=outcome) == []


def test_a_change_of_the_delivery_that_came_again_is_none_of_the_one_before_with_the_same_number() -> None:
    assert of_a_receive_that_broke(attempt=1, at_s=4.0, changed_s=4.2) == []
