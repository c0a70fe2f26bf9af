"""`run.py sim` with the Raft group: seeds in, promises or sentences out; a run of hours that may be interrupted."""

import re
from pathlib import Path

import pytest

from mq.core.errors import IllegalArgumentError
from mq.sim.__main__ import main
from mq.sim.group.command import run_many
from mq.sim.group.judge import judge
from mq.sim.group.seeds import Notes, SeedResult, Tally, code_mark, make_world, run_seed, run_seeds
from mq.sim.group.world import all_checkers

WRONG_RAFT = '''
from mq.raft.node import RaftNode

class Raft(RaftNode):
    """Commits what older terms left behind."""

    def _may_count(self, index):
        return True
'''


def test_many_seeds_end_in_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "1..3"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 seeds: 0 broken\n")
    for part in (" elections, ", " crashes, ", " cuts, ", " at least in each seed", "3 seeds were run now, 0 were noted before"):
        assert part in said


def test_one_seed_prints_the_same_trace_each_time_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "group.svg"
    assert main(["--seed", "5", "--draw", str(picture)]) == 0
    first, said = capsys.readouterr()
    assert "seed 5: all 20 promises were kept" in said
    assert "drawn: " in said
    drawn = " ".join(re.sub(r"<[^>]+>", " ", picture.read_text()).split())
    assert "seed 5: the last 40 moments of a Raft group with 3 elections, 4 crashes, 2 cuts" in drawn
    assert main(["--seed", "5"]) == 0
    assert capsys.readouterr().out == first
    assert first.startswith("time          node  event           details\n")


def test_what_is_drawn_may_lie_in_the_middle_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The README's picture: a leader is cut off and steps down, another one leads, what the first one held is superseded."""
    picture = tmp_path / "group.svg"
    assert main(["--seed", "358", "--draw", str(picture), "--around", "9140"]) == 0
    assert f"drawn: {picture}, the moments around 9140 ms" in capsys.readouterr().err
    words = re.findall(r"<text[^>]*>([^<]+)</text>", picture.read_text(encoding="utf-8"))
    assert "seed 358: the moments around 9140 ms of a Raft group with 4 elections, 2 crashes, 9 cuts" in " ".join(words[:2])
    places = [words.index(word) for word in ("commit 66", "T3 follower", "T4 candidate", "T4 leader", "commit 68")]
    assert {"cut: n1 ↔ n2, n2 ↔ n3", "mended: n1 ↔ n2, n3 → n2"} <= set(words)
    assert not {"down", "T3 mute", "T4 mute"} & set(words), "all nodes live in it"
    assert len(places) == 5
    with pytest.raises(SystemExit):
        main(["--seed", "358", "--around", "9140"])
    assert "--around is for --draw and the profile group" in capsys.readouterr().err


def test_a_node_that_starts_with_a_damaged_log_says_that_it_is_mute() -> None:
    world = make_world(26, 3000)
    trace = list(world.run().events())
    assert judge(trace) is None
    damaged = next(node for node, host in world.hosts.items() if host.storage.is_damaged)
    starts = [number for number, event in enumerate(trace) if event.name == "start" and event.node == f"n{damaged}"]
    told = trace[starts[-1] + 2]
    assert (told.name, told.node, told.details["role"]) == ("role", f"n{damaged}", "mute")
    sent = [event for event in trace[starts[-1] :] if event.name == "send" and event.node == f"n{damaged}"]
    assert sent == []


def test_what_is_checked_can_be_listed_and_a_run_counts_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--promises"]) == 0
    said = capsys.readouterr().out
    checkers = all_checkers({})
    assert [checker.promise for checker in checkers if f". {checker.promise}\n      {checker.section}\n" not in said] == []
    assert f"{len(checkers)}. " in said
    for promise in (
        "17. a node and its log keep their own rules\n",
        "18. a group does not drown in its own messages: what is asked again is asked once\n      Paper: Raft, section 5.3",
        "19. when everything is healed, within 40 of the longest election time-outs each: a leader appears; ",
        "20. whatever a node is asked comes to an end\n",
    ):
        assert promise in said
    assert main(["--seed", "26"]) == 0
    assert "2 snapshots taken, 0 snapshots installed, 1 done, " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--replay", "story.txt"])
    assert "run.py sim explore --replay FILE" in capsys.readouterr().err


def test_of_many_broken_seeds_the_first_are_told_whole_and_the_others_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raft = tmp_path / "raft.py"
    raft.write_text(
        "from mq.raft.node import RaftNode\n\n\nclass Raft(RaftNode):\n    def _beat(self):\n        raise ValueError('no')\n"
    )
    assert main(["--seeds", "1..5", "--raft", f"{raft}:Raft", "--steps", "300"]) == 1
    said = capsys.readouterr().err
    assert said.count("  fact 1: ") == 3
    assert (
        len(
            re.findall(
                r"^seed \d: broken, too: a node and its log keep their own rules \(--seed \d tells more\)$", said, re.MULTILINE
            )
        )
        == 2
    )


def test_another_raft_is_put_in_the_place_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raft = tmp_path / "raft.py"
    raft.write_text(WRONG_RAFT)
    assert main(["--seeds", "1..4", "--raft", f"{raft}:Raft", "--resume", str(tmp_path / "notes.txt")]) == 1
    out, err = capsys.readouterr()
    assert "broken in " in out
    assert "broken: a leader commits by counting copies only what is of its own term\n  fact 1: node " in err
    assert "Paper: Raft, section 5.4.2 and figure 8" in err
    assert re.search(rf"^repeat: python3 run\.py sim --seed \d --raft {re.escape(str(raft))}:Raft$", err, re.MULTILINE)
    assert main(["--seed", "3", "--raft", f"{raft}:None"]) == 2
    assert main(["--seeds", "3..3", "--raft", "none.py:Raft"]) == 2


