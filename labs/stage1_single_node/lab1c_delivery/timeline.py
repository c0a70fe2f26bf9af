"""What became of each message, along the time: a row for each, a bar for each delivery.

    q0:3  [anna 1====A              [!carl 2

`[` delivered (to whom, attempt), `=` hidden, `A` done, `x` an ack that was refused, `!` delivered although it was done, `?` where
a question got a wrong answer. The axis is marked at the times at which something happened.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from labs.stage1_single_node.lab1c_delivery.rules import place
from mq.broker.delivery.flight import InFlight

__all__ = ["Mark", "Moment", "Timeline"]

_ROWS_MAX = 8
_TICKS_GAP = 8
"""Of the whole span there is an eighth at least between two marks of the axis, so that their times can be read."""
_COLUMNS = 72
_LEFT, _WIDTH, _ROW, _TOP = 70, 760, 34, 34
_HIDDEN, _EDGE, _WRONG, _DONE, _TEXT, _FAINT = "#cfe3f5", "#2b6cb0", "#b3261e", "#1b6e3c", "#1d2a35", "#5a6874"


class Moment(NamedTuple):
    """How it was at a time. flights: by queue and offset."""

    at_ms: int
    flights: Mapping[int, Mapping[int, InFlight]]


class Mark(NamedTuple):
    """Something about one message. sign: see above."""

    at_ms: int
    queue_id: int
    offset: int
    sign: str
    text: str = ""


class _Bar(NamedTuple):
    begins_ms: int
    ends_ms: int
    text: str
    is_done: bool = False


class Timeline:
    """moments, marks: of a bench, which goes on to fill them. See `labs.grader.figure.Figure`."""

    def __init__(self, moments: Sequence[Moment], marks: Sequence[Mark]) -> None:
        self._moments, self._marks = moments, marks

    # --- what is shown

    def _bars(self) -> dict[tuple[int, int], list[_Bar]]:
        """By message, the deliveries that took place."""
        found: dict[tuple[int, int], list[_Bar]] = {}
        running: dict[tuple[int, int], tuple[int, InFlight]] = {}
        for moment in self._moments:
            here = {(queue_id, o): f for queue_id, flights in moment.flights.items() for o, f in flights.items()}
            for where, (begun_ms, flight) in list(running.items()):
                now = here.get(where)
                if now is None or now.taken_ms != flight.taken_ms or now.client != flight.client:
                    ends_ms = min(moment.at_ms, flight.deadline_ms)
                    is_done = now is None
                    found.setdefault(where, []).append(_Bar(begun_ms, ends_ms, f"{flight.client} {flight.attempt}", is_done))
                    del running[where]
            for where, flight in here.items():
                running[where] = (flight.taken_ms, flight)
        for where, (begun_ms, flight) in running.items():
            found.setdefault(where, []).append(_Bar(begun_ms, flight.deadline_ms, f"{flight.client} {flight.attempt}"))
        return found

    def _rows(self) -> list[tuple[tuple[int, int], list[_Bar], list[Mark]]]:
        """The messages that went wrong first, then those with the most to tell."""
        bars = self._bars()
        marks: dict[tuple[int, int], list[Mark]] = {}
        for mark in self._marks:
            marks.setdefault((mark.queue_id, mark.offset), []).append(mark)

        def weight(where: tuple[int, int]) -> tuple[bool, int, tuple[int, int]]:
            is_wrong = any(mark.sign == "!" for mark in marks.get(where, ()))
            return not is_wrong, -len(bars.get(where, ())) - len(marks.get(where, ())), where

        places = sorted({*bars, *marks}, key=weight)[:_ROWS_MAX]
        return [(where, bars.get(where, []), marks.get(where, [])) for where in places]

    def _times(self) -> list[int]:
        """At which something happened."""
        return [
            time for _, bars, marks in self._rows() for time in (*(t for b in bars for t in b[:2]), *(m.at_ms for m in marks))
        ]

    def _span(self) -> tuple[int, int]:
        times = self._times()
        first, last = min(times, default=0), max(times, default=1)
        return first, max(last, first + 1) + (last - first) // 10

    def _ticks(self) -> list[int]:
        """For the axis: of times that are too near to each other the earlier one. Questions and deadlines go first."""
        first, last = self._span()
        asked = [mark.at_ms for _, _, marks in self._rows() for mark in marks]
        found, ticks = list[int](), min(_TICKS_GAP, _COLUMNS // (len(f"{last} ms") + 1))
        for time in (first, *asked, *sorted(set(self._times()))):
            if all(abs(time - other) * ticks >= last - first for other in found):
                found.append(time)
        return sorted(found)

    @property
    def _is_asked(self) -> bool:
        return any(mark.sign == "?" for mark in self._marks)

    # --- as text

    def lines(self) -> list[str]:
        """See `Figure`."""
        rows = self._rows()
        if not rows:
            return []
        first, last = self._span()

        def column(at_ms: int) -> int:
            return min(_COLUMNS - 1, (at_ms - first) * (_COLUMNS - 1) // (last - first))

        axis = [" "] * (_COLUMNS + 12)
        for time in self._ticks():
            told = f"{time} ms"
            axis[column(time) : column(time) + len(told)] = list(told)
        lines = [f"{'':8}{''.join(axis)}".rstrip()]
        for where, bars, marks in rows:
            cells = [" "] * _COLUMNS
            for bar in bars:
                begins, ends = column(bar.begins_ms), max(column(bar.ends_ms), column(bar.begins_ms) + 1)
                cells[begins:ends] = list(f"[{bar.text}".ljust(ends - begins, "=")[: ends - begins])
                if bar.is_done:
                    cells[min(ends, _COLUMNS - 1)] = "A"
            for mark in marks:
                text = f"[!{mark.text}" if mark.sign == "!" else mark.sign
                at = min(column(mark.at_ms), _COLUMNS - len(text))
                cells[at : at + len(text)] = list(text)
            here = "   <== here" if any(mark.sign == "?" for mark in marks) else ""
            lines.append(f"{place(*where):8}{''.join(cells).rstrip()}{here}")
        asked = "   ? asked, and answered wrongly" if self._is_asked else ""
        legend = "[ delivered: to whom, attempt   = hidden   A done   x ack refused   ! delivered although it was done"
        return [*lines, "", legend + asked]

    # --- as a picture

    def svg(self) -> str:
        """See `Figure`."""
        rows = self._rows()
        if not rows:
            return ""
        first, last = self._span()

        def at(at_ms: int) -> float:
            return round(_LEFT + (at_ms - first) * _WIDTH / (last - first), 1)

        parts = []
        for time in self._ticks():
            parts.append(_text(at(time), _TOP - 14, f"{time} ms", _FAINT, size=11))
            parts.append(
                f'<line x1="{at(time)}" y1="{_TOP - 8}" x2="{at(time)}" y2="{_TOP + _ROW * len(rows)}" stroke="#e1e5e9"/>'
            )
        for number, (where, bars, marks) in enumerate(rows):
            parts += _row(_TOP + _ROW * number, place(*where), bars, marks, at)
        height = _TOP + _ROW * len(rows) + 34
        legend = "bar: hidden from the others, with consumer and attempt · green: done · red: delivered although it was done"
        asked = " · ?: asked, and answered wrongly" if self._is_asked else ""
        parts.append(_text(_LEFT, height - 10, legend + asked, _FAINT, size=11))
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{height}" viewBox="0 0 900 {height}"'
        return f'{head} font-family="system-ui, sans-serif">{"".join(parts)}</svg>'


def _row(top: int, name: str, bars: Sequence[_Bar], marks: Sequence[Mark], at: Callable[[int], float]) -> list[str]:
    parts = [_text(8, top + 17, name, _TEXT, size=13)]
    for bar in bars:
        left, width = at(bar.begins_ms), max(3.0, at(bar.ends_ms) - at(bar.begins_ms))
        parts.append(f'<rect x="{left}" y="{top}" width="{width:.1f}" height="24" rx="3" fill="{_HIDDEN}" stroke="{_EDGE}"/>')
        parts.append(_text(left + 5, top + 16, bar.text, _TEXT))
        if bar.is_done:
            end = at(bar.ends_ms)
            parts.append(f'<line x1="{end}" y1="{top - 3}" x2="{end}" y2="{top + 27}" stroke="{_DONE}" stroke-width="4"/>')
    for mark in marks:
        left = at(mark.at_ms)
        if mark.sign == "!":
            parts.append(
                f'<rect x="{left}" y="{top}" width="80" height="24" rx="3" fill="#f9dedc" stroke="{_WRONG}" stroke-width="2"/>'
            )
            parts.append(_text(left + 5, top + 16, mark.text, _WRONG))
        elif mark.sign == "?":
            parts.append(f'<line x1="{left}" y1="{top - 3}" x2="{left}" y2="{top + 27}" stroke="{_WRONG}" stroke-width="2"/>')
            parts.append(_text(left + 4, top + 17, "? here", _WRONG, size=13))
        else:
            parts.append(_text(left - 4, top + 17, "✕", _WRONG, size=13))
    return parts


def _text(x: float, y: float, text: str, colour: str, size: int = 12) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
