"""Lab 1a: a line that a student leaves out is missed by a sentence of the method's own row, or of one soon behind it.

Each was left out by somebody, and was found by a schedule alone, twelve methods later, or by nothing.
"""

import re
from functools import cache
from typing import NamedTuple

import pytest

from labs.grader.result import Failure
from labs.grader.seeds import Seeds
from labs.grader.skeleton import solution_of, written_up_to
from labs.grader.suite import Run
from labs.stage1_single_node.lab1a_commit_log.contents import body, kind_of
from labs.stage1_single_node.lab1a_commit_log.schedules import drawn, play
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.log_view import StoredEntry
from mq.core.entry import EntryKind
from mq.core.ids import LogIndex
from mq.core.ports import Steps
from tests.labs.helpers import LAB1A, ROOT
from tests.labs.test_step_by_step import failed

IS_NEEDED = "what is left out is in the reference once"


class Edit(NamedTuple):
    """What somebody wrote otherwise: a text of the reference, and what stood in its place. test: that says so; later: as well."""

    file: str
    right: str
    wrong: str
    test: str
    later: str = ""


EDITS = {
    "append-without-place": Edit(
        "commit_log.py", "if entries and after_index + 1 < segment.next_index:", "if after_index == -1:", "1.31", "1.28"
    ),
    "append-without-lowered": Edit("commit_log.py", "before.lowered = state.enter(", "state.enter(", "1.33"),
    "roll-not-rounded": Edit("commit_log.py", "        size_bytes += -size_bytes % 8\n", "", "1.7"),
    "decode-without-file-and-byte": Edit(
        "commit_log.py", 'raise FormatError(f"{read.file}, byte {read.at}: {error}") from error', "raise", "1.13"
    ),
    "write-again-without-header": Edit(
        "recovery.py",
        "begin = known if known > segment.first_group_position else segment.base_position",
        "begin = max(known, segment.first_group_position)",
        "1.32",
    ),
    "judge-end-resumes-in-this-segment-alone": Edit(
        "recovery.py",
        "rest.next_group or segment.next_base + segment.first_group_position - segment.base_position",
        "rest.next_group",
        "1.20",
    ),
    "judge-end-resumes-nowhere": Edit(
        "recovery.py", 'below the durable end {durable_end}", rest.next_group)', 'below the durable end {durable_end}")', "1.19"
    ),
    "append-claims-what-is-on-its-way": Edit(
        "commit_log.py", "encode_group(position, state.durable_end, entries,", "encode_group(position, position, entries,", "1.21"
    ),
    "enter-without-before": Edit(
        "recovery.py", "group.header.position, segment, group.before)", "group.header.position, segment)", "1.28"
    ),
    "mark-without-room": Edit(
        "commit_log.py", "if not segment.has_room(0):", "if segment.end_position + 40 > segment.next_base:", "1.26"
    ),
    "mark-although-it-must-roll": Edit("commit_log.py", " or self._must_roll or state.damage", " or state.damage", "1.34"),
    "no-mark-although-it-must": Edit("commit_log.py", " and not self._must_mark:", ":", "1.34"),
    "drop-what-is-superseded-on-its-way": Edit("commit_log.py", "if self._unsynced.is_superseding:", "if False:", "1.35"),
}


@cache
def failures_with(name: str) -> dict[str, Failure]:
    """Of the sentences, for the reference with one edit."""
    edit, files = EDITS[name], solution_of(LAB1A)
    assert files[edit.file].count(edit.right) == 1, IS_NEEDED
    return failed(LAB1A, {**files, edit.file: files[edit.file].replace(edit.right, edit.wrong)})


@pytest.mark.parametrize("name", EDITS)
def test_what_was_left_out_is_told_by_a_sentence(name: str) -> None:
    found = failures_with(name)
    assert set(found) == {EDITS[name].test, EDITS[name].later} - {""}
    assert found[EDITS[name].test].section.startswith("README, rule ")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("append-without-place", "CommitLog.append"),
        ("append-without-lowered", "CommitLog.append"),
        ("mark-although-it-must-roll", "CommitLog.note_durable"),
        ("no-mark-although-it-must", "CommitLog.note_durable"),
    ],
)
def test_a_sentence_of_a_later_row_names_the_method_that_it_is_about(name: str, method: str) -> None:
    assert f"`{method}`" in failures_with(name)[EDITS[name].test].section


def test_who_leaves_out_the_append_that_synced_names_is_told_in_the_row_of_that_method() -> None:
    """When the methods behind it are not written yet."""
    files, right = written_up_to(LAB1A, 3), "self._waiting[0].sequence <= sequence"
    assert files["unsynced.py"].count(right) == 1, IS_NEEDED
    wrong = {**files, "unsynced.py": files["unsynced.py"].replace(right, right.replace("<=", "<"))}
    found, before = failed(LAB1A, wrong), failed(LAB1A, files)
    assert set(found) - set(before) == {"1.6"}
    assert "`UnsyncedAppends.synced`" in found["1.6"].section


def test_entries_of_all_kinds_are_appended() -> None:
    assert {kind_of(body(number)) for number in range(1, 10)} == set(EntryKind)


class SaysWhereItEnds(CommitLog):
    """Looks if the way of each look-up ends in the segment where it begins. ways: how many did, of logs with more than one."""

    ways = 0

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        before = self._state.superseded_count
        found = yield from super().entries(first, last, bytes_max)
        for stored in found if self._state.superseded_count == before else ():
            position, upto = self._state.locate(stored.entry.index)
            segment = self._state.segments.at(position)
            assert segment.base_position <= stored.place.position < segment.next_base
            assert upto is None or stored.entry.index <= upto
            SaysWhereItEnds.ways += len(self._state.segments) > 1
        return found


def test_no_way_of_a_look_up_leads_out_of_its_segment() -> None:
    """So a reading that goes on from segment to segment looks each one up: what would lead out of one was never run."""
    SaysWhereItEnds.ways = 0
    for number in ("2.2", "2.3"):
        for seed in range(12):
            play(SaysWhereItEnds, drawn(number, seed), Run())
    for check in LAB1A.suite.checks:
        if check.number in ("1.14", "1.15", "1.16", "1.30"):
            check.cases(Seeds())[0].play(SaysWhereItEnds, (), Run())
    assert SaysWhereItEnds.ways > 400


def test_every_helper_that_a_hint_names_is_there() -> None:
    given = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "mq" / "broker" / "store").glob("*.py"))
    text = (LAB1A.folder / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(_?[a-z][a-z_]+)\(", text.partition("## What is given")[2].partition("## Write the test")[0]))
    ours = {"yield", "len", "max", "min", "tuple", "find_lab", "check", "replay", "for", "print"}
    assert len(named - ours) > 15
    assert {name for name in named - ours if f"def {name}(" not in given} == set()
