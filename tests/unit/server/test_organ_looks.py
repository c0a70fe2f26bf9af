"""What a replaced commit log may not do: lose what it was given, read for ever, or hand out what was not asked for."""

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Appended, Entry, EntryKind, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Operation, Read, Remove, Replace, Steps, Sync, Write, drive, perform
from mq.parts import Parts
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.server import organs as guarding
from mq.server.organs import OrganError, Organs, Watchdog
from mq.sim.disk import SimDisk

LIMIT_S = 20.0
STATE = HardState(Term(1), 2)
Change = Callable[[tuple[Operation, ...]], tuple[Operation, ...]]


def entries(first: int, *payloads: bytes) -> list[Entry]:
    return [Entry(LogIndex(first + i), Term(1), EntryKind.COMMAND, payload) for i, payload in enumerate(payloads)]


@pytest.fixture
def made() -> Iterator[Callable[[type[CommitLog]], CommitLog]]:
    """A guarded log of a class."""
    organs: list[Organs] = []

    def make(log_class: type[CommitLog]) -> CommitLog:
        organs.append(Organs(Parts(commit_log=log_class)))
        return organs[-1].commit_log(segment_bytes=64 << 10)

    yield make
    for one in organs:
        one.stop()


Made = Callable[[type[CommitLog]], CommitLog]


def planning(change: Change) -> type[CommitLog]:
    """A log that keeps its books, and plans something else than it should."""

    class Own(CommitLog):
        def append(self, after_index: LogIndex, entries: Any, hard_state: HardState | None = None) -> Appended:
            appended = super().append(after_index, entries, hard_state)
            return replace(appended, plan=change(appended.plan))

        def reset(self, last: EntryId, hard_state: HardState) -> Appended:
            appended = super().reset(last, hard_state)
            return replace(appended, plan=change(appended.plan))

    return Own


def without(kind: type) -> Change:
    return lambda plan: tuple(operation for operation in plan if not isinstance(operation, kind))


def rewritten(change: Callable[[bytes], Any]) -> Change:
    return lambda plan: tuple(Write(one.file, one.at, change(one.data)) if isinstance(one, Write) else one for one in plan)


# --- what is written


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without(Write), "commit_log: `append` returned a plan that writes nothing: what it was given is lost"),
        (lambda plan: plan[:-2], "was given entry 1, and its plan does not write that entry's payload: it is lost"),
        (
            rewritten(lambda data: data.replace(b"rye", b"oat")),
            r"was given entry 2, and .* \(payloads must be written as they are",
        ),
        (without(Sync), r"returned a plan without a Sync of log/0+\.log behind the last Write to it: it is not durable"),
        (lambda plan: (*plan[:-2], plan[-1], plan[-2]), "without a Sync of"),
        (rewritten(str), "returned a plan with Write.*, which no disk can carry out"),
        (lambda plan: (*plan, Write("log/0", -1, b"x")), "returned a plan with Write.*at=-1.*, which no disk can carry out"),
    ],
    ids=["no write", "the last write lost", "another payload", "no sync", "sync too early", "no bytes", "before the file"],
)
def test_a_plan_that_loses_what_the_log_says_it_has_is_found_out(made: Made, change: Change, complaint: str) -> None:
    log = made(planning(change))
    with pytest.raises(OrganError, match=complaint):
        log.append(LogIndex(0), entries(1, b"a loaf", b"rye"), STATE)


def followed(*kinds: str) -> Change:
    """A plan that takes back what its last write put there."""

    def change(plan: tuple[Operation, ...]) -> tuple[Operation, ...]:
        last = next(one for one in reversed(plan) if isinstance(one, Write))
        at = last.at + last.data.index(b"rye")
        later: dict[str, Operation] = {
            "zeros": Write(last.file, last.at, bytes(len(last.data))),
            "a byte": Write(last.file, at + 1, b"i"),
            "the first bytes": Write(last.file, at - 2, b"....."),
            "removed": Remove(last.file),
            "made anew": Create(last.file, 64 << 10),
            "replaced": Replace(last.file, b"nothing"),
            "written elsewhere": Write("log/other", 0, b"a loaf"),
        }
        return (*plan, *(later[kind] for kind in kinds), Sync(last.file), Sync("log/other"))

    return change


