"""What the command lines of the world and of the explorer read alike."""

import argparse

__all__ = ["read_count", "read_seed"]


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
