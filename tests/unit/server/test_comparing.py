"""What a node makes of the others' states: it goes only when a majority agrees that it is wrong."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq import __version__
from mq.broker.delivery.table import DeliveryTable
from mq.broker.machine import STATE_VERSION
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.consume_queue import ConsumeQueue
from mq.core.errors import MqError, StateError
from mq.parts import Parts, load_parts, name_of
from mq.raft.configuration import Configuration
from mq.server.comparing import STATE_HASH, StateComparer, _likeness
from mq.server.core import GroupSettings
from mq.server.node import BrokerNode
from mq.server.organs import OrganError
from mq.server.peer_calling import OutgoingCall, PeerUnreachableError
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.setting_aside import StateDiffersError

LIKENESS = [__version__, str(STATE_VERSION), *map(name_of, (CommitLog, ConsumeQueue, DeliveryTable))]
INDEX, OWN, ANOTHER, THIRD = 40, 7, 8, 9
UNREACHED = PeerUnreachableError("there is no connection")


class Setting:
    """Node 1 of several. said: what the others answer, in turn; the last answer stays. failure: why the node has ended."""

    def __init__(self, *, voters: tuple[int, ...] = (1, 2, 3), broken: Callable[..., MqError] | None = None, **said: Any) -> None:
        self._said = {int(name[-1]): list(answers) for name, answers in said.items()}
        self.asked: list[int] = []
        self.was_asked = asyncio.Condition()
        self.keeper = SimpleNamespace(hashes={INDEX: OWN}, on_hash=None, replacements=0)
        self.node = SimpleNamespace(
            group=GroupSettings(node_id=1, voters=voters), core=SimpleNamespace(configuration=Configuration(voters)),
            host=SimpleNamespace(keeper=self.keeper, run=self._run), failure=None,
            organs=SimpleNamespace(broken=broken or (lambda _organs, told: StateError(told)), parts=Parts()),
            machine=SimpleNamespace(applied_index=INDEX),
        )  # fmt: skip
        self.comparer = StateComparer(cast(BrokerNode, self.node), cast(PeerNetwork, SimpleNamespace(call=self._call)))

    def _run(self, do: Callable[[], None]) -> None:
        try:
            do()
        except MqError as error:
            self.node.failure = error

    async def _call(self, node: int, call: OutgoingCall) -> bytes:
        assert (call.name, json.loads(call.request)) == (STATE_HASH, {"index": INDEX, "likeness": LIKENESS})
        self.asked.append(node)
        async with self.was_asked:
            self.was_asked.notify_all()
        said = self._said[node].pop(0) if len(self._said[node]) > 1 else self._said[node][0]
        if isinstance(said, Exception):
            raise said
        return json.dumps(said).encode()

    async def compare(self) -> MqError | None:
        """Once; why the node has ended, if it has."""
        await self.comparer.compare()
        return cast("MqError | None", self.node.failure)


def has(state: int) -> dict[str, Any]:
    return {"hash": state, "is_past": True}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mq.server.comparing._PAUSES_S", (0.0, 0.0, 0.0))


async def test_the_newest_state_is_compared_whenever_there_is_one_more() -> None:
    setting = Setting(n2=[has(OWN)], n3=[has(ANOTHER), has(OWN)])
    work = asyncio.create_task(setting.comparer.work_forever())
    async with asyncio.timeout(20), setting.was_asked:
        for often in (2, 4):
            setting.keeper.on_hash()
            await setting.was_asked.wait_for(lambda often=often: len(setting.asked) == often)  # type: ignore[misc]
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert setting.asked == [2, 3, 2, 3]


async def test_equal_states_are_noted() -> None:
    setting = Setting(n2=[has(OWN)], n3=[has(OWN)])
    assert await setting.compare() is None
    assert setting.comparer.compared == INDEX
    assert setting.asked == [2, 3]


async def test_a_node_that_a_majority_contradicts_goes_and_says_with_what() -> None:
    failure = await Setting(n2=[has(ANOTHER)], n3=[has(ANOTHER)]).compare()
    assert isinstance(failure, StateDiffersError)
    assert "the state of entry 40 is 00000007 here, and 00000008 on nodes 2 and 3, which are a majority" in str(failure)


async def test_of_five_the_hash_of_the_majority_is_told_and_who_has_it() -> None:
    answers: dict[str, Any] = {"n2": [has(THIRD)], "n3": [has(ANOTHER)], "n4": [has(ANOTHER)], "n5": [has(ANOTHER)]}
    failure = await Setting(voters=(1, 2, 3, 4, 5), **answers).compare()
    assert "is 00000007 here, and 00000008 on nodes 3 and 4 and 5, which are a majority" in str(failure)


async def test_a_state_that_was_replaced_meanwhile_is_not_judged() -> None:
    setting = Setting(n2=[has(ANOTHER)], n3=[has(ANOTHER)])
    setting.keeper.on_hash = None
    work = asyncio.create_task(setting.comparer.compare())
    await asyncio.sleep(0)
    setting.keeper.replacements += 1
    await work
    assert setting.node.failure is None


async def test_while_members_change_those_of_before_are_asked_too() -> None:
    setting = Setting(n2=[has(OWN)], n3=[has(OWN)], n4=[has(OWN)])
    setting.node.core.configuration = Configuration((1, 2, 4), (1, 2, 3))
    assert await setting.compare() is None
    assert setting.asked == [2, 3, 4]


def test_an_organ_that_was_edited_is_another_one(tmp_path: Path) -> None:
    file = tmp_path / "organ.py"
    first, second = "from mq.broker.delivery.table import DeliveryTable as R", "class DeliveryTable(R):"
    source = f"{first}\n\n{second}\n    def queues(self):\n        return []\n"
    found = []
    for text in (source, source + "# edited\n"):
        file.write_text(text)
        found.append(_likeness(load_parts(str(file))))
    assert found[0][:-1] == found[1][:-1] == LIKENESS[:-1]
    assert found[0][-1] != found[1][-1]


async def test_one_with_a_replaced_organ_ends_by_its_name() -> None:
    setting = Setting(n2=[has(ANOTHER)], n3=[has(ANOTHER)], broken=lambda _organs, told: OrganError(f"delivery_table: {told}"))
    failure = await setting.compare()
    assert type(failure) is OrganError
    assert str(failure).startswith("delivery_table: the state of entry 40 is")


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ({"n2": [has(ANOTHER)], "n3": [UNREACHED]}, "00000007 on node 1, 00000008 on node 2"),
        ({"n2": [has(ANOTHER)], "n3": [has(OWN)]}, "00000007 on node 1, 00000008 on node 2, 00000007 on node 3"),
        ({"n2": [has(ANOTHER)], "n3": [has(THIRD)]}, "00000007 on node 1, 00000008 on node 2, 00000009 on node 3"),
        (
            {"voters": (1, 2, 3, 4, 5), "n2": [has(ANOTHER)], "n3": [has(ANOTHER)], "n4": [UNREACHED], "n5": [UNREACHED]},
            "00000007 on node 1, 00000008 on node 2, 00000008 on node 3",
        ),
    ],
    ids=["one other", "it is the other one", "all three", "two of five"],
)
async def test_without_a_majority_against_it_a_node_stays_and_tells(
    answers: dict[str, Any], shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="mq.server.comparing"):
        assert await Setting(**answers).compare() is None
    assert caplog.messages == [f"the nodes' states differ behind entry 40: {shown}"]


async def test_who_is_behind_is_asked_again_and_who_will_never_know_is_not() -> None:
    behind, never = {"hash": None, "is_past": False}, {"hash": None, "is_past": True}
    setting = Setting(n2=[behind, has(OWN)], n3=[never])
    assert await setting.compare() is None
    assert setting.asked == [2, 3, 2]
    assert setting.comparer.compared == INDEX


async def test_answers_that_make_no_sense_say_nothing() -> None:
    setting = Setting(n2=[{"hash": "8"}], n3=[{"leader": 3}])
    assert await setting.compare() is None
    assert setting.comparer.compared == 0
    assert setting.asked == [2, 3] * 3


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ({"index": 40, "likeness": LIKENESS}, {"hash": OWN, "is_past": True}),
        ({"index": 41, "likeness": LIKENESS}, {"hash": None, "is_past": False}),
        ({"index": 39, "likeness": LIKENESS}, {"hash": None, "is_past": True}),
        ({"index": 41, "likeness": [*LIKENESS[:-1], "own.DeliveryTable"]}, {"hash": None, "is_past": True}),
        ({"index": 40}, {"hash": None, "is_past": True}),
        ({"index": "?", "likeness": LIKENESS}, {"hash": None, "is_past": True}),
        ([], {"hash": None, "is_past": True}),
    ],
)
async def test_what_it_answers(question: Any, answer: dict[str, Any]) -> None:
    said: list[bytes] = []

    async def take(data: bytes, *, is_last: bool) -> None:
        assert is_last
        said.append(data)

    await Setting().comparer.answer(cast(IncomingCall, SimpleNamespace(request=json.dumps(question).encode(), answer=take)))
    assert [json.loads(data) for data in said] == [answer]
