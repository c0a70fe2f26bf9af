"""The copy that PyPy runs does what the original does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mq.sim.group.seeds import run_seed
from tools.pypy import make_copy, rewritten, run_seeds, same_traces

STEPS = 3000
PLAIN = "labs/stage3_raft/right/plain.py:Raft"
LEADERLESS = "labs/stage3_raft/wrong/commit_by_one_too_few.py:Raft"
MATCHES = '''
"""Text."""
from dataclasses import dataclass
from typing import TypeAlias

@dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: int

@dataclass(frozen=True, slots=True)
class Flag:
    is_up: bool

Both = Pair | Flag
Number: TypeAlias = int | str

def told(value):
    if isinstance(value, Pair | Flag) is not isinstance(value, Both):
        raise AssertionError
    match value:
        case Flag(is_up=True) | Pair(left=0):
            return "up or zero"
        case Flag():
            return "down"
        case Pair(left, right=1):
            return f"{left} and one"
        case Pair(left, right):
            return f"{left} and {right}"
        case 7:
            return "seven"
        case None:
            return "none"
        case other:
            return f"{other}?"
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pypy")
    make_copy(folder)
    return folder


def test_patterns_keep_their_meaning() -> None:
    asked = "[told(v) for v in (Flag(True), Flag(False), Pair(0, 5), Pair(2, 1), Pair(2, 3), 7, None, 'x')]"
    said = []
    for source in (MATCHES, rewritten(MATCHES)):
        names: dict[str, object] = {"field_names": lambda made: list(made.__dataclass_fields__), "__name__": "matches"}
        sys.modules["matches"] = type(sys)("matches")  # dataclasses look their module up
        exec(source, names)
        said.append(eval(asked, names))
    assert said[0] == ["up or zero", "down", "up or zero", "2 and one", "2 and 3", "seven", "none", "x?"]
    assert said[1] == said[0]
    assert "match value" not in rewritten(MATCHES)


@pytest.mark.parametrize("source", ["match 1:\n case x if x: pass", "match 1:\n case [a, b]: pass"])
def test_what_no_rule_is_for_is_said(source: str) -> None:
    with pytest.raises(NotImplementedError):
        rewritten(source)


def test_the_copys_runs_are_the_same_byte_for_byte(copy: Path) -> None:
    assert same_traces(copy, range(1, 4), STEPS, PLAIN, python=sys.executable)


def test_a_copy_that_does_something_else_is_noticed(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    file = other / "mq/sim/group/trace.py"
    file.write_text(
        file.read_text(encoding="utf-8").replace("def to_text(self) -> str:", "def to_text(self) -> str:\n        return ''")
    )
    assert not same_traces(other, range(1, 3), STEPS, PLAIN, python=sys.executable)


def test_seeds_come_to_the_same_end_there_and_what_is_broken_is_told(copy: Path) -> None:
    results = {one.seed: one for one in run_seeds(copy, range(1, 8), STEPS, LEADERLESS, jobs=2, python=sys.executable)}
    assert list(results) == list(range(1, 8)), "in their order, so that what is noted midway has no gap"
    assert any(one.promise for one in results.values())
    for seed in (1, 2, 3):
        here = run_seed(seed, STEPS, LEADERLESS)
        assert results[seed].promise == here.promise
        assert here.promise or results[seed].met == here.met


def test_a_process_that_fails_is_no_result(copy: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        list(run_seeds(copy, range(1, 3), STEPS, "nowhere.py:Raft", python=sys.executable))


def test_behind_a_process_that_died_nothing_is_told(copy: Path, tmp_path: Path) -> None:
    """Else what comes later would be counted in its place, and seeds that were never run would be noted."""
    dies = tmp_path / "dies.py"
    dies.write_text(
        f"#!{sys.executable}\nimport sys\nfirst, behind, step = map(int, sys.argv[3:6])\n"
        "for seed in range(first, min(behind, 6) if first == 2 else behind, step):\n"
        "    print(seed, 'ok', 'events=1', flush=True)\n"
        "sys.exit(first == 2)\n"
    )
    dies.chmod(0o755)
    results = run_seeds(copy, range(1, 15), STEPS, PLAIN, jobs=2, python=str(dies))
    assert [next(results).seed for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(subprocess.CalledProcessError):
        next(results)


@pytest.mark.skipif(shutil.which("pypy3") is None, reason="when pypy3 is there; this Python tried the copy above")
def test_pypy_itself(copy: Path) -> None:
    assert same_traces(copy, range(1, 3), STEPS, PLAIN)
