"""When a module cannot be imported since its file was handed in and left alone: what a student is told."""

import re
from dataclasses import replace

from labs.grader.harmless import harmless
from labs.grader.lab import Lab
from labs.grader.result import Failure
from labs.grader.submission import Submission

__all__ = ["with_left_alone"]

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_TOLD_MAX, _NAME_CHARS = 3, 80


def with_left_alone(failure: Failure, lab: Lab, submission: Submission) -> Failure:
    """The failure, with the files that would have been this module, and the rule by which they were not taken.

    One that is of something else, or of a module that is in nothing that was handed in, is given back as it is.
    """
    if not (failure.is_of_all and submission.left_alone):
        return failure
    wanted = _missing(failure.found)
    if wanted is None or wanted[0] != lab.id or len(wanted) == 1:
        return failure
    path = "/".join(wanted[1:])
    # The module itself; the folder that is taken for a package; or the same file one folder too deep.
    found = [
        name
        for name in submission.left_alone
        if name == f"{path}.py" or name.startswith(f"{path}/") or name.endswith(f"/{path}.py")
    ]
    if not found:
        return failure
    names = ", ".join(f"`{name[:_NAME_CHARS]}`" for name in found[:_TOLD_MAX])
    verb = "is there, and was" if len(found) == 1 else "are there, and were"
    rule = (
        f"your modules lie beside `{lab.organ_file}`, in no folder below; their names are made of small letters, digits and _, "
        "and do not begin with test_ or conftest"
    )
    return replace(failure, expected=rule, found=harmless(f"{failure.found}: {names} {verb} left alone"))


def _missing(text: str) -> list[str] | None:
    if match := _NO_MODULE.search(text):
        return match[1].split(".")
    if match := _NO_NAME.search(text):
        return [*match[2].split("."), match[1]]
    return None
