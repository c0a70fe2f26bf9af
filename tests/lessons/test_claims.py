"""Every claim of a lesson on Raft can be broken by one line: the lesson says by which, and it is so."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.lessons.claims import CLAIMS, Change
from tests.lessons.run_cells import cells_of, needed
from tools.lesson_files import LESSONS, Lesson, lessons_of, read_notebook

ROOT = LESSONS.parent
RAFT = {lesson.source.name[:2]: lesson for lesson in lessons_of(LESSONS) if lesson.source.parent.name == "stage3_raft"}


def named(change: Change) -> str:
    return f"{change.lesson}.{change.claim}"


def claims_of(lesson: Lesson) -> dict[int, str]:
    """The claims by their numbers, each in one line."""
    text = lesson.source.read_text(encoding="utf-8").split("# ## Claims to defend\n")[1].split("\n# ##")[0]
    items = re.split(r"\n# (\d+)\. ", text)[1:]
    return {int(number): re.sub(r"\s+#?\s*", " ", item) for number, item in zip(items[::2], items[1::2], strict=True)}


def said_by(lesson: Lesson) -> str:
    """All that the committed notebook says."""
    notebook = read_notebook(lesson.notebook)
    assert notebook is not None
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return "\n".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)


def changed_line(change: Change) -> str:
    """What a reader types, without what stands around it."""
    new, old = ([re.split(r'  #|"\)\.', line)[0].strip() for line in text.splitlines()] for text in (change.new, change.old))
    return next(line for line, before in zip(new, old, strict=False) if line != before)


def test_every_claim_has_its_line() -> None:
    told = {(number, claim) for number, lesson in RAFT.items() for claim in claims_of(lesson)}
    assert len(told) >= 30
    assert {(change.lesson, change.claim) for change in CLAIMS} == told


@pytest.mark.parametrize("change", CLAIMS, ids=named)
def test_a_lesson_says_which_line_breaks_a_claim_and_where(change: Change) -> None:
    lesson = RAFT[change.lesson]
    assert lesson.source.read_text(encoding="utf-8").count(change.old) == 1
    said = claims_of(lesson)[change.claim]
    assert f"`{changed_line(change)}`" in said or changed_line(change) in said
    assert re.search(r"\*([Bb]reak it|broken)\* (in|at the end of) section \d", said), said
    assert re.search(change.before, said_by(lesson)), "as the lesson is"
    assert not re.search(change.after, said_by(lesson)), "it is so without the change"


def by_day_the_first_of_each_lesson() -> Iterator[ParameterSet]:
    """All of them take minutes; and those of lesson 16 start real brokers, which a busy machine makes slow."""
    seen = {"16"}
    for change in CLAIMS:
        yield pytest.param(change, id=named(change), marks=[pytest.mark.night] if change.lesson in seen else [])
        seen.add(change.lesson)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("change", list(by_day_the_first_of_each_lesson()))
def test_a_changed_line_does_to_a_claim_what_the_lesson_says(change: Change, tmp_path: Path) -> None:
    file = tmp_path / "lesson.py"
    source = RAFT[change.lesson].source.read_text(encoding="utf-8")
    file.write_text(source.replace(change.old, change.new), encoding="utf-8")
    command = [sys.executable, "-m", "tests.lessons.run_cells", str(file), change.sections]
    said: list[str] = []
    while not (said and re.search(change.after, said[-1])):
        assert len(said) < change.tries, said
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert not re.search(change.before, done.stdout), done.stdout
        said.append(done.stdout)


def test_cells_that_make_what_others_need_are_run_with_them() -> None:
    source = "# %%\na = 1\n\n# %% [markdown]\n# ## 1. One\n\n# %%\nb = a\n\n"
    source += "# %% [markdown]\n# ## 2. Two\n\n# %%\nc = a\n\n# %%\nd = c\n"
    cells = cells_of(source)
    assert [cell.section for cell in cells] == ["", "1", "2", "2"]
    assert [cell.code.strip() for cell in needed(cells, ["2"])] == ["a = 1", "c = a", "d = c"]
    source += "# %%\nwith e() as d:\n    d.f()\n\n# %%\nwith d as d:\n    d.f()\n"
    own, again = cells_of(source.replace("## 2. Two", "## 3. Three"))[-2:]
    assert "d" not in own.uses, "it makes a new one"
    assert "d" in again.uses
