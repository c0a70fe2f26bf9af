"""Who of a cluster was what, and when: read from the traces that its brokers write, while they write them."""

import re
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from mq.sim.trace import Event

__all__ = ["DEAD", "Role", "Roles"]

DEAD = "dead"
"""What no broker writes of itself."""

_WANTED = (" role ", " start ")
_TOLD_US = re.compile(r" us=(\d+)")
_OTHER_CLOCK_S = 60.0
"""Containers of a machine within this machine have a clock of their own. Brokers that are up write all the time (heartbeats): the
newest line of all is never so old by our clock, nor to come, however long ago the first one was written."""


class Role(NamedTuple):
    """From that moment on. at_s: of the machine's clock that cannot be set."""

    at_s: float
    role: str
    term: int


class Roles:
    """of: by broker's number, its roles in their order. folder: of the traces.

    shift_s: how far the traces' clock is behind that of this process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self.shift_s = 0.0
        self._is_shift_known = False
        self.of: dict[int, list[Role]] = defaultdict(list)

    def look(self) -> None:
        """Read what was written since the last time."""
        lines = [line for file in sorted(self._folder.glob("broker-*.trace")) for line in self._new_lines(file)]
        if not self._is_shift_known:
            self._compare_clocks(lines)
        for line in lines:
            if any(word in line for word in _WANTED):
                self._note(Event.from_line(line))

    def _new_lines(self, file: Path) -> list[str]:
        """Those that are whole."""
        with file.open("rb") as lines:
            lines.seek(self._read.get(file, 0))
            data = lines.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read[file] = self._read.get(file, 0) + len(whole)
        return whole.decode("utf-8").splitlines()

    def _compare_clocks(self, lines: list[str]) -> None:
        newest_us = max((int(found[1]) for line in lines if (found := _TOLD_US.search(line))), default=None)
        if newest_us is not None:
            ahead_s = time.monotonic() - newest_us / 1e6
            self.shift_s, self._is_shift_known = (ahead_s if abs(ahead_s) > _OTHER_CLOCK_S else 0.0), True

    def dies(self, number: int) -> None:
        """A broker is killed now; its next life begins with a line of its own."""
        self.look()
        roles = self.of[number]
        roles.append(Role(time.monotonic(), DEAD, roles[-1].term if roles else 0))

    def _note(self, event: Event) -> None:
        told_s = event.number("us") / 1e6
        role = event.text("role") if event.name == "role" else "follower"
        self.of[int(event.node.removeprefix("n"))].append(Role(told_s + self.shift_s, role, event.number("term")))

    def spans(self, number: int, from_s: float, to_s: float) -> list[tuple[float, float, Role]]:
        """What a broker was between two moments: (since, until, role)."""
        roles = self.of.get(number, [])
        ends = [later.at_s for later in roles[1:]] + [to_s]
        spans = [(max(role.at_s, from_s), min(end, to_s), role) for role, end in zip(roles, ends, strict=False)]
        return [span for span in spans if span[0] < span[1]]
