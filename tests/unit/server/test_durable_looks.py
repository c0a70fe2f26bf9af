"""What a replaced commit log may not say of its durable end: more than the disk is done with, or less than it was told."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import drive, perform
from mq.parts import Parts, load_parts
from mq.server.organs import OrganError, Organs
from mq.sim.disk import SimDisk

ROOT = Path(__file__).resolve().parents[3]
LABS = ROOT / "labs/stage1_single_node/lab1a_commit_log"
STATE = HardState(Term(1), 2)
Made = Callable[[type[CommitLog]], CommitLog]


def entries(first: int, count: int, term: int = 1) -> list[Entry]:
    return [Entry(LogIndex(first + i), Term(term), EntryKind.COMMAND, b"a loaf") for i in range(count)]


@pytest.fixture
def made() -> Iterator[Made]:
    """A guarded log of a class, that was opened and holds nothing."""
    organs: list[Organs] = []

    def make(log_class: type[CommitLog]) -> CommitLog:
        organs.append(Organs(Parts(commit_log=log_class)))
        log = organs[-1].commit_log(segment_bytes=64 << 10)
        drive(log.recover({}), SimDisk())
        return log

    yield make
    for one in organs:
        one.stop()


def lab(name: str) -> type[CommitLog]:
    return load_parts(str(LABS / f"{name}.py")).commit_log


class Own(CommitLog):
    """Somebody's own, and right."""


class SaysItsEnd(CommitLog):
    @property
    def durable_index(self) -> LogIndex:
        return self.last_index


class DoesNotListen(CommitLog):
    def synced(self, sequence: int) -> None:
        pass


# --- wrong ones


@pytest.mark.parametrize("wrong", [SaysItsEnd, lab("wrong/durable_when_appended")], ids=["its end", "when appended"])
def test_a_log_does_not_call_durable_what_the_disk_is_not_done_with(made: Made, wrong: type[CommitLog]) -> None:
    log = made(wrong)
    complaint = "commit_log: `append` leaves a log that says that entries up to 2 are durable, and only those up to 0 are"
    with pytest.raises(OrganError, match=complaint):
        log.append(LogIndex(0), entries(1, 2), STATE)


def test_a_log_listens_to_what_it_is_told_of_its_disk(made: Made) -> None:
    log = made(DoesNotListen)
    appended = log.append(LogIndex(0), entries(1, 2), STATE)
    complaint = "commit_log: `synced` was told that entries up to 2 are durable, and the log says that only those up to 0 are"
    with pytest.raises(OrganError, match=complaint):
        log.synced(appended.sequence)


def test_what_is_superseded_is_not_durable_from_that_moment_on(made: Made) -> None:
    log = made(lab("wrong/superseded_stays_durable"))
    log.synced(log.append(LogIndex(0), entries(1, 4), STATE).sequence)
    with pytest.raises(OrganError, match=r"entries up to 3 are durable, and only those up to 2 are: .* or it is superseded"):
        log.append(LogIndex(2), entries(3, 1, term=2), HardState(Term(2), None))


def test_what_is_taken_back_was_never_durable(made: Made) -> None:
    class Keeps(CommitLog):
        ends = 0

        def abandon(self, sequence: int) -> None:
            self.ends = self.last_index
            super().abandon(sequence)

        @property
        def last_index(self) -> LogIndex:
            return max(LogIndex(self.ends), super().last_index)

        @property
        def durable_index(self) -> LogIndex:
            return self.last_index if self.ends else super().durable_index

    log = made(Keeps)
    log.synced(log.append(LogIndex(0), entries(1, 2), STATE).sequence)
    second = log.append(LogIndex(2), entries(3, 1))
    with pytest.raises(
        OrganError, match="`abandon` leaves a log that says that entries up to 3 are durable, and only those up to 2"
    ):
        log.abandon(second.sequence)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("last_index", "many", "a log whose `last_index` is 'many', expected int"),
        ("first_index", None, "a log whose `first_index` is None, expected int"),
        ("durable_index", 1.0, "a log whose `durable_index` is 1.0, expected int"),
        ("hard_state", (1, 2), r"a log whose `hard_state` is \(1, 2\), expected HardState"),
        ("hard_state", HardState("one", None), "a log whose `hard_state.term` is 'one', expected int"),  # type: ignore[arg-type]
        ("hard_state", HardState(Term(1), "me"), "a log whose `hard_state.vote` is 'me', expected int"),  # type: ignore[arg-type]
        ("is_damaged", "no", "a log whose `is_damaged` is 'no', expected bool"),
    ],
)
def test_what_a_log_says_of_itself_is_of_the_right_type(made: Made, name: str, value: Any, complaint: str) -> None:
    wrong = type("Wrong", (CommitLog,), {name: property(lambda _log: value)})
    with pytest.raises(OrganError, match=f"commit_log: `recover` leaves {complaint}"):
        made(wrong)


