"""Which lab kills which of our wrong Rafts, and what the few seeds that are run from outside come to."""

import json
from collections import Counter
from functools import cache

import pytest

from labs.grader.seeds import Seeds
from labs.grader.suite import Check, Run
from mq.raft.node import RaftNode
from tests.labs.helpers import failures
from tests.labs.raft_drafts import DRAFTS, Draft
from tools.killers import class_of, names_of
from tools.lab_kills import solutions
from tools.raft_zoo import LAB_OF, NOT_RIGHT_IN, asked_for, methods_of

of_each = pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.short)
WRONG = [(draft, file.stem) for draft in DRAFTS for file in solutions(draft.lab, "wrong")]
SEEDS_OF_A_SUM, SUMS = 8, 5


def worlds_of(draft: Draft) -> Check:
    found = draft.lab.suite.check("2.1")
    assert found is not None
    assert found.by_seed is not None
    return found


def test_each_wrong_raft_is_a_submission_of_one_lab() -> None:
    assert sorted(name for _, name in WRONG) == names_of("wrong")
    assert set(LAB_OF) <= set(names_of("wrong"))
    assert {name for _, name in NOT_RIGHT_IN} <= set(names_of("right"))
    for draft in DRAFTS:
        mine = solutions(draft.lab, "wrong")
        assert len(mine) >= 10
        assert all(LAB_OF.get(file.stem) == draft.short or methods_of(file) & asked_for(draft.lab) for file in mine)
        assert tuple(file.stem for file in solutions(draft.lab, "right")) == draft.right


@pytest.mark.parametrize(("draft", "name"), WRONG, ids=[f"{draft.short}-{name}" for draft, name in WRONG])
def test_a_wrong_raft_dies_in_its_lab_by_a_test_without_seeds(draft: Draft, name: str) -> None:
    """In this process, where it is quick; across the border the same tests say the same: `tools/lab_kills.py`."""
    checks = (check for check in draft.lab.suite.checks if check.ring < 3 and check.by_seed is None)
    found = next(failures(class_of("wrong", name), checks, Seeds()), None)
    assert found is not None, "no sentence and no schedule by hand tells it from a right one"
    assert found[2].promise


@of_each
def test_the_table_of_kills_is_of_the_rafts_that_there_are_and_all_wrong_ones_are_dead(draft: Draft) -> None:
    table = (draft.lab.folder / "KILLS.md").read_text(encoding="utf-8")
    kills = json.loads((draft.lab.folder / "kills.json").read_text(encoding="utf-8"))
    for kind in ("wrong", "right"):
        assert [file.stem for file in solutions(draft.lab, kind) if f"[`{file.stem}`](../{kind}/{file.name})" not in table] == []
    assert {kill["name"] for kill in kills if kill["test"]} == {file.stem for file in solutions(draft.lab, "wrong")}
    assert {kill["name"] for kill in kills} >= set(draft.right)
    assert all(f"| `{blank.name}` | 1." in table for blank in draft.lab.blanks)


# ---------------------------------------------------------------- seeds


def test_the_four_labs_run_a_thousand_seeds_at_least() -> None:
    checks = [worlds_of(draft) for draft in DRAFTS]
    assert sum(len(check.cases(Seeds())) + check.sweep for check in checks) >= 1000
    assert {len(check.cases(Seeds())) for check in checks} == {SEEDS_OF_A_SUM}
    scripted = [check for draft in DRAFTS for check in draft.lab.suite.checks if check.number == "2.2"]
    assert sum(len(check.cases(Seeds())) for check in (*checks, *scripted)) >= 100, "so many are asked from outside"


@cache
def met_by(short: str, name: str = "") -> list[Counter[str]]:
    """By seed, in a lab's worlds. name: of a right Raft; "" for the reference."""
    check, found = worlds_of(next(draft for draft in DRAFTS if draft.short == short)), []
    raft = class_of("right", name) if name else RaftNode
    assert check.by_seed is not None
    for seed in range(SEEDS_OF_A_SUM * SUMS):
        run, case = Run(), check.by_seed(seed)
        case.play(raft, case.steps, run)
        found.append(run.met)
    return found


@pytest.mark.parametrize("name", ["", "lazy"])
@of_each
def test_what_a_few_seeds_must_meet_they_meet_with_any_right_raft(draft: Draft, name: str) -> None:
    """By far: else a student would lose points by chance."""
    met = met_by(draft.short, name)
    for begin in range(0, len(met), SEEDS_OF_A_SUM):
        some = sum(met[begin : begin + SEEDS_OF_A_SUM], Counter[str]())
        short = {what: some[what] for what, count in worlds_of(draft).must_meet.items() if some[what] < 1.3 * count}
        assert not short


@pytest.mark.parametrize(
    ("draft", "what"),
    [
        (DRAFTS[2], "losses of power"), (DRAFTS[2], "slow disks"), (DRAFTS[2], "full disks"), (DRAFTS[2], "failed disks"),
        (DRAFTS[3], "snapshots installed"),
    ],
    ids=lambda one: getattr(one, "short", one),
)  # fmt: skip
def test_chance_brings_what_a_lab_is_about_in_many_seeds(draft: Draft, what: str) -> None:
    """What is not asked for of a student's eight seeds, as a right Raft cannot do anything about it."""
    met = met_by(draft.short)
    assert sum(one[what] > 0 for one in met) >= 0.4 * len(met)
