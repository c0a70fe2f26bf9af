"""What a person is told of a change of members: that it is done, begun, another leader's affair, or was taken back."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.core.errors import OutcomeUnknownError, RefusedError
from mq.raft.configuration import Configuration
from mq.raft.errors import NotLeaderError
from mq.server import group_admin
from mq.server.group_admin import GroupAdministrator

BEFORE = Configuration((1, 2, 3), (), (4,))
AFTER = Configuration((1, 2, 3, 4))


class StandIn:
    """A node that leads. becomes: what is in force when the change has come to its end; None as long as it has not."""

    def __init__(self, becomes: Configuration | None, *, next_term: int = 7) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.configuration = BEFORE
        self.reign = SimpleNamespace(term=7, is_here=True, leader=1)
        self.is_settled, self.group = True, None
        self._becomes, self._next_term = becomes, next_term

    def view(self) -> Any:
        return SimpleNamespace(term=self.reign.term, configuration=self.configuration, node_id=1)

    def order(self, what: Any) -> None:
        what(SimpleNamespace(change_members=lambda *members: self.asked.append(members)))
        self.configuration, self.is_settled = self._becomes or AFTER, self._becomes is not None
        self.reign = SimpleNamespace(term=self._next_term, is_here=self._next_term == 7, leader=1 if self._next_term == 7 else 2)


async def promoted(node: StandIn, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    monkeypatch.setattr(group_admin, "is_settled", lambda asked: asked.is_settled)
    monkeypatch.setattr(group_admin, "_CHANGE_S", 0.05)
    return await GroupAdministrator(cast(Any, node), cast(Any, object()), cast(Any, None)).promote(4)


async def test_a_change_that_is_in_force_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    node = StandIn(AFTER)
    assert await promoted(node, monkeypatch) == AFTER
    assert node.asked == [((1, 2, 3, 4), ())]


async def test_a_change_that_was_taken_back_is_not_told_as_done_nor_as_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader's disk had no room for the entry, and falls back; what it had sent already, others may hold."""
    with pytest.raises(OutcomeUnknownError, match="had no room for the change of members; the others may have it all the same"):
        await promoted(StandIn(BEFORE), monkeypatch)


async def test_a_change_that_no_majority_has_in_time_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match="is begun, but was not committed within"):
        await promoted(StandIn(None), monkeypatch)


async def test_a_change_that_another_leader_came_between_is_his_to_go_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotLeaderError):
        await promoted(StandIn(BEFORE, next_term=8), monkeypatch)