def test_terms_are_numbers(made: Made) -> None:
    class Wrong(CommitLog):
        def term_at(self, index: LogIndex) -> Any:
            return f"{super().term_at(index)}"

    with pytest.raises(OrganError, match="commit_log: `term_at` returned str, expected int or None"):
        made(Wrong).term_at(LogIndex(0))


def test_a_sequence_that_comes_twice_is_named(made: Made) -> None:
    class Repeats(CommitLog):
        def append(self, after_index: LogIndex, entries: Any, hard_state: HardState | None = None) -> Any:
            self._sequence = 0
            return super().append(after_index, entries, hard_state)

    log = made(Repeats)
    log.append(LogIndex(0), entries(1, 1), STATE)
    with pytest.raises(OrganError, match="commit_log: `append` returned the sequence 1 behind 1"):
        log.append(LogIndex(1), entries(2, 1))


# --- right ones


RIGHT = [Own, lab("right/rolls_when_the_term_changes"), lab("right/small_reads")]


class Wild:
    """A host that is late, whose disk is full at times, and whose leaders change: whatever it may come to, in any order."""

    def __init__(self, seed: int, log: CommitLog, met: Counter[str]) -> None:
        self.rng, self.log, self.met, self.disk = random.Random(seed), log, met, SimDisk()
        self.term = 1
        self.waiting: list[Any] = []

    def run(self) -> None:
        does = [self.append] * 8 + [self.supersede, self.save_a_vote, self.take_back, self.drop] + [self.sync] * 6
        for _ in range(120):
            self.rng.choice(does)()
            if self.rng.random() < 0.02:
                self.reset()

    def put(self, after: int) -> None:
        new = entries(after + 1, self.rng.randint(1, 3), self.term)
        self.waiting.append(self.log.append(LogIndex(after), new, HardState(Term(self.term), None)))

    def append(self) -> None:
        self.put(self.log.last_index)

    def supersede(self) -> None:
        before, self.term = self.log.durable_index, self.term + 1
        self.put(self.rng.randint(self.log.first_index - 1, self.log.last_index))
        self.met["superseded"] += self.log.durable_index < before

    def save_a_vote(self) -> None:
        self.waiting.append(self.log.append(self.log.last_index, (), HardState(Term(self.term), 1)))

    def take_back(self) -> None:
        if self.waiting:
            self.log.abandon(self.waiting.pop().sequence)
            self.met["taken back"] += 1

    def reset(self) -> None:
        last = EntryId(Term(self.term), LogIndex(self.log.last_index + self.rng.randint(0, 5)))
        self.waiting.append(self.log.reset(last, HardState(Term(self.term), 1)))
        self.met["reset"] += 1

    def drop(self) -> None:
        perform(self.disk, self.log.drop_before(self.log.durable_index))

    def sync(self) -> None:
        if not self.waiting:
            return
        count = self.rng.randint(1, len(self.waiting))
        done, self.waiting = self.waiting[:count], self.waiting[count:]
        for appended in done:
            perform(self.disk, appended.plan)
        self.log.synced(done[-1].sequence)
        self.met["late"] += bool(self.waiting)


@pytest.mark.parametrize("log_class", RIGHT, ids=["own", "rolls when the term changes", "small reads"])
def test_a_right_log_is_let_be_whatever_its_host_comes_to(made: Made, log_class: type[CommitLog]) -> None:
    met = Counter[str]()
    for seed in range(30):
        Wild(seed, made(log_class), met).run()
    assert min(met[what] for what in ("taken back", "reset", "late", "superseded")) > 10, met
