"""Replicas that applied the same entries hold the same state: after each snapshot it is looked at whether they do.

Equal commands make equal states, unless a machine, a program or a replaced organ is not like the others. Whoever differs would
serve clients what the group never decided, and hand it on in snapshots. So each node asks the other voters what the hash of the
same entry's state is with them. When a majority agrees on another state, this one goes: a node with a replaced organ ends, for it
would come to the same again; any other is given everything anew, like one whose log is damaged.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mq.broker.store.snapshot import snapshot_file
from mq.core.errors import MqError
from mq.server.node import BrokerNode
from mq.server.organs import OrganError
from mq.server.peer_asking import ask_peer
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.setting_aside import StateDiffersError

__all__ = ["STATE_HASH", "StateComparer"]

STATE_HASH = "PeerStateHash"
"""A call between nodes alone: the hash of the asked one's state behind the entry of this index."""

_PAUSES_S = (0.2, 1.0, 3.0)
"""Before each of the rounds of asking: others may come to that entry a moment later."""
_CALL_S = 0.5
_ORGANS = ("raft", "commit_log", "consume_queue", "delivery_table")
_log = logging.getLogger(__name__)


class StateComparer:
    """Asks the other voters, and answers them. compared: index of the newest entry whose state another node shares."""

    def __init__(self, node: BrokerNode, network: PeerNetwork) -> None:
        assert node.group is not None
        self._node, self._network, self._own = node, network, node.group.node_id
        self._keeper = node.host.keeper
        self._came = asyncio.Event()
        self._keeper.on_hash = self._came.set
        self.compared = 0

    async def work_forever(self) -> None:
        """Compare whatever this node has written down, until it is cancelled or the node ends."""
        while self._node.failure is None:
            await self._came.wait()
            self._came.clear()
            await self.compare()

    async def compare(self) -> None:
        """The newest state that was written down here, with what the others say of it within a few seconds."""
        index, own = next(reversed(self._keeper.hashes.items()))
        asked, found = set(self._others()), {self._own: own}
        for pause_s in _PAUSES_S:
            await asyncio.sleep(pause_s)
            others = sorted(asked)
            for other, answer in zip(others, await asyncio.gather(*(self._ask(other, index) for other in others)), strict=True):
                if answer is not None:
                    asked.discard(other)
                    found |= {} if answer.get("hash") is None else {other: int(answer["hash"])}
            if not asked:
                break
        self._judge(index, own, found)

    def _judge(self, index: int, own: int, found: Mapping[int, int]) -> None:
        """found: hashes by node, this one's among them."""
        if any(hash_ == own for node, hash_ in found.items() if node != self._own):
            self.compared = index
        differing = sorted(node for node, hash_ in found.items() if hash_ != own)
        if not differing:
            return
        if any(self._is_of_majority(found, found[other]) for other in differing):
            told = f"the state of entry {index} is {own:08x} here, and {found[differing[0]]:08x} on {_names(differing)}"
            self._leave(index, f"{told}, which are a majority: it cannot be what the group has decided")
            return
        shown = ", ".join(f"{hash_:08x} on node {node}" for node, hash_ in sorted(found.items()))
        _log.error("the nodes' states differ behind entry %d: %s", index, shown)

    def _is_of_majority(self, found: Mapping[int, int], agreed: int) -> bool:
        return self._node.core.configuration.has_quorum(lambda node: found.get(node) == agreed)

    def _leave(self, index: int, told: str) -> None:
        error: MqError = self._node.organs.broken(_ORGANS, told)
        if not isinstance(error, OrganError):
            error = StateDiffersError(snapshot_file(index), 0, told)

        def end() -> None:
            raise error

        self._node.host.run(end)

    def _others(self) -> list[int]:
        return [voter for voter in self._node.core.configuration.voters if voter != self._own]

    async def _ask(self, other: int, index: int) -> dict[str, Any] | None:
        """None when it may know later."""
        found = await ask_peer(self._network, other, STATE_HASH, {"index": index}, timeout_s=_CALL_S)
        is_of_use = found is not None and (type(found.get("hash")) is int or found.get("is_past") is True)
        return found if is_of_use else None

    async def answer(self, call: IncomingCall) -> None:
        """Another node asks. is_past: of a state that was not written down here, nothing will be known later."""
        try:
            index = int(json.loads(call.request)["index"])
        except (ValueError, KeyError, TypeError):
            index = 0
        told = {"hash": self._keeper.hashes.get(index), "is_past": self._node.machine.applied_index >= index}
        await call.answer(json.dumps(told).encode(), is_last=True)


def _names(nodes: Sequence[int]) -> str:
    return ("nodes " if len(nodes) > 1 else "node ") + " and ".join(map(str, nodes))
