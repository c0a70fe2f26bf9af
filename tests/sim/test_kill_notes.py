"""The notes of the kill table: each result is of one code, and what is of other code neither counts nor adds up."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mq.core.errors import StateError
from mq.sim.group.seeds import SeedResult, code_mark
from tools import kill_notes, kill_table
from tools.kill_notes import Notes, marks_of
from tools.kill_text import cell_of, killers_of, spared_killers, to_text
from tools.killers import ROOT, names_of, place_of

FIGURE_8, PLAIN = place_of("wrong", "figure8"), place_of("right", "plain")
TRIED: dict[str, Any] = {"killers": {}, "first": None, "runs": 3, "of": 3, "seconds": 0.1, "unsaid": []}


def scripts(*killers: str) -> dict[str, Any]:
    """A row's scripts, in which these schedules kill."""
    first = killers[0] if killers else None
    return {
        "sentences": TRIED,
        "transcripts": TRIED,
        "schedules": {**TRIED, "killers": dict.fromkeys(killers, "it"), "first": first},
    }


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "kills.json")


def test_the_marks_change_with_the_raft_and_those_of_seeds_are_the_seeds_own() -> None:
    assert marks_of(FIGURE_8)["seeds"] == code_mark(f"{ROOT}/{FIGURE_8}")
    assert all(marks_of(FIGURE_8)[part] != marks_of(PLAIN)[part] != marks_of()[part] for part in kill_notes.PARTS)


def test_the_marks_of_scripts_change_with_a_script_and_those_of_seeds_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = marks_of(FIGURE_8)
    monkeypatch.setattr(kill_notes, "_SCRIPTS", kill_notes._SCRIPTS[:-1])
    after = marks_of(FIGURE_8)
    assert (after["scripts"] != before["scripts"], after["seeds"], after["search"]) == (True, before["seeds"], before["search"])


def test_what_is_noted_is_there_with_its_code_the_next_time(notes: Notes, tmp_path: Path) -> None:
    notes.note("wrong", "figure8", "scripts", scripts("figure_8"))
    found = Notes(tmp_path / "kills.json").part("wrong", "figure8", "scripts")
    assert found is not None
    assert (found["code"], found["schedules"]["first"]) == (marks_of(FIGURE_8)["scripts"], "figure_8")
    assert found["commit"]
    assert found["date"]


def test_what_is_of_other_code_counts_for_nothing_and_is_told_as_old(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.note("wrong", "figure8", "scripts", scripts("figure_8"))
    notes.note("right", "plain", "seeds", {"runs": 700, "broken": [], "seconds": 1.0, "pypy": 0})
    assert "| figure8 | none of 3 (0.10 s) | figure_8 (3rd of 3, 0.10 s) |" in to_text(notes.plain)
    assert "| plain | 700 | 0 | 1.0 | 0 |" in to_text(notes.plain)
    monkeypatch.setattr(kill_notes, "code_mark", lambda _: "deadbeef")
    later = Notes(tmp_path / "kills.json")
    assert later.part("wrong", "figure8", "scripts") is later.part("right", "plain", "seeds") is None
    text = to_text(later.plain)
    assert "figure_8 (" not in text
    assert "| plain | none yet of this code |" in text
    assert "- plain: seeds, 700 seeds (`" in text
    assert "- figure8: scripts (`" in text


def test_nothing_is_noted_when_the_code_changed_meanwhile_unless_it_was_tried_in_a_copy(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_notes, "code_mark", lambda _: "deadbeef")
    with pytest.raises(StateError, match="figure8: the code was changed while it was tried"):
        notes.note("wrong", "figure8", "scripts", scripts())
    assert notes.part("wrong", "figure8", "scripts") is None
    notes.note("right", "plain", "seeds", {"runs": 1, "broken": [], "seconds": 1.0, "pypy": 1}, is_of_copy=True)
    assert notes.plain["right"]["plain"]["seeds"]["runs"] == 1


def test_results_that_say_of_no_code_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "kills.json"
    file.write_text('{"commit": "51fb88d", "wrong": {"figure8": {"seeds": {"seed": 2}, "paper": ["it"]}}, "right": {"gone": {}}}')
    plain = Notes(file).plain
    assert plain["wrong"]["figure8"] == {}
    assert sorted(plain["right"]) == names_of("right")


def test_seeds_of_a_right_one_go_on_where_those_of_this_code_ended(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(seeds: range, *_: object, **__: object) -> Iterator[SeedResult]:
        asked.append((seeds.start, seeds.stop))
        return (SeedResult(seed, {}, "it" if seed == 3 else "") for seed in seeds)

    monkeypatch.setattr(kill_table, "run_seeds", run)

    def known(rights: int, *, anew: bool = False) -> tuple[int, list[list[object]]]:
        kill_table._try_rights(notes, argparse.Namespace(only=["plain"], rights=rights, jobs=1, pypy=False, anew=anew))
        seeds = notes.plain["right"]["plain"]["seeds"]
        return seeds["runs"], seeds["broken"]

    assert known(2) == (2, [])
    assert known(4) == (4, [[3, "it"]])
    assert known(4) == (4, [[3, "it"]])
    assert known(1, anew=True) == (1, [])
    notes.marks["right", "plain"] = {**notes.marks["right", "plain"], "seeds": "deadbeef"}
    notes.check = lambda *_: None  # type: ignore[method-assign]
    assert known(2) == (2, []), "seeds of other code do not add up"
    assert asked == [(1, 3), (3, 5), (1, 2), (1, 3)]


# ---------------------------------------------------------------- what spares the right ones


def test_a_killer_that_a_right_one_dies_by_spares_nobody() -> None:
    wrong = {"scripts": scripts("a", "b"), "seeds": {"seed": 7, "runs": 7, "of": 100, "seconds": 1.0, "promise": "it"}}
    clean, poor = {"scripts": scripts()}, {"scripts": scripts("a")}
    assert list(spared_killers(wrong, {"clean": clean})) == [("schedule", "a"), ("schedule", "b")]
    assert list(spared_killers(wrong, {"clean": clean, "poor": poor})) == [("schedule", "b")]
    assert list(spared_killers({"seeds": wrong["seeds"]}, {"clean": clean})) == []
    for runs, broken, expected in ((6, [], []), (7, [], [("seed", "7")]), (9, [[7, "it"]], [])):
        assert list(spared_killers({"seeds": wrong["seeds"]}, {"clean": {"seeds": {"runs": runs, "broken": broken}}})) == expected
    assert list(spared_killers(wrong, {"untried": {}})) == []


def test_cells_say_how_much_was_tried_and_how_long_it_took() -> None:
    row: dict[str, Any] = {"scripts": scripts("a", "b"), "seeds": {"seed": None, "runs": 100, "of": 100, "seconds": 12.345}}
    assert cell_of("sentence", row) == "none of 3 (0.10 s)"
    assert cell_of("schedule", row) == "a (3rd of 3, 0.10 s), 1 more"
    assert cell_of("seed", row) == "none of 100 (12.35 s)"
    assert cell_of("search", row) == cell_of("seed", {}) == ""
    row["seeds"] = {"seed": 12, "runs": 12, "of": 100, "seconds": 1.5, "promise": "it"}
    assert killers_of(row)["seed"] == "12 (12th of 100, 1.50 s): it"
