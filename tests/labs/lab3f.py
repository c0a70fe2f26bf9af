"""What the tests of lab 3f share: Rafts that are right or wrong, one run of them, and a run as it would be seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from labs.grader.gathered import gathered
from labs.grader.lab import LABS, Gather, find_lab
from labs.grader.result import Outcome
from labs.grader.submission import Submission
from labs.stage3_raft.lab3f_drive_it.history import CALLERS, Got, History, Sent
from labs.stage3_raft.lab3f_drive_it.hosts import Hosts, Processes
from labs.stage3_raft.lab3f_drive_it.organs import LABS_BEFORE
from labs.stage3_raft.lab3f_drive_it.runs import Drive
from labs.stage3_raft.lab3f_drive_it.seen import Done, Seen

__all__ = ["HANGS", "RIGHT", "WRONG", "drive", "good_run", "of_the_zoo", "passed", "whole_raft"]

HANGS = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def step(self, message):
        while self.commit_index > 60:
            pass
        return super().step(message)
"""
ELECTS_ONCE = """
from mq.raft.node import RaftNode

class Raft(RaftNode):
    __slots__ = ()
    def _time_out(self):
        if self.commit_index < 5:
            super()._time_out()
"""


def of_the_zoo(kind: str, name: str) -> str:
    """One of our wrong or right Rafts."""
    return (LABS / "stage3_raft" / kind / f"{name}.py").read_text(encoding="utf-8")


RIGHT = {name: of_the_zoo("right", name) for name in ("lazy", "plain", "eager", "saving_up")}
WRONG = {
    "hangs": (HANGS, "`step` did not come back within"),
    "elects_once": (ELECTS_ONCE, "hardly any order was acknowledged after"),
    "vote_not_saved": (of_the_zoo("wrong", "vote_not_saved"), "its log was not told to keep that"),
    "commit_by_one_too_few": (of_the_zoo("wrong", "commit_by_one_too_few"), "it may be lost yet"),
}
"""Those that must fail each time, and words of what is said of each."""


def whole_raft() -> str:
    """The class that labs 3a to 3d lead to: the methods of all of them, as one who solved them has it."""
    labs = [find_lab(short) for short in LABS_BEFORE]
    sources = tuple(dict.fromkeys(source for lab in labs if lab.gather is not None for source in lab.gather.sources))
    blanks = tuple(blank for lab in labs for blank in lab.blanks)
    return gathered(replace(labs[-1], gather=Gather("Raft", "RaftNode", sources), blanks=blanks), [])


def drive(
    text: str,
    folder: Path,
    *,
    hosts: Callable[..., Hosts] = Processes,
    with_reference: bool = True,
    say: Callable[[Drive, str], None] = lambda _drive, _line: None,
) -> tuple[dict[str, Outcome], Seen]:
    """One run. say: is told each line of the story as it happens."""
    made = Drive(
        Submission({"raft.py": text.encode()}),
        folder,
        hosts=hosts,
        with_reference=with_reference,
        say=lambda line: say(made, line),
    )
    with made:
        return {outcome.number: outcome for outcome in made.outcomes()}, made.seen


def passed(outcomes: dict[str, Outcome]) -> list[str]:
    """Numbers."""
    return [number for number, outcome in outcomes.items() if outcome.is_passed]


def good_run(folder: Path) -> Seen:
    """As a run of a right Raft is seen."""
    history = History("w")
    for number in range(80):
        for caller in CALLERS:
            at_s = 100 + number / 10
            history.note(
                {"what": "sent", "caller": caller, "number": number, "offset": number, "began_s": at_s, "at_s": at_s + 0.01}
            )
            history.note({"what": "got", "body": f"w {caller} {number}", "attempt": 1, "at_s": at_s + 0.02})
    assert isinstance(history.sent[0], Sent)
    assert isinstance(history.got[0], Got)
    names = ("start", "calm", "kill", "back", "pause", "cut", "end")
    steps = {name: Done("", 98.0 + 1.5 * number, 1.5, 0.2) for number, name in enumerate(names)}
    return Seen(folder, history=history, steps=steps, told=["three nodes are started"], events=20_000, elections=4)
