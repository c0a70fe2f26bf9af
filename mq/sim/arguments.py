"""What the command lines of the world and of the explorer read alike."""

import argparse
import re
from collections.abc import Sequence

__all__ = ["read_count", "read_jobs", "read_name", "read_seed", "with_negatives"]

_JOBS_MAX = 64
"""More interpreters than this are a slip of the pen: each is a process with a hundred megabytes."""


def read_seed(text: str) -> int:
    """From 0 on: a seed and its negative would give the same run. Raises: ArgumentTypeError."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def read_count(text: str) -> int:
    """From 1 on. Raises: ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def read_jobs(text: str) -> int:
    """Processes at a time, from 1 to 64. Raises: ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= _JOBS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_JOBS_MAX}")
    return int(text)


def read_name(text: str) -> str:
    """Not empty, as a variable that is not set would make it. Raises: ArgumentTypeError."""
    if not text.strip():
        raise argparse.ArgumentTypeError("nothing is named: '' is empty")
    return text


def with_negatives(arguments: Sequence[str]) -> list[str]:
    """The same, with a value such as `-3..2` joined to its flag: argparse would take it for a flag, and miss the value."""
    joined: list[str] = []
    for argument in arguments:
        if joined and re.match(r"-\d", argument) and re.fullmatch(r"--[a-z-]+", joined[-1]):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined
