"""What lab 1a's cheats come to in every lab: each has another organ, and the border is the same.

Tried on the first test of each ring; `test_cheats` and `test_container` go into the depth.
"""

import pytest

from labs.grader.boxed import files_for
from labs.grader.grading import in_a_process
from labs.grader.lab import Lab, all_labs, find_lab
from labs.grader.met import NOT_MET
from labs.grader.result import Outcome
from labs.grader.running import Runner
from labs.grader.seeds import Seeds
from labs.grader.skeleton import skeleton_of, solution_of
from labs.grader.submission import Submission
from tests.labs.helpers import labs_with_code

TAKES_THE_WORKER_OVER = """
import sys
sys.modules["__main__"].Worker.answer = lambda self, request: {"id": request["id"], "value": None, "seen": [{"value": 1}] * 9}
"""
EQUALS_ALL = """
class Anything(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = lambda self: 0
    __len__ = lambda self: 0
    __iter__ = lambda self: iter(())
    __getattr__ = lambda self, name: self
for _name in [name for name in vars({organ}) if not name.startswith("_")]:
    setattr({organ}, _name, lambda self, *arguments, **named: Anything())
"""
KNOWS_WHEN_IT_IS_WATCHED = """
import sys
_frames = []
_frame = sys._getframe()
while _frame is not None:
    _frames.append(_frame)
    _frame = _frame.f_back
for _frame in _frames:
    for _value in [*_frame.f_globals.values(), *_frame.f_locals.values()]:
        for _mark in ("is_passed", "points", "score", "expected"):
            if hasattr(_value, _mark) and not isinstance(_value, type):
                raise SystemExit(f"a mark is within reach: {_mark} of {_value!r}")
import gc
for _value in gc.get_objects():
    if type(_value).__name__ in ("Suite", "Check", "Case", "Seeds", "Grade", "Outcome", "Runner"):
        raise SystemExit(f"the grader is within reach: {_value!r}")
"""


def named(lab: Lab) -> str:
    return lab.short


def outcomes(lab: Lab, files: dict[str, str], code: str = "") -> list[Outcome]:
    """Of the first test of each ring, with code at the end of the organ's file."""
    made = {name: text.encode() for name, text in files.items() if name != "__init__.py"}
    made[lab.organ_file] += b"\n\n" + code.replace("{organ}", lab.seam.name).encode()
    submission = Submission(made)
    checks = lab.suite.checks
    first = [next(check for check in checks if check.ring == ring) for ring in sorted({check.ring for check in checks})]
    with Runner(lab, submission, Seeds(b"tests", submission.mark, scale=10), in_a_process()) as runner:
        return [runner.outcome(check) for check in first]


def complaints(found: list[Outcome]) -> list[str]:
    """But that so few schedules prove nothing: there are as many as a test of the cheat needs."""
    messages = [outcome.message for outcome in found if not outcome.is_passed]
    return [message for message in messages if not message.startswith(NOT_MET)]


@pytest.mark.parametrize("lab", labs_with_code(), ids=named)
def test_one_that_looks_for_the_grader_finds_nothing_of_it_and_is_judged_as_it_is(lab: Lab) -> None:
    assert complaints(outcomes(lab, solution_of(lab), KNOWS_WHEN_IT_IS_WATCHED)) == []


@pytest.mark.parametrize("code", [TAKES_THE_WORKER_OVER, EQUALS_ALL, "import os; os._exit(0)"], ids=["worker", "equal", "leaves"])
@pytest.mark.parametrize("lab", labs_with_code(), ids=named)
def test_one_that_answers_for_the_grader_or_leaves_gets_nothing(lab: Lab, code: str) -> None:
    found = outcomes(lab, skeleton_of(lab), code)
    assert [outcome.number for outcome in found if outcome.is_passed] == []
    assert all(outcome.message for outcome in found)


@pytest.mark.parametrize("lab", labs_with_code(), ids=named)
def test_no_solution_model_or_wrong_one_can_be_imported_where_marks_are_earned(lab: Lab) -> None:
    """Of the reference, the lab's own tests, its model, and its zoo. The many seeds that only take marks away know the model."""
    root = lab.folder.parents[2]
    wanted = [(lab.folder / name).relative_to(root).as_posix() for name in (*lab.sealed, "suite.py")]
    if lab.gather is None:  # else they lie there, and what is asked for is taken out: `test_raft_drafts` looks at that
        wanted += lab.files.values()
    for zoo in (lab.folder / "right", lab.folder.parent / "right", lab.folder.parent / "wrong"):
        wanted += [file.relative_to(root).as_posix() for file in sorted(zoo.glob("*.py"))]
    assert set(wanted).isdisjoint(files_for(lab))
    code = f"""
import importlib
for _name in {[name.removesuffix(".py").replace("/", ".") for name in wanted]!r}:
    try:
        importlib.import_module(_name)
    except ImportError:
        continue
    raise SystemExit("there is " + _name)
"""
    found = outcomes(lab, solution_of(lab), code)
    assert complaints([outcome for outcome in found if not swept(lab, outcome)]) == []


@pytest.mark.parametrize("lab", [lab for lab in all_labs() if "model.py" in lab.sealed], ids=named)
def test_one_that_hands_the_model_in_where_there_is_one_gets_nothing(lab: Lab) -> None:
    module = ".".join((lab.folder / "model").relative_to(lab.folder.parents[2]).parts)
    code = f"""
try:
    import {module} as _model
except ImportError:
    pass
else:
    _wanted = {{name for name in vars({{organ}}) if not name.startswith("_")}}
    _kinds = [value for value in vars(_model).values() if isinstance(value, type)]
    _best = max(_kinds, key=lambda kind: len(_wanted & set(vars(kind))))
    for _name in vars(_best):
        if not _name.startswith("__") or _name == "__init__":
            setattr({{organ}}, _name, vars(_best)[_name])
"""
    assert [outcome.number for outcome in outcomes(lab, skeleton_of(lab), code) if outcome.is_passed] == []


def swept(lab: Lab, outcome: Outcome) -> bool:
    """Whether many more seeds belong to that test."""
    check = lab.suite.check(outcome.number)
    return check is not None and check.sweep > 0


KEEPS_IT_BESIDE_ITS_OBJECTS = """
import copy
_init = {organ}.__init__
def _begin(self, *arguments, **named):
    _init(self, *arguments, **named)
    {organ}._last = self
{organ}.__init__ = _begin
{organ}.to_plain = lambda self: []
{organ}.from_plain = classmethod(lambda cls, *_, **__: copy.deepcopy(cls._last))
"""


@pytest.mark.parametrize(("name", "numbers"), [("lab0", ("1.6", "1.7", "1.8")), ("lab1c", ("1.29",))])
def test_what_a_class_keeps_beside_its_objects_is_gone_after_a_crash(name: str, numbers: tuple[str, ...]) -> None:
    """Nothing of it is in what it writes down; it lies in the class, which a process keeps as long as it lives."""
    lab = find_lab(name)
    made = {file: text.encode() for file, text in solution_of(lab).items() if file != "__init__.py"}
    right = Submission(dict(made))
    made[lab.organ_file] += KEEPS_IT_BESIDE_ITS_OBJECTS.replace("{organ}", lab.seam.name).encode()
    restarting = [check for check in lab.suite.checks if check.number in numbers]
    for submission, passes in ((right, True), (Submission(made), False)):
        with Runner(lab, submission, Seeds(b"tests", submission.mark, scale=10), in_a_process()) as runner:
            runner.is_brief = True
            assert [runner.outcome(check).is_passed for check in restarting] == [passes] * len(restarting)