def test_a_run_is_gone_on_with_where_it_was_interrupted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = tmp_path / "notes.txt"
    assert main(["--seeds", "1..4", "--resume", str(notes)]) == 0
    whole = capsys.readouterr().out
    lines = notes.read_text().split("\n")
    assert lines[0] == f"# raft group, 3000 steps, code {code_mark()}"
    assert [line.split(" ")[:2] for line in lines[1:5]] == [["1", "ok"], ["2", "ok"], ["3", "ok"], ["4", "ok"]]
    notes.write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])  # killed while it wrote
    page = tmp_path / "SEEDS.md"
    assert main(["--seeds", "1..4", "--resume", str(notes), "--report", str(page)]) == 0
    again = capsys.readouterr().out
    assert again in page.read_text()
    assert "    python3 run.py sim --seeds 1..4 --jobs 1 --resume FILE" in page.read_text()
    assert "2 seeds were run now, 2 were noted before" in again
    assert again.split("\n")[:3] == whole.split("\n")[:3]
    assert notes.read_text().split("\n") == lines


def test_notes_of_other_runs_are_not_mixed_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = tmp_path / "notes.txt"
    Notes(notes, 3000).close()
    with pytest.raises(IllegalArgumentError, match="holds other runs"):
        Notes(notes, 500)
    assert main(["--seeds", "1..2", "--steps", "500", "--resume", str(notes)]) == 2
    assert "holds other runs" in capsys.readouterr().err
    notes.write_bytes(b"\xff\xfe")
    assert main(["--seeds", "1..2", "--resume", str(notes)]) == 2
    assert "holds no notes of seeds: it is no text" in capsys.readouterr().err


def test_files_that_cannot_be_written_are_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "no" / "file.txt"
    assert run_many(range(1, 2), 300, resume=nowhere) == 2
    assert capsys.readouterr().err == f"cannot note what is done in {nowhere}: No such file or directory\n"
    assert run_many(range(1, 2), 300, page=nowhere) == 2
    out, err = capsys.readouterr()
    assert out.startswith("1 seeds: ")
    assert err.endswith(f"cannot write {nowhere}: No such file or directory\n")


def test_the_picture_of_a_broken_run_says_what_broke_and_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raft, picture = tmp_path / "raft.py", tmp_path / "group.svg"
    raft.write_text(WRONG_RAFT)
    seed = next(seed for seed in range(1, 20) if run_seed(seed, 3000, f"{raft}:Raft").promise)
    assert main(["--seed", str(seed), "--raft", f"{raft}:Raft", "--draw", str(picture)]) == 1
    said = capsys.readouterr().err
    place = re.search(r"at step (\d+), (\d+) ms of virtual time", said)
    assert place is not None
    drawn = picture.read_text(encoding="utf-8")
    assert f"seed {seed}, broken in step {place[1]}" in drawn
    assert f"broken at {place[2]} ms: a leader commits by counting copies only what is of its own term" in drawn


def test_what_was_noted_is_read_back() -> None:
    met = {"elections": 3, "changes of members": 2, "events": 3100}
    for result in (SeedResult(7, met), SeedResult(8, {}, "in each term there is at most one leader")):
        assert SeedResult.from_line(result.to_line()) == result
    for cut_short in ("", "7", "7 ok", "7 ok elections=3 chan", "7 ok elections=3"):
        with pytest.raises(ValueError, match=r"no note of a seed|not enough values"):
            SeedResult.from_line(cut_short)


def test_the_tally_sums_up() -> None:
    tally = Tally()
    tally.add(SeedResult(1, {"elections": 3, "events": 3100}))
    tally.add(SeedResult(2, {"elections": 4, "events": 3050}))
    tally.add(SeedResult(3, {"elections": 1, "events": 10}, "reads are fresh"))
    assert tally.to_text() == (
        "3 seeds: 1 broken\n6,160 steps of the world, 3,050 at least in each seed\n8 elections\n"
        "broken in 1 seeds: reads are fresh"
    )


@pytest.mark.slow
def test_on_two_cores_the_same_comes_of_it() -> None:
    alone = [run_seed(seed, 300) for seed in range(1, 13)]
    together = sorted(run_seeds(range(1, 13), 300, jobs=2))
    assert together == alone
    assert {result.promise for result in alone} <= {"", "the run proves something"}


def test_notes_of_other_code_are_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was clean with other code says nothing about this one."""
    mine = tmp_path / "mine.py"
    mine.write_text("# one\n", encoding="utf-8")
    assert code_mark() == code_mark(), "nothing changed"
    assert len({code_mark(), code_mark(log="store"), code_mark(f"{mine}:Raft")}) == 3
    before = code_mark(f"{mine}:Raft")
    mine.write_text("# another\n", encoding="utf-8")
    assert code_mark(f"{mine}:Raft") != before
    notes = tmp_path / "notes.txt"
    Notes(notes, 3000).close()
    monkeypatch.setattr("mq.sim.group.seeds.code_mark", lambda raft, *, log: "00000000")
    with pytest.raises(IllegalArgumentError, match="runs of other code"):
        Notes(notes, 3000)
