"""Which snapshots stay on the disk."""

from types import SimpleNamespace
from typing import Any, cast

from mq.broker.store.snapshot import snapshot_file
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan, Remove
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.server.keeping import Keeper


def stands_for(index: int) -> Snapshot:
    return Snapshot(EntryId(Term(1), LogIndex(index)), Configuration.of(1, 2, 3))


async def test_the_snapshot_that_followers_are_given_stays_although_no_segment_begins_behind_it() -> None:
    """The leader's log may begin in the middle of one of this node's segments: what is kept before that is what it has."""
    removed: list[str] = []

    def submit(plan: Plan, *_: Any) -> None:
        removed.extend(operation.file for operation in plan if isinstance(operation, Remove))

    segments = [SimpleNamespace(first_index=100), SimpleNamespace(first_index=205)]
    log = SimpleNamespace(first_index=100, segments=lambda: segments)
    offered = 150
    keeper = Keeper(
        cast(Any, None), cast(Any, SimpleNamespace(submit=submit)), cast(Any, log), cast(Any, SimpleNamespace(applied_bytes=0)),
        snapshots={index: stands_for(index) for index in (99, 120, 150, 204, 210)}, every_bytes=1000, stands_for=lambda: None,
        offered=lambda: offered, is_quiet=lambda: True, is_of_group=True,
    )  # fmt: skip
    keeper.came(stands_for(300))
    assert removed == [snapshot_file(120)]
    offered = 204
    keeper.came(stands_for(400))
    assert removed[1:] == [snapshot_file(210), snapshot_file(150)]
    assert sorted(keeper.snapshots) == [99, 204, 300, 400]
