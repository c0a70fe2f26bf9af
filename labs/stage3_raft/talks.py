"""A search in stages for groups of nodes: in each stage somebody begins a *talk*, and it is cut short wherever that can be.

In a talk one node campaigns (or leads, or comes back) and reaches some of the others; what they say to each other arrives in
the order in which it was said, and all others hear nothing. Wherever the talk breaks off, the next one may begin, with what
had been said and had not arrived lost or late. That is what faults of a network do, and it is so much less than everything
that messages might do that four talks in a row can be searched.

After each stage it goes on from one state of each *look* (`mq.sim.explore.cells`): which terms stand in the logs, what is
committed, and less roughly roles, terms and votes. Of those that only look alike roughly some few are kept, drawn by a seed.
The last stage begins where something can break: `Plan.last` says where.

Nothing in it knows what it looks for: not which mistake was made, and no schedule.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from random import Random
from typing import NamedTuple

from labs.stage3_raft.searched_group import SearchedGroup
from mq.sim.explore.group_model import GroupState, GroupStep
from mq.sim.explore.local import Kind
from mq.sim.explore.scope import FIRST_ID

__all__ = ["Begin", "Plan", "Talks", "comes_second", "lacks_applied"]

_LATE_MAX = 4
_TERM_STEPS_MAX = 6


class Begin(NamedTuple):
    """How a talk may begin.

    once: a node campaigns; above: until its term is higher than that of all whom it reaches; again: also one that leads, after a
    restart. leads: a leader's heartbeat; proposes: and a client's command before it. crashes: a node restarts, and nothing is
    said. late: of what was under way when the talk before broke off, one message arrives, and its two ends go on talking.
    """

    once: bool = False
    above: bool = True
    again: bool = True
    leads: bool = True
    proposes: bool = False
    crashes: bool = False
    late: bool = False


Last = Callable[["SearchedGroup", GroupState, int], bool]
"""Whether the last talk may begin in this state, by the node at this place."""


@dataclass(frozen=True)
class Plan:
    """alike: how many states that look alike roughly each stage begins from; there are as many stages. deliveries: in a talk.

    calls_max: of all nodes together, each in one state: no more are made, and what was not tried by then is not tried.
    """

    alike: tuple[int, ...]
    deliveries: int = 10
    begin: Begin = field(default_factory=Begin)
    last: Last | None = None
    calls_max: int = 4_000


class _Reached(NamedTuple):
    """A state, the steps to it, and what was under way."""

    state: GroupState
    way: tuple[GroupStep, ...]
    late: tuple[GroupStep, ...] = ()


def lacks_applied(group: SearchedGroup, state: GroupState, place: int) -> bool:
    """Whether something was applied that is not in this node's log: may it lead, and may that be lost?"""
    applied = tuple(entry for entry, _ in group.history.pasts[state.past].applied)
    return group.local.states[state.nodes[place]].look.entries[: len(applied)] != applied


def comes_second(group: SearchedGroup, state: GroupState, place: int) -> bool:
    """Whether this node would campaign in a term that had a leader already: may there be two?"""
    terms = [term for term, _ in group.history.pasts[state.past].leaders]
    return group.local.states[state.nodes[place]].look.term < max(terms, default=0)


