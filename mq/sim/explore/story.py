"""A path of a group told as a trace: the lines of `mq.sim.group.events`, so that it can be read, judged and drawn like any run.

Time has no meaning in an explored group: each step takes ten milliseconds, the first begins at ten.
"""

import re
from collections import deque
from collections.abc import Sequence
from typing import Any

from mq.core.entry import Entry
from mq.raft.messages import Message
from mq.sim.explore.group_model import GroupModel, GroupState, GroupStep
from mq.sim.explore.local import Kind, Local
from mq.sim.explore.scope import FIRST_ID
from mq.sim.group.trace import GroupTrace

__all__ = ["STEP_MS", "Story", "replay_words"]

STEP_MS = 10


def _number(node_id: int) -> int:
    """1 for the first node, as traces count them."""
    return node_id - FIRST_ID + 1


class Story:
    """trace: what happened. states: before each step, and the last one. path: the steps, by their numbers in the model."""

    def __init__(self, model: GroupModel, path: Sequence[GroupStep]) -> None:
        self.model = model
        self.path = tuple(path)
        self.trace = GroupTrace()
        self.states: list[GroupState] = [model.first()]
        self._under_way: dict[int, deque[int]] = {}
        self._sent = 0
        self._saved: dict[int, int] = {}
        for number in self.states[0].nodes:
            self._start(0, model.local.states[number])
        for number, step in enumerate(path, 1):
            self._tell(number * STEP_MS, step)

    @property
    def words(self) -> list[str]:
        """The steps, one a line."""
        return [self.model.words(step) for step in self.path]

    def to_text(self) -> str:
        """The trace with the steps as remarks in front of it, from which it can be replayed."""
        steps = [f"# {number}. {words}" for number, words in enumerate(self.words, 1)]
        return "\n".join(steps) + "\n" + self.trace.to_text()

    # --- steps

    def _tell(self, at_ms: int, step: GroupStep) -> None:
        model, before = self.model, self.states[-1]
        after = model.after(before, step)
        if after is None:
            raise ValueError(f"this step cannot happen here: {model.words(step)}")
        self.states.append(after)
        kind, number = Kind(step & 7), step >> 3
        place = model.local.messages[number].to - FIRST_ID if kind <= Kind.REPEAT else number
        if kind is Kind.LOSE:
            self._note(at_ms, 0, "lose", self._take(number), "chance")
            return
        self._cause(at_ms, kind, number, place, before)
        old, new = model.local.states[before.nodes[place]], model.local.states[after.nodes[place]]
        if kind is Kind.CRASH:
            self._start(at_ms, new)
        else:
            self._changes(at_ms, old, new)
        moved = model.local.move(before.nodes[place], kind, self._input(kind, number, before))
        for message in moved.sent:
            self._send(at_ms, message)
        self._lose_excess(at_ms, after)

    def _input(self, kind: Kind, number: int, before: GroupState) -> int:
        if kind is Kind.PROPOSE:
            return (before.spent & 0xFF) + 1
        return number if kind <= Kind.REPEAT else 0

    def _cause(self, at_ms: int, kind: Kind, number: int, place: int, before: GroupState) -> None:
        match kind:
            case Kind.DELIVER:
                self._note(at_ms, place + 1, "receive", self._take(number), self._renamed(number))
            case Kind.REPEAT:
                self._note(at_ms, place + 1, "receive", self._under_way[number][0], self._renamed(number))
            case Kind.CRASH:
                local = self.model.local.states[before.nodes[place]]
                self._note(at_ms, place + 1, "power-loss", 0, len(local.host.log.waiting))
            case Kind.PROPOSE:
                request = (before.spent & 0xFF) + 1
                self._note(at_ms, place + 1, "propose", request, f"c{request}".encode())
            case _:
                pass

    # --- nodes

    def _start(self, at_ms: int, local: Local) -> None:
        look, log = local.look, local.host.log
        vote = None if look.vote is None else f"n{_number(look.vote)}"
        members = tuple(f"n{_number(node_id)}" for node_id in self.model.scope.ids)
        row = (look.term, vote, log.first_index, log.last_index, log.term_at(log.last_index), log.base.index, members)
        self._note(at_ms, _number(look.node_id), "start", *row)

    def _changes(self, at_ms: int, old: Local, new: Local) -> None:
        before, look, node = old.look, new.look, _number(new.look.node_id)
        if (before.role, before.term, before.leader) != (look.role, look.term, look.leader):
            leader = None if look.leader is None else f"n{_number(look.leader)}"
            self._note(at_ms, node, "role", str(look.role), look.term, leader)
        if look.vote is not None and (before.term, before.vote) != (look.term, look.vote):
            self._note(at_ms, node, "vote", look.term, f"n{_number(look.vote)}")
        self._saves(at_ms, node, old, new)
        if look.commit_index > before.commit_index:
            self._note(at_ms, node, "commit", look.commit_index, look.term)
        for entry in look.applied[len(before.applied) :]:
            self._note(at_ms, node, "apply", entry)

    def _saves(self, at_ms: int, node: int, old: Local, new: Local) -> None:
        """An append for each save; what they hold is told with the first of them."""
        count = new.host.log.newest_save - old.host.log.newest_save
        after, entries = _difference(old.look.entries, new.look.entries)
        sequence = self._saved.get(node, 0)
        for number in range(count):
            is_first = number == 0
            sequence += 1
            at = after if is_first else len(new.look.entries)
            self._note(at_ms, node, "append", at, entries if is_first else (), sequence)
        if sequence > self._saved.get(node, 0) and not new.has_waiting:
            state = new.host.log.hard_state
            vote = None if state.vote is None else f"n{_number(state.vote)}"
            self._note(at_ms, node, "save", sequence, state.term, vote, new.host.log.durable_index)
        self._saved[node] = sequence

    # --- messages

    def _send(self, at_ms: int, message: int) -> None:
        self._sent += 1
        self._under_way.setdefault(message, deque()).append(self._sent)
        self._note(at_ms, _number(self.model.local.messages[message].sender), "send", self._sent, self._renamed(message))

    def _take(self, message: int) -> int:
        return self._under_way[message].popleft()

    def _lose_excess(self, at_ms: int, state: GroupState) -> None:
        for message, sent in self._under_way.items():
            while len(sent) > state.messages.count(message):
                self._note(at_ms, 0, "lose", sent.popleft(), "full")

    def _renamed(self, number: int) -> Message:
        message: Any = self.model.local.messages[number]
        return message._replace(sender=_number(message.sender), to=_number(message.to))  # type: ignore[no-any-return]

    def _note(self, at_ms: int, node: int, *what: object) -> None:
        self.trace.note((at_ms, node, *what))


def _difference(old: tuple[Entry, ...], new: tuple[Entry, ...]) -> tuple[int, tuple[Entry, ...]]:
    """Behind which index the new log differs, and what stands there."""
    equal = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        equal += 1
    return equal, new[equal:]


_REMARK = re.compile(r"# +\d+\. (.+)")


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
