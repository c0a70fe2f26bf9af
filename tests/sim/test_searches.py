"""`tools.searches`: what it takes from a search, and when it says that all is well."""

from pathlib import Path

import pytest

from mq.sim.explore.goals import TINY_SCOPE, search_small
from mq.sim.explore.model import Outcome
from tools import searches
from tools.killers import class_of

FOUND = (
    "seed 5: state-machine-safety is broken (6,350 distinct states)",
    "the search needed 7.0 s and 69 steps; {left} are left of them after 3.2 s more of making it short",
)


class Pretended:
    """In the place of a search."""

    left, is_found, code = 22, True, 0

    def __init__(self, *flags: str) -> None:
        self.command = " ".join(("sim explore", *flags))
        self.told = [line.format(left=self.left) for line in FOUND] if "--seed" in flags and self.is_found else ["clean"]

    found = searches._Search.found


def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr(searches, "_Search", Pretended)
    monkeypatch.setattr(searches, "_with_losses", lambda: (["no losses here"], True))
    file = tmp_path / "SEARCHES.md"
    return searches.main(["--report", str(file)]), file.read_text(encoding="utf-8")


def test_the_report_has_a_row_for_each_seed_and_both_searches_of_the_right_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = report(tmp_path, monkeypatch)
    assert code == 0
    assert [line for line in text.splitlines() if line.endswith("| 7.0 | 69 | 22 | 3.2 |")][9].startswith("| 10 |")
    assert "python3 run.py sim explore --goal figure8 --core right\n" in text
    assert "python3 run.py sim explore --goal small-scope\n" in text


def test_a_story_that_stays_long_is_not_as_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pretended, "left", 26)
    assert report(tmp_path, monkeypatch)[0] == 1


def test_a_seed_that_finds_nothing_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pretended, "is_found", False)
    with pytest.raises(ValueError, match="--goal figure8 --seed 1: nothing was found: clean"):
        report(tmp_path, monkeypatch)


def test_a_mistake_that_shows_only_when_messages_are_lost_is_found_with_losses_alone() -> None:
    """Old votes: a message that stays under way for ever counts among the four, and then there is no room for what follows."""
    old_votes = class_of("wrong", "old_votes_count")
    assert search_small(old_votes, TINY_SCOPE).result.outcome is Outcome.EXHAUSTED
    found = search_small(old_votes, searches.LOSSY_SCOPE)
    assert (found.result.which, len(found.path)) == ("election-safety", 11)
