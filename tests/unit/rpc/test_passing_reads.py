"""Which calls are reads, and that a leader asks whether it still is one before it answers them."""

from typing import Any, cast

import pytest

from mq.raft.errors import NotLeaderError
from mq.rpc.handling import Context
from mq.rpc.methods import BROKER, MESSAGING, Cardinality
from mq.rpc.passing import PassedContext, Passer, is_read

READS = {
    "GetOffset", "QueryOffset", "ListTopics", "DescribeTopic", "ListGroups", "DescribeGroup", "PeekMessages", "GetMessage",
    "QueryMessages",
}  # fmt: skip
COMMANDS = {
    "Heartbeat", "SendMessage", "AckMessage", "ForwardMessageToDeadLetterQueue", "UpdateOffset", "EndTransaction",
    "NotifyClientTermination", "ChangeInvisibleDuration", "RecallMessage", "SyncLiteSubscription", "CreateTopic", "DeleteTopic",
    "CreateGroup", "DeleteGroup", "ResetGroup", "TransferLeadership", "ChangeMembers", "SetWritable",
}  # fmt: skip
SERVED_WHERE_THEY_ARRIVE = {"QueryRoute", "QueryAssignment", "DescribeBroker", "DescribeRaft", "PromoteMaster"}
"""From whatever this node knows of its group."""


class Deposed:
    """A node's view of its group: it believes that it leads until it asks."""

    def __init__(self) -> None:
        self.is_leader_here = True
        self.leader: int | None = None
        self.confirms = 0

    async def confirm(self) -> None:
        self.confirms += 1
        self.is_leader_here, self.leader = False, 2
        raise NotLeaderError(2)

    async def leader_changes(self, timeout_s: float) -> None:
        assert timeout_s > 0

    async def call(self, node: int, *_: Any) -> bytes:
        return b"by node %d" % node


class Leading(Deposed):
    """It leads, and says so when it is asked."""

    async def confirm(self) -> None:
        self.confirms += 1


async def ask(group: Deposed, name: str) -> tuple[bytes, int]:
    """The answer, and how often the leader had asked before its handler was called."""
    confirmed: list[int] = []

    async def here(_raw: bytes, _context: Context) -> bytes:
        confirmed.append(group.confirms)
        return b"here"

    answer = await Passer(cast(Any, group)).wrap({**MESSAGING, **BROKER}, {name: here})[name](
        b"", cast(Context, PassedContext((), None))
    )
    return answer, sum(confirmed)


def test_of_every_call_with_one_answer_it_is_decided_whether_it_is_a_read() -> None:
    unary = {name for name, method in {**MESSAGING, **BROKER}.items() if method.cardinality is Cardinality.UNARY}
    assert unary == READS | COMMANDS | SERVED_WHERE_THEY_ARRIVE
    assert {name for name in READS | COMMANDS if is_read(name)} == READS


@pytest.mark.parametrize("name", sorted(READS))
async def test_a_leader_that_is_none_any_more_answers_no_read_and_passes_it_on(name: str) -> None:
    assert await ask(Deposed(), name) == (b"by node 2", 0)


@pytest.mark.parametrize("name", sorted(READS))
async def test_a_leader_confirms_that_it_is_one_and_then_answers(name: str) -> None:
    assert await ask(Leading(), name) == (b"here", 1)


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_a_command_is_carried_out_without_that(name: str) -> None:
    assert await ask(Deposed(), name) == (b"here", 0)
