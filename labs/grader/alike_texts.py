"""Which submissions share what they wrote in texts that are no Python: schedules of their own, answers.

Compared are lines, without comments and blanks. A line counts when it says something of one's own: a number, or a word that
the skeleton has not. What the skeleton or the README has, or a third of the class, counts for nothing; of answers (`.toml`)
neither do the right ones to what everybody is asked, for all who are right give the same. Schedules are also compared as a
whole, by the turn in which their words come, so that other names for the same steps hide nothing.

It is a reason to look at the lines, and no proof of anything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from labs.grader.similarity import common_to

__all__ = ["Line", "TextPair", "TextPrint", "text_pairs", "text_print", "vocabulary_of"]

_WORD = re.compile(r"[^\W\d]\w*|\d+")
_LINES_MIN, _LINES_SHARE = 4, 0.5
_BLOCK_MIN, _BLOCKS_MIN, _BLOCKS_SHARE = 4, 8, 0.75
"""Lines of a block that says something; lines in blocks that two share. Short schedules with one aim are alike by themselves."""


class Line(NamedTuple):
    """number: from 1. text: as it stands there, without its comment."""

    file: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class TextPrint:
    """Of one submission. lines: by what they say, where it stands first; blocks: by what they say when names are made one."""

    name: str
    lines: Mapping[str, Line]
    blocks: Mapping[str, tuple[Line, ...]]


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two whose texts are alike. share: of the one with fewer; lines: (here, there) that are equal, or stand in equal blocks."""

    one: str
    other: str
    share: float
    lines: tuple[tuple[Line, Line], ...]


def vocabulary_of(texts: Iterable[str]) -> frozenset[str]:
    """Words that are given, also in comments."""
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text) if not word.isdigit())


def text_print(name: str, texts: Mapping[str, str], vocabulary: frozenset[str] = frozenset()) -> TextPrint:
    """texts: by file. vocabulary: words that everybody has."""
    lines: dict[str, Line] = {}
    blocks: dict[str, tuple[Line, ...]] = {}
    for file, text in sorted(texts.items()):
        for block in _blocks(file, text):
            for line in block:
                if any(word.isdigit() or word.lower() not in vocabulary for word in _WORD.findall(line.text)):
                    lines.setdefault(_squeezed(line), line)
            if len(block) >= _BLOCK_MIN and not file.endswith(".toml"):
                blocks.setdefault(_without_names(block), block)
    return TextPrint(name, lines, blocks)


def _blocks(file: str, text: str) -> Iterator[tuple[Line, ...]]:
    """What stands between empty lines, or begins with the same word (`schedule`); lines of comments are none at all."""
    block: list[Line] = []
    for number, line in enumerate(text.split("\n"), 1):
        said = line.partition("#")[0].strip()
        is_next = bool(block and said) and said.split()[0] == block[0].text.split()[0]
        if block and (is_next or not line.strip()):
            yield tuple(block)
            block = []
        if said:
            block.append(Line(file, number, said))
    if block:
        yield tuple(block)


def _squeezed(line: Line) -> str:
    """Upper and lower case, and blanks, say nothing."""
    return f"{line.file}:{' '.join(_WORD.findall(line.text.lower()))}"


def _without_names(block: Iterable[Line]) -> str:
    """Each word is called by the turn in which it comes first. The first line is what one called the whole."""
    turns: dict[str, str] = {}
    _, *steps = block
    return "\n".join(
        " ".join(
            word if word.isdigit() else turns.setdefault(word, f"word{len(turns)}") for word in _WORD.findall(step.text.lower())
        )
        for step in steps
    )


def text_pairs(prints: Sequence[TextPrint], given: Iterable[TextPrint], always: Iterable[str] = ()) -> list[TextPair]:
    """Those that share too much, the most alike first. given: what everybody has. always: names that make nothing common."""
    known = {said for each in given for said in (*each.lines, *each.blocks)}
    known |= common_to({each.name: (*each.lines, *each.blocks) for each in prints}, always)
    found = (_pair(one, other, known) for one, other in combinations(prints, 2))
    return sorted(filter(None, found), key=lambda pair: (-pair.share, -len(pair.lines), pair.one, pair.other))


def _pair(one: TextPrint, other: TextPrint, known: set[str]) -> TextPair | None:
    lines = [each.lines.keys() - known for each in (one, other)]
    equal = lines[0] & lines[1]
    share = len(equal) / max(1, min(map(len, lines)))
    blocks = [each.blocks.keys() - known for each in (one, other)]
    sizes = [sum(len(each.blocks[said]) for said in own) for each, own in zip((one, other), blocks, strict=True)]
    alike = sorted(blocks[0] & blocks[1], key=lambda said: one.blocks[said][0].number)
    in_blocks = [pair for said in alike for pair in zip(one.blocks[said], other.blocks[said], strict=True)]
    block_share = len(in_blocks) / max(1, min(sizes))
    is_by_lines = len(equal) >= _LINES_MIN and share >= _LINES_SHARE
    is_by_blocks = len(in_blocks) >= _BLOCKS_MIN and block_share >= _BLOCKS_SHARE
    if not (is_by_lines or is_by_blocks):
        return None
    matching = {*in_blocks, *((one.lines[said], other.lines[said]) for said in equal)}
    return TextPair(one.name, other.name, max(share, block_share), tuple(sorted(matching)))
