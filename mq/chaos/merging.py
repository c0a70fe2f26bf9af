"""One trace of many: the files of several nodes, in the order in which things happened, as `mq.sim.group` writes it.

Real nodes name a message by what it says (`mq.server.tracing`); here each gets a number. One that arrives is the newest one that
left with that name. A message that never left gets a number, too, so that a judge finds it out.

Whoever ends a node, or lets it stand still, knows a moment before and one after it (`us`, `by`), not when the node fell silent.
Its own last line between the two tells: the end is put behind that one. So it comes before all that others do because of it.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from pathlib import Path

from mq.chaos.elections import Election, ElectionWatch
from mq.sim.group.judge import Judge
from mq.sim.group.watch import ViolationError
from mq.sim.trace import HEADING, Event

__all__ = ["Judged", "judge_files", "merge", "read_events", "told_s", "write_trace"]

_BY = "by"
_TIMES = ("us", _BY)
_REMEMBERED_MAX = 200_000
"""Names of messages; one that takes longer than so many others is taken for one that never left."""


def read_events(file: Path) -> Iterator[Event]:
    """The lines of a file. A last line without its end was cut by a crash and tells nothing. Raises: ValueError."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n") and line.strip() and not line.startswith(("time ", "#")):
                yield Event.from_line(line)


def _when_us(event: Event) -> int:
    return event.number("us") if "us" in event.details else event.at_ms * 1000


def told_s(file: Path) -> list[float]:
    """All moments that the lines of a file tell, in seconds; of what took its time both. Raises: OSError; ValueError."""
    return [
        moment / 1e6
        for event in read_events(file)
        for moment in (_when_us(event), *([event.number(_BY)] if _BY in event.details else []))
    ]


def _placed(events: Iterable[Event]) -> Iterator[Event]:
    """With each end of a node (an event that has `by`) behind the last line of that node until then.

    Several may end at the same time.
    """
    ends: list[tuple[int, Event]] = []  # and how many events waited when it began
    waiting: list[Event] = []
    for event in events:
        if ends and _when_us(event) >= max(end.number(_BY) for _, end in ends):
            yield from _with_ends(ends, waiting)
            ends, waiting = [], []
        if _BY in event.details:
            ends.append((len(waiting), event))
        elif ends:
            waiting.append(event)
        else:
            yield event
    yield from _with_ends(ends, waiting)


def _with_ends(ends: list[tuple[int, Event]], events: list[Event]) -> Iterator[Event]:
    at: dict[int, list[Event]] = defaultdict(list)  # by how many events come before
    for since, end in ends:
        until_us = end.number(_BY)
        own = [n for n, one in enumerate(events, 1) if n > since and one.node == end.node and _when_us(one) < until_us]
        place = own[-1] if own else since
        at[place].append(end._replace(at_ms=events[place - 1].at_ms) if own else end)
    yield from at[0]
    for number, event in enumerate(events, 1):
        yield event
        yield from at[number]


def merge(traces: Sequence[Iterable[Event]]) -> Iterator[Event]:
    """Events of all traces by their time; each trace is in order. Of the same moment, those of an earlier trace come first."""
    number = 0
    names: dict[tuple[str, str, int], int] = {}
    for event in _placed(heapq.merge(*traces, key=_when_us)):
        details = {key: value for key, value in event.details.items() if key not in _TIMES}
        if event.name in ("send", "receive"):
            if event.name == "send":
                number += 1
                name = (event.node, event.text("to"), event.number("id"))
                names.pop(name, None)
                names[name] = details["id"] = number
                if len(names) > _REMEMBERED_MAX:
                    del names[next(iter(names))]
            else:
                found = names.get((event.text("sender"), event.node, event.number("id")))
                if found is None:
                    number += 1
                details["id"] = number if found is None else found
        yield Event(event.at_ms, event.node, event.name, details)


class Judged:
    """What judging came to. violation: the first broken rule, as text, or None. events: judged. watch: all elections."""

    def __init__(self, since_s: float, until_s: float) -> None:
        self.violation: str | None = None
        self.events = 0
        self.watch = ElectionWatch()
        self._since_s, self._until_s = since_s, until_s

    @property
    def won(self) -> list[Election]:
        """Those that count."""
        return [one for one in self.watch.won if self._since_s <= one.won_s <= self._until_s]


def judge_files(files: Iterable[Path], *, since_s: float = 0.0, until_s: float = inf) -> Judged:
    """Judge the files of a group's nodes together. since_s, until_s: elections that were not won between them do not count.

    Raises: OSError; ValueError for a line that is none.
    """
    judge, found = Judge(), Judged(since_s, until_s)
    try:
        for event in merge([read_events(file) for file in files]):
            judge.observe(event)
            found.watch.observe(event)
    except ViolationError as error:
        found.violation = error.violation.to_text()
    except KeyError as error:
        raise ValueError(f"event {judge.number} does not tell {error}") from None
    found.events = sum(judge.counts.values())
    return found


def write_trace(files: Iterable[Path], out: Path) -> None:
    """The merged trace, for `python -m mq.sim.spacetime` and `python -m mq.sim.group.judge`; its time begins at 0."""
    began_ms: int | None = None
    with out.open("w", encoding="utf-8") as lines:
        lines.write(HEADING + "\n")
        for event in merge([read_events(file) for file in files]):
            began_ms = event.at_ms if began_ms is None else began_ms
            lines.write(event._replace(at_ms=event.at_ms - began_ms).to_line() + "\n")
