"""Texts that a lab's tests read and that would tell a solution, where students are: packed, so that nobody comes upon them.

It is a curtain, no lock (docs/decisions/015): what is packed here can be unpacked by whoever looks for it.
"""

import base64
import zlib
from pathlib import Path

__all__ = ["sealed_text", "text_in"]

_SIGN = "sealed: a part of the lab's tests that would tell too much\n"
_LINE_CHARS = 120


def sealed_text(text: str) -> str:
    """Packed."""
    packed = base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return _SIGN + "\n".join(packed[at : at + _LINE_CHARS] for at in range(0, len(packed), _LINE_CHARS)) + "\n"


def text_in(file: Path) -> str:
    """What a file says, be it packed or not. Raises: OSError."""
    text = file.read_text(encoding="utf-8")
    if not text.startswith(_SIGN):
        return text
    return zlib.decompress(base64.b85decode(text.removeprefix(_SIGN).replace("\n", ""))).decode()
