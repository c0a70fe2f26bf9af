"""Every wrong Raft dies by what is known to kill it, and every right one lives. How that was found: `tools/kill_table.py`."""

import re
from functools import cache
from typing import Any

import pytest

from mq.raft.node import RaftNode
from mq.sim.group.seeds import run_seed
from tests.sim.raft_edits import edit_of
from tools.kill_notes import KINDS, PARTS, marks_of, read_notes
from tools.kill_text import killers_of, spared_killers, to_text
from tools.killers import (
    LAB,
    ROOT,
    STEPS,
    by_paper,
    by_schedules,
    by_seeds,
    class_of,
    names_of,
    place_of,
    sentence_of,
    try_schedules,
    try_transcripts,
)

NOTES = read_notes()
WRONG, RIGHT = names_of("wrong"), names_of("right")
BY_NAME = """
vote_not_saved vote_before_fsync term_not_saved no_log_check length_only_check own_term_as_last old_votes_count votes_per_reply
half_is_majority figure8 always_truncate never_truncate no_prev_term commit_not_clamped commit_to_own_end match_from_next
heartbeat_skips_check wrong_follower_credited no_noop ack_before_fsync leader_counts_early older_snapshot_wins cut_before_snapshot
stale_read reply_by_index
"""
SPEED = "tests/paper/test_speed.py"
"""Sentences about what only makes it fast."""
PRE_VOTE = "tests/paper/test_thesis_9_6_pre_vote.py"
"""And about what a right variant may do without."""
UNASKED = frozenset({"cut_off_node_comes_back", "poor_log_asks_first"})
"""Schedules about pre-vote, which a right variant may do without."""

EDIT_LINES_MAX = 6
"""That may differ from the reference's method."""
LARGER: dict[str, tuple[int, tuple[str, ...], int, str]] = {
    "half_is_majority": (1, (), 5, "the rule is a function of no class: its callers are the reference's own, with this one"),
    "joint_by_union": (1, (), 1, "the rule is in each of the three questions of a Configuration"),
    "match_of_last_reign": (2, ("_known",), 0, "what is known goes at a reign's end, and is made anew at the next one's begin"),
    "members_count_when_committed": (2, (), 0, "what stands in the log must not count yet, and must when it is committed"),
    "reply_by_index": (1, (), 1, "hosts compare the term: here it is one that equals all"),
}
"""Of those that are more than one method: how many methods, which new fields, how many helpers, and why."""
TWO_PLACES = {"promise_waits_for_last_but_one": "what is taken from a number before the call is given back behind it"}
"""Of those whose method differs in two places: why that is one mistake."""


@cache
def sentences_that_rights_break() -> dict[str, list[str]]:
    return by_paper(*(place_of("right", name) for name in RIGHT))


@cache
def rights_as_they_are() -> dict[str, dict[str, Any]]:
    """Rows of the right ones, tried here and now, with the seeds that were noted of them."""
    rows = {}
    for name in RIGHT:
        raft, sentences = class_of("right", name), sentences_that_rights_break()[place_of("right", name)]
        scripts = {"schedules": try_schedules(raft).to_plain(), "transcripts": try_transcripts(raft).to_plain()}
        rows[name] = {**NOTES["right"][name], "scripts": {"sentences": {"killers": dict.fromkeys(sentences, "")}, **scripts}}
    return rows


def fate_of(name: str) -> dict[str, Any]:
    fate: dict[str, Any] = NOTES["wrong"][name]
    return fate


def spared_by_rights(name: str) -> dict[str, list[str]]:
    """By kind, what kills it and none of the right ones, as that is here and now."""
    found: dict[str, list[str]] = {}
    for kind, killer in spared_killers(fate_of(name), rights_as_they_are()):
        found.setdefault(kind, []).append(killer)
    return found


def test_there_are_enough_of_them_and_the_known_ones_by_their_names() -> None:
    assert len(WRONG) >= 60
    assert set(BY_NAME.split()) <= set(WRONG)
    assert len(RIGHT) >= 3
    sentences = [sentence_of("wrong", name) for name in WRONG]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith((".", ":")) for sentence in sentences)


def test_all_of_them_were_tried_and_all_died() -> None:
    assert sorted(NOTES["wrong"]) == WRONG
    assert [name for name in WRONG if not killers_of(fate_of(name))] == []
    assert len([name for name in WRONG if "seed" not in killers_of(fate_of(name))]) >= 10, "only a script finds them"


def test_each_result_says_of_which_code_it_is_and_when_it_was_tried() -> None:
    parts = [(name, part, found) for kind in KINDS for name, row in NOTES[kind].items() for part, found in row.items()]
    assert {part for _, part, _ in parts} == set(PARTS)
    for name, part, found in parts:
        assert re.fullmatch(r"[0-9a-f]{8}", found["code"]), (name, part)
        assert re.fullmatch(r"[0-9a-f]{7,}( and changes)?", found["commit"]), (name, part)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"]), (name, part)


def test_the_table_is_that_of_the_notes() -> None:
    assert (LAB / "KILLS.md").read_text(encoding="utf-8") == to_text(NOTES)


@pytest.mark.parametrize("name", WRONG)
def test_each_is_one_small_edit_to_the_reference(name: str) -> None:
    edit = edit_of((LAB / "wrong" / f"{name}.py").read_text(encoding="utf-8"))
    assert (len(edit.methods), edit.fields, edit.helpers) == LARGER.get(name, (1, (), 0))[:3]
    assert 0 < edit.lines <= EDIT_LINES_MAX
    assert edit.places <= (2 if name in TWO_PLACES else 1), "two edits are two mistakes: which of them is it that dies?"
    assert edit.lost == ()


