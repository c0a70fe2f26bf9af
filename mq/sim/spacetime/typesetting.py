"""Words in narrow places: broken into lines, and never cut, since what is cut off is what the reader came for."""

from mq.sim.spacetime.scene import text_width

__all__ = ["wrap"]


def wrap(text: str, size: float, width: float, *, is_bold: bool = False) -> tuple[str, ...]:
    """The text in lines that are no wider than that: broken between words, and within a word that is wider than a line."""
    lines: list[str] = []
    for word in text.split():
        line = f"{lines[-1]} {word}" if lines else word
        if text_width(line, size, is_bold=is_bold) <= width:
            lines[-1:] = [line]
        else:
            lines += _pieces(word, size, width, is_bold=is_bold)
    return tuple(lines)


def _pieces(word: str, size: float, width: float, *, is_bold: bool) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size, is_bold=is_bold) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces
