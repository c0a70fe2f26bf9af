"""`python -m mq.sim.spacetime`: from the lines of a trace to a picture, and what it says when it cannot."""

from pathlib import Path

import pytest

from mq.sim.spacetime.__main__ import main, read_trace
from mq.sim.trace import HEADING, Event
from tests.unit.sim.spacetime_traces import figure_8, split_vote


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "run.trace"
    file.write_text("\n".join(["# seed 8142", HEADING, *(event.to_line() for event in figure_8()), ""]))
    return file


@pytest.mark.parametrize("suffix", [".png", ".svg", ".html"])
def test_a_trace_becomes_a_picture(trace: Path, tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"figure{suffix}"
    assert main(["--trace", str(trace), "--out", str(picture), "--title", "Figure 8"]) == 0
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG" if suffix == ".png" else b"<svg" if suffix == ".svg" else b"<!DOCTYPE html>")
    assert suffix == ".png" or b"Figure 8" in data


def test_a_window_is_drawn(trace: Path, tmp_path: Path) -> None:
    picture = tmp_path / "part.svg"
    assert main(["--trace", str(trace), "--out", str(picture), "--from", "300", "--to", "400", "--nodes", "n4,n5"]) == 0
    text = picture.read_text()
    assert "T3 leader" in text
    assert "T5 leader" not in text
    assert ">n1<" not in text
    assert main(["--trace", str(trace), "--out", str(picture), "--last", "5", "--heartbeats"]) == 0
    assert "T5 leader" in picture.read_text()


def test_a_trace_is_read_back_as_it_was_written() -> None:
    events = split_vote()
    assert read_trace("\n".join(event.to_line() for event in events)) == [Event.from_line(event.to_line()) for event in events]


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        (["--from", "99999"], 1, "nothing happens"),
        (["--around", "99999"], 1, "there is nothing around 99999 ms: this goes from "),
        (["--nodes", "n7"], 1, "knows no node n7"),
        (["--trace", "missing.trace"], 2, "cannot read missing.trace"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], status: int, words: str
) -> None:
    assert main(["--trace", str(trace), "--out", str(tmp_path / "a.svg"), *more]) == status
    assert words in capsys.readouterr().err
    assert not (tmp_path / "a.svg").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "bad.trace, line 1 is no event: 'nonsense'"),
        (
            "0000000001ms  n1  opened  first=1 last=0",
            "bad.trace, line 1: this is the trace of a single broker, to which 'opened' ",
        ),
        ("0000000001ms  n1  role  role=leader", "lacks the detail 'term'"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: str) -> None:
    file = tmp_path / "bad.trace"
    file.write_text(line + "\n")
    assert main(["--trace", str(file), "--out", str(tmp_path / "a.svg")]) == 2
    assert words in capsys.readouterr().err


def test_bytes_that_are_no_text_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bytes.trace"
    file.write_bytes(b"\x89PNG\xff\x00")
    assert main(["--trace", str(file), "--out", str(tmp_path / "a.svg")]) == 2
    assert capsys.readouterr().err == f"{file} is no text, and so no trace\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "a.gif"], "the picture's name ends in .png, .svg, .html"),
        (["--out", "nowhere/a.png"], "there is no folder nowhere"),
        (["--out", "a.svg", "--last", "0"], "'0' is not a number from 1 on"),
    ],
)
def test_wrong_usage_is_refused(trace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--trace", str(trace), *arguments])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