def test_few_need_more_than_one_edit() -> None:
    assert len(LARGER) <= 5
    assert LARGER.keys() <= set(WRONG)
    assert TWO_PLACES.keys() <= set(WRONG)
    assert all(reason and (methods, fields, helpers) != (1, (), 0) for methods, fields, helpers, reason in LARGER.values())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("__slots__ = ()\n def _leave(self):\n  self._beat()", (("_leave",), (), 0, 1, 1, ())),
        ("__slots__ = ('a',)\n def _leave(self):\n  self._beat()", (("_leave",), ("a",), 0, 1, 1, ())),
        (
            "__slots__ = ()\n def _leave(self):\n  super()._leave()\n def _take_snapshot_over(self):\n  self.round = 0",
            (("_leave", "_take_snapshot_over"), (), 0, 4, 1, ("_take_snapshot_over",)),
        ),
        ("__slots__ = ()\n def _on_saved(self):\n  a = 1\n  b = 2\n  c = 3\n  d = 4", (("_on_saved",), (), 0, 4, 1, ())),
        (
            "__slots__ = ()\n def _leave(self):\n  self.round += 1\n  super()._leave()\n  self.round = 0",
            (("_leave",), (), 0, 3, 2, ()),
        ),
        (
            "__slots__ = ()\n def _leave(self):\n  before = self.round\n  super()._leave()\n  self.round = before",
            (("_leave",), (), 0, 3, 1, ()),
        ),
        (
            "__slots__ = ()\n def _leave(self):\n  if self.peers:\n   super()._leave()\n  self.round = 0",
            (("_leave",), (), 0, 3, 2, ()),
        ),
        (
            "__slots__ = ()\n def _on_saved(self):\n  a = 1\n  if self.role is Role.LEADER:\n   b = 2",
            (("_on_saved",), (), 0, 2, 2, ()),
        ),
    ],
)
def test_the_size_of_an_edit_is_seen(body: str, expected: tuple[object, ...]) -> None:
    assert edit_of(f'"""It."""\nclass Raft(RaftNode):\n """It."""\n {body}\n') == expected


def test_a_helper_beside_it_is_seen() -> None:
    source = '"""It."""\nimport math\nlimit = 7\nclass Raft(RaftNode):\n """It."""\n __slots__ = ()\n def _leave(self):\n  pass\n'
    assert edit_of(source).helpers == 1


def test_the_reference_keeps_every_promise_in_every_schedule() -> None:
    assert len(list((LAB / "schedules").glob("*.txt"))) >= 60
    assert by_schedules(RaftNode) == {}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_raft_dies_by_something_that_none_of_the_right_ones_dies_by(name: str) -> None:
    """The seeds of the right ones are those that were noted; all else is tried here and now."""
    spared = spared_by_rights(name)
    assert spared, "a script that a right Raft breaks, too, proves nothing"
    if "schedule" in spared:
        known = spared["schedule"][0]
        assert list(by_schedules(class_of("wrong", name), known)) == [known]
    elif "sentence" in spared:
        assert set(spared["sentence"]) <= set(by_paper(place_of("wrong", name))[place_of("wrong", name)])
    elif "transcript" in spared:
        assert set(spared["transcript"]) <= set(try_transcripts(class_of("wrong", name)).killers)
    else:
        seed = int(spared["seed"][0])
        assert by_seeds(place_of("wrong", name), range(seed, seed + 1))["seed"] == seed


@pytest.mark.parametrize("name", [name for name in WRONG if NOTES["wrong"].get(name, {}).get("seeds", {}).get("seed")])
def test_a_wrong_raft_dies_by_the_seed_that_is_noted(name: str) -> None:
    seeds = fate_of(name)["seeds"]
    if seeds["code"] != marks_of(place_of("wrong", name))["seeds"]:
        pytest.skip("it was tried with other code, as `python -m tools.kill_table --stale` says")
    assert seeds["runs"] == seeds["seed"] <= seeds["of"]
    found = by_seeds(place_of("wrong", name), range(seeds["seed"], seeds["seed"] + 1))
    assert (found["seed"], found["promise"]) == (seeds["seed"], seeds["promise"])  # a run that proves nothing is no kill


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_raft_breaks_no_sentence_that_is_not_about_speed(name: str) -> None:
    spared = (SPEED, PRE_VOTE) if name == "eager" else (SPEED,)
    broken = sentences_that_rights_break()[place_of("right", name)]
    assert [sentence for sentence in broken if not sentence.startswith(spared)] == []


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_raft_breaks_no_promise_in_any_schedule(name: str) -> None:
    assert sorted(by_schedules(class_of("right", name)).keys() - (UNASKED if name == "eager" else set())) == []


@pytest.mark.sim
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_raft_lives_through_seeds(name: str) -> None:
    for seed in range(1, 21):
        result = run_seed(seed, STEPS, f"{ROOT}/{place_of('right', name)}")
        assert result.promise == "", result.story


@pytest.mark.sim
@pytest.mark.timeout(30)
def test_a_run_in_which_nothing_is_due_for_long_ends() -> None:
    """At the end of this one the next tick is further away than one look at the group; once, time stood still there for ever."""
    assert run_seed(10, STEPS, f"{ROOT}/{place_of('wrong', 'asked_once')}").met["events"] > STEPS


@pytest.mark.parametrize("name", RIGHT)
def test_of_a_right_raft_twenty_thousand_seeds_are_noted_and_none_is_broken(name: str) -> None:
    seeds = NOTES["right"][name]["seeds"]
    assert (seeds["runs"], seeds["broken"]) == (20_000, [])
