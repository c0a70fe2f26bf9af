"""The orders of a run over its time, with what was done to the cluster: as lines, and as SVG."""

import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from labs.stage3_raft.lab3f_drive_it.seen import Seen

__all__ = ["Orders", "election_of"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 980, 340, 60, 60, 40
_BAR_CHARS, _SILENT_ROWS = 46, 4
_SENT, _GOT, _FAULT, _BAND, _TEXT, _FAINT = "#2b6cb0", "#dd6b20", "#b3261e", "#fdecea", "#1d2a35", "#5a6874"
_FAULTS = {"kill": "killed", "back": "back", "pause": "stands still", "cut": "cut off", "end": "no more orders"}


class _Band(NamedTuple):
    """A step. begin_s, end_s: since the first moment of the picture."""

    label: str
    begin_s: float
    end_s: float
    is_failed: bool


class Orders:
    """See `labs.grader.figure.Figure`."""

    def __init__(self, seen: Seen) -> None:
        history = seen.history
        self._since_s = min((one.began_s for one in history.sent), default=0.0)
        self._sent_s = sorted(one.at_s - self._since_s for one in history.sent)
        first: dict[str, float] = {}
        for one in history.got:
            first.setdefault(one.body, one.at_s - self._since_s)
        self._got_s = sorted(first.values())
        self._bands = [
            _Band(_FAULTS[name], done.began_s - self._since_s, done.began_s + done.took_s - self._since_s, bool(done.why_not))
            for name, done in seen.steps.items()
            if name in _FAULTS
        ]
        self._end_s = max([*self._sent_s[-1:], *self._got_s[-1:], *(band.end_s for band in self._bands)], default=0.0)

    def lines(self) -> list[str]:
        """A row for each second: how many orders were acknowledged in it, and what was done."""
        if not self._sent_s:
            return []
        counts = [0] * (int(self._end_s) + 1)
        for at_s in self._sent_s:
            counts[int(at_s)] += 1
        most = max(counts)
        told: dict[int, list[str]] = {}
        for band in self._bands:
            told.setdefault(int(band.begin_s), []).append(band.label)
        rows, silent = list[str](), 0
        for second, count in enumerate(counts):
            silent = 0 if count or second in told else silent + 1
            bar = "#" * round(count * _BAR_CHARS / most)
            row = f"{second:>3} s  {count:>4}  {bar:<{_BAR_CHARS}}  {', '.join(told.get(second, []))}".rstrip()
            rows = [*rows[:-2], "       ...", row] if silent >= _SILENT_ROWS else [*rows, row]
        return ["      orders acknowledged in each second", *rows]

    def svg(self) -> str:
        """Both curves, how many orders over time, and a band for each step; failed ones are red."""
        if not self._sent_s:
            return ""
        parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>', *self._svg_bands(), *self._svg_axes()]
        for at_s, colour, width in ((self._sent_s, _SENT, 3.5), (self._got_s, _GOT, 1.6)):
            points = " ".join(f"{self._x(one):.1f},{self._y(number):.1f}" for number, one in enumerate(at_s, 1))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        legend = ((_SENT, f"{len(self._sent_s)} acknowledged"), (_GOT, f"{len(self._got_s)} delivered"))
        for number, (colour, label) in enumerate(legend):
            parts.append(_text(_WIDTH - 190, _HEIGHT - _BOTTOM - 34 + 18 * number, label, colour))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
            f'font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
        )

    def _svg_bands(self) -> Iterator[str]:
        for number, band in enumerate(self._bands):
            left, right = self._x(max(0.0, band.begin_s)), self._x(min(band.end_s, self._end_s))
            fill = _BAND if band.is_failed else ("#eef4fb", "#f7f9fb")[number % 2]
            bottom = _HEIGHT - _BOTTOM
            yield f'<rect x="{left:.1f}" y="{_TOP}" width="{max(1.0, right - left):.1f}" height="{bottom - _TOP}" fill="{fill}"/>'
            ends = f'x1="{left:.1f}" y1="{_TOP}" x2="{left:.1f}" y2="{bottom}"'
            yield f'<line {ends} stroke="{_FAULT}" stroke-dasharray="3 3"/>'
            place = min(left + 3, _WIDTH - 100)
            yield _text(place, _TOP - 8 - 16 * (number % 3), band.label, _FAULT if band.is_failed else _TEXT)

    def _svg_axes(self) -> Iterator[str]:
        bottom = _HEIGHT - _BOTTOM
        yield f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH - 20}" y2="{bottom}" stroke="{_FAINT}"/>'
        every_s = max(1, round(self._end_s / 12))
        for second in range(0, int(self._end_s) + 1, every_s):
            yield _text(self._x(second) - 4, bottom + 16, str(second), _FAINT)
        yield _text(_WIDTH / 2 - 120, _HEIGHT - 6, "seconds since the first order was sent", _FAINT)
        most = max(len(self._sent_s), len(self._got_s))
        yield _text(8, self._y(most) + 4, str(most), _FAINT)
        yield _text(8, bottom, "0 orders", _FAINT)

    def _x(self, at_s: float) -> float:
        return _LEFT + (_WIDTH - 20 - _LEFT) * at_s / max(self._end_s, 0.001)

    def _y(self, count: float) -> float:
        most = max(len(self._sent_s), len(self._got_s), 1)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * count / most


def _text(left: float, top: float, text: str, colour: str) -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" fill="{colour}">{escape(text)}</text>'


def election_of(seen: Seen) -> Path | None:
    """The election behind the kill, drawn from the nodes' traces, as `election.png` in the run's folder; None: there was none."""
    if not seen.is_done("kill") or seen.violation is not None:
        return None
    from mq.cli.demo_picture import draw_election  # noqa: PLC0415 - needs what is not there wherever labs are listed

    file = seen.folder / "election.png"
    # Where matplotlib keeps its list of fonts, otherwise below the home folder; it is kept for the next run.
    os.environ.setdefault("MPLCONFIGDIR", str(seen.folder.parent / "matplotlib"))
    try:
        return draw_election(file, seen.traces, int(seen.killed_s * 1000), seen.killed)
    except Exception:  # noqa: BLE001 - a trace may say anything
        return None
