"""Which part of a story is drawn: a span of it, some nodes, and without the noise of heartbeats.

A heartbeat is drawn when something came of it: a follower learned of a commit, an old leader stepped down.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from mq.sim.spacetime.logbook import Strip
from mq.sim.spacetime.story import Banner, Condition, Flight, Moment, Story
from mq.sim.spacetime.wording import flag

__all__ = ["NODES_MAX", "STEPS_MAX", "NothingToDrawError", "Opening", "PictureTooLongError", "Selection", "Window", "select"]

NODES_MAX = 7
STEPS_MAX = 120
"""More moments than this are no picture that anybody reads."""
_AROUND = 40


class PictureTooLongError(ValueError):
    """The window holds more than one picture can show. The message says how much, and which windows would do."""


class NothingToDrawError(ValueError):
    """The window holds no event of these nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What to draw; None: no bound, or all nodes.

    from_ms, to_ms: of virtual time, both included. from_event, to_event: the same, by the events' numbers from 1. last: of
    all this, only the last so many moments. around_ms: not the last ones, but those around this time (40 without `last`).
    has_heartbeats: draw those, too, of which nothing came. pixels_per_ms: of a time that is drawn
    to scale as far as words need no more; 0 draws the order of events alone, which suits most traces better.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    from_event: int | None = None
    to_event: int | None = None
    nodes: tuple[str, ...] | None = None
    last: int | None = None
    around_ms: int | None = None
    has_heartbeats: bool = False
    pixels_per_ms: float = 0.0

    def is_before(self, step: Moment | Banner) -> bool:
        """Whether a step lies before the window."""
        return step.at_ms < (self.from_ms or 0) or step.first_event + len(step.events) <= (self.from_event or 0)

    def is_behind(self, step: Moment | Banner) -> bool:
        """Whether a step lies behind the window."""
        return (self.to_ms is not None and step.at_ms > self.to_ms) or (
            self.to_event is not None and step.first_event > self.to_event
        )


class Opening(NamedTuple):
    """What a node is when the window begins."""

    condition: Condition
    strip: Strip | None


class Selection(NamedTuple):
    """What is drawn. openings: empty when the window begins with the trace. folded: messages that are left out as noise.

    marked: numbers of the moments in which a promise was broken.
    """

    nodes: tuple[str, ...]
    steps: tuple[Moment | Banner, ...]
    flights: tuple[Flight, ...]
    openings: dict[str, Opening]
    folded: int
    marked: frozenset[int] = frozenset()


def select(story: Story, window: Window, marked: frozenset[int] = frozenset()) -> Selection:
    """What of a story is drawn. marked: moments that are drawn in any case. Raises: PictureTooLongError, NothingToDrawError."""
    nodes = _nodes(story, window)
    _check_around(story, window)
    inside = [step for step in story.steps if not window.is_before(step) and not window.is_behind(step)]
    inside = [step for step in inside if not isinstance(step, Moment) or step.node in nodes]
    numbers = {step.number for step in inside if isinstance(step, Moment)}
    met = [
        flight
        for flight in story.flights.values()
        if (flight.sent in numbers or not numbers.isdisjoint(flight.arrivals)) and {flight.send.node, flight.to} <= {*nodes}
    ]
    drawn = [flight for flight in met if window.has_heartbeats or not _is_noise(flight, story)]
    busy = {number for flight in drawn for number in (flight.sent, *flight.arrivals)}
    steps = [step for step in inside if isinstance(step, Banner) or step.has_effect or step.number in busy | marked]
    if not any(isinstance(step, Moment) for step in steps):
        raise NothingToDrawError("nothing happens to these nodes in this window")
    narrower = _narrowed(window, steps)
    if narrower is not None:
        return select(story, narrower, marked)
    _check_length(steps)
    return Selection(nodes, tuple(steps), tuple(drawn), _openings(story, window, nodes), len(met) - len(drawn), marked & numbers)


def _check_around(story: Story, window: Window) -> None:
    if window.around_ms is None or not story.steps:
        return
    first, last = story.steps[0].at_ms, story.steps[-1].at_ms
    if not first <= window.around_ms <= last:
        raise NothingToDrawError(f"there is nothing around {window.around_ms} ms: this goes from {first} ms to {last} ms")


def _narrowed(window: Window, steps: list[Moment | Banner]) -> Window | None:
    """The window with no more moments than are wanted; None when there are no more."""
    wanted = window.last if window.around_ms is None else window.last or _AROUND
    if wanted is None or len(steps) <= wanted:
        return None
    first = len(steps) - wanted
    if window.around_ms is not None:
        before = sum(step.at_ms < window.around_ms for step in steps)
        first = min(first, max(0, before - wanted // 2))
    is_end = first + wanted == len(steps)
    to_event = window.to_event if is_end else steps[first + wanted - 1].first_event
    return replace(window, last=None, around_ms=None, from_event=steps[first].first_event, to_event=to_event)


def _nodes(story: Story, window: Window) -> tuple[str, ...]:
    unknown = sorted(set(window.nodes or ()) - set(story.nodes))
    if unknown:
        raise NothingToDrawError(f"the trace knows no node {', '.join(unknown)}, only {', '.join(story.nodes) or 'none'}")
    nodes = tuple(node for node in story.nodes if window.nodes is None or node in window.nodes)
    if len(nodes) > NODES_MAX:
        raise PictureTooLongError(f"{len(nodes)} nodes are more than the {NODES_MAX} that fit side by side: name some of them")
    return nodes


def _is_noise(flight: Flight, story: Story) -> bool:
    is_answer_no = not flag(flight.send.details.get("matching", 1))
    if flight.is_news or is_answer_no or flight.send.text("kind") not in {"append-request", "append-reply"}:
        return False
    moments = [step for number in flight.arrivals if isinstance(step := story.steps[number], Moment)]
    refused = any(not flag(story.flights[sent].send.details.get("matching", 1)) for moment in moments for sent in moment.sent)
    return not refused and not any(moment.has_effect for moment in moments)


def _check_length(steps: list[Moment | Banner]) -> None:
    if len(steps) <= STEPS_MAX:
        return
    first, last = steps[0].at_ms, steps[-1].at_ms
    wins = [step.at_ms for step in steps if isinstance(step, Moment) and step.chip is not None and step.chip.role == "leader"]
    elections = f"; nodes became leader at {', '.join(f'{at} ms' for at in wins[:8])}" if wins else ""
    raise PictureTooLongError(
        f"{len(steps)} moments from {first} ms to {last} ms are more than the {STEPS_MAX} that one picture holds: draw a part, "
        f"for instance from {first} ms to {max(first, steps[STEPS_MAX].at_ms - 1)} ms{elections}"
    )


def _openings(story: Story, window: Window, nodes: tuple[str, ...]) -> dict[str, Opening]:
    """Of the nodes that the trace has told of when the window begins."""
    found: dict[str, Opening] = {}
    for step in story.steps:
        if isinstance(step, Moment) and window.is_before(step) and step.node in nodes:
            was = found[step.node].strip if step.node in found else None
            found[step.node] = Opening(step.after, step.strip or was)
    return {
        node: Opening(opening.condition, opening.strip and opening.strip._replace(struck=(), new_from=1 << 62))
        for node, opening in found.items()
    }
