"""Lab 1a: what a failure says of a torn write, and the picture of the disk beside it."""

import re
from functools import cache
from xml.etree import ElementTree as ET

import pytest

from labs.grader.explaining import explain
from labs.grader.page import page_of
from labs.grader.report import failure_lines
from labs.grader.result import Failure, Grade, Outcome
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of
from labs.grader.suite import PromiseBrokenError, Run
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, body
from labs.stage1_single_node.lab1a_commit_log.picture import TICKS_MAX, DiskPicture, tick_step
from mq.broker.store.commit_log import CommitLog
from mq.sim.disk import SimDisk
from tests.labs.helpers import LAB1A, check_of, class_in

SVG_CHARS_MAX = 40_000
SECOND = "log/00000000000000001024.log"
CUT = "            self._cut(segment, at, rest)\n"
EDITS = {
    "damage": ("recovery.py", CUT, "            self._report(Flaw(segment.file, at, position, what, rest.next_group))\n"),
    "whole": ("recovery.py", CUT, "            segment.end_position = segment.base_position + (rest.end + 7) // 8 * 8\n"),
    "size": ("recovery.py", "TornTail(segment.file, at, rest.end - at,", "TornTail(segment.file, at, rest.end,"),
    "begin": ("recovery.py", "TornTail(segment.file, at, rest.end - at,", "TornTail(segment.file, at + 8, rest.end - at - 8,"),
    "position": (
        "recovery.py",
        "at, end = begin - segment.base_position, segment.end_position - segment.base_position",
        "at, end = begin, segment.end_position",
    ),
    "not-rolled": ("commit_log.py", "        self._must_roll = self._must_roll or before.is_roll\n", ""),
    "write-at": (
        "commit_log.py",
        "Write(segment.file, position - segment.base_position, data)",
        "Write(segment.file, position, data)",
    ),
}
"""A file of a student's, a text in it, and what somebody wrote instead."""


@cache
def failure_of(edit: str, number: str, key: str = "") -> Failure:
    """Of one test, with the whole suite's way of telling it."""
    import tempfile  # noqa: PLC0415 - a folder that is gone when the class was loaded
    from pathlib import Path  # noqa: PLC0415

    file, right, wrong = EDITS[edit]
    files = solution_of(LAB1A)
    assert files[file].count(right) == 1, "what is changed is in the reference once"
    with tempfile.TemporaryDirectory() as folder:
        make = class_in(Path(folder), {**files, file: files[file].replace(right, wrong)})
        case = next(one for one in check_of(number).cases(Seeds(b"tests", "tests")) if not key or one.key == key)
        with pytest.raises(PromiseBrokenError) as caught:
            case.play(make, case.steps, run := Run())
    return explain(caught.value, run)


def svg_of(failure: Failure) -> str:
    """That reads as XML."""
    assert failure.figure is not None
    ET.fromstring(svg := failure.figure.svg())
    return svg


@pytest.mark.parametrize(
    ("edit", "expected", "found", "method"),
    [
        ("damage", "bytes 72 to 408 are reported as torn", f"`recover` reports damage in {SECOND}, byte 72: ", "_judge_end"),
        ("whole", "bytes 72 to 408 are reported as torn", "the log holds entries 1 to 2, term 0", "_judge_end"),
        ("size", "`at` + `size_bytes` is 408", "`at` is 72 and `size_bytes` is 408: together 480", "_cut"),
        ("begin", "bytes 72 to 408 are reported as torn", "`Recovery.torn` begins at byte 80 of ", "_cut"),
    ],
)  # fmt: skip
def test_what_a_torn_write_was_taken_for_is_told(edit: str, expected: str, found: str, method: str) -> None:
    failure = failure_of(edit, "1.21")
    assert expected in failure.expected
    assert found in failure.found
    assert failure.section == f"README, rule 7, and method `_Recovery.{method}`"
    text = "\n".join(failure_lines(Outcome("1.21", "x", 1, failure=failure)))
    assert text.count("what the power loss left") == text.count("after it was opened") == 1
    assert "~~336 torn~~" in text
    assert "url(#torn)" in svg_of(failure)


