"""How old a segment is: a leader's own entries at its beginning have no time."""

from types import SimpleNamespace
from typing import Any, cast

from mq.broker.commands import PassTime, encode_command
from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.core.ports import drive
from mq.server.node import BrokerNode
from mq.server.retention import Retention
from tests.unit.store.helpers import LogOnDisk


async def age_of(*kinds_and_times: int | None) -> int:
    """Of a segment with these entries: the time of a command, None for a new leader's first entry. Last applied at 9999."""
    stored = LogOnDisk()
    entries = [
        Entry(LogIndex(index), Term(index), EntryKind.NOOP, b"")
        if wall_ms is None
        else Entry(LogIndex(index), Term(index), EntryKind.COMMAND, encode_command(PassTime(1, wall_ms)))
        for index, wall_ms in enumerate(kinds_and_times, 1)
    ]
    stored.save(stored.log.append(LogIndex(0), entries))

    async def read(first: LogIndex, last: LogIndex, bytes_max: int) -> Any:
        return drive(stored.log.entries(first, last, bytes_max), stored.disk)

    machine = SimpleNamespace(applied_index=len(entries), wall_ms=9999)
    node = SimpleNamespace(log=stored.log, reader=SimpleNamespace(entries=read), machine=machine)
    retention = Retention(cast(BrokerNode, node), bytes_max=0, age_ms_max=0)
    return await retention._store_ms(stored.log.segments()[0])


async def test_it_is_the_time_of_the_first_command() -> None:
    assert await age_of(100, 200) == 100
    assert await age_of(None, None, 300, 400) == 300


async def test_without_a_command_it_is_that_of_the_last_one_applied() -> None:
    assert await age_of(None) == 9999
