"""A report fails when something did not hold, and says what; it passes with figures."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from mq.chaos.history import NOTED, Journal
from mq.chaos.report import HISTORY, NOTES, TRACES, judge_run
from tests.unit.chaos.test_checks import good
from tests.unit.chaos.test_merging import LIFE, life

AFTER_ELECTIONS_S = 10.0
"""So much later than in `good` all but the fault happens here: beside an election nothing is judged that needs calm."""
NEEDLESS = "each election began after a fault that can need one, or when something stood still"
TOO_MANY = "a new leader only where a fault took the old one, but for 2 times at most"


def later(one: Any) -> Any:
    names = [name.name for name in fields(one) if name.name in ("began_s", "ended_s")]
    return replace(one, **{name: getattr(one, name) + AFTER_ELECTIONS_S for name in names})


def a_run(folder: Path, *, elections: int = 0, surprises: list[str] | None = None, is_lost: bool = False) -> None:
    journal, run = Journal(folder / HISTORY), good()
    journal.facts(seed=1, began_s=0.0, ordered=["f"], members=3, noted=NOTED)
    for one in (
        *run.sends,
        *run.receives,
        *run.acks,
        *run.changes,
        *run.stored[: 2 if is_lost else 3],
        *run.replicas,
        *run.copies,
    ):
        journal.note(later(one))
    journal.note(replace(run.faults[0], began_s=0.0, ended_s=0.03, elections=elections))
    if surprises is not None:
        journal.facts(surprises=surprises, drained=run.drained)
    journal.close()


def elect(folder: Path, times: int) -> None:
    (folder / TRACES).mkdir()
    lines = list(LIFE)
    for term in range(2, times + 1):
        lines += [
            f"role role=follower term={term - 1} leader=-", f"role role=candidate term={term} leader=-",
            f"vote term={term} for=1",
            f"append after=1 terms=- bodies=- sequence={term + 1}", f"save sequence={term + 1} term={term} vote=1 durable=1",
            f"role role=leader term={term} leader=1",
        ]  # fmt: skip
    life(folder / TRACES, lines)


def test_a_run_in_which_all_held_passes_with_its_figures(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[], elections=1)
    elect(tmp_path, 2)
    report = judge_run(tmp_path)
    assert report.is_good, report.to_text()
    assert "3 acknowledged" in report.to_text()
    assert "          0 sent without an answer: stored or not, both are right" in report.to_text().splitlines()
    assert "kill 1" in report.to_text()
    assert "ok      while all is well, nothing is refused (3 sends then, in 2.5 s)" in report.to_text().splitlines()
    assert "2 elections, 1 faults that took the leader" in report.to_text()
    assert "or when something stood still (within 5 s, but for 0 of 2)" in report.to_text()


def test_what_was_done_to_nodes_that_write_no_traces_is_nothing_to_judge(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[])
    (tmp_path / TRACES).mkdir()
    (tmp_path / TRACES / NOTES).write_text("0000000001ms  n3    kill            us=1000\n")
    report = judge_run(tmp_path)
    assert report.is_good, report.to_text()
    assert "the nodes write no traces" in report.to_text()
    assert "ok      the traces of the nodes keep Raft's rules" not in report.to_text()


def test_without_traces_it_is_said_how_little_is_known_of_raft_and_which_faults_would_have_shown_more(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[])
    with (tmp_path / HISTORY).open("a") as history:
        for kind in ("lost-leader", "power-cut", "lost-leader"):
            history.write(f'{{"what":"fault","kind":"{kind}","nodes":"n1","began_s":0.0,"ended_s":0.01,"elections":1}}\n')
    told = judge_run(tmp_path).to_text()
    assert "NOTHING SAID  of Raft's rules" in told
    assert "shows as a lost message after some faults alone: 2 lost-leader and 1 power-cut here" in told


def test_nodes_that_were_to_write_traces_and_did_not_fail(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[])
    with (tmp_path / HISTORY).open("a") as history:
        history.write('{"what":"facts","has_traces":true}\n')
    assert judge_run(tmp_path).failed == ["the traces of the nodes keep Raft's rules"]


def test_what_was_refused_beside_an_election_of_the_traces_is_no_surprise(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[], elections=1)
    text = (tmp_path / HISTORY).read_text()
    for began_s, failed in ((11.1, ["while all is well, nothing is refused"]), (0.2, [])):
        (tmp_path / HISTORY).write_text(text.replace('"failed":[]', f'"failed":[[{began_s},{began_s + 0.1}]]', 1))
        if not (tmp_path / TRACES).exists():
            elect(tmp_path, 1)
        assert judge_run(tmp_path).failed == failed


def test_what_an_older_program_left_is_judged_and_what_it_did_not_note_is_said(tmp_path: Path) -> None:
    journal, run = Journal(tmp_path / HISTORY), good()
    journal.facts(seed=1, began_s=0.0, ordered=["f"])
    for one in (*run.sends, *run.receives, *run.acks, *run.stored, *run.faults):
        journal.note(one)
    journal.facts(surprises=[], drained=run.drained)
    journal.close()
    old = (tmp_path / HISTORY).read_text().replace(',"attempts":1,"failed":[]', "").replace(',"attempts":2,"failed":[]', "")
    assert "attempts" not in old
    (tmp_path / HISTORY).write_text(old)
    report = judge_run(tmp_path)
    assert len(report.failed) == 5
    assert "the history does not tell its replicas, as those of an older program do not" in report.to_text()


def test_it_is_said_what_nodes_ran_in_and_which_faults_they_could_not_play(tmp_path: Path) -> None:
    journal = Journal(tmp_path / HISTORY)
    journal.facts(surprises=[], drained={}, nodes="3, containers of Docker 1.2", left_out=["disk-full", "slow-disk"])
    journal.close()
    lines = judge_run(tmp_path).to_text().splitlines()
    assert "nodes     3, containers of Docker 1.2" in lines
    assert "left out  disk-full, slow-disk: the nodes have no place for faults" in lines


def test_more_elections_than_there_is_a_reason_for_fail(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[], elections=1)
    elect(tmp_path, 4)
    report = judge_run(tmp_path)
    assert report.failed == [TOO_MANY]
    assert "but for 2 times at most (4 elections, 1 faults that took the leader)" in report.to_text()


def test_an_election_far_from_any_fault_fails_however_few_there_are(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[], elections=3)
    text = (tmp_path / HISTORY).read_text()
    (tmp_path / HISTORY).write_text(text.replace('"began_s":0.0,"ended_s":0.03', '"began_s":20.0,"ended_s":20.5'))
    elect(tmp_path, 1)
    report = judge_run(tmp_path)
    assert report.failed == [NEEDLESS]
    assert "n1 was elected for term 1 at 0.016 s of the run, before any fault that can need one" in report.to_text()


def test_an_election_before_the_run_or_after_it_is_nobodys_concern(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[])
    elect(tmp_path, 1)
    text = (tmp_path / HISTORY).read_text()
    for began_s, ended_s, failed in ((0.0, 99.0, [NEEDLESS]), (0.017, 99.0, []), (0.0, 0.015, [])):
        told = text.replace('"seed":1,"began_s":0.0', f'"seed":1,"ended_s":{ended_s},"began_s":{began_s}')
        assert told != text
        (tmp_path / HISTORY).write_text(told)
        assert judge_run(tmp_path).failed == failed


def test_what_a_run_that_never_began_left_is_no_success(tmp_path: Path) -> None:
    Journal(tmp_path / HISTORY).close()
    assert not (tmp_path / HISTORY).exists()
    (tmp_path / HISTORY).touch()
    (tmp_path / TRACES).mkdir()
    life(tmp_path / TRACES, LIFE)
    report = judge_run(tmp_path)
    assert "the run came to its end, without surprises" in report.failed
    assert "it was broken off" in report.to_text()
    assert "it never began" in report.to_text()


def test_a_fault_that_needs_an_election_allows_one(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[], elections=1)
    elect(tmp_path, 3)
    assert judge_run(tmp_path).is_good


@pytest.mark.parametrize(("surprises", "told"), [(None, "it was broken off"), (["n2 ended by itself"], "n2 ended by itself")])
def test_a_run_that_did_not_come_to_its_end_fails(tmp_path: Path, surprises: list[str] | None, told: str) -> None:
    a_run(tmp_path, surprises=surprises)
    report = judge_run(tmp_path)
    assert report.failed[0] == "the run came to its end, without surprises"
    assert len(report.failed) == (1 if surprises else 2), "what no group has read to its end shows no loss, either"
    assert told in report.to_text()


def test_a_lost_message_fails(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[], is_lost=True)
    report = judge_run(tmp_path)
    assert report.failed == ["nothing acknowledged is lost"]
    assert "m2 was acknowledged, and no queue of t holds it" in report.to_text()


def test_a_rule_that_a_node_broke_fails(tmp_path: Path) -> None:
    a_run(tmp_path, surprises=[])
    (tmp_path / TRACES).mkdir()
    life(tmp_path / TRACES, [line for line in LIFE if not line.startswith("vote ")])
    report = judge_run(tmp_path)
    assert report.failed == ["the traces of the nodes keep Raft's rules"]
