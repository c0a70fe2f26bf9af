"""What the demo refuses before anything is started or deleted, and how it reads what its customers wrote down."""

from pathlib import Path

import pytest

from mq.cli import demo
from mq.cli.demo_record import FAILED, Record, gap_ms, lost_of, read_record
from mq.cli.demo_show import Demo


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


def test_the_last_line_about_orders_says_the_total(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "produce.txt").write_text("".join(f"1000 {number} done\n" for number in range(10)))
    one = Demo(tmp_path, 10)
    one.wait_until("acknowledged", "produce.txt", 5)
    assert capsys.readouterr().err == "", "half of them is the moment of the kill"
    one.wait_until("acknowledged", "produce.txt", 10)
    assert capsys.readouterr().err == "   all 10 orders acknowledged\n"
