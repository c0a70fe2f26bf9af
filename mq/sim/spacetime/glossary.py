"""What the short words of a drawing mean, for its legend: of messages, and of the lines in cards."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["Entry", "entries_of", "is_plain"]


class Entry(NamedTuple):
    """One explanation. sample: words as they stand in the drawing."""

    sample: str
    meaning: str


_TERM = (r"T(\d+) .+", "term {0}")
_CARDS = (
    (r"commit (\d+)", "entries up to {0} are committed, as this node knows"),
    (
        r"commit (\d+)\.(\d+) in T(\d+)",
        "a leader of term {2} took entry {0} for committed by counting, though it is of term {1}: Raft forbids that (5.4.2)",
    ),
    (r"saved", "what this node had to save is durable"),
    (r"snapshot of 1-(\d+)", "entries up to {0} are now in a snapshot"),
    (r"log from (\d+) on", "entries before {0} were dropped, since a snapshot holds them"),
    (r"installs snapshot (\d+)", "takes over the state behind entry {0}"),
    (r"client: entry (\d+) done", "a client learned that its command is done, as entry {0}"),
    (r"client: state (\d+)", "a client read the state behind entry {0}"),
    (r"client: unknown", "a client was told that its command may or may not be done"),
    (r"client: refused", "a client was told to ask elsewhere, or later"),
    (r"client reads", "a client asked for the state"),
    (r"client: (?!state|entry|unknown|refused).*", "a client's command, by the start of its checksum"),
    (r"disk \+\d+ ms", "its disk is slower by so much"),
    (r"clock at \d+ %", "its clock goes at this speed"),
    (r"told.*", "an order to this node from outside"),
    (r"members [^|]*\|.*", "voters | those before the change"),
)
_MESSAGES = (
    (r"pre-vote\? T\d+", "would you vote for me in this term?"),
    (r"vote\? T\d+", "vote for me in this term"),
    (r"pre-yes", "I would"),
    (r"pre-no", "I would not: I hear a leader, or know of one, or my log is newer"),
    (r"yes", "you have my vote"),
    (r"no", "you have not: it is another's, my log is newer, or my term is"),
    (r"entry (\d+)\.(\d+)", "for your log: the entry at index {0}, of term {1}"),
    (r"entries (\d+)\.(\d+)-(\d+)\.(\d+)", "for your log: those from index {0}, of term {1}, to index {2}, of term {3}"),
    (r"heartbeat", "I lead; is your log like mine?"),
    (r"committed (\d+)", "a heartbeat: entries up to {0} are committed"),
    (r"ok (\d+)", "my log is like yours up to entry {0}, and durable"),
    (r"no, now T(\d+)", "you lead an older term, and I am in term {0}"),
    (r"no, try (\d+)", "my log is not like yours there; try behind entry {0}"),
    (r"snapshot (\d+)(, end| from \d+ B)?", "a piece of the snapshot of 1-{0}"),
    (r"has (\d+)", "the snapshot of 1-{0} is installed here"),
    (r"got \d+ B", "so much of the snapshot is here"),
    (r"campaign now", "become leader in my place"),
)
_AROUND = (
    (r"again: .+", "again: …", "the network delivers it twice"),
    (r"(again: )?old .+", "old …", "of an earlier term than the receiver's"),
    (r".+, old T\d+", "…, old T", "of an earlier term than the receiver's"),
)
"""What may stand around a message's words: with its sample."""
_ADDRESS = re.compile(r" → n\d+$")
_AFFIXES = re.compile(r"^(again: )?(old )?|(, old T\d+)?( → \S+)?$")
_PLAIN = re.compile(
    r"votes for (itself|\S+)|crash|power loss|starts again|paused|goes on|next fsync fails|disk full|disk has room|fsync failed"
    r"|not saved: disk full|down(, paused)?|members [^|]*|broken here|log is empty"
)


def is_plain(text: str) -> bool:
    """Whether the words of a card speak for themselves."""
    return _PLAIN.fullmatch(text) is not None


def entries_of(chips: Iterable[str], notes: Iterable[str], messages: Iterable[str]) -> Iterator[Entry]:
    """What has to be explained of these words, each kind once, with its first example."""
    yield from _found((_TERM,), chips, only_first_word=True)
    yield from _found(_CARDS, notes)
    wholes = list(messages)
    yield from _found(_MESSAGES, [_AFFIXES.sub("", whole) for whole in wholes])
    for pattern, sample, meaning in _AROUND:
        if any(re.fullmatch(pattern, whole) for whole in wholes):
            yield Entry(sample, meaning)
    address = next((found.group() for whole in wholes if (found := _ADDRESS.search(whole))), None)
    if address:
        yield Entry("…" + address, "where it was to go")


def _found(patterns: Iterable[tuple[str, str]], texts: Iterable[str], *, only_first_word: bool = False) -> Iterator[Entry]:
    texts = list(texts)
    for pattern, meaning in patterns:
        found = next((found for text in texts if (found := re.fullmatch(pattern, text))), None)
        if found is not None:
            yield Entry(found.group().split()[0] if only_first_word else found.group(), meaning.format(*found.groups()))
