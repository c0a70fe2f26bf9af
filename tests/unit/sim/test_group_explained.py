"""`docs/traces.md` explains every line that a group's trace may hold, and every detail of it."""

from pathlib import Path

import pytest

from mq.sim.group.events import GROUP_EVENTS, MESSAGE_DETAILS
from mq.sim.group.explained import DETAILS, explanation_of, main, tables

PAGE = Path(__file__).resolve().parents[3] / "docs" / "traces.md"
ALL = {**{name: details for name, (_, details) in GROUP_EVENTS.items()}, **MESSAGE_DETAILS}


def test_every_detail_of_every_event_is_explained_and_nothing_else() -> None:
    used = {name for where, details in ALL.items() for detail in details.split() for name in (detail, f"{where} {detail}")}
    assert all(explanation_of(where, detail) for where, details in ALL.items() for detail in details.split())
    assert sorted(set(DETAILS) - used) == []
    assert explanation_of("commit", "term") != explanation_of("send", "term")
    with pytest.raises(KeyError):
        explanation_of("commit", "colour")


def test_the_page_holds_the_tables_as_they_are_now() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for heading, table in tables().items():
        assert f"## {heading}\n\n{table}\n" in page, f"{heading}: `python -m mq.sim.group.explained` prints the table"


def test_the_tables_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    said = capsys.readouterr().out
    assert "| `commit` | the node, which is in this term, knows entries to be committed up to this one | `index` `term` |" in said
    assert "`-`: no entries, a heartbeat" in said
