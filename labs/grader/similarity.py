"""Which submissions share more than the skeleton: fingerprints of runs of words, after all names were made one.

Paper: Schleimer, Wilkerson, Aiken, Winnowing (SIGMOD 2003). A source becomes words; names, numbers and texts lose what they say,
comments and layout are gone. Of each window of hashes of `_RUN` words one is kept, so that any run of `_RUN + _WINDOW - 1` words
that two files share is found, wherever it stands. What the skeleton, the README's hints, or a third of the class has as well,
counts for nothing.

It finds copies, also those with other names and another order of functions. It knows nothing of who copied, and two people who
follow the same hints write alike: look at the lines before you speak with anybody.
"""

import keyword
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple, TypeVar

__all__ = ["Pair", "Print", "Spot", "common_to", "pairs_of", "print_of", "words_of"]

_T = TypeVar("_T")

_RUN, _WINDOW = 14, 8
_COMMON_MIN = 4
"""So many must have something before it counts as common in a small class."""
_SHARED_MIN, _SHARE_MIN = 8, 0.25
_KEYWORDS = frozenset((*keyword.kwlist, "self", "match", "case"))
# A text that is not closed ends with its line: if it were no text, each quote in it would be tried again to the end of the file.
_WORD = re.compile(
    r"""(?P<text>[rRbBuUfF]{0,2}(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?))"""
    r"""|(?P<comment>\#[^\n]*)|(?P<name>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<end>\n)|(?P<sign>[-+*/%@&|^~<>=!:]=|->|\*\*|//|<<|>>|\S)"""
)


class Spot(NamedTuple):
    """Where a run of words stands: lines from 1."""

    file: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Print:
    """Of one submission: where each kept hash stands first."""

    name: str
    spots: Mapping[int, Spot]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two that are alike. share: of the smaller one's own hashes that the other has, too; lines: (here, there) that match."""

    one: str
    other: str
    shared: int
    share: float
    lines: tuple[tuple[Spot, Spot], ...]


def words_of(source: str) -> Iterator[tuple[str, int]]:
    """(word, line). Never raises: what is no Python has words, too."""
    line = 1
    is_fresh = True  # at the beginning of a line: a text that stands there is a docstring, or as good as one
    for match in _WORD.finditer(source):
        kind, text = match.lastgroup, match.group()
        if kind == "end":
            line, is_fresh = line + 1, True
            continue
        if kind == "name":
            yield (text if text in _KEYWORDS else "n"), line
        elif kind == "number":
            yield "0", line
        elif kind == "sign":
            yield text, line
        elif kind == "text" and not is_fresh:
            yield "s", line
        is_fresh = False
        line += text.count("\n")


def _hashes(source: str) -> Iterator[tuple[int, int, int]]:
    """(hash, first line, last line) of those that are kept."""
    words = list(words_of(source))
    runs = [zlib.crc32(" ".join(word for word, _ in words[at : at + _RUN]).encode()) for at in range(len(words) - _RUN + 1)]
    kept = -1
    for begin in range(max(len(runs) - _WINDOW + 1, min(1, len(runs)))):
        window = range(begin, min(begin + _WINDOW, len(runs)))
        at = min(window, key=lambda number: (runs[number], -number))
        if at != kept:
            kept = at
            yield runs[at], words[at][1], words[at + _RUN - 1][1]


def print_of(name: str, files: Mapping[str, bytes]) -> Print:
    """Of all Python files of a submission."""
    spots: dict[int, Spot] = {}
    for file, data in sorted(files.items()):
        if file.endswith(".py"):
            for value, first, last in _hashes(data.decode("utf-8", "replace")):
                spots.setdefault(value, Spot(file, first, last))
    return Print(name, spots)


def pairs_of(prints: Sequence[Print], given: Iterable[Print], always: Iterable[str] = ()) -> list[Pair]:
    """Those that share too much, the most alike first. given: what everybody has. always: names that make nothing common."""
    known = {value for each in given for value in each.spots}
    known |= common_to({each.name: each.spots for each in prints}, always)
    own = {each.name: each.spots.keys() - known for each in prints}
    spots = {each.name: each.spots for each in prints}
    found = []
    for one, other in combinations(own, 2):
        shared = own[one] & own[other]
        share = len(shared) / max(1, min(len(own[one]), len(own[other])))
        if len(shared) >= _SHARED_MIN and share >= _SHARE_MIN:
            found.append(Pair(one, other, len(shared), share, _lines(shared, spots[one], spots[other])))
    return sorted(found, key=lambda pair: (-pair.shared, -pair.share, pair.one, pair.other))


def common_to(said: Mapping[str, Iterable[_T]], always: Iterable[str]) -> set[_T]:
    """What a third of the class has. said: by name. always: names that make nothing common."""
    counts = Counter(value for name, values in said.items() if name not in set(always) for value in values)
    common_from = max(_COMMON_MIN, -(-len(said) // 3))
    return {value for value, count in counts.items() if count >= common_from}


def _lines(shared: Iterable[int], here: Mapping[int, Spot], there: Mapping[int, Spot]) -> tuple[tuple[Spot, Spot], ...]:
    """Matching spots that follow each other, put together."""
    both = sorted((here[value], there[value]) for value in shared)
    joined: list[tuple[Spot, Spot]] = both[:1]
    for (before, _), (one, other) in pairwise(both):
        last, last_other = joined[-1]
        is_next = one.file == last.file and other.file == last_other.file and one.first <= max(last.last, before.last) + 1
        if is_next and last_other.first <= other.first <= last_other.last + 1:
            joined[-1] = (
                last._replace(last=max(last.last, one.last)), last_other._replace(last=max(last_other.last, other.last)),
            )  # fmt: skip
        else:
            joined.append((one, other))
    return tuple(joined)