class Talks:
    """group: its scope must have room for all that the plan does. looked: distinct looks that were met."""

    def __init__(self, group: SearchedGroup, plan: Plan, rng: Random) -> None:
        self.group, self.plan, self.rng = group, plan, rng
        places = range(group.scope.nodes)
        self._circles = [
            (place, frozenset((place, *others)))
            for place in places
            for count in range(1, len(places))
            for others in combinations([other for other in places if other != place], count)
        ]
        self._seen: set[object] = set()
        self._talked: set[object] = set()
        self.way: tuple[GroupStep, ...] = ()
        self.events = 0

    @property
    def looks(self) -> int:
        """How many different ones the group had."""
        return len(self._seen)

    def broken(self) -> Iterator[tuple[GroupStep, ...]]:
        """Ways to a broken promise, as they are found. Whoever does not believe one asks for the next."""
        edge = [_Reached(self.group.first(), ())]
        for stage, alike in enumerate(self.plan.alike, 1):
            reached: list[_Reached] = []
            for one in self._chosen(edge, alike):
                for begun, circle in self._begun(one, is_last=stage == len(self.plan.alike)):
                    if self.group.keeper.crossings >= self.plan.calls_max:
                        return
                    yield from self._talk(begun, circle, reached)
            edge = reached

    def _chosen(self, edge: list[_Reached], alike: int) -> list[_Reached]:
        self.rng.shuffle(edge)
        by_look: dict[object, list[_Reached]] = {}
        for one in edge:
            by_look.setdefault(self.group.cell(one.state)[0], []).append(one)
        return [one for those in by_look.values() for one in those[:alike]]

    # --- how a talk begins

    def _begun(self, one: _Reached, *, is_last: bool) -> Iterator[tuple[_Reached, frozenset[int]]]:
        begin, last = self.plan.begin, self.plan.last if is_last else None
        circles = list(self._circles)
        self.rng.shuffle(circles)
        for place, circle in circles:
            if last is None or last(self.group, one.state, place):
                for steps in self._openings(one.state, place, circle):
                    if (reached := self._after(one, steps)) is not None:
                        yield reached, circle
        places = range(self.group.scope.nodes)
        for place in places if begin.crashes else ():
            if (reached := self._after(one, [place << 3 | Kind.CRASH])) is not None:
                yield reached, frozenset()
        for step in dict.fromkeys(one.late) if begin.late else ():
            message = self.group.local.messages[step >> 3]
            ends = frozenset((message.sender - FIRST_ID, message.to - FIRST_ID))
            if (reached := self._after(one, [step])) is not None:
                yield reached, ends

    def _openings(self, state: GroupState, place: int, circle: frozenset[int]) -> Iterator[list[GroupStep]]:
        begin, states = self.plan.begin, self.group.local.states
        node = states[state.nodes[place]]
        heartbeat, time_out = place << 3 | Kind.HEARTBEAT, place << 3 | Kind.TIME_OUT
        if node.is_leader:
            if begin.leads:
                yield [heartbeat]
            if begin.proposes and (state.spent & 0xFF) < self.group.scope.proposals:
                yield [place << 3 | Kind.PROPOSE, heartbeat]
        first = [place << 3 | Kind.CRASH] if node.is_leader else []
        if node.is_leader and not begin.again:
            return
        top = max(states[state.nodes[other]].look.term for other in circle if other != place)
        more = max(1, min(_TERM_STEPS_MAX, top + 1 - node.look.term))
        if begin.above:
            yield [*first, *[time_out] * more]
        if begin.once and (more > 1 or not begin.above):
            yield [*first, time_out]

    def _after(self, one: _Reached, steps: Sequence[GroupStep]) -> _Reached | None:
        """What stands in `messages` of a state here is what the last step sent, and nothing else."""
        state: GroupState | None = one.state
        for step in steps:
            assert state is not None
            under_way = (step >> 3,) if step & 7 <= Kind.REPEAT else ()
            self.way = (*one.way, *steps)
            state = self.group.after(state._replace(messages=under_way), step)
            self.events += 1
            if state is None or state.wrong:
                break
        return None if state is None else _Reached(state, self.way, tuple(late for late in one.late if late not in steps))

    # --- how it goes on

    def _talk(self, one: _Reached, circle: frozenset[int], reached: list[_Reached]) -> Iterator[tuple[GroupStep, ...]]:
        waiting: list[GroupStep] = []
        late = one.late
        for _ in range(self.plan.deliveries + 1):
            if one.state.wrong:
                yield one.way
                return
            waiting += self._sent(one.state, circle)
            waiting += self._saves(one.state, waiting, circle)
            key = (one.state.nodes, one.state.past, tuple(waiting), circle)
            if key in self._talked:
                return
            self._talked.add(key)
            self._note(one, waiting, late, reached)
            if not waiting:
                return
            step = waiting.pop(0)
            after = self._after(one, [step])
            if after is None:
                return
            one = after

    def _sent(self, state: GroupState, circle: frozenset[int]) -> list[GroupStep]:
        messages = self.group.local.messages
        return [
            number << 3
            for number in state.messages
            if messages[number].to - FIRST_ID in circle and messages[number].sender - FIRST_ID in circle
        ]

    def _saves(self, state: GroupState, waiting: list[GroupStep], circle: frozenset[int]) -> list[GroupStep]:
        """What is to become durable now, behind what was said before it."""
        found: list[GroupStep] = []
        for place in sorted(circle):
            step = place << 3 | Kind.SAVE
            if self.group.local.states[state.nodes[place]].has_waiting and step not in waiting:
                found.append(step)
        return found

    def _note(self, one: _Reached, waiting: list[GroupStep], late: tuple[GroupStep, ...], reached: list[_Reached]) -> None:
        look = self.group.cell(one.state)[1]
        if look not in self._seen:
            self._seen.add(look)
            under_way = tuple(step for step in waiting if step & 7 == Kind.DELIVER) if self.plan.begin.late else ()
            reached.append(one._replace(late=(*under_way, *late)[:_LATE_MAX]))
