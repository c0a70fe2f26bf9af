"""What the pages of the Raft labs say is all that a student has: hints for each method, every rule, calls that there are."""

import ast
import importlib
import inspect
import re
from collections.abc import Mapping
from itertools import pairwise

import pytest

from labs.grader.lab import Lab
from labs.grader.same_answers import SAME_ANSWERS
from labs.stage3_raft import by_hand
from mq.raft.configuration import Configuration
from mq.raft.log import RaftLog
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.progress import Progress
from mq.raft.role import Event, Role
from tests.labs.raft_drafts import DRAFTS

LABS = [draft.lab for draft in DRAFTS if (draft.lab.folder / "README.md").is_file()]

of_each = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.short)


def page(lab: Lab) -> str:
    return (lab.folder / "README.md").read_text(encoding="utf-8")


def part(lab: Lab, heading: str) -> str:
    """From that heading to the next one as high."""
    _, found, rest = page(lab).partition(f"\n## {heading}\n")
    assert found, f"there is no part {heading!r}"
    return rest.partition("\n## ")[0]


def test_labs_that_are_listed_have_a_page() -> None:
    assert {draft.short for draft in DRAFTS if not draft.lab.is_draft} <= {lab.short for lab in LABS}
    assert {"lab3a", "lab3b"} <= {lab.short for lab in LABS}


@of_each
def test_there_is_a_ladder_of_three_hints_for_each_method_in_order(lab: Lab) -> None:
    parts = part(lab, "The methods, in order").split("\n### ")[1:]
    names = [blank.name.rpartition(".")[2] for blank in lab.blanks]
    assert [one.partition("\n")[0] for one in parts] == [f"{n}. `Raft.{name}` in `raft.py`" for n, name in enumerate(names, 1)]
    for one in parts:
        assert [one.count(f"<summary>Hint {hint}</summary>") for hint in (1, 2, 3)] == [1, 1, 1]
        assert one.count("<details>") == one.count("</details>") == 3


def by_hand_sections(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What the schedules by hand of a lab name."""
    found: set[str] = set()

    def noted(sections: Mapping[str, str]) -> None:
        found.update(sections.values())

    module = importlib.import_module(lab.suite_module.replace(".suite", ".by_hand"))
    monkeypatch.setattr(by_hand, "scripted_check", noted)
    importlib.reload(module)
    monkeypatch.undo()
    importlib.reload(module)
    return found


@of_each
def test_every_section_that_a_failure_can_name_is_explained(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = part(lab, "The rules")
    named = {check.section for check in lab.suite.checks}
    if (lab.folder / "by_hand.py").is_file():
        hand = by_hand_sections(lab, monkeypatch)
        assert hand
        named |= hand
    assert [section for section in sorted(named) if f"\n* **{section}.** " not in rules] == []


@of_each
def test_the_same_answers_are_asked_for(lab: Lab) -> None:
    assert SAME_ANSWERS == 'README, "The same answers"'
    (said,) = [one for one in page(lab).split("\n\n") if one.startswith("**The same answers.** ")]
    for word in ("no clock", "no chance", "no addresses", "return or raise", "Python 3.11"):
        assert word in said.replace("\n", " ")


@of_each
def test_what_a_method_may_call_and_read_is_there(lab: Lab) -> None:
    """A name that is none would send a student astray."""
    text = page(lab)
    own = set(re.findall(r"`self\.(\w+)", text)) - {"my_field"}
    known = {*dir(RaftNode)}
    assert len(own) > 5
    assert {name for name in own if name not in known} == set()
    assert {name for name in re.findall(r"`peer\.(\w+)", text) if name not in dir(Progress)} == set()
    assert {name for name in re.findall(r"`options\.(\w+)", text) if name not in dir(RaftOptions)} == set()
    assert {name for name in re.findall(r"Event\.(\w+)", text) if name not in Event.__members__} == set()
    assert {name for name in re.findall(r"Role\.(\w+)", text) if name not in Role.__members__} == set()
    assert {name for name in re.findall(r"Output\.(\w+)", text) if name not in Output._fields} == set()


@of_each
def test_the_calls_are_with_the_method_that_needs_them(lab: Lab) -> None:
    """The last column of the table of calls names methods by number."""
    rows = re.findall(r"^\| `self\.[\w.]+\(.*\| ([\d, ]*) \|$", page(lab), flags=re.MULTILINE)
    assert rows
    numbers = {int(number) for row in rows for number in row.split(",") if number.strip()}
    assert numbers <= set(range(1, len(lab.blanks) + 1))


@of_each
def test_how_the_class_grows_is_said(lab: Lab) -> None:
    text = page(lab)
    assert "**One class that grows.**" in text
    assert "NodeState -> Persistence -> Election -> Replication" in text
    assert lab is LABS[0] or f"`mq lab catch-up {lab.short}`" in text


@of_each
def test_arguments_that_are_given_by_name_are_shown_so(lab: Lab) -> None:
    """A call that is written as the table shows it is one that can be made."""
    places = {"self": RaftNode, "self.log": RaftLog, "self.configuration": Configuration, "peer": Progress}
    told = re.findall(r"`(self|self\.log|self\.configuration|peer)\.(\w+)\(([^`]*)\)` \|", page(lab))
    assert len(told) >= 3
    for place, name, arguments in told:
        shown = ast.parse(f"def f({arguments}): ...").body[0]
        assert isinstance(shown, ast.FunctionDef)
        real = list(inspect.signature(getattr(places[place], name)).parameters.values())[1:]
        by_name = [one.name for one in real if one.kind is inspect.Parameter.KEYWORD_ONLY]
        assert [one.arg for one in shown.args.kwonlyargs] == by_name, f"{name}({arguments})"
        assert len(shown.args.args) == len(real) - len(by_name), f"{name}({arguments})"
        least = [one for one in real if one.default is inspect.Parameter.empty and one.name not in by_name]
        assert len(shown.args.args) - len(shown.args.defaults) == len(least), f"{name}({arguments})"


@of_each
def test_what_to_do_with_a_lab_that_was_begun_too_early_is_said(lab: Lab) -> None:
    told = part(lab, "What is given")
    assert ("**Begun too early?**" in told) == (lab is not LABS[0])
    assert lab is LABS[0] or f"move `work/{lab.id}` away and say `mq lab start {lab.short}` again" in " ".join(told.split())


def test_each_lab_has_a_cluster_of_its_own_with_a_folder_and_addresses() -> None:
    clusters = []
    for lab in LABS:
        told = part(lab, "Run it")
        ((folder, port),) = re.findall(rf"mq cluster up --dir (\S+) --port (\d+)(?: --set \S+)* --parts work/{lab.id}\n", told)
        nodes = ",".join(f"127.0.0.1:{int(port) + 10 * number}" for number in (1, 2, 3))
        assert f"export MQ_ENDPOINT={nodes} " in told
        assert "unset MQ_ENDPOINT" in told
        assert "pkill" not in told
        assert f"mq cluster down --dir {folder}" in told
        clusters.append((folder, int(port)))
    assert len({folder for folder, _ in clusters}) == len(clusters)
    ports = sorted(port for _, port in clusters)
    assert all(after - before > 50 for before, after in pairwise(ports))
