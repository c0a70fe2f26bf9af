"""A Raft group as a model to be explored: messages arrive in any order or never, nodes time out and crash at any moment.

A state of the group is a tuple of numbers: of the nodes' states (see `mq.sim.explore.local`), of the messages that are under way,
of what happened before. That is what makes millions of them possible.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import permutations
from typing import NamedTuple, TypeAlias

from mq.raft.node import RaftNode
from mq.sim.explore.cells import Cells
from mq.sim.explore.history import History
from mq.sim.explore.host import MakeNode, NoChance, Setting
from mq.sim.explore.local import Kind, LocalStates
from mq.sim.explore.promises import Broken
from mq.sim.explore.scope import FIRST_ID, Scope, node_name
from mq.sim.explore.symmetry import Symmetry, pair_key
from mq.sim.explore.words import message_words

__all__ = ["GroupModel", "GroupState", "GroupStep"]

GroupStep: TypeAlias = int
"""A `Kind` in the lowest three bits, and above them the number of a message or the place of a node."""

_COSTS: dict[Kind, int] = {Kind.PROPOSE: 1, Kind.CRASH: 1 << 8, Kind.HEARTBEAT: 1 << 16, Kind.REPEAT: 1 << 24}
"""What a step adds to `GroupState.spent`: a counter of eight bits for each kind of step that is limited."""
_COST: tuple[int, ...] = tuple(_COSTS.get(kind, 0) for kind in Kind)
_DELIVER, _LOSE, _REPEAT, _PROPOSE = int(Kind.DELIVER), int(Kind.LOSE), int(Kind.REPEAT), int(Kind.PROPOSE)


class GroupState(NamedTuple):
    """nodes: by place, the number of each one's state. messages: numbers, sorted; one that is twice under way stands twice.

    past: the number of what was applied and who led. spent: how many proposals, crashes, heartbeats and repeats there were.
    wrong: the number of the promise that was broken, 0 when none was.
    """

    nodes: tuple[int, ...]
    messages: tuple[int, ...]
    past: int
    spent: int
    wrong: int


class GroupModel:
    """make: the class of the nodes, right or wrong."""

    def __init__(self, scope: Scope, make: MakeNode = RaftNode) -> None:
        self.scope = scope
        self.local = LocalStates(Setting(make, scope.options, scope.configuration, NoChance(), scope.is_disk_ready))
        self.history = History(self.local, scope.promises)
        self._limits = dict(zip(_COSTS, (scope.proposals, scope.crashes, scope.heartbeats, scope.repeats), strict=True))
        self._own_steps: dict[tuple[int, int, int], list[GroupStep]] = {}
        self._cells = Cells(self.local)
        self._symmetry = Symmetry(self.local, self.history, scope) if scope.has_symmetry else None
        self._key_parts: dict[tuple[int, ...], int] = {}
        self._renamed: dict[tuple[GroupStep, tuple[int, ...]], GroupStep] = {}

    def first(self) -> GroupState:
        """All nodes are followers with empty logs."""
        return GroupState(tuple(map(self.local.first, self.scope.ids)), (), 0, 0, 0)

    # --- what can happen

    def steps(self, state: GroupState) -> list[GroupStep]:
        """Of the nodes first, then of the messages."""
        found: list[GroupStep] = []
        if state.wrong:
            return found
        left = self._left(state.spent)
        for place, local in enumerate(state.nodes):
            key = (place, local, left)
            own = self._own_steps.get(key)
            if own is None:
                own = self._own_steps[key] = self._find_own_steps(place, local, left)
            found += own
        # What may be lost now may as well be lost later: only where a step might find no room does it make a difference.
        can_lose = self.scope.can_lose and len(state.messages) + self.scope.nodes - 1 > self.scope.in_flight_max
        can_repeat, last = left & _COST[_REPEAT], -1
        for message in state.messages:
            if message != last:
                last = message
                found.append(message << 3)
                if can_lose:
                    found.append(message << 3 | _LOSE)
                if can_repeat:
                    found.append(message << 3 | _REPEAT)
        return found

    def _left(self, spent: int) -> int:
        """Which kinds of steps are not used up, as a sum of their costs."""
        return sum(cost for kind, cost in _COSTS.items() if spent // cost & 0xFF < self._limits[kind])

    def _find_own_steps(self, place: int, number: int, left: int) -> list[GroupStep]:
        local = self.local.states[number]
        found = []
        if local.is_voter and not local.is_leader and local.look.term < self.scope.term_max:
            found.append(Kind.TIME_OUT)
        if local.is_leader:
            found += [kind for kind in (Kind.HEARTBEAT, Kind.PROPOSE) if left & _COSTS[kind]]
        if left & _COSTS[Kind.CRASH]:
            found.append(Kind.CRASH)
        if local.has_waiting:
            found.append(Kind.SAVE)
        return [place << 3 | kind for kind in found]

    # --- what comes of it

    def after(self, state: GroupState, step: GroupStep) -> GroupState | None:
        """None where it would leave the scope."""
        nodes, messages, past, spent, _ = state
        kind, number = step & 7, step >> 3
        if kind > _REPEAT:
            place, number = number, 0
            if kind == _PROPOSE:
                number = (spent & 0xFF) + 1
        else:
            place = self.local.messages[number].to - FIRST_ID
            if kind != _REPEAT:
                at = messages.index(number)
                messages = messages[:at] + messages[at + 1 :]
                if kind == _LOSE:
                    return GroupState(nodes, messages, past, spent, 0)
        spent += _COST[kind]
        after, sent, error = self.local.move(nodes[place], kind, number)
        if error:
            return self._contradicting(GroupState(nodes, messages, past, spent, 0), place, error)
        if sent:
            messages = tuple(sorted(messages + sent))
            if len(messages) > self.scope.in_flight_max:
                if not self.scope.is_full_lossy:
                    return None
                messages = self._newest(messages)
        return self._moved(GroupState(nodes, messages, past, spent, 0), place, after)

    def _moved(self, state: GroupState, place: int, after: int) -> GroupState | None:
        """One node is in another state now."""
        nodes, messages, past, spent, _ = state
        before = nodes[place]
        if after == before:
            return state
        if len(self.local.states[after].look.entries) > self.scope.index_max:
            return None
        past, wrong = self.history.after(past, before, after)
        wrong = wrong or self.history.log_conflict(before, after, nodes)
        return GroupState((*nodes[:place], after, *nodes[place + 1 :]), messages, past, spent, wrong)

    def _contradicting(self, state: GroupState, place: int, error: str) -> GroupState | None:
        """A node noticed that something is wrong. Where that is not what is looked for, it just stops there."""
        if "own-invariants" not in self.scope.promises:
            return None
        node = node_name(self.scope.ids[place])
        why = Broken("own-invariants", f"{node} was about to take a step", f"it noticed that {error}")
        return state._replace(wrong=self.history.number_broken(why))

    def _newest(self, messages: tuple[int, ...]) -> tuple[int, ...]:
        """As many as fit, those of the highest terms."""
        by_term = sorted(messages, key=self._age)
        return tuple(sorted(by_term[len(messages) - self.scope.in_flight_max :]))

    def _age(self, message: int) -> tuple[int, str]:
        found = self.local.messages[message]
        return found.term, message_words(found)

    # --- for searches

    def key(self, state: GroupState) -> Hashable:
        """One number for all that is in it, small enough that millions of them fit into memory."""
        nodes, messages, past, spent, wrong = state
        rest = spent << 8 | wrong
        if self._symmetry is not None:
            return self._symmetry.key(nodes, messages, past, rest)
        return pair_key((*nodes, past, rest), messages, self._key_parts)

    def cell(self, state: GroupState) -> tuple[Hashable, Hashable]:
        """What it looks like from afar, roughly and less roughly."""
        return self._cells.of(state.nodes)

    def cost(self, state: GroupState) -> int:
        """Terms and faults are limited, so that a state with few of them can still go further."""
        states = self.local.states
        return max(states[number].look.term for number in state.nodes) + (state.spent // _COSTS[Kind.CRASH] & 0xFF)

    def is_outside(self, step: GroupStep) -> bool:
        """Everything but what happens to messages."""
        return step & 7 > _REPEAT

    def sort(self, step: GroupStep) -> Hashable:
        """Its kind, and that of its message."""
        kind = step & 7
        return (kind, type(self.local.messages[step >> 3])) if kind <= _REPEAT else kind

    def resolve(self, state: GroupState, step: GroupStep) -> GroupStep | None:
        """A message that is not under way is replaced by the newest of the same kind from and to the same nodes."""
        kind, number = step & 7, step >> 3
        if kind == _DELIVER and number in state.messages and not state.wrong:
            return step  # by far the most common, and the list of all steps is long
        steps = self.steps(state)
        if step in steps:
            return step
        if kind > _REPEAT:
            return None
        wanted = self.local.messages[number]
        alike = [
            other for other in state.messages
            if other << 3 | kind in steps
            and (type(found := self.local.messages[other]), found.sender, found.to) == (type(wanted), wanted.sender, wanted.to)
        ]  # fmt: skip
        return max(alike, key=self._age) << 3 | kind if alike else None

    def renamed(self, steps: Sequence[GroupStep]) -> Iterator[tuple[GroupStep, ...]]:
        """The same kinds of steps and messages with other names for the nodes; what is in the messages stays as it is."""
        places = tuple(range(self.scope.nodes))
        for order in permutations(places):
            if order != places:
                yield tuple([self._renamed_step(step, order) for step in steps])

    def _renamed_step(self, step: GroupStep, order: tuple[int, ...]) -> GroupStep:
        key = (step, order)
        found = self._renamed.get(key)
        if found is None:
            kind, number = step & 7, step >> 3
            if kind > _REPEAT:
                number = order[number]
            else:
                message = self.local.messages[number]
                sender, to = (FIRST_ID + order[node_id - FIRST_ID] for node_id in (message.sender, message.to))
                number = self.local.number_message(message._replace(sender=sender, to=to))
            found = self._renamed[key] = number << 3 | kind
        return found

    def invariants(self) -> Mapping[str, Callable[[GroupState], str | None]]:
        """The promises of the scope, as a search asks for them."""
        return {name: partial(self._is_broken, name) for name in self.scope.promises}

    def _is_broken(self, name: str, state: GroupState) -> str | None:
        broken = self.history.broken[state.wrong]
        return None if broken is None or broken.promise != name else broken.why

    def words(self, step: GroupStep) -> str:
        """The step's name."""
        kind, number = Kind(step & 7), step >> 3
        name = kind.name.lower().replace("_", "-")
        return (
            f"{name} {message_words(self.local.messages[number]) if kind <= Kind.REPEAT else node_name(self.scope.ids[number])}"
        )
