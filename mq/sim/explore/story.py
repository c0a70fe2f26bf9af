"""A path of a group told as a trace: the lines of `mq.sim.group.events`, so that it can be read, judged and drawn like any run.

Time has no meaning in an explored group: each step takes ten milliseconds, the first begins at ten.
"""

import re
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from mq.core.entry import Entry
from mq.raft.messages import Message
from mq.sim.explore.group_model import GroupModel, GroupStep
from mq.sim.explore.host import Host
from mq.sim.explore.local import FAILURES, Kind
from mq.sim.explore.promises import Look
from mq.sim.explore.scope import FIRST_ID
from mq.sim.explore.words import HOW_STEPS_READ
from mq.sim.group.trace import GroupTrace

__all__ = ["STEP_MS", "Story", "has_steps", "replay_words"]

STEP_MS = 10


class Story:
    """A path, carried out once more on real nodes that live through all of it.

    trace: what happened. state: of the model, at the end.
    """

    def __init__(self, model: GroupModel, path: Sequence[GroupStep]) -> None:
        self.model = model
        self.path = tuple(path)
        self.trace = GroupTrace()
        self.state = model.first()
        self._hosts = [model.local.make_host(node_id) for node_id in model.scope.ids]
        self._under_way: dict[Message, deque[int]] = {}
        self._sent = self._proposed = 0
        self._saved: dict[int, int] = {}
        for host in self._hosts:
            self._start(0, host)
        for number, step in enumerate(path, 1):
            self._tell(number * STEP_MS, step)

    @property
    def words(self) -> list[str]:
        """The steps, one a line."""
        return [self.model.words(step) for step in self.path]

    def to_text(self, remarks: Sequence[str] = ()) -> str:
        """The trace with the steps as remarks in front of it, from which it can be replayed. remarks: to stand before them."""
        steps = [f"{number}. {words}" for number, words in enumerate(self.words, 1)]
        lines = [*remarks, *steps, *HOW_STEPS_READ]
        return "".join(f"# {line}\n" for line in lines) + self.trace.to_text()

    # --- steps

    def _tell(self, at_ms: int, step: GroupStep) -> None:
        after = self.model.after(self.state, step)
        if after is None:
            raise ValueError(f"this step cannot happen here: {self.model.words(step)}")
        self.state = after
        kind, number = Kind(step & 7), step >> 3
        message = self.model.local.messages[number] if kind <= Kind.REPEAT else None
        if kind is Kind.LOSE and message is not None:
            self._note(at_ms, 0, "lose", self._under_way[message].popleft(), "chance")
            return
        host = self._hosts[number if message is None else message.to - FIRST_ID]
        self._proposed += kind is Kind.PROPOSE
        self._cause(at_ms, host, kind, message)
        before, last_save = host.look, host.log.newest_save
        try:
            self.model.local.do(host, kind, self._proposed if kind is Kind.PROPOSE else number)
        except FAILURES:
            if not after.wrong:
                raise
            return  # a node that stumbles is what breaks in this step: nothing more comes of it
        if kind is Kind.CRASH:
            self._start(at_ms, host)
        else:
            self._changes(at_ms, host, before, last_save)
        for sent in host.sent:
            self._send(at_ms, sent)
        self._lose_excess(at_ms)

    def _cause(self, at_ms: int, host: Host, kind: Kind, message: Message | None) -> None:
        node = _number(host.node_id)
        if message is not None:
            under_way = self._under_way[message]
            arrived = under_way.popleft() if kind is Kind.DELIVER else under_way[0]
            self._note(at_ms, node, "receive", arrived, _renamed(message))
        elif kind is Kind.CRASH:
            self._note(at_ms, node, "power-loss", 0, len(host.log.waiting))
        elif kind is Kind.PROPOSE:
            self._note(at_ms, node, "propose", self._proposed, f"c{self._proposed}".encode())

    # --- nodes

    def _start(self, at_ms: int, host: Host) -> None:
        look, log = host.look, host.log
        self._saved[_number(host.node_id)] = 0  # each life counts its saves anew
        members = tuple(map(_number, self.model.scope.ids))
        row = (
            look.term,
            _optional(look.vote),
            log.first_index,
            log.last_index,
            log.term_at(log.last_index),
            log.base.index,
            members,
        )
        self._note(at_ms, _number(host.node_id), "start", *row)

    def _changes(self, at_ms: int, host: Host, before: Look, last_save: int) -> None:
        look, node = host.look, _number(host.node_id)
        if (before.role, before.term, before.leader) != (look.role, look.term, look.leader):
            self._note(at_ms, node, "role", str(look.role), look.term, _optional(look.leader))
        if look.vote is not None and (before.term, before.vote) != (look.term, look.vote):
            self._note(at_ms, node, "vote", look.term, _optional(look.vote))
        after, entries = _difference(before.entries, look.entries)
        for sequence in range(last_save + 1, host.log.newest_save + 1):
            self._note(at_ms, node, "append", after, entries, sequence)
            after, entries = len(look.entries), ()
        durable, waiting = host.log.durable, len(host.log.waiting)
        if host.log.newest_save - waiting > self._saved.get(node, 0):
            self._saved[node] = host.log.newest_save - waiting
            self._note(
                at_ms, node, "save", self._saved[node], durable[2].term, _optional(durable[2].vote), host.log.durable_index
            )
        if look.commit_index > before.commit_index:
            self._note(at_ms, node, "commit", look.commit_index, look.term)
        for entry in look.applied[len(before.applied) :]:
            self._note(at_ms, node, "apply", entry)

    # --- messages

    def _send(self, at_ms: int, message: Message) -> None:
        self._sent += 1
        self._under_way.setdefault(message, deque()).append(self._sent)
        self._note(at_ms, _number(message.sender), "send", self._sent, _renamed(message))

    def _lose_excess(self, at_ms: int) -> None:
        """What did not fit under way."""
        kept = Counter(self.model.local.messages[number] for number in self.state.messages)
        for message, sent in self._under_way.items():
            while len(sent) > kept[message]:
                self._note(at_ms, 0, "lose", sent.popleft(), "full")

    def _note(self, at_ms: int, node: int, *what: object) -> None:
        self.trace.note((at_ms, node, *what))


