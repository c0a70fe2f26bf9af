"""Tables, where they are read by people."""

import pytest

from mq.cli.output import print_table

ROW = ("x" * 20, "y" * 70)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, "y" * 17 + "…"),  # what is left beside the first column
        (29, "y" * 59 + "…"),  # too little for anything: the terminal breaks the line, and nothing more is lost
        (None, "y" * 59 + "…"),  # a file or another program
    ],
)
def test_in_a_terminal_the_last_column_gives_way(
    width: int | None, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if width is not None:
        monkeypatch.setattr("mq.cli.output.terminal_width", lambda: width)
    print_table(("key", "body"), [ROW])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["KEY", "BODY"]
    assert row == f"{ROW[0]}  {shown}"


def test_numbers_stand_to_the_right_and_are_never_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mq.cli.output.terminal_width", lambda: 10)
    print_table(("a", "b"), [(1, 1234567890123), (20, 5)])
    assert capsys.readouterr().out.splitlines() == [" A              B", " 1  1234567890123", "20              5"]
