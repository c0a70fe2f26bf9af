"""A leader tells of a follower that has less than it acknowledged, once, and of no other."""

import asyncio
import shutil
from pathlib import Path

import pytest

from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply
from mq.raft.role import Role
from mq.raft.view import NodeView, PeerView
from mq.server.rejections import REFUSALS_MIN, RejectionWatch
from tests.unit.server.eventually import until
from tests.unit.server.trio import LIMIT_S, Trio, send, topic

TOLD = "node 3 acknowledged entries up to 35, and says now that its log has those up to 14 at most"
NONE = EntryId(Term(0), LogIndex(0))


def view(term: int = 2) -> NodeView:
    peers = tuple(PeerView(one, "probe", LogIndex(35), LogIndex(36), 0, is_active=True) for one in (2, 3))
    last = EntryId(Term(term), LogIndex(35))
    return NodeView(
        1, Role.LEADER, Term(term), 1, 1, LogIndex(35), LogIndex(35), LogIndex(35), LogIndex(1), LogIndex(35), last, NONE,
        Configuration.of(1, 2, 3), peers, is_transferring=False,
    )  # fmt: skip


def refusal(*, rejected: int = 35, hint: int = 14, term: int = 2) -> AppendReply:
    return AppendReply(3, 1, Term(term), False, LogIndex(0), LogIndex(rejected), EntryId(Term(1), LogIndex(hint)), 7)


MATCH = AppendReply(3, 1, Term(2), True, LogIndex(35), LogIndex(0), NONE, 7)


def test_it_is_told_once_with_both_indexes(caplog: pytest.LogCaptureFixture) -> None:
    watch = RejectionWatch(view)
    for _ in range(REFUSALS_MIN - 1):
        watch.heard(refusal())
    assert caplog.text == ""
    for _ in range(5 * REFUSALS_MIN):
        watch.heard(refusal())
    assert caplog.text.count(TOLD) == 1


@pytest.mark.parametrize(
    "said",
    [
        [*[refusal()] * (REFUSALS_MIN - 1), MATCH] * 3,
        [refusal(term=1)] * 50,
        [refusal(rejected=40, hint=35)] * 50,
        [refusal(rejected=40)] * 50,
        [refusal(rejected=0)] * 50,
        [MATCH] * 50,
    ],
    ids=[
        "late ones",
        "of an older term",
        "of what was never acknowledged",
        "a request that came too early",
        "too old",
        "all well",
    ],
)
def test_what_may_be_is_not_told(said: list[AppendReply], caplog: pytest.LogCaptureFixture) -> None:
    watch = RejectionWatch(view)
    for message in said:
        watch.heard(message)
    assert caplog.text == ""


async def test_a_follower_whose_folder_was_put_back_from_a_copy_is_told_by_its_leader(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(LIMIT_S):
        trio = Trio(tmp_path)
        trio.start(1, 2, 3)
        leader = await trio.leader()
        await leader.carry_out(topic(leader))
        await trio.agree()
        number = next(one for one, node in trio.nodes.items() if node is not leader)
        await trio.stop(number)
        shutil.copytree(tmp_path / str(number), tmp_path / "copy")
        trio.start(number)
        await send(leader, 0, 20)
        await trio.agree()
        end = leader.log.last_index
        await trio.stop(number)
        shutil.rmtree(tmp_path / str(number))
        shutil.copytree(tmp_path / "copy", tmp_path / str(number))
        trio.start(number)
        await until(lambda: f"node {number} acknowledged entries up to {end}, and says now" in caplog.text)
        assert leader.reign.is_here
        await trio.stop()
