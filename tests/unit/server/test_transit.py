"""States on their way between nodes are kept in memory only while somebody needs them."""

from types import SimpleNamespace
from typing import cast

from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot, SnapshotRequest
from mq.raft.output import Chunk
from mq.raft.view import NodeView
from mq.server.retention import Retention
from mq.server.transit import StatesInTransit
from tests.unit.server.eventually import until
from tests.unit.server.test_group_nodes import led_with_one_away, trio  # noqa: F401 - a fixture
from tests.unit.server.trio import SEGMENT_BYTES, Trio, send


def snapshot(index: int) -> Snapshot:
    return Snapshot(EntryId(Term(1), LogIndex(index)), Configuration.of(1, 2, 3))


def view(*states: str, commit_index: int = 0) -> NodeView:
    peers = tuple(SimpleNamespace(state=state) for state in states)
    return cast(NodeView, SimpleNamespace(peers=peers, commit_index=commit_index))


def test_a_state_that_is_sent_is_kept_while_a_follower_needs_one() -> None:
    states = StatesInTransit()
    states.sent = snapshot(7), b"state"
    states.let_go(view("replicate", "snapshot"))
    assert states.held_bytes == 5
    states.let_go(view("replicate", "probe"))
    assert states.is_empty
    assert states.held_bytes == 0
    states.sent = snapshot(7), b"state"
    states.let_go(view())  # another one leads
    assert states.is_empty


def test_chunks_of_a_state_are_kept_while_it_would_be_news() -> None:
    """Also when others led meanwhile: the leader that sends it may lead again, and goes on where it was."""
    states = StatesInTransit()
    assert states.add(Chunk(snapshot(7), 0, b"ab", is_last=False)) is None
    states.let_go(view(commit_index=6))
    assert states.add(Chunk(snapshot(7), 2, b"cd", is_last=False)) is None
    assert states.held_bytes == 4
    states.let_go(view(commit_index=7))
    assert states.is_empty
    assert states.held_bytes == 0
    assert states.add(Chunk(snapshot(9), 0, b"ab", is_last=False)) is None
    assert states.add(Chunk(snapshot(9), 0, b"AB", is_last=False)) is None
    assert states.add(Chunk(snapshot(9), 2, b"C", is_last=True)) == b"ABC"
    assert states.is_empty


async def test_when_a_follower_has_the_state_neither_it_nor_the_leader_keeps_it_in_memory(trio: Trio) -> None:  # noqa: F811
    leader, away = await led_with_one_away(trio)
    await send(leader, 0, 300)
    await leader.carry_out_plan(())
    await Retention(leader, bytes_max=4 * SEGMENT_BYTES, age_ms_max=0).work()
    trio.start(away)
    await trio.agree()
    await until(lambda: all(node.host.states.is_empty for node in trio.nodes.values()))
    assert SnapshotRequest in trio.sent
