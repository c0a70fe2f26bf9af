"""Where an exception came from, in words: for those who see a sentence in place of a traceback."""

import sysconfig
import traceback
from pathlib import Path
from traceback import FrameSummary
from types import FrameType

__all__ = ["place_of", "raised"]

_NOT_THEIRS = (str(Path(__file__).resolve().parent.parent), *{sysconfig.get_path(name) for name in ("stdlib", "purelib")})
"""This package, and what came with Python."""


def raised(error: BaseException) -> str:
    """Such as `mine.py, line 12, in _may_vote_for: KeyError: 4`.

    The place is the innermost one in a file that is not of this package, for that is the one somebody just wrote, whatever it
    called there. When there is none, it is where the exception was raised.
    """
    what = "".join(traceback.format_exception_only(error)).strip().rpartition("\n")[2]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}, line {error.lineno}: {what}"
    place = _place(traceback.extract_tb(error.__traceback__))
    return f"{place}: {what}" if place else what


def place_of(frame: FrameType, outermost: FrameType | None = None) -> str:
    """Such as `mine.py, line 12, in _may_vote_for`: where a program is, chosen as in `raised` among these frames.

    frame: the innermost one. outermost: the last one that may be chosen; None: the program's first.
    """
    calls = list[tuple[FrameType, int]]()
    for one, line in traceback.walk_stack(frame):
        calls.insert(0, (one, line))
        if one is outermost:
            break
    return _place(traceback.StackSummary.extract(iter(calls)))


def _place(stack: list[FrameSummary]) -> str:
    """Empty without any frame."""
    frames = [frame for frame in stack if not frame.filename.startswith("<frozen")]
    theirs = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    if not frames:
        return ""
    frame = (theirs or frames)[-1]
    return f"{_short(frame.filename)}, line {frame.lineno}" + ("" if frame.name == "<module>" else f", in {frame.name}")


def _short(filename: str) -> str:
    """From the folder where the program was started, if it is below that."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