def _number(node_id: int) -> int:
    """1 for the first node, as traces count them."""
    return node_id - FIRST_ID + 1


def _optional(node_id: int | None) -> int | None:
    return None if node_id is None else _number(node_id)


def _renamed(message: Message) -> Message:
    """With the numbers of nodes that traces have."""
    anyone: Any = message
    return anyone._replace(sender=_number(message.sender), to=_number(message.to))  # type: ignore[no-any-return]


def _difference(old: tuple[Entry, ...], new: tuple[Entry, ...]) -> tuple[int, tuple[Entry, ...]]:
    """Behind which index the new log differs, and what stands there."""
    equal = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        equal += 1
    return equal, new[equal:]


_REMARK = re.compile(r"# +\d+\. (.+)")


def has_steps(text: str) -> bool:
    """Whether remarks of this trace tell steps, whatever they are."""
    return any(_REMARK.fullmatch(line.rstrip()) for line in text.splitlines())


def replay_words(model: GroupModel, text: str) -> tuple[tuple[GroupStep, ...], str | None]:
    """The steps that stand as remarks in a trace; with the first one that cannot happen, if there is one."""
    state, path = model.first(), list[GroupStep]()
    for line in text.splitlines():
        remark = _REMARK.fullmatch(line.rstrip())
        if remark is None:
            continue
        step = next((step for step in model.steps(state) if model.words(step) == remark[1]), None)
        after = None if step is None else model.after(state, step)
        if step is None or after is None:
            return tuple(path), remark[1]
        path.append(step)
        state = after
    return tuple(path), None
