"""What of a long run led to its end: the few moments that a picture of it holds.

From the moments in which a promise broke it is gone backwards: to who sent what was heard there, to the votes and the
acknowledgements that were counted, to what else the node did. The nearest come first, until there are enough.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import TypeAlias

from mq.sim.spacetime.story import Banner, Flight, Moment, Story
from mq.sim.spacetime.wording import flag
from mq.sim.trace import Event

__all__ = ["STEPS_MAX", "relevant_steps"]

STEPS_MAX = 25
"""Of a picture that somebody reads whole."""
_FAR = 5
"""Farther than this from a fact nothing is drawn."""
_NEAR, _OWN, _BEFORE = 1, 2, 3
"""How far it is to what caused a moment; to what its node did before in the same matter; and in others."""
_NODE, _TERM = re.compile(r"\b(?:node |n)(\d+)\b"), re.compile(r"\bterm (\d+)")
_INDEX = re.compile(r"(?:entr(?:y|ies)(?: up to| behind)?|commit index is|from \d+ to|snapshot of entry) (\d+)")
_NEVER = "everything is healed since"
"""Of a run that never comes to its end: what matters is what its nodes do last."""
_Found: TypeAlias = tuple[int, Moment]


def relevant_steps(story: Story, facts: Sequence[str] = (), steps_max: int = STEPS_MAX) -> frozenset[int]:
    """Numbers of the steps that are to be drawn. facts: that conflict; the run ends where the promise broke.

    A short run is drawn whole.
    """
    lives = [step.number for step in story.steps if not _is_first_start(step, story)]
    return frozenset(lives) if len(lives) <= steps_max else _Search(story).nearest(facts, steps_max)


class _Search:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._of_node: dict[str, list[Moment]] = defaultdict(list)
        for step in story.steps:
            if isinstance(step, Moment):
                self._of_node[step.node].append(step)

    def nearest(self, facts: Sequence[str], steps_max: int) -> frozenset[int]:
        """By their way from the facts."""
        waiting: list[tuple[int, int]] = []
        best: dict[int, int] = {}

        def reach(distance: int, moment: Moment) -> None:
            if distance < best.get(moment.number, _FAR + 1):
                best[moment.number] = distance
                heappush(waiting, (distance, -moment.number))

        for moment in self._anchors(facts):
            reach(0, moment)
        found: list[int] = []
        while waiting and len(found) < steps_max:
            distance, minus = heappop(waiting)
            if distance > best[-minus] or -minus in found:
                continue
            found.append(-minus)
            step = self._story.steps[-minus]
            if isinstance(step, Moment):
                for further, cause in self._causes(step):
                    reach(distance + further, cause)
        return frozenset([*found, *self._banners(found, steps_max)])

    def _banners(self, found: list[int], steps_max: int) -> list[int]:
        """What befell the network in between, as far as there is room: the last first."""
        nodes = {step.node for number in found if isinstance(step := self._story.steps[number], Moment)}
        between = [
            step.number
            for step in self._story.steps[min(found) : max(found)]
            if isinstance(step, Banner) and any({*way} <= nodes for way in step.ways)
        ]
        return between[::-1][: max(0, min(4, steps_max - len(found)))]

    # --- where it begins

    def _anchors(self, facts: Sequence[str]) -> Iterator[Moment]:
        last = next((step for step in reversed(self._story.steps) if isinstance(step, Moment)), None)
        if last is not None:
            yield last
        if any(_NEVER in fact for fact in facts):
            yield from (moment for moments in self._of_node.values() if (moment := self._last_deed(moments)) is not None)
            return
        for fact in facts:
            nodes = [f"n{number}" for number in dict.fromkeys(_NODE.findall(fact))]
            found = [self._of_fact(node, fact) for node in nodes] or [self._of_nobody(fact)]
            yield from (moment for moment in found if moment is not None)

    def _of_nobody(self, fact: str) -> Moment | None:
        """The moment of which a fact speaks that names no node: where an entry was known to be committed first."""
        index = _INDEX.search(fact)
        if index is None or not ("commit" in fact or "appl" in fact):
            return None
        moments = (step for step in self._story.steps if isinstance(step, Moment))
        return next((moment for moment in moments if _is_past(moment, "commit", int(index[1]))), None)

    def _of_fact(self, node: str, fact: str) -> Moment | None:
        """The moment of which a fact speaks; the last one in which anything happened, where nothing better is found."""
        moments = self._of_node.get(node, [])
        term, index = (int(number[1]) if (number := pattern.search(fact)) else 0 for pattern in (_TERM, _INDEX))
        if "lead" in fact or "elected" in fact:
            found = [moment for moment in moments if _has(moment, "role", role="leader", term=term)]
            return found[0] if found else None
        if "vote" in fact:
            found = [moment for moment in moments if _has(moment, "vote", term=term)]
            return found[-1] if found else None
        if "commit" in fact:
            found = [moment for moment in moments if _is_past(moment, "commit", index)]
            return found[0] if found else None
        if "appl" in fact:
            found = [moment for moment in moments if _has(moment, "apply", index=index)]
            return found[-1] if found else None
        return self._last_deed(moments)

    @staticmethod
    def _last_deed(moments: Sequence[Moment]) -> Moment | None:
        """The last one in which anything happened."""
        return next((moment for moment in reversed(moments) if moment.has_effect or moment.sent), None)

    # --- from each moment to those before it

    def _causes(self, moment: Moment) -> Iterator[_Found]:
        for message in moment.received:
            sender = self._story.steps[self._story.flights[message].sent]
            if isinstance(sender, Moment) and sender.number < moment.number:
                yield _NEAR, sender
        before = [other for other in self._of_node[moment.node] if other.number < moment.number]
        for event in moment.events:
            yield from ((_NEAR, other) for other in self._counted(event, before))
        if moment.has_effect or moment.sent:
            earlier = next((other for other in reversed(before) if other.has_effect), None)
            if earlier is not None and not _is_first_start(earlier, self._story):
                yield (_OWN if earlier.after.term == moment.after.term else _BEFORE), earlier

    def _counted(self, event: Event, before: Sequence[Moment]) -> Iterator[Moment]:
        """What was gathered, and led to this only with the last of it."""
        if event.name == "role" and event.text("role") == "leader":
            yield from self._heard(before, "vote-reply", event.number("term"), "granted")
            yield from (moment for moment in before if _has(moment, "vote", term=event.number("term")))
        elif event.name == "commit":
            heard = self._heard(before, "append-reply", event.number("term"), "matching")
            yield from {self._sender(moment): moment for moment in heard}.values()
            yield from self._last(before, "role")
        elif event.name == "vote":
            same = [moment for moment in before if _has(moment, "vote", term=event.number("term"))]
            yield from same
            if same:
                yield from (other for other in before if same[0].number < other.number and _is_end_of_life(other))
        elif event.name == "start":
            yield from (moment for moment in before[-1:] if _is_end_of_life(moment))

    def _heard(self, moments: Sequence[Moment], kind: str, term: int, yes: str) -> Iterator[Moment]:
        for moment in moments:
            for message in moment.received:
                said = self._story.flights[message].send
                is_real = not flag(said.details.get("pre", 0))
                if said.text("kind") == kind and said.number("term") == term and is_real and flag(said.details[yes]):
                    yield moment
                    break

    def _sender(self, moment: Moment) -> str:
        flights: list[Flight] = [self._story.flights[message] for message in moment.received]
        return flights[-1].send.node

    @staticmethod
    def _last(moments: Sequence[Moment], name: str) -> Iterator[Moment]:
        yield from [moment for moment in moments if any(event.name == name for event in moment.events)][-1:]


def _is_first_start(step: Moment | Banner, story: Story) -> bool:
    """Whether a node only stands there, as it was given to the run."""
    first = story.steps[0].at_ms
    return isinstance(step, Moment) and step.at_ms == first and step.events[0].name == "start"


def _has(moment: Moment, name: str, **details: int | str) -> bool:
    """Whether such an event is in it. A detail of 0 is any."""
    return any(
        event.name == name and all(not value or event.details.get(key) == value for key, value in details.items())
        for event in moment.events
    )


def _is_past(moment: Moment, name: str, index: int) -> bool:
    return any(event.name == name and event.number("index") >= index for event in moment.events)


def _is_end_of_life(moment: Moment) -> bool:
    return any(event.name in {"kill", "power-loss", "start"} for event in moment.events)
