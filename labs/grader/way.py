"""The order in which one goes through the course, from `course.toml`: in words, and what comes behind a lab."""

import tomllib
from collections.abc import Collection, Iterable
from itertools import groupby
from pathlib import Path

__all__ = ["behind", "in_words", "spoken", "way"]

_ROOT = Path(__file__).resolve().parent.parent.parent


def way(labs: Collection[str]) -> list[str]:
    """Lessons and labs by name, in the order in which one goes. labs: of the labs only these, by id."""
    names = tomllib.loads((_ROOT / "course.toml").read_text(encoding="utf-8"))["way"]
    return [name for name in names if not name.startswith("lab") or name in labs]


def in_words(names: Iterable[str]) -> str:
    """A way as "lab 0, lessons 0 and 1, lab 1a"."""
    groups = []
    for kind, some in groupby(map(spoken, names), lambda words: words.split()[0]):
        numbers = [name.split()[1] for name in some]
        many = f"{', '.join(numbers[:-1])} and {numbers[-1]}"
        groups.append(f"{kind}s {many}" if len(numbers) > 1 else f"{kind} {numbers[0]}")
    return ", ".join(groups)


def spoken(name: str) -> str:
    """Such as "lesson 1" or "lab 1a"."""
    short = name.partition("_")[0]
    return short.replace("lab", "lab ") if short.startswith("lab") else f"lesson {int(short)}"


def behind(lab: str, labs: Collection[str]) -> str:
    """The first thing behind a lab on the way, by name; "" where nothing comes, or where the lab is not on it."""
    names = way(labs)
    return names[names.index(lab) + 1] if lab in names[:-1] else ""
