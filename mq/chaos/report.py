"""What a run came to: one line for each thing that must hold, and the figures."""

from collections import Counter
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from mq.chaos.calm import longest_gap_s
from mq.chaos.checks import doubles
from mq.chaos.elections import BEGINS_S_MAX, needed, needless
from mq.chaos.history import DONE, REFUSED, UNKNOWN, History
from mq.chaos.judging import CHECKS, judge
from mq.chaos.merging import Judged, judge_files, told_s
from mq.cluster.files import TRACES

__all__ = ["HISTORY", "NOTES", "TRACES", "Report", "judge_run"]

HISTORY = "history.jsonl"
"""Where a run keeps what clients saw, in its folder."""
NOTES = "zz-chaos.trace"
"""Among the traces of the nodes: what was done to them. The last one by name, so that a cause that they tell comes first."""

_ELECTIONS_TO_SPARE = 2
_SHOWN_MAX = 5
_SHOWS_TO_CLIENTS = ("lost-leader", "power-cut")
"""Faults that make a lost message of whatever was acknowledged too soon."""


@dataclass
class Report:
    """lines: for people. failed: the names of what did not hold."""

    lines: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything held."""
        return not self.failed

    def check(self, name: str, broken: list[str], figure: str = "") -> None:
        """Something that must hold. broken: sentences that say where it did not."""
        told = f" ({figure})" if figure else ""
        self.lines.append(f"{'FAILED' if broken else 'ok    '}  {name}{told}")
        if broken:
            self.failed.append(name)
            shown = [line for sentence in broken[:_SHOWN_MAX] for line in sentence.splitlines()]
            self.lines += [f"        {line}" for line in shown]
            if len(broken) > _SHOWN_MAX:
                self.lines.append(f"        and {len(broken) - _SHOWN_MAX} more")

    def to_text(self) -> str:
        """All lines."""
        return "\n".join(self.lines) + "\n"


def judge_run(folder: Path) -> Report:
    """Judge what a run left in its folder. Raises: OSError; ValueError when a file is not what it should be."""
    history, report = History.read(folder / HISTORY), Report()
    surprises = history.facts.get("surprises")
    if surprises is None:
        surprises = ["it was broken off" + ("; it never began" if history.began_s == inf else "")]
    report.check("the run came to its end, without surprises", surprises)
    traces = _judge_traces(folder / TRACES, history)
    history.elected_s = [one.won_s for one in traces.won] if traces is not None else []
    for name, check in CHECKS.items():
        report.check(name, *judge(check, history))
    _tell_traces(traces, history, report)
    if traces is not None:
        _tell_elections(traces, history, [*traces.watch.turns_s, *_done_s(folder / TRACES / NOTES)], report)
    _tell_figures(history, report)
    return report


def _judge_traces(folder: Path, history: History) -> Judged | None:
    files = sorted(folder.glob("*.trace"))
    if all(file.name == NOTES for file in files):
        return None
    if history.began_s == inf:  # it never began
        return None
    return judge_files(files, since_s=history.began_s, until_s=history.ended_s)


def _done_s(notes: Path) -> list[float]:
    return told_s(notes) if notes.exists() else []


def _tell_traces(found: Judged | None, history: History, report: Report) -> None:
    rules = "the traces of the nodes keep Raft's rules"
    if found is None and history.facts.get("has_traces"):
        report.check(rules, ["there is no trace, though the nodes were told to write them"])
        return
    if found is None:
        if history.began_s == inf:
            report.lines.append("        the run never began: nothing to judge there")
        else:
            report.lines += _untold(history)
        return
    broken = [found.violation] if found.violation is not None else [] if found.events else ["the traces tell nothing"]
    report.check(rules, broken, f"{found.events} events")


def _untold(history: History) -> list[str]:
    """Most of what Raft forbids, clients do not see; and what they could see, only when something came of it."""
    kinds = Counter(fault.kind for fault in history.faults)
    met = " and ".join(f"{kinds[kind]} {kind}" for kind in _SHOWS_TO_CLIENTS)
    return [
        "NOTHING SAID  of Raft's rules and of needless elections: the nodes write no traces, so there is nothing to judge there.",
        f"        That a leader acknowledges alone, or too soon, shows as a lost message after some faults alone: {met} here.",
        "        A run in a new --dir makes nodes that write traces.",
    ]


def _tell_elections(found: Judged, history: History, done_s: list[float], report: Report) -> None:
    taken = needed(history, found.won, found.watch.starts_s)
    told = f"{len(found.won)} elections, {taken} faults that took the leader"
    broken = [told] if len(found.won) > taken + _ELECTIONS_TO_SPARE else []
    report.check(f"a new leader only where a fault took the old one, but for {_ELECTIONS_TO_SPARE} times at most", broken, told)
    without, excused = needless(history, found.watch.won, done_s)
    told = f"within {BEGINS_S_MAX:g} s, but for {len(excused)} of {len(found.won)}"
    report.check("each election began after a fault that can need one, or when something stood still", without, told)
    report.lines += [f"        {line}" for line in excused]


def _tell_figures(history: History, report: Report) -> None:
    outcomes = Counter(send.outcome for send in history.sends)
    faults = Counter(fault.kind for fault in history.faults)
    delivered = sum(len(receive.messages) for receive in history.receives)
    again = sum(one.attempt > 1 for receive in history.receives for one in receive.messages)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items()))
    if "nodes" in history.facts:
        report.lines.append(f"nodes     {history.facts['nodes']}")
    report.lines += [
        f"messages  {outcomes[DONE]} acknowledged, sends failed: {outcomes[REFUSED]}",
        f"          {outcomes[UNKNOWN]} sent without an answer: stored or not, both are right",
        f"          {len(history.stored)} stored, twice: {len(doubles(history))}; {delivered} deliveries, {again} of them again",
        f"faults    {sum(faults.values())}: {kinds or 'none'}",
        f"gap       {longest_gap_s(history.sends):.3f} s at most without an acknowledged message",
    ]
    if history.facts.get("left_out"):
        report.lines.append(f"left out  {', '.join(history.facts['left_out'])}: the nodes have no place for faults")
