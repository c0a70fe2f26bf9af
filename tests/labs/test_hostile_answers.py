"""Answers that would fill the grader's memory, or command a terminal: data of the right types, and out of all proportion."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labs.grader.explaining import explain
from labs.grader.files import as_gradescope
from labs.grader.grading import in_a_process
from labs.grader.harmless import harmless
from labs.grader.lab import find_lab
from labs.grader.plans import disk_bytes
from labs.grader.report import failure_lines, outcome_line
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of
from labs.grader.strips import picture_of, strips_of
from labs.grader.submission import Submission, SubmissionError, read_submission
from labs.grader.suite import PromiseBrokenError, Run
from labs.stage1_single_node.lab1b_consume_queue import judge
from labs.stage1_single_node.lab1b_consume_queue.bench import Bench, in_folder
from labs.stage1_single_node.lab1b_consume_queue.model import Fact, Model, facts_of
from labs.stage1_single_node.lab1b_consume_queue.shelf import Shelf
from labs.stage1_single_node.lab1c_delivery.rules import shown
from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import InFlight
from mq.broker.delivery.table import DeliveryTable
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.consume_queue import ConsumeQueue
from mq.broker.store.log_view import SegmentView
from mq.broker.store.queue_entry import QueueEntry, queue_folder
from mq.broker.store.record import SegmentHeader, encode_group, encode_segment_header
from mq.broker.store.segment import segment_file
from mq.core.entry import Appended, Entry, EntryKind, HardState
from mq.core.ids import CommitLogPosition, LogIndex, Term
from mq.core.ports import Create, Operation, Plan, Replace, Sync, Write
from mq.sim.disk import SimDisk
from tests.labs.helpers import failures

FILE = f"{queue_folder('orders', 0)}/0.cq"
LAB1B = find_lab("lab1b")
FAR = [
    (Write(FILE, 1 << 60, b"x"),),
    (Create(FILE, 1 << 60),),
    (Write(FILE, -4, b"x"),),
    tuple(Create(f"{FILE}{number}", 1 << 20) for number in range(200)),
    (Sync(FILE),) * 3000,
]


# ---------------------------------------------------------------- memory


def test_what_a_plan_needs_is_the_end_of_each_of_its_files() -> None:
    plan: tuple[Operation, ...] = (Create("a", 10), Write("a", 8, b"1234"), Write("a", 0, b"12"), Replace("b", b"123"), Sync("c"))
    assert disk_bytes(plan) == 15
    assert disk_bytes((*plan, Write("a", -1, b"1234"))) < 0
    assert disk_bytes(()) == 0


@pytest.mark.parametrize("plan", FAR, ids=["far away", "large", "before the file", "many files", "many operations"])
def test_a_queues_plan_that_fills_the_graders_memory_is_refused_before_it_is_carried_out(plan: tuple[Operation, ...]) -> None:
    with pytest.raises(PromiseBrokenError, match="2000 operations at most, and needs 1,048,576 bytes at most"):
        in_folder(plan)


def test_a_queue_whose_plan_goes_far_is_told_so_across_the_border() -> None:
    made = {name: text.encode() for name, text in solution_of(LAB1B).items() if name != "__init__.py"}
    made[LAB1B.organ_file] += f"\n\nConsumeQueue.flush = lambda self, *, sync=False: (Write({FILE!r}, 1 << 60, b'x'),)\n".encode()
    with Runner(LAB1B, Submission(made), Seeds(), in_a_process()) as runner:
        check = LAB1B.suite.check("1.17")
        assert check is not None
        message = runner.outcome(check).message
    assert "and needs 1,152,921,504,606,846,977 bytes: write 0.cq" in message


def test_an_entry_of_a_billion_messages_is_not_spread_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def guarded(entry: QueueEntry) -> list[Fact]:
        assert entry.count < 10, "it would be a list of so many"
        return facts_of(entry)

    monkeypatch.setattr(judge, "facts_of", guarded)
    model = Model()
    model.put(QueueEntry(0, 100, 1, 1000, 50, 3, 0, 0))
    with pytest.raises(PromiseBrokenError, match="ends at the queue's end, 3"):
        judge.entries(2, model, (0, 1), [QueueEntry(0, 100, 1, 1000, 50, 1 << 30, 0, 0)], Shelf(model))


class ClaimsMore(ConsumeQueue):
    """What is made of a snapshot says that it is longer, and that something is missing."""

    @classmethod
    def from_plain(cls, topic: str, queue_id: int, plain: Any, **sizes: int) -> "ClaimsMore":
        queue = super().from_plain(topic, queue_id, plain, **sizes)
        assert isinstance(queue, ClaimsMore)
        queue._max_offset = type(queue._max_offset)(queue._max_offset + 5)
        return queue

    def missing(self, files: Any) -> str | None:
        return "everything"


def test_how_long_a_queue_says_it_is_is_looked_at_before_all_of_it_is_asked_for() -> None:
    bench = Bench(ClaimsMore, Run())
    bench.put(1, 1)
    bench.settle()
    with pytest.raises(PromiseBrokenError, match="the snapshot was of offsets 0 to 2, but what is made of it has 0 to 7"):
        bench.crash(0, None)


def test_a_pick_of_a_billion_messages_is_told_in_a_line() -> None:
    assert len(shown(QueuePick(0, 0, 0, 1 << 20, ()))) < 1000
    assert shown(QueuePick(0, 2, 2, 5, (3,))) == "of queue 0 new 2, 4, left out 3"


def test_a_zip_of_too_many_files_is_refused_before_all_of_them_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("consume_queue.py", "")
        for number in range(60):
            packed.writestr(f"more{number}.py", bytes(1 << 20 if number == 50 else 10))
    with pytest.raises(SubmissionError, match="more than 24 Python files"):
        read_submission(tmp_path / "many.zip", "consume_queue.py")


def test_a_disk_of_thousands_of_groups_is_neither_drawn_nor_told_in_full() -> None:
    """Drawing them all takes minutes."""
    header = encode_segment_header(SegmentHeader(0, 1 << 16, 1, 0, 0, HardState(Term(0), None), is_reset=False))
    groups, at = b"", len(header)
    for number in range(1, 800):
        groups += encode_group(at + len(groups), 0, [Entry(LogIndex(number), Term(0), EntryKind.COMMAND, b"x")])[0]
    disk = SimDisk()
    disk.perform(Write(segment_file(0), 0, header + groups))
    failure = Failure("a promise", disks=(("a crash", disk),))
    (strip,) = strips_of(disk)
    assert "(60·0)" in strip or "(59·0)" in strip
    assert len(strip) < 1000
    assert picture_of(failure) == b""


# ---------------------------------------------------------------- in sentences


class FlushesNothing(ConsumeQueue):
    def flush(self, *, sync: bool = False) -> Plan:
        return ()


class LeavesPicksOut(DeliveryTable):
    def still_due(self, picks: tuple[QueuePick, ...], now_ms: int, *, is_fifo: bool) -> tuple[QueuePick, ...]:
        return ()


class ShowsNoFlights(DeliveryTable):
    def flights(self, queue_id: int) -> Mapping[int, InFlight]:
        return {}


class ShowsNoSegments(CommitLog):
    def segments(self) -> tuple[SegmentView, ...]:
        return ()


class LiesElsewhere(CommitLog):
    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        done = super().append(after_index, entries, hard_state)
        places = tuple(replace(place, position=CommitLogPosition(1 << 40)) for place in done.places)
        return replace(done, places=places)


class WritesNothing(CommitLog):
    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        return replace(super().append(after_index, entries, hard_state), plan=())


@pytest.mark.parametrize(
    ("lab", "make"),
    [
        ("lab1a", ShowsNoSegments),
        ("lab1a", LiesElsewhere),
        ("lab1a", WritesNothing),
        ("lab1b", FlushesNothing),
        ("lab1c", LeavesPicksOut),
        ("lab1c", ShowsNoFlights),
    ],
)
def test_what_cannot_be_fails_a_sentence_with_a_promise_and_not_the_test_itself(lab: str, make: Make) -> None:
    checks = (check for check in find_lab(lab).suite.checks if check.ring == 1)
    found = [failure for _, _, failure in failures(make, checks, Seeds())]
    assert found
    assert [failure.found for failure in found if failure.promise == "The test could not go on with what came back"] == []


# ---------------------------------------------------------------- terminals

TAKES_OVER = "\x1b[2K\rok     40/40  1.1 all is well\n\nlab1b: 100 of 100 points\x07\u202e\x9b"


def test_what_commands_a_terminal_is_taken_out() -> None:
    assert harmless(TAKES_OVER) == "�[2K�ok     40/40  1.1 all is well  lab1b: 100 of 100 points���"
    assert harmless("one\n\ttwo\x1b", has_lines=True) == "one\n\ttwo�"
    assert harmless("Ärger, 'ß' and 漢字") == "Ärger, 'ß' and 漢字"
    assert len(harmless("x" * 10_000)) < 2000


def test_no_failure_and_no_report_of_it_commands_a_terminal() -> None:
    run = Run()
    run.tell(f"saved: aside:m1 = {TAKES_OVER}")
    failure = explain(PromiseBrokenError("a promise", expected="this", found=TAKES_OVER * 200, section="README, rule 1"), run)
    outcome = Outcome("1.1", "a test", 2, failure=failure)
    told = [outcome_line(outcome), *failure_lines(outcome), *failure_lines(Outcome("1.1", "a test", 2, failure=_told_raw()))]
    told.append(as_gradescope(Grade("lab1b", "t", "m", (outcome,), reason=""))["tests"][0]["output"])
    assert not [line for line in told if set(line) & set("\x1b\x07\r\u202e\x9b")]
    assert outcome_line(outcome).count("\n") == 1, "its own second line"
    assert len(failure.found) < 2000


def _told_raw() -> Failure:
    return Failure("a promise", story=(TAKES_OVER,))


def test_what_a_students_code_prints_commands_no_terminal() -> None:
    made = {name: text.encode() for name, text in solution_of(LAB1B).items() if name != "__init__.py"}
    made[LAB1B.organ_file] += f"\n\nprint({TAKES_OVER!r})\n".encode()
    with Runner(LAB1B, Submission(made), Seeds(), in_a_process()) as runner:
        check = LAB1B.suite.check("1.1")
        assert check is not None
        assert runner.outcome(check).is_passed
        runner.close()
        assert "ok     40/40" in runner.printed
        assert not set(runner.printed) & set("\x1b\x07\r\u202e\x9b")
