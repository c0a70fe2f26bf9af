"""What the demo refuses before anything is started or deleted, and how it reads what its customers wrote down."""

import os
import re
import sys
from pathlib import Path

import pytest

from mq.cli import demo
from mq.cli.demo_folder import own_folder
from mq.cli.demo_picture import draw_election
from mq.cli.demo_record import FAILED, Record, gap_ms, lost_of, read_record
from mq.cli.demo_show import Demo, DemoError
from mq.cluster.plan import ClusterPlan
from mq.cluster.processes import RUNNING, STOPPED, Process


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the demos that would have been shown; none is."""
    folders: list[Path] = []
    monkeypatch.setattr(demo, "_show", lambda one: folders.append(one.folder))
    monkeypatch.setattr(demo, "_summary", lambda _one: True)
    return folders


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path, shown: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letters").write_text("dear")
    assert demo.main(["--dir", str(tmp_path)]) == 2
    assert "is not empty and no earlier demo made it" in capsys.readouterr().err
    assert (tmp_path / "letters").read_text() == "dear"
    assert shown == []


def test_a_file_as_folder_is_refused(tmp_path: Path, shown: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("dear")
    assert demo.main(["--dir", str(file)]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    assert demo.main(["--dir", str(file / "inside")]) == 2
    assert capsys.readouterr().err.endswith("Not a directory\n")
    assert (file.read_text(), shown) == ("dear", [])


def test_what_an_earlier_demo_left_is_cleared(tmp_path: Path, shown: list[Path]) -> None:
    folder = tmp_path / "new"
    assert demo.main(["--dir", str(folder)]) == 0
    (folder / "data").mkdir()
    (folder / "data" / "segment").write_text("old")
    assert demo.main(["--dir", str(folder)]) == 0
    assert shown == [folder, folder]
    assert not (folder / "data").exists()


def test_what_marks_a_folder_as_the_demos_stays_while_it_is_cleared(tmp_path: Path, shown: list[Path]) -> None:
    """Whoever is killed amid the clearing leaves a folder that the next one may clear, too."""
    folder = tmp_path / "new"
    assert demo.main(["--dir", str(folder)]) == 0
    os.link(folder / ".raftmq-demo", tmp_path / "the same file")
    assert demo.main(["--dir", str(folder)]) == 0
    assert (tmp_path / "the same file").samefile(folder / ".raftmq-demo")
    assert len(shown) == 2


def test_what_a_killed_demo_left_running_is_ended_before_its_notes_are_deleted(
    tmp_path: Path, shown: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    assert demo.main(["--dir", str(folder)]) == 0
    cluster = ClusterPlan(base_port=0).make(folder / "cluster")
    cluster.write()
    waiting = [sys.executable, "-c", "import signal; signal.pause()"]
    left = [
        Process.start(waiting, cluster.log_file(name), os.environ, tmp_path, cluster.pid_file(name))
        for name in ("proxy", "broker-a-1", "broker-a-3")
    ]
    try:
        assert [process.state for process in left] == [RUNNING] * 3
        assert demo.main(["--dir", str(folder)]) == 0
        assert [process.state for process in left] == [STOPPED] * 3
    finally:
        for process in left:
            process.kill()
    assert "what it left running, 3 process(es), is ended" in capsys.readouterr().err
    assert not (folder / "cluster").exists()
    assert len(shown) == 2


def test_what_cannot_be_ended_is_not_deleted(tmp_path: Path, shown: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert demo.main(["--dir", str(folder)]) == 0
    (folder / "cluster").mkdir()
    (folder / "cluster" / "cluster.json").write_text('{"format": 0}')
    assert demo.main(["--dir", str(folder)]) == 2
    assert re.search(r"what an earlier demo started cannot be ended: .* another version of mq", capsys.readouterr().err)
    assert (folder / "cluster" / "cluster.json").exists()
    assert len(shown) == 1


def test_a_second_demo_in_the_same_folder_is_refused_while_the_first_one_runs(
    tmp_path: Path, shown: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, another_name = tmp_path / "new", tmp_path / "link"
    another_name.symlink_to(folder)
    with own_folder(folder):
        (folder / "data").write_text("of the first one")
        for name in (folder, another_name):
            assert demo.main(["--dir", str(name)]) == 2
            assert f"--dir: another demo is at work in {name}; wait until it is over" in capsys.readouterr().err
        assert (folder / "data").read_text() == "of the first one"
        assert demo.main(["--dir", str(tmp_path / "other")]) == 0
    assert demo.main(["--dir", str(folder)]) == 0
    assert shown == [tmp_path / "other", folder]


def test_the_folder_is_the_demos_until_its_processes_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(demo, "_show", lambda _one: None)
    monkeypatch.setattr(demo, "_summary", lambda _one: True)
    monkeypatch.setattr(Demo, "stop", lambda one: codes.append(demo.main(["--dir", str(one.folder)])))
    assert demo.main(["--dir", str(tmp_path / "new")]) == 0
    assert codes == [2]


@pytest.mark.parametrize("count", ["0", "-3", "7", "many"])
def test_a_count_that_shows_nothing_is_refused(
    count: str, tmp_path: Path, shown: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        demo.main(["--dir", str(tmp_path), f"--count={count}"])
    assert (ended.value.code, shown) == (2, [])
    assert "is not a number from 8 on" in capsys.readouterr().err


# --- records


def test_whole_lines_are_read_by_what_became_of_the_order(tmp_path: Path) -> None:
    file = tmp_path / "produce.txt"
    assert read_record(file) == []
    file.write_text("1000 0 done\n1005 1 failed\n1010 1 done\n1015 2 do")
    assert read_record(file) == [Record(1000, 0, "done"), Record(1010, 1, "done")]
    assert read_record(file, FAILED) == [Record(1005, 1, "failed")]


def test_the_gap_is_the_longest_wait_that_ended_after_the_kill() -> None:
    acked = [Record(ms, number, "done") for number, ms in enumerate((0, 500, 510, 640, 650))]
    assert gap_ms(acked, 520) == 130
    assert gap_ms(acked, 0) == 500
    assert gap_ms(acked, 651) is None
    assert gap_ms([], 0) is None


def test_an_order_that_was_acknowledged_and_never_consumed_is_lost() -> None:
    acked = [Record(0, number, "done") for number in range(3)]
    consumed = [Record(1, 2, "done"), Record(1, 0, "done"), Record(2, 0, "done")]
    assert lost_of(acked, consumed) == {1}


def test_a_failed_send_fails_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(one: Demo) -> None:
        lines = [f"{1000 + number} {number} done" for number in range(8)]
        (one.folder / "consume.txt").write_text("\n".join(lines) + "\n")
        (one.folder / "produce.txt").write_text("\n".join([*lines, *failed]) + "\n")
        one.killed_ms = 1004

    monkeypatch.setattr(demo, "_show", show)
    monkeypatch.setattr(demo, "draw_demo", lambda *_: None)
    monkeypatch.setattr(demo, "draw_election", lambda path, *_: path)
    failed = ["1009 3 failed"]
    assert demo.main(["--dir", str(tmp_path / "one"), "--count", "8"]) == 1
    assert "sends that failed                   1" in capsys.readouterr().out
    failed = []
    assert demo.main(["--dir", str(tmp_path / "one"), "--count", "8"]) == 0
    assert demo.main(["--dir", str(tmp_path / "one"), "--count", "9"]) == 1, "one is missing"


def test_a_demo_whose_orders_were_all_sent_before_the_kill_has_shown_nothing_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(one: Demo) -> None:
        for name in ("consume.txt", "produce.txt"):
            (one.folder / name).write_text("".join(f"{1000 + number} {number} done\n" for number in range(8)))
        one.killed_ms = killed_ms[0]

    monkeypatch.setattr(demo, "_show", show)
    monkeypatch.setattr(demo, "draw_demo", lambda *_: None)
    monkeypatch.setattr(demo, "draw_election", lambda path, *_: path)
    killed_ms = [1007]
    assert demo.main(["--dir", str(tmp_path / "one"), "--count", "8"]) == 0
    killed_ms = [1008]
    assert demo.main(["--dir", str(tmp_path / "one"), "--count", "8"]) == 1
    told = capsys.readouterr().out
    assert "gap around the kill                 none, all orders were sent before it: ask for more by --count" in told
    assert "nothing was shown: the leader was not killed in mid-stream" in told
    assert told.endswith("FAILED: see the figures\n")


@pytest.mark.usefixtures("shown")
def test_the_summary_tells_how_long_all_of_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    monkeypatch.setattr(Demo, "stop", lambda _one: now_s.append(now_s.pop() + 12.34))
    assert demo.main(["--dir", str(tmp_path / "new")]) == 0
    assert re.search(r"(?m)^seconds in all +12\.3  ", capsys.readouterr().out)


def test_the_last_line_about_orders_says_the_total(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "produce.txt").write_text("".join(f"1000 {number} done\n" for number in range(10)))
    one = Demo(tmp_path, 10)
    one.wait_until("acknowledged", "produce.txt", 5)
    assert capsys.readouterr().err == "", "half of them is the moment of the kill"
    one.wait_until("acknowledged", "produce.txt", 10)
    assert capsys.readouterr().err == "   all 10 orders acknowledged\n"


# --- the picture of the election


def traced(folder: Path, *roles: tuple[int, int, str]) -> Path:
    """A folder with the traces of three brokers. roles: (milliseconds, node, its role from then on)."""
    for node in (1, 2, 3):
        lines = [
            f"{at_ms:010d}ms  n{number:<3}  role            role={role} term=2 leader={number} us={at_ms * 1000}\n"
            for at_ms, number, role in roles
            if number == node
        ]
        (folder / f"broker-a-{node}.trace").write_text("".join(lines))
    return folder


def test_an_election_is_drawn_from_the_kill_to_the_next_leader(tmp_path: Path) -> None:
    traces = traced(tmp_path, (1000, 1, "leader"), (5000, 2, "candidate"), (5030, 2, "leader"))
    assert draw_election(tmp_path / "e.png", traces, 5000, "broker-a-1") == tmp_path / "e.png"
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "roles",
    [
        pytest.param([], id="no line at all"),
        pytest.param([(1000, 1, "leader"), (5000, 2, "candidate")], id="nobody is elected"),
        pytest.param([(1000, 3, "leader"), (2000, 1, "leader")], id="only before the kill"),
        pytest.param([(1000, 1, "leader"), (6000, 1, "leader")], id="only the killed one, when it is back"),
    ],
)
def test_an_election_that_no_trace_tells_of_is_an_error_and_no_picture(tmp_path: Path, roles: list[tuple[int, int, str]]) -> None:
    with pytest.raises(DemoError, match=r"^no trace in .* tells of another broker that led after broker-a-1 was killed"):
        draw_election(tmp_path / "e.png", traced(tmp_path, *roles), 5000, "broker-a-1")
    assert not (tmp_path / "e.png").exists()


def test_a_demo_without_an_election_fails_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(one: Demo) -> None:
        for name in ("produce.txt", "consume.txt"):
            (one.folder / name).write_text("".join(f"{1000 + number} {number} done\n" for number in range(8)))
        one.traces.mkdir()
        traced(one.traces, (1000, 1, "leader"))
        one.killed, one.killed_ms, one.killed_trace_ms = "broker-a-1", 1004, 2000

    monkeypatch.setattr(demo, "_show", show)
    monkeypatch.setattr(demo, "draw_demo", lambda *_: None)
    assert demo.main(["--dir", str(tmp_path / "one"), "--count", "8"]) == 1
    assert "the demo failed: no trace in " in capsys.readouterr().err