def test_a_torn_write_that_is_reported_is_told_as_torn_in_a_schedule() -> None:
    failure = failure_of("damage", "2.1", "stale-bytes")
    assert failure.promise == "A torn write is cut off"
    assert "of a write that was never synced; it is torn" in failure.expected
    assert failure.section.endswith("`_Recovery._judge_end`")


def test_the_opening_that_left_torn_bytes_is_shown() -> None:
    failure = failure_of("whole", "2.1", "stale-bytes")
    lines = failure.figure.lines() if failure.figure is not None else []
    left = lines.index("that opening left the torn bytes:")
    assert "torn~~" in lines[left + 1]
    assert "_judge_end" in failure.section


@pytest.mark.parametrize(
    ("edit", "number", "section"),
    [
        ("position", "1.25", "README, rule 9, and method `_Recovery._write_again`"),
        ("not-rolled", "1.34", "README, rule 12, and methods `CommitLog.abandon` (`_must_roll`) and `CommitLog.note_durable`"),
        ("damage", "1.34", "README, rule 7, and method `_Recovery._judge_end`"),
        ("write-at", "1.5", "README, rule 3, and methods `CommitLog.append` and `CommitLog._roll`"),
    ],
)
def test_what_is_to_be_read_is_where_the_mistake_is(edit: str, number: str, section: str) -> None:
    failure = failure_of(edit, number)
    assert failure.section == section
    assert len(set(failure.story)) >= len(failure.story) - 1, "a story does not tell the same again"


def test_a_write_behind_the_end_of_its_file_is_told_with_its_byte() -> None:
    failure = failure_of("write-at", "1.5")
    assert " has 1024 bytes" in failure.expected
    assert "was at byte 1096" in failure.found


@pytest.mark.parametrize("size_bytes", [1, 768, 1024, 1536, 65_536, 1_080_336, 1 << 30])
def test_a_strip_has_a_dozen_ticks_at_most(size_bytes: int) -> None:
    assert len(range(0, size_bytes + 1, tick_step(size_bytes))) <= TICKS_MAX == 12


def test_a_segment_of_a_megabyte_is_drawn_with_as_little_as_a_small_one() -> None:
    svg = svg_of(failure := failure_of("position", "1.25"))
    assert 'class="tick">131,072<' in svg
    strips = len(re.findall(r"\d+\.log, [\d,]+ bytes", svg))
    assert strips == 4
    assert svg.count('class="tick"') <= TICKS_MAX * strips
    assert len(svg) < SVG_CHARS_MAX
    assert "data:image/svg+xml;base64," in page_of(Grade("lab1a", "t", "m", (Outcome("1.25", "x", 1, failure=failure),)))


def test_a_hundred_groups_do_not_make_a_large_picture() -> None:
    bench = Bench(CommitLog, Run(), 1 << 17)
    for number in range(1, 1001):
        bench.append(body(number))
    assert len(DiskPicture([("many", bench.disk)]).svg()) < 3 * SVG_CHARS_MAX


def test_the_segment_that_a_failure_names_is_shown_however_old() -> None:
    bench = Bench(CommitLog, Run())
    for number in range(1, 7):
        bench.append(body(number, 600))
    files = list(bench.disk.files())
    for named in ((), (files[0],)):
        picture = DiskPicture([("a disk", bench.disk)], named)
        svg, lines = picture.svg(), "\n".join(picture.lines())
        assert "3 other segment(s)" in svg
        assert "3 other segment(s)" in lines
        assert (">0.log, " in svg) == bool(named)
        assert bool(re.search(r"\b0\.log  \|H\|", lines)) == bool(named)
    assert list(bench.disk.files()) == files, "to be shown changes nothing"


def test_the_legend_has_no_more_than_the_picture() -> None:
    bench = Bench(CommitLog, Run())
    bench.append(body(1))
    without = DiskPicture([("a disk", bench.disk)]).svg()
    bench.mark()
    assert "a mark" not in without
    assert "url(#torn)" not in without
    assert "a mark" in DiskPicture([("a disk", bench.disk)]).svg()
    assert DiskPicture([]).svg() == ""
    assert "no segment" in DiskPicture([("nothing", SimDisk())]).svg()
