"""From whatever ended a run to two facts and a sentence that helps."""

import re
from dataclasses import replace

from labs.grader.harmless import harmless
from labs.grader.process import ProcessGoneError
from labs.grader.remote import NotImportedError, OrganRaisedError, WrongTypeError
from labs.grader.result import Failure
from labs.grader.suite import PromiseBrokenError, Run
from mq.core.errors import MqError
from mq.sim.raised import raised

__all__ = ["explain"]

_BLANK = re.compile(r"lab \w+: ([\w.]+)")


def explain(error: Exception, run: Run) -> Failure:
    """What a student is told. What the student's code said of itself is in it, made harmless."""
    found = _explained(error, run)
    return replace(
        found,
        promise=harmless(found.promise),
        expected=harmless(found.expected),
        found=harmless(found.found),
        story=tuple(map(harmless, found.story)),
    )


def _explained(error: Exception, run: Run) -> Failure:  # noqa: PLR0911 - one line for each kind
    story = tuple(run.story)
    match error:
        case PromiseBrokenError():
            return Failure(error.promise, error.expected, error.found, error.section, story, error.disks, figure=run.figure)
        case OrganRaisedError(kind="NotImplementedError", text=text, place=place):
            return _not_written(text, place, story)
        case OrganRaisedError():
            where = f" ({error.place})" if error.place and error.place not in str(error) else ""
            is_import = isinstance(error, NotImportedError)
            promise = "Your files can be imported" if is_import else "Your code raised what it must not raise here"
            return Failure(promise, found=f"{error}{where}", story=story)
        case WrongTypeError():
            return Failure("What crosses the seam has the types that the signatures say", found=str(error), story=story)
        case ProcessGoneError():
            return Failure("Every call comes back", found=str(error), story=story, is_gone=True)
        case MqError():
            return Failure("Your code raised what it must not raise here", found=f"{type(error).__name__}: {error}", story=story)
        case NotImplementedError():
            return _not_written(str(error), "", story)
    return Failure("The test could not go on with what came back", found=raised(error), story=story)


def _not_written(text: str, place: str, story: tuple[str, ...]) -> Failure:
    match = _BLANK.fullmatch(text)
    name = match[1] if match else place or text or "a method"
    at = f" ({place})" if match and place else ""
    return Failure(f"`{name}` is not written yet{at}", section=f"README, method `{name}`", story=story)
