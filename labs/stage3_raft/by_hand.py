"""Test 2.2 of the Raft labs: schedules by hand on a group of the student's Rafts; all promises are looked up after each command.

A schedule that speaks of a message which a Raft never sends says nothing about that Raft (`Ended.is_unsaid`): a right Raft may
send others, sooner or later. So such a schedule is no failure, and no point can be lost by it. What can a wrong Raft make of it?
It can end these schedules early, by never sending what they name. It gains nothing: where a schedule names no message, everyone
plays it to its end or fails (`must_meet`); and who keeps silent to be left alone does not elect, copy or repeat as the sentences
ask for (ring 1), and the worlds (2.1: once all is healed there is a leader, and every command is committed).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from labs.grader.sealing import text_in
from labs.grader.seams import Make
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage3_raft.pictures import RAISED, GroupPicture
from labs.stage3_raft.recorded import RecordedScript
from labs.stage3_raft.remote import raft_made_by
from labs.stage3_raft.scripted import Ended, played

__all__ = ["FOLDERS", "file_of", "scripted_case", "scripted_check"]

_HERE = Path(__file__).parent
FOLDERS = (_HERE / "schedules", _HERE / "schedules_of_labs")
"""Where they lie. The results of long runs are bound to what is in the first one."""
_NAMING = ("deliver ", "drop ", "duplicate ", "save ")
"""Commands that cannot be done where a Raft did not send such a message, or did not write."""
_ANYWAY = "schedules that name no message"
_STORY_MAX = 30
"""Lines: of a longer story only those steps are told that led to its end."""
_POINTS = 2


def file_of(name: str) -> Path:
    """Of a schedule. Raises: FileNotFoundError."""
    for folder in FOLDERS:
        if (folder / f"{name}.txt").is_file():
            return folder / f"{name}.txt"
    raise FileNotFoundError(f"there is no schedule {name!r}")


def scripted_check(sections: Mapping[str, str]) -> Check:
    """Test 2.2 of a lab. sections: by schedule, where it stands what must come of it."""
    cases = [scripted_case(name, section) for name, section in sections.items()]
    anyway = sum(not _names_a_message(text_in(file_of(name))) for name in sections)

    def all_of_them(_seeds: Seeds) -> Sequence[Case]:
        return cases

    return Check(
        "2.2",
        "schedules by hand",
        "Paper: Raft, figure 3",
        all_of_them,
        points=_POINTS,
        must_meet={_ANYWAY: anyway} if anyway else {},
    )


def scripted_case(name: str, section: str) -> Case:
    """One schedule, for Rafts on either side of the border."""
    text = text_in(file_of(name))
    is_anyway = not _names_a_message(text)

    def play(make: Make, _steps: tuple[object, ...], run: Run) -> None:
        script = RecordedScript(raft_made_by(make))  # type: ignore[arg-type]  # it makes nodes
        ended = played(text, script=script)
        run.figure = picture = _picture(name, script, ended)
        is_short = ended.error is None or len(ended.story) <= _STORY_MAX
        run.story[:] = [text.partition("\n")[0], *(ended.story if is_short else picture.story())]
        if ended.is_unsaid:
            run.met["schedules that say nothing about this Raft"] += 1
        elif ended.error is None:
            run.met["schedules played to their end"] += 1
            run.met[_ANYWAY] += is_anyway
        else:
            raise _error_of(name, section, ended)

    return Case(name, (), play)


def _picture(name: str, script: RecordedScript, ended: Ended) -> GroupPicture:
    title, broken = f"{name}.txt", ended.broken
    if broken is None:
        return GroupPicture(script.events, title, RAISED if ended.error is not None and not ended.is_unsaid else "")
    return GroupPicture(script.events, title, _capital(broken.promise), (broken.expected, broken.found))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _names_a_message(text: str) -> bool:
    return any(line.startswith(_NAMING) for line in text.splitlines())


def _error_of(name: str, section: str, ended: Ended) -> Exception:
    """What broke, with the line of the schedule; or what the Raft raised, or its process did."""
    assert ended.error is not None
    if ended.broken is None:
        return ended.error
    broken = ended.broken
    found = f"{broken.found} (after line {ended.number} of {name}.txt: {ended.line})"
    promise = _capital(broken.promise)
    are_facts = bool(broken.section)  # where a schedule says what it expects, that is no fact
    return PromiseBrokenError(
        promise, expected=broken.expected, found=found, section=broken.section or section, are_facts=are_facts
    )
