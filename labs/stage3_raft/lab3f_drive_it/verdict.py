"""The verdict on one run: a test for each promise, with its points, from what was seen of it from outside.

What each test believes:

* 1.1 to 2.4 and 3.1, 3.2 the official clients: an order counts as sent when their receipt says so, and as received when it
  came to their listener. Who leads, and so who is killed, is asked of the nodes; where they lie about it, another node is
  killed, and the orders have to go on all the same.
* 3.3 the machine.
* 3.4 the traces, which the nodes write themselves. Raft's code runs in the very process that writes them, so a class made for
  that could write what never happened. It would gain the points of this test alone: a cluster that kept all orders through a kill
  stands behind the others.

Class and number of calls, which `mq raft status` shows, are shown here, too, and are worth nothing: a node says them of itself.
What stands for them is that our layers lack the methods of labs 3a to 3d where these nodes run (`organs`): a cluster that served
without the student's methods would have to have got them from elsewhere.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from labs.grader.result import Failure, Outcome
from labs.stage3_raft.lab3f_drive_it.picture import Orders
from labs.stage3_raft.lab3f_drive_it.seen import Seen

__all__ = ["TESTS", "Test", "outcomes_of"]

_SHOWN_MAX = 3
_ORDERS_MIN = 150
"""Of a story that came to its end, which waits for some 200 in all: with fewer it has shown nothing."""
_EVENTS_MIN = 500
"""Of the traces: some twenty an order."""
_TRACES = "Paper: Raft, figures 2 and 3"


class _Found(NamedTuple):
    """What contradicts a promise. expected, found: see `Failure`."""

    expected: str
    found: str


class Test(NamedTuple):
    """number, name, points: as of any test. promise: what is broken when it fails. section: where to read.

    looks: what contradicts it; None when nothing does.
    """

    number: str
    name: str
    points: int
    promise: str
    section: str
    looks: Callable[[Seen], _Found | None]


def _step(name: str, expected: str) -> Callable[[Seen], _Found | None]:
    """Whether a step of the story came to its end."""

    def looks(seen: Seen) -> _Found | None:
        done = seen.steps.get(name)
        if done is None:
            return _Found(expected, f"it did not come to that{_see(seen)}")
        return _Found(expected, f"{done.why_not}; the nodes' logs are in {seen.logs}") if done.why_not else None

    return looks


def _see(seen: Seen) -> str:
    """Where it is told why the story ended before."""
    return next((f", see {_STEPS[name]}" for name, done in seen.steps.items() if done.why_not), "")


def _some(what: list[str]) -> str:
    more = len(what) - _SHOWN_MAX
    return ", ".join(what[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def _whole(seen: Seen, expected: str) -> _Found | None:
    """Whatever is said of all orders, is said of a story that came to its end."""
    if not all(seen.is_done(step) for step in ("kill", "cut")):
        return _Found(expected, f"the story ended before that could be seen{_see(seen)}")
    if len(seen.history.sent) < _ORDERS_MIN:
        return _Found(f"{_ORDERS_MIN} orders or more are acknowledged", f"{len(seen.history.sent)} were")
    return None


def _lost(seen: Seen) -> _Found | None:
    expected = "every order that was acknowledged comes to the consumer"
    if (found := _whole(seen, expected)) is not None:
        return found
    if lost := seen.history.lost():
        return _Found(
            expected,
            f"{len(lost)} of {len(seen.history.sent)} never came, such as {_some(lost)}; the clients' lines are in "
            f"{seen.folder / 'witness' / 'witness.jsonl'}",
        )
    return None


def _order(seen: Seen) -> _Found | None:
    expected = "only orders that were sent come, and each caller's stand in their queue in the order in which they were sent"
    if invented := seen.history.invented():
        return _Found(expected, f"nobody sent {_some(invented)}")
    if wrong := seen.history.out_of_order():
        return _Found(expected, _some(wrong))
    return _whole(seen, expected)


def _ended(seen: Seen) -> _Found | None:
    expected = "a node ends only when it is killed or told to"
    if seen.ended:
        told = _some([f"{one.node}: {one.said or 'it said nothing'}" for one in seen.ended])
        return _Found(expected, f"{told}; the whole of it is in {seen.logs}")
    return _whole(seen, expected)


def _traces(seen: Seen) -> _Found | None:
    expected = "what the three nodes noted of terms, votes, entries and messages keeps all of Raft's rules"
    if seen.violation is not None:
        return _Found(expected, f"{seen.violation.strip()} (the traces are in {seen.traces})")
    return _whole(seen, expected) or (
        _Found(f"{_EVENTS_MIN} events or more are judged", f"there are {seen.events}") if seen.events < _EVENTS_MIN else None
    )


_STEPS = {"start": "1.1", "calm": "1.2", "kill": "2.1", "back": "2.2", "pause": "2.3", "cut": "2.4", "end": "3.1"}
"""The test that tells of a step."""
_KILLED = "orders are acknowledged again soon after the leader was killed"
TESTS = (
    Test(
        "1.1", "Three nodes start with your Raft, and one leads", 5, "Nodes with your organs start, and elect a leader",
        "Paper: Raft, section 5.2", _step("start", "each node answers and one leads"),
    ),
    Test(
        "1.2", "Orders of an official client flow", 10, "While nothing is wrong, orders are stored and delivered",
        "Paper: Raft, section 5.3", _step("calm", "orders are acknowledged and delivered"),
    ),
    Test(
        "2.1", "The leader is killed, and orders go on", 20, "A minority may fail: the others elect a leader and serve",
        "Paper: Raft, section 5.2", _step("kill", _KILLED),
    ),
    Test(
        "2.2", "Started again, it gets all that it missed", 10, "A node that comes back becomes as good as the others",
        "Paper: Raft, section 5.5", _step("back", "the node serves again and its log goes as far as the others' did"),
    ),
    Test(
        "2.3", "The leader stands still for a while", 10, "A leader that wakes up after another was elected gives way",
        "Paper: Raft, section 5.1", _step("pause", "another node leads meanwhile, and orders go on when the old one wakes up"),
    ),
    Test(
        "2.4", "The leader is cut off for a while", 10, "The side with a majority goes on, the other one gives way",
        "Paper: Raft, section 5.4", _step("cut", "orders are acknowledged without the old leader, and after it is back"),
    ),
    Test(
        "3.1", "Every acknowledged order is delivered", 15, "What was acknowledged is never lost",
        "Paper: Raft, figure 3 (Leader Completeness)", _lost,
    ),
    Test(
        "3.2", "Nothing is invented, order is kept", 5, "What is delivered was sent, in its order",
        "Paper: Raft, figure 3 (State Machine Safety)", _order,
    ),
    Test("3.3", "No node ends by itself", 5, "A node goes on whatever happens to others", "README, what may go wrong", _ended),
    Test("3.4", "The nodes' traces keep Raft's promises", 10, "No rule of Raft is broken on the way", _TRACES, _traces),
)  # fmt: skip
"""In the order of the story. Their points are 100."""


def outcomes_of(seen: Seen) -> Iterator[Outcome]:
    """Of all tests."""
    for test in TESTS:
        found = test.looks(seen)
        took_s = sum(done.took_s for name, done in seen.steps.items() if _STEPS[name] == test.number)
        failure = None
        if found is not None:
            failure = Failure(test.promise, *found, test.section, tuple(seen.told), figure=Orders(seen))
        yield Outcome(
            test.number, test.name, test.points, is_passed=found is None, failure=failure, schedules=1, seconds=round(took_s, 3)
        )
