"""Whether each election had a reason nearby: a fault that can take a leader away, or a machine on which something stood still.

An election begins with its first candidate, and lasts until somebody leads: who lost a vote and tries again does not begin one.
Reasons are looked for at the moments in which something was done, as the traces tell them, and not in the whole time of a fault.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mq.chaos.history import FaultDone, History
from mq.sim.trace import Event

__all__ = ["BEGINS_S_MAX", "Election", "ElectionWatch", "needed", "needless"]

BEGINS_S_MAX = 5.0
"""So long after its reason an election may begin. A follower waits for 1.2 s at most, and needs the others to have waited for
0.6 s, too, else it tries again; nodes that start have to find each other first. A busy machine makes all of it longer."""
_STILL_S = 0.5
"""What is silent for longer may cost a leader its office: followers wait for 0.6 s at least, and hear of it every 0.1 s."""
_MARGIN_S = 0.001
"""Traces tell milliseconds, cut off."""
_DISK_STILL_S = 1.5
"""Of a leader's disk: after two seconds it is replaced."""
_TAKES_LEADER = frozenset({
    "kill", "pause", "restart", "isolate", "double-kill", "rolling-restart", "disk-full", "sync-error", "wiped-node",
    "power-cut", "lost-leader",
})  # fmt: skip
"""Kinds that take a leader away whom they hit. Nobody needs another one because of cuts between two, slow disks or set clocks."""
_ENDS_SEVERAL = frozenset({"double-kill", "power-cut"})

_DONE_TO = frozenset({"kill", "power-loss", "pause", "resume", "wipe", "disk-full", "disk-free", "sync-fails", "slow-disk"})
"""Events that a node does not tell itself."""


class Election(NamedTuple):
    """began_s: its first candidate. stood_still: what did shortly before; empty as a rule."""

    term: int
    leader: str
    began_s: float
    won_s: float
    stood_still: str = ""


class ElectionWatch:
    """Looks on while traces are merged. won: elections, in order. turns_s: when nodes started, and when they ended.

    starts_s: of these, when they started.
    """

    def __init__(self) -> None:
        self.won: list[Election] = []
        self.turns_s: list[float] = []
        self.starts_s: list[float] = []
        self._last_s: dict[str, float] = {}  # of a node, and of what arrives anywhere
        self._silence: dict[str, tuple[float, float]] = {}  # the last long one of each
        self._unsaved: dict[str, dict[int, float]] = {}
        self._begun: tuple[float, str] | None = None

    def observe(self, event: Event) -> None:
        """The next one."""
        at_s, node = event.at_ms / 1000, event.node
        if event.name not in _DONE_TO:
            self._heard(node, at_s)
        match event.name:
            case "receive":
                self._heard("receive", at_s)
            case "start" | "kill" | "power-loss":
                self.turns_s.append(at_s)
                if event.name == "start":
                    self.starts_s.append(at_s)
                self._unsaved[node] = {}
            case "append":
                self._unsaved.setdefault(node, {})[event.number("sequence")] = at_s
            case "save":
                done = event.number("sequence")
                self._unsaved[node] = {seq: since_s for seq, since_s in self._unsaved.get(node, {}).items() if seq > done}
            case "save-failed":
                self._unsaved[node] = {}
            case "role":
                self._role(event, at_s)

    def _heard(self, who: str, at_s: float) -> None:
        since_s = self._last_s.get(who, at_s)
        if at_s - since_s >= _STILL_S:
            self._silence[who] = (since_s, at_s)
        self._last_s[who] = at_s

    def _role(self, event: Event, at_s: float) -> None:
        role, term = event.text("role"), event.number("term")
        led = self.won[-1].term if self.won else 0
        if term <= led:
            return
        if role in ("candidate", "leader") and self._begun is None:
            self._begun = at_s, self._still(at_s)
        if role == "leader" and self._begun is not None:
            self.won.append(Election(term, event.node, self._begun[0], at_s, self._begun[1]))
            self._begun = None

    def _still(self, at_s: float) -> str:
        """What stood still shortly before this moment: the leader's process, its disk, or all that goes between the nodes."""
        leader = self.won[-1].leader if self.won else ""
        if (for_s := self._silent_s(leader, at_s)) >= _STILL_S:
            return f"{leader} did nothing for {for_s:.1f} s"
        if (for_s := self._silent_s("receive", at_s)) >= _STILL_S:
            return f"nothing arrived anywhere for {for_s:.1f} s"
        if (for_s := at_s - min(self._unsaved.get(leader, {}).values(), default=at_s)) >= _DISK_STILL_S:
            return f"the disk of {leader} took {for_s:.1f} s"
        return ""

    def _silent_s(self, who: str, at_s: float) -> float:
        now_s = at_s - self._last_s.get(who, at_s)
        since_s, until_s = self._silence.get(who, (0.0, 0.0))
        return max(now_s, until_s - since_s if until_s >= at_s - BEGINS_S_MAX else 0.0)


def needless(history: History, elections: Iterable[Election], done_s: Iterable[float]) -> tuple[list[str], list[str]]:
    """Elections of the run far from any fault that can need one: those without a reason, and those when something stood still.

    elections: also those before the run. done_s: when something was done, or undone.
    """
    elections, moments = sorted(elections, key=lambda one: one.won_s), sorted(done_s)
    reasons = sorted(at_s for fault in history.faults for at_s in _reasons(fault, moments, elections))
    without: list[str] = []
    excused: list[str] = []
    for one in elections:
        before = reasons[: bisect_right(reasons, one.began_s + _MARGIN_S)]
        is_near = bool(before) and one.began_s - before[-1] <= BEGINS_S_MAX
        if is_near or not history.began_s <= one.won_s <= history.ended_s:
            continue
        at_s = one.won_s - history.began_s
        since = f"{one.began_s - before[-1]:.1f} s after the last" if before else "before any"
        told = f"{one.leader} was elected for term {one.term} at {at_s:.3f} s of the run, {since} fault that can need one"
        if one.stood_still:
            excused.append(f"{told}; before that {one.stood_still}")
        else:
            without.append(told)
    return without, excused


def needed(history: History, elections: Iterable[Election], starts_s: Iterable[float]) -> int:
    """How often the faults took the leader away.

    starts_s: when nodes started. Of several that end one after the other, one may have been elected before it ended, too: until
    the first of them is started again, each such election is one more leader that was taken.
    """
    elections, starts_s = list(elections), sorted(starts_s)
    found = sum(fault.elections for fault in history.faults)
    for fault in history.faults:
        if fault.kind in _ENDS_SEVERAL:
            again = starts_s[bisect_left(starts_s, fault.began_s) : bisect_right(starts_s, fault.ended_s)]
            until_s = again[0] if again else fault.ended_s
            found += sum(fault.began_s <= one.won_s < until_s and _is_victim(one.leader, fault) for one in elections)
    return found


def _is_victim(node: str, fault: FaultDone) -> bool:
    return node in {f"n{name.rpartition('-')[2]}" for name in fault.nodes.split(",")}


def _reasons(fault: FaultDone, moments: list[float], elections: list[Election]) -> Iterator[float]:
    """The moments of a fault after which there may be an election: none of one that left the leader alone."""
    inside = moments[bisect_right(moments, fault.began_s) : bisect_right(moments, fault.ended_s)]
    first_s = inside[0] if inside else fault.began_s
    leader = next((one.leader for one in reversed(elections) if one.won_s <= first_s), "")
    if fault.elections or (fault.kind in _TAKES_LEADER and _is_victim(leader, fault)):
        yield from (fault.began_s, *inside, fault.ended_s)
