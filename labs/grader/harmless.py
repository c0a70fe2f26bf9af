"""Text that a submission had a hand in, for somebody else's terminal: it can neither move the cursor nor look like more lines."""

__all__ = ["harmless"]

_CHARS_MAX = 1500
_REORDERING = (*range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
"""Characters that turn the order of what stands around them, or end a line."""
_SIGN = "\N{REPLACEMENT CHARACTER}"
_HALVES = range(0xD800, 0xE000)
"""Of characters, that no encoding can say: bytes of a name that is no text, or what JSON can hold and nothing else."""
_LINES = {code: _SIGN for code in (*range(0x20), *range(0x7F, 0xA0), *_REORDERING, *_HALVES) if chr(code) not in "\n\t"}
_ONE_LINE = {**_LINES, ord("\n"): " ", ord("\t"): " "}


def harmless(text: str, *, has_lines: bool = False) -> str:
    """Without characters that command a terminal, in one line if not said otherwise, and of a length that can be read."""
    cut = text if len(text) <= _CHARS_MAX or has_lines else f"{text[:_CHARS_MAX]}…"
    return cut.translate(_LINES if has_lines else _ONE_LINE)
