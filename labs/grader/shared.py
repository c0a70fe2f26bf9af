"""What the tests of a lab need from outside of its folder: modules of its stage (worlds), Rafts to be killed, texts."""

from functools import cache

from labs.grader.box import ROOT, needed_by
from labs.grader.lab import Lab

__all__ = ["is_sealed", "shared_by"]

_OF_SOLUTIONS = ("right", "wrong")


@cache
def _shared(folder: str) -> tuple[str, ...]:
    modules = [f"{folder.replace('/', '.')}.{file.stem}" for file in (ROOT / folder).glob("*.py")]
    own = ("labs/grader/", f"{folder}/")
    return tuple(name for name in needed_by(modules, ()) if name.startswith("labs/") and not name.startswith(own))


def shared_by(lab: Lab) -> tuple[str, ...]:
    """Their files, from the root. They go wherever the lab's own tests go."""
    stage = lab.folder.parent
    texts = sorted(file for folder in lab.reads for file in (stage / folder).glob("*.txt"))
    return (*_shared(lab.folder.relative_to(ROOT).as_posix()), *(file.relative_to(ROOT).as_posix() for file in texts))


def is_sealed(name: str) -> bool:
    """Whether such a file is a solution, right or wrong, or finds them: it runs where students are, and is not read there."""
    return name.split("/")[-2] in _OF_SOLUTIONS or name.endswith(".txt")
