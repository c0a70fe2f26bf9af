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
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any
from zlib import crc32

from mq import __version__
from mq.broker.machine import STATE_VERSION
from mq.broker.store.snapshot import snapshot_file
from mq.core.errors import MqError
from mq.parts import Parts, name_of
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
_OF_THE_STATE = ("commit_log", "consume_queue", "delivery_table")
"""Organs that the state shows: the sizes of a log's records, and what queues and tables make of themselves."""
_log = logging.getLogger(__name__)


class StateComparer:
    """Asks the other voters, and answers them. compared: index of the newest entry whose state another node shares.

    Nodes with another program or other organs do not compare: each may write its state in its own way.
    """

    def __init__(self, node: BrokerNode, network: PeerNetwork) -> None:
        assert node.group is not None
        self._node, self._network, self._own = node, network, node.group.node_id
        self._keeper = node.host.keeper
        self._likeness = _likeness(node.organs.parts)
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
        replacements = self._keeper.replacements
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
        if self._keeper.replacements == replacements:  # else a leader's snapshot has put right what it was
            self._judge(index, own, found)

    def _judge(self, index: int, own: int, found: Mapping[int, int]) -> None:
        """found: hashes by node, this one's among them."""
        if any(hash_ == own for node, hash_ in found.items() if node != self._own):
            self.compared = index
        differing = sorted(node for node, hash_ in found.items() if hash_ != own)
        if not differing:
            return
        agreed = next((found[other] for other in differing if self._is_of_majority(found, found[other])), None)
        if agreed is not None:
            theirs = _names([other for other in differing if found[other] == agreed])
            told = f"the state of entry {index} is {own:08x} here, and {agreed:08x} on {theirs}, which are a majority"
            self._leave(index, f"{told}: it cannot be what the group has decided")
            return
        shown = ", ".join(f"{hash_:08x} on node {node}" for node, hash_ in sorted(found.items()))
        _log.error("the nodes' states differ behind entry %d: %s", index, shown)

    def _is_of_majority(self, found: Mapping[int, int], agreed: int) -> bool:
        return self._node.core.configuration.has_quorum(lambda node: found.get(node) == agreed)

    def _leave(self, index: int, told: str) -> None:
        begin_anew = "what it has made of it is in the data folder, so begin with an empty one"
        error: MqError = self._node.organs.broken(("raft", *_OF_THE_STATE), f"{told}; {begin_anew}")
        if not isinstance(error, OrganError):
            error = StateDiffersError(snapshot_file(index), 0, told)

        def end() -> None:
            raise error

        self._node.host.run(end)

    def _others(self) -> list[int]:
        members = self._node.core.configuration
        return sorted({*members.voters, *members.old_voters} - {self._own})

    async def _ask(self, other: int, index: int) -> dict[str, Any] | None:
        """None when it may know later."""
        question = {"index": index, "likeness": self._likeness}
        found = await ask_peer(self._network, other, STATE_HASH, question, timeout_s=_CALL_S)
        is_of_use = found is not None and (type(found.get("hash")) is int or found.get("is_past") is True)
        return found if is_of_use else None

    async def answer(self, call: IncomingCall) -> None:
        """Another node asks. is_past: nothing will be known later of a state that was not written down here, or differently."""
        index, likeness = 0, None
        with suppress(ValueError, KeyError, TypeError):
            question = json.loads(call.request)
            index, likeness = int(question["index"]), question["likeness"]
        is_alike = likeness == self._likeness
        told = {
            "hash": self._keeper.hashes.get(index) if is_alike else None,
            "is_past": not is_alike or self._node.machine.applied_index >= index,
        }
        await call.answer(json.dumps(told).encode(), is_last=True)


def _likeness(parts: Parts) -> list[str]:
    """What two nodes have in common whose states can be compared: program, format, organs, and what is written in those."""
    found = [__version__, str(STATE_VERSION)]
    for organ in _OF_THE_STATE:
        cls = getattr(parts, organ)
        file = _file_of(cls) if organ in parts.replaced() else None
        found.append(f"{name_of(cls)} {crc32(file.read_bytes()):08x}" if file is not None else name_of(cls))
    return found


def _file_of(cls: type) -> Path | None:
    """Where a class is written, as its functions know: somebody's own module is not among those that Python lists."""
    functions = (one for one in vars(cls).values() if isinstance(one, FunctionType))
    return next((Path(one.__code__.co_filename) for one in functions), None)


def _names(nodes: Sequence[int]) -> str:
    return ("nodes " if len(nodes) > 1 else "node ") + " and ".join(map(str, nodes))
