"""A node's way into its group: it asks whether the group is new, begins with it, or comes back step by step.

A node with a log and a term of its own takes part at once. See `docs/decisions/011-a-wiped-node.md`.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from typing import Any, cast

from mq.core.errors import Code, MqError, RefusedError
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode
from mq.server.node import BrokerNode
from mq.server.peer_asking import ask_peer
from mq.server.peer_network import PeerNetwork
from mq.server.peer_serving import IncomingCall
from mq.server.readmitting import Returning, Standing, next_members, standing_of
from mq.server.taking_part import Note, Part, read_note, write_note

__all__ = ["HISTORY", "REJOIN", "WayIn", "committed_members", "is_settled"]

HISTORY, REJOIN = "PeerHistory", "PeerRejoin"
"""Calls between nodes alone, which never reach the services of clients."""

_ASK_EVERY_S = 0.05
_CALL_S = 1.0
_SAY_EVERY_S = 10.0
"""So often a new node says for whom it waits."""
_REJOIN_EVERY_S = 0.2
_DIALED_S = 2.0
"""Within so long the others of a group have tried again to reach a node that came up."""
_log = logging.getLogger(__name__)


class WayIn:
    """See the module. on_part: called when the part that this node takes has changed.

    part, note: see `mq.server.taking_part`.
    """

    def __init__(
        self, node: BrokerNode, network: PeerNetwork, node_id: int, voters: tuple[int, ...], on_part: Callable[[], None]
    ) -> None:
        self._node, self._network, self._node_id, self._voters, self._on_part = node, network, node_id, voters, on_part
        self._life = secrets.token_hex(8)
        self._lives: dict[int, str] = {}  # of nodes that were new when this one was
        self._heard: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self.note = read_note(node.disk)
        if self.note is not None:
            self.part = self.note.part
        else:
            self.part = Part.ASKING if self._is_new() else Part.FULL

    def _is_new(self) -> bool:
        return self._node.log.last_index == 0 and self._node.view().term == 0

    def hears(self, sender: int) -> None:
        """A message of Raft came from there, whether it reaches the core or not: that node takes this one for a member."""
        self._heard.add(sender)

    def start(self) -> None:
        """Go the way, as far as there is one."""
        if self.part is not Part.FULL:
            self._task = asyncio.create_task(self._go())

    async def stop(self) -> None:
        """Go no further."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go(self) -> None:
        try:
            if self.part is Part.ASKING and await self._ask_all():
                _log.info("node %d begins with a new group", self._node_id)
                self._become(Part.FULL)
                return
            if self.note is None:
                _log.warning("nothing is stored here, and the group has a history: this node waits to be made a learner")
                await self._write(Note())
            await self._come_back()
        except MqError as error:
            _log.error("this node cannot come into its group: %s", error)
            self._node.on_failed(error)

    def _become(self, part: Part) -> None:
        self.part = part
        self._on_part()

    async def _write(self, note: Note | None) -> None:
        await write_note(self._node, note)
        self.note = note
        part = Part.FULL if note is None else note.part
        if part is not self.part:
            self._become(part)

    # --- is the group new?

    async def _ask_all(self) -> bool:
        """True when this node begins with a new group, False when the group has a history. Ends when that is known.

        A majority of new nodes is not enough: the rest may be down and hold a history. Two histories begin with the same index
        and term, so that Raft would take the entries of one for those of the other, and what the new group acknowledged would
        be gone with the next leader.
        """
        others = [node for node in self._voters if node != self._node_id]
        if not others:
            await self._check_is_unknown()
        new: set[int] = set()
        say_at_s = self._loop.time() + _SAY_EVERY_S
        while True:
            answers = await asyncio.gather(*(self._ask(other, HISTORY, {"life": self._life}) for other in others))
            for other, answer in zip(others, answers, strict=True):
                if answer is not None and answer["has_history"]:
                    return False
                if answer is not None:
                    new.add(other)
                    self._lives[other] = str(answer["life"])
            if len(new) == len(others):
                return True
            if self._loop.time() >= say_at_s:
                _log.warning(
                    "nothing is stored here, and not all nodes answer: node %s may hold a history. A new group begins when all "
                    "of --peers are there, and each has nothing stored",
                    ", ".join(map(str, sorted(set(others) - new))),
                )
                say_at_s += _SAY_EVERY_S
            await asyncio.sleep(_ASK_EVERY_S)

    async def _check_is_unknown(self) -> None:
        """A node that is told of no others asks nobody; but a group that grew out of it speaks to it. Raises: RefusedError."""
        end_s = self._loop.time() + _DIALED_S
        while self._network.is_listening and self._loop.time() < end_s:
            if self._heard:
                raise RefusedError(
                    Code.BAD_REQUEST,
                    f"peers: nothing is stored here, and node {min(self._heard)} takes this one for a member: the group has a "
                    "history. Name the other nodes in --peers, so that they can give this one what it lost",
                )
            await asyncio.sleep(_ASK_EVERY_S)

    async def _ask(self, node: int, name: str, question: dict[str, Any]) -> dict[str, Any] | None:
        return await ask_peer(self._network, node, name, question, timeout_s=_CALL_S)

    def _has_history_for(self, peer: int, life: str) -> bool:
        """One that was new when this node was, and has been asking since, has promised nothing: it begins with the others."""
        if self.part in {Part.REJOINING, Part.LEARNING} or self._voters == (self._node_id,):
            return True  # one that begins alone founds no group with others: they join it
        if self._is_new():
            self._lives[peer] = life
            return False
        return self._lives.get(peer) != life

    # --- coming back

    async def _come_back(self) -> None:
        while self.note is not None:
            if self._is_voter_again(self.note):
                _log.info("node %d is a voter of its group again", self._node_id)
                await self._write(None)
                return
            is_driven = self.note.part is Part.REJOINING or self.note.was_voter  # else whoever added it makes it a voter
            if is_driven and (standing := await self._ask_leader(self.note)) is not None:
                await self._take(standing, self.note)
            await asyncio.sleep(_REJOIN_EVERY_S)

    async def _ask_leader(self, note: Note) -> Standing | None:
        is_learning = note.part is Part.LEARNING
        question = {"was_voter": note.was_voter, "is_learning": is_learning, "learner_at": max(note.learner_at, 0)}
        others = [node for node in self._known_nodes() if node != self._node_id]
        answers = await asyncio.gather(*(self._ask(other, REJOIN, question) for other in others))
        found = [Standing(a["kind"], a["at"], a["term"]) for a in answers if a is not None and a.get("kind")]
        return max(found, key=lambda standing: standing.term, default=None)

    def _known_nodes(self) -> set[int]:
        return {*self._voters, *self._node.view().configuration.members}

    async def _take(self, standing: Standing, note: Note) -> None:
        if note.part is Part.LEARNING:
            return
        if standing.kind == "voter" and not note.was_voter:
            await self._write(note._replace(was_voter=True))
        elif standing.kind == "learner":
            _log.info("node %d is a learner of its group, and takes the log", self._node_id)
            await self._write(note._replace(learner_at=standing.at, term=standing.term))

    def _is_voter_again(self, note: Note) -> bool:
        index, members = committed_members(self._node)
        return 0 <= note.learner_at < index and not members.is_joint and self._node_id in members.voters

    # --- what others ask

    async def answer(self, call: IncomingCall) -> None:
        """A call by one of the names above. Raises: NotLeaderError."""
        question = json.loads(call.request)
        if call.name == HISTORY:
            has_history = self._has_history_for(call.peer, str(question["life"]))
            found: dict[str, Any] = {"has_history": has_history, "life": self._life}
        else:
            was_voter, is_learning = bool(question["was_voter"]), bool(question["is_learning"])
            returning = Returning(call.peer, was_voter, is_learning, int(question.get("learner_at", 0)))
            found = await self._readmit(returning)
        await call.answer(json.dumps(found).encode(), is_last=True)

    async def _readmit(self, returning: Returning) -> dict[str, Any]:
        if not self._node.reign.is_here:
            return {}
        view, settled = self._node.view(), is_settled(self._node)
        wanted = next_members(view, returning, is_settled=settled)
        if wanted is not None:
            try:
                self._node.order(lambda core: core.change_members(wanted.voters, wanted.learners))
                _log.info("node %d comes back: voters %s, learners %s", returning.node_id, wanted.voters, wanted.learners)
            except MqError as error:
                _log.debug("node %d has to wait: %s", returning.node_id, error)
        standing = standing_of(view, returning, is_settled=settled)
        if standing.kind == "learner" and not returning.is_learning:
            await self._node.read_index()  # nobody else led since then: what is committed here is all that is
        return standing._asdict()


def committed_members(node: BrokerNode) -> tuple[int, Configuration]:
    """The newest configuration that is committed, as this node knows, and its entry's index."""
    core = cast(RaftNode, node.core)
    commit_index = core.commit_index
    return next(found for found in reversed(core.configurations) if found[0] <= commit_index)


def is_settled(node: BrokerNode) -> bool:
    """Whether no change of members is under way."""
    core = cast(RaftNode, node.core)
    return not core.configuration.is_joint and core.configurations[-1][0] <= core.commit_index
