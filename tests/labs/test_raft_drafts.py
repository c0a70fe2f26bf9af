"""The Raft labs that are being written: their one class, the sentences, and what they find."""

import ast

import pytest

from labs.grader.seeds import Seeds
from labs.grader.skeleton import given_hollow, skeleton_of, solution_of
from mq.raft.node import RaftNode
from tests.labs.helpers import failures
from tests.labs.raft_drafts import DRAFTS, Draft
from tools.make_skeletons import differences

INHERITS = "from mq.raft.node import RaftNode\n\nclass Raft(RaftNode):\n    __slots__ = ()\n"

of_each = pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.short)


def one_by_one(names: str) -> pytest.MarkDecorator:
    """Of each lab each of its names."""
    pairs = [(draft, name) for draft in DRAFTS for name in getattr(draft, names)]
    return pytest.mark.parametrize(("draft", "name"), pairs, ids=[f"{draft.short}-{name}" for draft, name in pairs])


@of_each
def test_skeleton_and_layers_are_made_of_the_reference(draft: Draft) -> None:
    assert differences(draft.lab) == [], "make them anew: .venv/bin/python -m tools.make_skeletons"


@of_each
def test_the_reference_gets_all_points_where_the_layers_lack_what_the_lab_asks_for(draft: Draft) -> None:
    grade = draft.grade(solution_of(draft.lab)["raft.py"])
    assert (grade.score, grade.reason) == (grade.max_score, ""), [one for one in grade.outcomes if not one.is_passed]


@of_each
def test_the_skeleton_gets_no_point(draft: Draft) -> None:
    grade = draft.grade(skeleton_of(draft.lab)["raft.py"])
    assert (grade.score, grade.reason) == (0, ""), [one for one in grade.outcomes if one.is_passed]


@of_each
def test_who_writes_nothing_has_nothing_of_ours(draft: Draft) -> None:
    """The class is derived from ours: there the bodies are taken out, too."""
    found = draft.outcomes(INHERITS)
    assert not any(outcome.is_passed for outcome in found.values())
    failure = found["1.1"].failure
    assert failure is not None
    assert failure.sentence == f"`{draft.first}` is not written yet"
    layers = given_hollow(draft.lab)
    assert tuple(sorted(layers)) == draft.layers
    found_bodies = {name: body for layer in layers.values() for name, body in bodies_in(layer).items()}
    assert {tuple(found_bodies[blank.name]) for blank in draft.lab.blanks} == {("Raise",)}
    if draft.telling_chars:
        told = taken_out(draft, draft.telling_chars)
        assert [line for line in told if any(line in layer for layer in layers.values())] == []


def bodies_in(layer: str) -> dict[str, list[str]]:
    """What the statements of its methods are, by `Class.method`."""
    kinds = [node for node in ast.parse(layer).body if isinstance(node, ast.ClassDef)]
    methods = [(kind, each) for kind in kinds for each in kind.body if isinstance(each, ast.FunctionDef)]
    return {
        f"{kind.name}.{method.name}": [type(each).__name__ for each in method.body[ast.get_docstring(method) is not None :]]
        for kind, method in methods
    }


def taken_out(draft: Draft, chars: int) -> list[str]:
    """Lines of the solution that are longer than that."""
    skeleton, whole = (made["raft.py"].splitlines() for made in (skeleton_of(draft.lab), solution_of(draft.lab)))
    return [line for line in whole if line not in skeleton and len(line.strip()) > chars]


@pytest.mark.parametrize(
    ("draft", "blank"),
    [(draft, blank.name) for draft in DRAFTS for blank in draft.lab.blanks],
    ids=[f"{draft.short}-{blank.name}" for draft in DRAFTS for blank in draft.lab.blanks],
)
def test_each_method_alone_is_missed(draft: Draft, blank: str) -> None:
    text = skeleton_of(draft.lab, only=blank)["raft.py"]
    assert text.count("NotImplementedError") == 1
    reasons = [outcome.failure.promise for outcome in draft.outcomes(text).values() if outcome.failure is not None]
    name = "Raft." + blank.partition(".")[2]
    assert any(reason.startswith(f"`{name}` is not written yet") for reason in reasons)


@one_by_one("wrong")
def test_a_wrong_raft_dies_by_a_sentence(draft: Draft, name: str) -> None:
    assert draft.of_the_zoo("wrong", name)


@one_by_one("right")
def test_a_right_raft_lives(draft: Draft, name: str) -> None:
    assert draft.of_the_zoo("right", name) == []


@of_each
def test_sentences_are_the_same_in_this_process(draft: Draft) -> None:
    assert list(failures(RaftNode, iter(draft.sentences), Seeds())) == []


@of_each
def test_a_schedule_has_its_five_hundred_events_and_not_many_more(draft: Draft) -> None:
    counts = []
    for seed in range(40):
        world = draft.world(seed, RaftNode)
        world.guard(world._run)
        counts.append(world.agenda.steps)
    assert min(counts) >= 500
    assert sum(counts) / len(counts) < 1500
