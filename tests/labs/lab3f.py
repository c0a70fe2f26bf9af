"""What the tests of lab 3f share: Rafts that are right or wrong, one run of them, and a run as it would be seen."""

from collections.abc import Callable
from pathlib import Path

from labs.grader.result import Outcome
from labs.grader.submission import Submission
from labs.stage3_raft.lab3f_drive_it.history import CALLERS, Got, History, Sent
from labs.stage3_raft.lab3f_drive_it.hosts import Hosts, Processes
from labs.stage3_raft.lab3f_drive_it.runs import Drive
from labs.stage3_raft.lab3f_drive_it.seen import Done, Seen

__all__ = ["GROWS", "drive", "good_run", "passed"]

GROWS = """

kept = []
stepping = Raft.step


def step(self, message):
    if self.commit_index > 60:
        kept.append(bytearray(30_000_000))
    return stepping(self, message)


Raft.step = step
"""
"""Behind a Raft: from the 60th entry on it wants 30 MB more for each message."""


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
