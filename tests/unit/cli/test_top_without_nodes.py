"""`mq top` in a terminal, of a cluster that is down."""

import io

import pytest
from rich.console import Console

from mq.cli.group_watch import GroupWatch
from mq.cli.top import picture
from tests.unit.cli.fake_broker import FakeBroker


def test_where_nobody_answers_the_picture_says_where_it_looked_and_what_to_do(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    broker.stop()
    with GroupWatch(broker.endpoint, timeout_s=0.5) as group:
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(picture(group.look(), has_peers=True))
    told = f"no node answers at {broker.endpoint}; `mq cluster status --dir DIR` shows which nodes run"
    assert console.export_text().splitlines()[0] == told
