"""From whatever ended a run to two facts and a sentence that helps."""

import re
from dataclasses import replace

from labs.grader.harmless import harmless
from labs.grader.process import LIMITS, ProcessGoneError
from labs.grader.remote import EndlessError, NotImportedError, OrganRaisedError, WrongTypeError
from labs.grader.result import NOT_IMPORTED, NOT_WRITTEN, Failure
from labs.grader.suite import PromiseBrokenError, Run
from mq.core.errors import MqError
from mq.sim.raised import raised

__all__ = ["explain"]

_MUST_NOT_RAISE = "Your code raised what it must not raise here"
_HAS_MEMORY = f"Your code gets along with {LIMITS['AS'] >> 20:,} MiB of memory"
_BLANK = re.compile(r"lab \w+: ([\w.]+)")


def explain(error: Exception, run: Run, section: str = "") -> Failure:
    """What a student is told. What the student's code said of itself is in it, made harmless.

    section: where the test's own rule stands, for what says nothing better to read.
    """
    found = _explained(error, run, section)
    return replace(
        found,
        promise=harmless(found.promise),
        expected=harmless(found.expected),
        found=harmless(found.found),
        story=tuple(map(harmless, found.story)),
        code=harmless(found.code, has_lines=True),
    )


def _explained(error: Exception, run: Run, section: str) -> Failure:  # noqa: PLR0911 - one line for each kind
    story = tuple(run.story)
    match error:
        case PromiseBrokenError():
            return Failure(
                error.promise, error.expected, error.found, error.section, story, error.disks, figure=run.figure,
                are_facts=error.are_facts,
            )  # fmt: skip
        case OrganRaisedError(kind="NotImplementedError", text=text, place=place):
            return _not_written(text, place, story)
        case OrganRaisedError():
            return _raised_by_the_organ(error, run, section)
        case EndlessError():
            return Failure("A method that reads comes to its end", found=str(error), section=section, story=story)
        case WrongTypeError():
            promise = "What your code gives back has the types that the signatures say"
            return Failure(promise, found=str(error), section=section, story=story, figure=run.figure)
        case ProcessGoneError():
            return Failure(error.promise, found=str(error), section=section, story=story, is_gone=True)
        case MqError():
            return _raised_by_what_is_given(error, run, section)
        case NotImplementedError():
            return _not_written(str(error), "", story)
    stopped = "The test could not go on with what came back"
    return Failure(stopped, found=raised(error), section=section, story=story, figure=run.figure)


def _raised_by_the_organ(error: OrganRaisedError, run: Run, section: str) -> Failure:
    story = tuple(run.story)
    found = f"{error} ({error.place})" if error.place and error.place not in str(error) else f"{error}"
    if isinstance(error, NotImportedError):
        return Failure(NOT_IMPORTED, found=found, story=story, code=error.code)
    if error.kind == "MemoryError":  # what took it all may be kept: this process is of no use any more
        return Failure(_HAS_MEMORY, found=found, section=section, story=story, is_gone=True)
    return Failure(_MUST_NOT_RAISE, found=found, section=section, story=story, figure=run.figure)


def _raised_by_what_is_given(error: MqError, run: Run, section: str) -> Failure:
    """One of our errors may come from a helper that is given: what helps is who called it, and what it was called on."""
    by = ", ".join(getattr(error, "__notes__", ()))
    found = f"{type(error).__name__}: {error}{', raised by ' + by if by else ''}"
    disks = tuple((heading, disk.copy()) for heading, disk in run.disks if disk.files())
    return Failure(_MUST_NOT_RAISE, found=found, section=section, story=tuple(run.story), disks=disks, figure=run.figure)


def _not_written(text: str, place: str, story: tuple[str, ...]) -> Failure:
    match = _BLANK.fullmatch(text)
    name = match[1] if match else place or text or "a method"
    at = f" ({place})" if match and place else ""
    return Failure(f"`{name}`{NOT_WRITTEN}{at}", section=f"README, method `{name}`", story=story)
