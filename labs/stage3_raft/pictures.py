"""What a failure of a Raft lab is shown by: the few steps of a group's run that led to it, in text and as a picture.

    run.figure = GroupPicture(group.trace, "lab 3a, 1.15", promise, (expected, found))

The trace is of a world, of a group that is moved by hand, or of a search; all that is in it was noted out here, none of it in a
student's process. Nothing is worked out before somebody looks.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from labs.stage3_raft.lanes import sentences_of, text_picture
from labs.stage3_raft.relevant import STEPS_MAX, relevant_steps
from mq.sim.spacetime.broken import Broken, broken_moments
from mq.sim.spacetime.narrator import tell
from mq.sim.spacetime.picture import scene_of
from mq.sim.spacetime.story import Banner, Flight, Moment, Story
from mq.sim.spacetime.svg import to_svg
from mq.sim.spacetime.window import NothingToDrawError, PictureTooLongError, Selection, Window, select
from mq.sim.trace import Event

__all__ = ["RAISED", "STEPS_MAX", "GroupPicture"]

RAISED = "an error was raised, and the run ends"
"""In the place of a promise, where it was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen(Window):
    """Some steps of a story, wherever they stand in it."""

    numbers: frozenset[int] = frozenset()

    def is_before(self, step: Moment | Banner) -> bool:
        """See `Window`."""
        return step.number < min(self.numbers)

    def is_behind(self, step: Moment | Banner) -> bool:
        """See `Window`: a step that is left out is no part of what is drawn."""
        return step.number not in self.numbers


class GroupPicture:
    """See `labs.grader.figure.Figure`. events: gives those of the trace, when they are wanted.

    promise, facts: what broke with the last event, "" for a run in which nothing did. nodes: whose last step is framed; without
    any, the last step of all.
    """

    def __init__(
        self,
        events: Callable[[], Iterable[Event]],
        title: str = "",
        promise: str = "",
        facts: tuple[str, ...] = (),
        nodes: tuple[str, ...] = (),
    ) -> None:
        self._events, self._title, self._nodes = events, title, nodes
        self._promise, self._facts = promise, facts

    @property
    def steps(self) -> int:
        """How many are drawn."""
        return 0 if self._part is None else len(self._part.selection.steps)

    def story(self) -> list[str]:
        """A sentence for each step."""
        return [] if self._part is None else sentences_of(self._part.selection)

    def lines(self) -> list[str]:
        """See `Figure`."""
        return [] if self._part is None else text_picture(self._part.selection)

    def svg(self) -> str:
        """See `Figure`."""
        part = self._part
        return "" if part is None else to_svg(scene_of(part.events, self._title, part.window, part.broken))

    @cached_property
    def _part(self) -> "_Part | None":
        events = list(self._events())
        try:
            at_ms = events[-1].at_ms if events else 0
            return _part_of(events, Broken(self._promise, at_ms, self._facts, self._nodes) if self._promise else None)
        except (NothingToDrawError, PictureTooLongError):
            return None


@dataclass(frozen=True, slots=True)
class _Part:
    """What is drawn. events: of the trace, without the messages that are left out."""

    events: list[Event]
    window: _Chosen
    broken: Broken | None
    selection: Selection


def _part_of(events: list[Event], broken: Broken | None) -> _Part:
    """Raises: NothingToDrawError, PictureTooLongError."""
    story = tell(events)
    numbers = relevant_steps(story, broken.facts if broken is not None else ())
    if not numbers:
        raise NothingToDrawError("nothing happened")
    chosen = {id(event) for step in story.steps if step.number in numbers for event in step.events}
    kept = _without_the_rest(events, story, numbers, chosen)
    told = tell(kept)
    now = frozenset(step.number for step in told.steps if any(id(event) in chosen for event in step.events))
    nodes = {step.node for step in told.steps if isinstance(step, Moment) and step.number in now}
    window = _Chosen(numbers=now, nodes=tuple(node for node in told.nodes if node in nodes), has_heartbeats=True)
    return _Part(kept, window, broken, select(told, window, broken_moments(told, broken)))


def _without_the_rest(events: list[Event], story: Story, numbers: frozenset[int], chosen: set[int]) -> list[Event]:
    """Messages go only where both ends are drawn, or where one was lost that somebody missed."""
    kept = {flight.message for flight in story.flights.values() if _is_drawn(flight, numbers)}

    def is_kept(event: Event) -> bool:
        if event.name not in {"send", "receive", "lose"}:
            return True
        return event.text("id") in kept and (event.name != "receive" or id(event) in chosen)

    return [event for event in events if is_kept(event)]


def _is_drawn(flight: Flight, numbers: frozenset[int]) -> bool:
    if flight.sent not in numbers:
        return False
    is_missed = flight.is_news or flight.send.text("kind") in {"vote-request", "vote-reply"}
    return not numbers.isdisjoint(flight.arrivals) or (flight.lost is not None and is_missed and not flight.arrivals)
