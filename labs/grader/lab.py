"""A lab as its folder describes it (`lab.toml`), and where all labs are."""

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from labs.grader.seams import Seam
from labs.grader.suite import Suite
from labs.grader.told import ToldError

__all__ = [
    "LABS", "STUDENT_MARK", "Blank", "Gather", "Lab", "LabError", "Planted", "all_labs", "every_lab", "find_lab",
    "has_reference", "is_for_students",
]  # fmt: skip

LABS = Path(__file__).resolve().parent.parent
STUDENT_MARK = "student.toml"
"""Lies in the folder `labs` of a repository that `mq lab release` made."""
PLANTED = "planted.toml"
"""Says which mistakes a lab's skeleton holds. It is not given to students."""


class LabError(ToldError):
    """There is no such lab."""


class Blank(NamedTuple):
    """A function to be written. begins: the statement before which all is given; "" for the whole body."""

    name: str
    begins: str = ""


class Planted(NamedTuple):
    """A mistake to be found: in the function of that name, a line of the reference, and what stands in its place."""

    name: str
    right: str
    wrong: str


class Gather(NamedTuple):
    """A student's class `name` that is derived from ours, `base`, and holds methods of its layers, which are in `sources`."""

    name: str
    base: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lab:
    """id: such as lab1a_commit_log. hours: what it takes. files: a student's file -> the reference's, from the root.

    Without files nothing but texts is handed in, which are judged here.
    suite: the module with SUITE and SEAM. texts: files that are handed in besides, and are no Python.
    sealed: modules of its tests that would tell a solution, such as a model that does the same. planted: mistakes to be found.
    reads: folders of its stage whose texts its tests read.
    gather: how the student's one class comes about, where it is not copied from files. is_draft: it is being written, and is not
    listed, released or counted yet.
    """

    id: str
    folder: Path
    title: str
    hours: str
    suite_module: str
    files: Mapping[str, str]
    blanks: tuple[Blank, ...]
    texts: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    planted: tuple[Planted, ...] = ()
    gather: Gather | None = None
    reads: tuple[str, ...] = ()
    is_draft: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The reference's files in which what is asked for stands, from the root."""
        return tuple(self.files.values()) if self.gather is None else self.gather.sources

    @property
    def short(self) -> str:
        """Such as lab1a."""
        return self.id.split("_")[0]

    @property
    def spoken(self) -> str:
        """Such as "lab 1a"."""
        return f"lab {self.short.removeprefix('lab')}"

    @property
    def organ_file(self) -> str:
        """The file that must be handed in: the first one, which holds the organ's class, or the first of the texts."""
        return next(iter((*self.files, *self.texts)))

    @property
    def seam(self) -> Seam:
        """What the organ is to the grader."""
        found = importlib.import_module(self.suite_module).SEAM
        assert isinstance(found, Seam)
        return found

    @property
    def runs(self) -> Any:
        """What runs its tests in the place of `Runner`, see `labs.grader.grading.OwnRuns`; None: they have cases, as most do."""
        return getattr(importlib.import_module(self.suite_module), "RUNS", None)

    @property
    def suite(self) -> Suite:
        """Its tests."""
        found = importlib.import_module(self.suite_module).SUITE
        assert isinstance(found, Suite)
        return found


def is_for_students() -> bool:
    """Whether this is a repository that was made for students: without solutions."""
    return (LABS / STUDENT_MARK).is_file()


@cache
def has_reference() -> bool:
    """Whether what the labs ask for can be run here, be it sealed."""
    if not is_for_students():
        return True
    return tomllib.loads((LABS / STUDENT_MARK).read_text(encoding="utf-8")).get("reference") == "sealed"


@cache
def every_lab() -> tuple[Lab, ...]:
    """Those that are being written included."""
    return tuple(_read(file) for file in sorted(LABS.glob("*/*/lab.toml")))


def all_labs() -> tuple[Lab, ...]:
    """Those that can be done, in the order of the course."""
    return tuple(lab for lab in every_lab() if not lab.is_draft)


def find_lab(name: str) -> Lab:
    """By id or by the short form of it, one that is being written included. Raises: LabError."""
    for lab in every_lab():
        if name in (lab.id, lab.short):
            return lab
    known = ", ".join(f"{lab.short} ({lab.title})" for lab in all_labs())
    raise LabError(f"there is no lab {name!r}; there are: {known}")


def _read(file: Path) -> Lab:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    folder = file.parent
    module = ".".join(("labs", folder.parent.name, folder.name, "suite"))
    blanks = tuple(Blank(blank["name"], blank.get("from", "")) for blank in data.get("blank", ()))
    texts, sealed = tuple(data.get("texts", ())), tuple(data.get("sealed", ()))
    mistakes = folder / PLANTED
    planted = tomllib.loads(mistakes.read_text(encoding="utf-8"))["planted"] if mistakes.is_file() else ()
    return Lab(
        folder.name,
        folder,
        data["title"],
        data["hours"],
        module,
        data.get("files", {}),
        blanks,
        texts,
        sealed,
        tuple(Planted(**each) for each in planted),
        Gather(data["gather"]["class"], data["gather"]["base"], tuple(data["gather"]["sources"])) if "gather" in data else None,
        tuple(data.get("reads", ())),
        data.get("is_draft", False),
    )