@pytest.mark.parametrize(
    "kinds",
    [
        ("zeros",), ("a byte",), ("the first bytes",), ("replaced",),
        ("removed", "written elsewhere"), ("made anew", "written elsewhere"),
    ],
    ids=" and ".join,
)  # fmt: skip
def test_what_a_plan_writes_and_takes_away_again_is_lost(made: Made, kinds: tuple[str, ...]) -> None:
    log = made(planning(followed(*kinds)))
    lost = "entry [12], and its plan writes that entry's payload and does not leave it there: it is lost"
    with pytest.raises(OrganError, match=f"commit_log: `append` was given {lost}"):
        log.append(LogIndex(0), entries(1, b"a loaf", b"rye"), STATE)


def test_a_right_log_may_write_a_place_twice(made: Made) -> None:
    """Room is made with zeros, a header is written when what follows is known, and whole pages are written again."""

    def in_pages(plan: tuple[Operation, ...]) -> tuple[Operation, ...]:
        file, at, data = next((one.file, one.at, one.data) for one in reversed(plan) if isinstance(one, Write))
        page = bytearray(len(data) + 64)
        writes: list[Operation] = [Write(file, at, bytes(page))]
        for begin in range(0, len(data), 40):
            page[begin : begin + 40] = data[begin : begin + 40]
            writes.append(Write(file, at + begin // 64 * 64, bytes(page[begin // 64 * 64 : begin + 40])))
        return (*writes, Write(file, at, data[:8]), Sync(file))

    appended = made(planning(in_pages)).append(LogIndex(0), entries(1, b"a loaf" * 20, b"", b"rye" * 30), STATE)
    disk = SimDisk()
    perform(disk, appended.plan)
    (file,) = disk.files()
    assert disk.read(Read(file, 0, 1 << 20)).count(b"rye" * 30) == 1


def test_of_two_equal_payloads_one_written_is_not_enough(made: Made) -> None:
    log = made(planning(rewritten(lambda data: data.replace(b"a loaf", b"......", 1))))
    with pytest.raises(OrganError, match="was given entry 2, and its plan does not write"):
        log.append(LogIndex(0), entries(1, b"a loaf", b"a loaf"), STATE)


def test_a_vote_that_is_not_written_or_not_kept_is_found_out(made: Made) -> None:
    with pytest.raises(OrganError, match="returned a plan that writes nothing"):
        made(planning(lambda _plan: ())).append(LogIndex(0), [], STATE)

    class Forgets(CommitLog):
        def append(self, after_index: LogIndex, entries: Any, hard_state: HardState | None = None) -> Appended:
            return super().append(after_index, entries, replace(hard_state, vote=None) if hard_state else None)

    with pytest.raises(
        OrganError, match=r"was given HardState\(term=1, vote=2\), and the log says .*: a vote may be given twice"
    ):
        made(Forgets).append(LogIndex(0), [], STATE)


def test_a_reset_that_is_not_written_is_found_out(made: Made) -> None:
    log = made(planning(lambda plan: plan if log_is_empty[0] else ()))
    log_is_empty = [True]
    log.append(LogIndex(0), entries(1, b"a loaf"), STATE)
    log_is_empty[0] = False
    with pytest.raises(OrganError, match="commit_log: `reset` returned a plan that writes nothing"):
        log.reset(EntryId(Term(1), LogIndex(9)), STATE)


def test_a_right_log_of_another_shape_passes(made: Made) -> None:
    """Payloads in several writes, and a file that is replaced as a whole, are as good as one write."""

    def parted(plan: tuple[Operation, ...]) -> tuple[Operation, ...]:
        file, at, data = next((one.file, one.at, one.data) for one in reversed(plan) if isinstance(one, Write))
        middle = data.index(b"rye")
        return (Write(file, at, data[:middle]), Write(file, at + middle, data[middle:]), Sync(file))

    several = made(planning(parted)).append(LogIndex(0), entries(1, b"a loaf", b"", b"rye"), STATE)
    assert [type(operation) for operation in several.plan] == [Write, Write, Sync]
    whole = made(planning(lambda plan: tuple(Replace(one.file, one.data) for one in plan if isinstance(one, Write))))
    assert {type(one) for one in whole.append(LogIndex(0), entries(1, b"a loaf", b"rye")).plan} == {Replace}


def test_a_log_is_looked_at_also_when_a_replaced_raft_calls_it() -> None:
    class OwnRaft(RaftNode):
        __slots__ = ()

    organs = Organs(Parts(raft=OwnRaft, commit_log=planning(without(Write))))
    log = organs.commit_log(segment_bytes=64 << 10)
    node = organs.raft(1, log, random.Random(1), options=RaftOptions(), configuration=Configuration.of(1))
    with pytest.raises(OrganError, match="commit_log: `append` returned a plan that writes nothing"):
        node.campaign()
    assert organs.calls["commit_log.append"] == 1
    organs.stop()


# --- what is read, in steps


def filled(log: CommitLog) -> SimDisk:
    disk = SimDisk()
    appended = log.append(LogIndex(0), entries(1, b"a loaf", b"rye", b"spelt"), STATE)
    perform(disk, appended.plan)
    log.synced(appended.sequence)
    return disk


def test_a_right_log_is_read_in_steps_and_each_step_is_watched(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(CommitLog):
        pass

    log = made(Own)
    disk = filled(log)
    begun: list[str] = []
    limits: dict[str, float | None] = {}
    begin = Watchdog.begin

    def noting(watchdog: Watchdog, organ: str, what: str, limit_s: float | None) -> Any:
        begun.append(what)
        limits[what] = limit_s
        return begin(watchdog, organ, what, limit_s)

    monkeypatch.setattr(Watchdog, "begin", noting)
    steps = log.entries(LogIndex(1), LogIndex(3), 1 << 20)
    begun.clear()
    found = drive(steps, disk)
    assert [stored.entry.payload for stored in found] == [b"a loaf", b"rye", b"spelt"]
    assert begun.count("commit_log: `entries`") >= 2, "one for each step, and the end"
    again = made(Own)
    assert drive(again.recover(disk.files()), disk).last_index == 3
    assert limits["commit_log: `recover`"] == 60, "how much there is to read depends on what is stored"
    assert limits["commit_log: `entries`"] is None


def reading(steps: Callable[[CommitLog], Any]) -> type[CommitLog]:
    class Own(CommitLog):
        def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Any:
            return steps(self)

    return Own


def ends(found: Any) -> Callable[[CommitLog], Steps[Any]]:
    def steps(_log: CommitLog) -> Steps[Any]:
        yield Read("log/0", 0, 1)
        return found

    return steps


def asks(wanted: Any) -> Callable[[CommitLog], Steps[Any]]:
    def steps(_log: CommitLog) -> Steps[Any]:
        yield wanted

    return steps


def asks_the_same_for_ever(_log: CommitLog) -> Steps[Any]:
    while True:
        yield Read("log/0", 0, 1)


def asks_in_a_circle(_log: CommitLog) -> Steps[Any]:
    while True:
        yield Read("log/0", 0, 1)
        yield Read("log/0", 1, 1)


def divides(_log: CommitLog) -> Steps[Any]:
    yield Read("log/0", 0, 1)
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (lambda _log: (), "commit_log: `entries` returned tuple, expected a generator of Read"),
        (asks("log/0"), "commit_log: `entries` yielded 'log/0', expected Read"),
        (asks(Read("log/0", -4, 8)), r"`entries` yielded Read\(.*at=-4.*\), which no disk can carry out"),
        (asks_the_same_for_ever, r"`entries` does not come to an end: it has asked 1001 times, now for Read\("),
        (asks_in_a_circle, "`entries` does not come to an end: it has asked 5000 times"),
        (divides, "commit_log: `entries` raised ZeroDivisionError: division by zero"),
        (ends(None), "commit_log: `entries` returned NoneType, expected tuple"),
        (ends((1, 2)), r"`entries` returned \(1, 2\), expected pairs of an entry and its place"),
        (ends(()), "`entries` was asked for entries 1 to 3, and returned none"),
        (ends(((entries(2, b"rye")[0], None),)), r"`entries` was asked for entries 1 to 3, and returned \[2\]"),
        (ends(tuple((one, None) for one in entries(1, *[b"x"] * 4))), r"asked for entries 1 to 3, and returned \[1, 2, 3, 4\]"),
    ],
)  # fmt: skip
def test_what_reading_must_not_come_to(made: Made, steps: Any, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mq.server.organ_looks._READS_MAX", 5000)
    log = made(reading(steps))
    disk = filled(log)
    with pytest.raises(OrganError, match=complaint):
        drive(log.entries(LogIndex(1), LogIndex(3), 1 << 20), disk)


def test_a_step_that_does_not_come_back_is_told_by_the_watchdog(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(guarding, "Watchdog", lambda **_: Watchdog(0.25, end=lambda _number: ended.set()))

    def spins(_log: CommitLog) -> Steps[Any]:
        yield Read("log/0", 0, 1)
        while not ended.is_set():
            pass
        return ()

    organs = Organs(Parts(commit_log=reading(spins)))
    drive(organs.commit_log(segment_bytes=64 << 10).entries(LogIndex(1), LogIndex(3), 1), SimDisk())
    told = capfd.readouterr().err
    assert "commit_log: `entries` did not come back within 0.25 s: this node stops" in told
    assert "in spins" in told


def test_a_recovery_is_looked_at_too(made: Made) -> None:
    class Own(CommitLog):
        def recover(self, files: Mapping[str, int], checkpoint: Any = None) -> Any:
            yield Read("log/0", 0, 1)
            return "all is well"

    with pytest.raises(OrganError, match="commit_log: `recover` returned str, expected Recovery"):
        drive(made(Own).recover({}), SimDisk())


# --- the making of it, and its properties


def test_an_organ_that_cannot_be_made_is_named(made: Made) -> None:
    class Lacks(CommitLog):
        def __init__(self) -> None:
            super().__init__()

    with pytest.raises(OrganError, match=r"commit_log: `__init__` raised TypeError: .*segment_bytes"):
        made(Lacks)

    class Fails(CommitLog):
        def __init__(self, *, segment_bytes: int = 1) -> None:
            super().__init__(segment_bytes=segment_bytes // 0)

    with pytest.raises(OrganError, match="commit_log: `__init__` raised ZeroDivisionError"):
        made(Fails)


def test_an_organ_whose_making_does_not_come_back_is_told_by_the_watchdog(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(guarding, "Watchdog", lambda **_: Watchdog(0.25, end=lambda _number: ended.set()))

    class Slow(CommitLog):
        def __init__(self, *, segment_bytes: int = 1) -> None:
            super().__init__(segment_bytes=segment_bytes)
            ended.wait(LIMIT_S)

    Organs(Parts(commit_log=Slow)).commit_log(segment_bytes=64 << 10)
    assert ended.is_set()
    assert "commit_log: `__init__` did not come back within 0.25 s" in capfd.readouterr().err


def test_a_property_that_fails_is_named(made: Made) -> None:
    class Own(CommitLog):
        @property
        def durable_end(self) -> Any:
            raise KeyError("end")

    with pytest.raises(OrganError, match="commit_log: `durable_end` raised KeyError: 'end'"):
        _ = made(Own).durable_end
