"""Modules of ours, compiled for a worker of this Python: it begins in a third of the time.

A worker of another version finds nothing that it can read, and compiles the sources itself. What a student wrote is compiled by
his own process alone.
"""

import importlib.util
import marshal
import sys
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

__all__ = ["compiled", "place_of"]

_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""It is taken as it is: by its hash, and nobody is to look at the source."""


def place_of(file: str) -> str:
    """Where a worker looks for it."""
    return importlib.util.cache_from_source(file, optimization="")


@cache
def compiled(root: Path, file: str, text: bytes, *, is_other: bool) -> bytes:
    """What to put there. file: from the root. text: what is in it, or (is_other) what a worker gets in its place.

    Where the root is on this machine does not stand in it. Raises: SyntaxError, OSError.
    """
    code: CodeType | None
    if is_other or sys.flags.optimize:
        code = compile(text, file, "exec", dont_inherit=True, optimize=0)
    else:
        code = SourceFileLoader("it", str(root / file)).get_code("it")  # knows whether what an import left behind is of this text
    assert code is not None
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(_named(code, file))


def _named(code: CodeType, file: str) -> CodeType:
    inner = tuple(_named(each, file) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=file, co_consts=inner)
