"""What the command lines of the world and of the explorer read alike."""

import argparse

__all__ = ["read_seed"]


def read_seed(text: str) -> int:
    """From 0 on: a seed and its negative would give the same run. Raises: ArgumentTypeError."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)
