"""Lab 1b: numbers, disks and processes as a real broker has them. A queue that is right only in small tests is told so."""

from collections.abc import Iterator, Mapping

import pytest

from labs.grader.grading import in_a_process
from labs.grader.running import Runner
from labs.grader.seams import Make
from labs.grader.submission import read_submission
from labs.stage1_single_node.lab1b_consume_queue.scripts import SCRIPTS
from labs.stage1_single_node.lab1b_consume_queue.sentences_last import further
from labs.stage1_single_node.lab1b_consume_queue.steps import Beside, Cut
from mq.broker.store.consume_queue import ConsumeQueue
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ids import QueueOffset
from mq.core.ports import Plan, Steps, Sync
from tests.labs.helpers import failures
from tests.labs.test_lab1b import LAB1B, SEEDS, class_in, rings, wrong

FIELDS = {"position": 32, "log_index": 32, "store_ms": 40, "size_bytes": 16, "count": 8, "first": 8, "tag_code": 31,
          "base_offset": 32}  # fmt: skip
"""Bits that are too few for a field."""


def failed(make: Make, *wanted: int) -> set[str]:
    return {number for number, _, _ in failures(make, iter(rings(*wanted)), SEEDS)}


def failed_of(make: Make, *numbers: str) -> set[str]:
    """Of these tests alone."""
    return {number for number, _, _ in failures(make, (check for check in rings(1) if check.number in numbers), SEEDS)}


def across(name: str) -> Iterator[tuple[str, str]]:
    """The sentences that a wrong one fails across the border, with what is told."""
    submission = read_submission(LAB1B.folder / "wrong" / f"{name}.py", LAB1B.organ_file)
    with Runner(LAB1B, submission, SEEDS, in_a_process(), with_reference=True) as runner:
        runner.is_brief = True
        for check in rings(1):
            outcome = runner.outcome(check)
            if not outcome.is_passed:
                yield check.number, outcome.message


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_keeps_too_few_bits_is_told_in_memory_and_in_files(field: str) -> None:
    mask = (1 << FIELDS[field]) - 1

    class Wherever(ConsumeQueue):
        """What comes back has lost the upper bits, wherever it was."""

        def entries(self, offset: QueueOffset, entries_max: int) -> Steps[tuple[QueueEntry, ...]]:
            found = yield from super().entries(offset, entries_max)
            return tuple(entry._replace(**{field: getattr(entry, field) & mask}) for entry in found)

    class InFiles(ConsumeQueue):
        """What is read from a file has."""

        def _verified(self, file: str, at: int, data: bytes) -> QueueEntry:
            entry = super()._verified(file, at, data)
            return entry._replace(**{field: getattr(entry, field) & mask})

    expected = {"1.27"} if field == "base_offset" else {"1.6", "1.17"}
    assert failed(Wherever, 1) == expected
    assert failed(InFiles, 1) == expected - {"1.6"}


def test_numbers_that_are_too_small_are_told_across_the_border_with_the_line() -> None:
    found = dict(across("small_numbers"))
    assert set(found) == {"1.6", "1.17", "1.27"}
    assert "'I' format requires 0 <= number <= 4294967295 (consume_queue.py, line 16, in append)" in found["1.6"]


def test_a_read_before_the_file_is_told_across_the_border_with_its_field_and_limit() -> None:
    found = dict(across("reads_before_the_file"))
    assert {"1.16", "1.17", "1.21", "1.40"} <= set(found)
    for message in found.values():
        assert "` yielded something whose `at` is -" in message
        assert "expected 0 or more, since a file begins with byte 0" in message


def test_queues_that_share_a_list_are_told_so_only_because_they_are_in_one_process() -> None:
    assert set(dict(across("shares_with_its_neighbours"))) == {"1.26"}


def test_a_file_that_lacks_a_part_of_its_last_entry_is_told_by_a_sentence_and_a_script() -> None:
    assert failed(wrong("misses_no_checksum"), 1, 2) >= {"1.30", "2.5"}
    assert set(dict(across("misses_no_checksum"))) == {"1.30"}


@pytest.mark.parametrize("kept", [1, 3, 20, 40, 1024, 4096])
def test_a_queue_that_keeps_so_many_in_memory_whatever_it_is_told_is_told_so(kept: int) -> None:
    class Kept(ConsumeQueue):
        def __init__(self, topic: str, queue_id: int, *, entries_per_file: int = 65536, tail_min: int = 1024) -> None:
            del tail_min
            super().__init__(topic, queue_id, entries_per_file=entries_per_file, tail_min=kept)

    assert failed_of(Kept, "1.20", "1.34")


@pytest.mark.parametrize("page", [65, 100, 256, 1000, 1024])
def test_a_queue_that_leaves_out_what_is_behind_a_page_is_told_so_however_long_its_page_is(page: int) -> None:
    class Paged(ConsumeQueue):
        def _run(self, first: int, upto: int) -> Steps[tuple[QueueEntry, ...]]:
            found: tuple[QueueEntry, ...] = ()
            while first < min(upto, self._tail_first):
                border = min(self._next_file(first), self._tail_first)
                found += yield from super()._run(first, min(upto, border, first + page))
                first = border
            return found + (yield from super()._run(first, upto))

    assert failed_of(Paged, "1.17")


def test_what_a_snapshot_says_far_behind_the_beginning_is_read_off_if_all_numbers_grow_in_step() -> None:
    def plain(files: int) -> object:
        return {"ends": [4 * files, (4 * files,)], "first": 4 * files - 4, "name": "orders", "more": None, "is_so": True}

    assert further({files: plain(files) for files in (2, 3, 7, 70)}, 1 << 40) == plain(1 << 40)
    for of in (
        lambda files: files * files,
        lambda files: files % 64,
        lambda files: [0] * files,
        str,
        float,
        lambda files: files > 3,
    ):
        with pytest.raises(ValueError, match="not in step"):
            further({files: of(files) for files in (2, 3, 7, 70)}, 1 << 40)


@pytest.mark.parametrize("lacking", [1, 2, 3, 4])
def test_a_file_may_not_be_short_by_so_much_whatever_the_seeds_are(lacking: int) -> None:
    class Lenient(ConsumeQueue):
        def missing(self, files: Mapping[str, int]) -> str | None:
            return super().missing({file: size + lacking for file, size in files.items()})

    assert "1.30" in failed(Lenient, 1)


def test_scripts_cut_by_a_byte_and_by_a_checksum_and_set_a_queue_beside_another() -> None:
    cuts = [step.by for step in SCRIPTS["2.5"]["a-byte-too-short"] if isinstance(step, Cut)]
    assert {1, 4} <= set(cuts)
    assert any(isinstance(step, Beside) for step in SCRIPTS["2.3"]["another-queue-beside-it"])


def test_a_flush_that_syncs_too_much_is_right() -> None:
    eager = class_in(LAB1B.folder / "right" / "syncs_at_every_flush.py")
    assert failed(eager, 1, 2) == set()

    class Once(ConsumeQueue):
        """A sync of a file in which all is durable."""

        def flush(self, *, sync: bool = False) -> Plan:
            plan = super().flush(sync=sync)
            last = self._entry_count - 1
            return plan if last < self.first_entry or self.flushed_count <= last else (*plan, Sync(self._place(last)[0]))

    assert failed(Once, 1) == set()
