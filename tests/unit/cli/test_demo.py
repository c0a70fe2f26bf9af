"""What the demo refuses before anything is started or deleted."""

from pathlib import Path

import pytest

from mq.cli import demo


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
