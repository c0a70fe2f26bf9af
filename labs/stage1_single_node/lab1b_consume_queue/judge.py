"""What a queue answered, held against what must be: the first difference is told as a broken promise, and marked in the picture.

An answer may be finer than what was put: several entries for one batch, down to one for each message.
"""

from collections.abc import Sequence

from labs.stage1_single_node.lab1b_consume_queue.model import Model, facts_of
from labs.stage1_single_node.lab1b_consume_queue.rules import broken, shown, span
from labs.stage1_single_node.lab1b_consume_queue.shelf import Shelf
from mq.broker.store.queue_entry import QueueEntry

__all__ = ["borders", "entries", "time"]

_APPEND = "method 1"
"""Where an entry is given its time."""


def borders(number: int, model: Model, min_offset: int, max_offset: int) -> None:
    """Where the queue says that it begins and ends. Raises: PromiseBrokenError."""
    if max_offset != model.max_offset:
        raise broken(number, expected=f"the queue ends at offset {model.max_offset}", found=f"`max_offset` is {max_offset}")
    if min_offset != model.min_offset:
        found = f"`min_offset` is {min_offset}"
        raise broken(number if number in (10, 11) else 9, expected=f"the queue begins at offset {model.min_offset}", found=found)


def entries(number: int, model: Model, asked: tuple[int, int], found: Sequence[QueueEntry], shelf: Shelf) -> None:
    """What a read came to. number: of the rule that the last command is about. asked: offset, and how many at most.

    Raises: PromiseBrokenError.
    """
    offset, most = asked
    begin = max(offset, model.min_offset)
    what = f"`entries({offset}, {most})`"
    if begin >= model.max_offset:
        if found:
            raise broken(3, expected=f"{what} finds nothing: the queue ends at {model.max_offset}", found=shown(found))
        return
    if not found:
        shelf.mark(begin, "nothing")
        raise broken(number, expected=f"{what} finds {span(begin, 1)}: {model.facts[begin]}", found="it came back with nothing")
    if len(found) > most:
        raise broken(3, expected=f"{what} finds at most {most}", found=f"it found {len(found)}: {shown(found)}")
    first = found[0]
    if not first.base_offset <= begin < first.base_offset + first.count:
        shelf.mark(begin, f"begins at {first.base_offset}")
        raise broken(
            number if number in (10, 11, 12) else 3,
            expected=f"{what} begins with the entry that holds {span(begin, 1)}", found=f"it begins with {shown(found[:1])}",
        )  # fmt: skip
    at = first.base_offset
    for entry in found:
        if entry.base_offset != at or entry.count < 1:
            raise broken(3, expected=f"{what} has {span(at, 1)} next", found=shown([entry]))
        if at + entry.count > model.max_offset:
            raise broken(3, expected=f"{what} ends at the queue's end, {model.max_offset}", found=shown([entry]))
        _same(number, model, entry, shelf, what, found)
        at += entry.count


def _same(number: int, model: Model, entry: QueueEntry, shelf: Shelf, what: str, all_found: Sequence[QueueEntry]) -> None:
    for offset, got in enumerate(facts_of(entry), entry.base_offset):
        wanted = model.facts[offset]
        if got == wanted:
            continue
        shelf.mark(offset, f"at {got.position}" if got.position != wanted.position else "wrong")
        shelf.saw(all_found)
        is_late = wanted._replace(store_ms=got.store_ms) == got
        raise broken(
            4 if is_late else number if number in (10, 11, 12) else 2,
            expected=f"{span(offset, 1)} is {wanted}", found=f"{what} says {got}", method=_APPEND if is_late else "",
        )  # fmt: skip


def time(number: int, model: Model, store_ms: int, found: int, shelf: Shelf) -> None:
    """What a time led to. Where the shelf saw an entry with a wrong time, that is told, too. Raises: PromiseBrokenError."""
    wanted = model.offset_at(store_ms)
    if found == wanted:
        return
    shelf.mark(wanted, "expected")
    shelf.mark(found, f"found for {store_ms}")
    stored = f", stored at {model.facts[wanted].store_ms} ms" if wanted < model.max_offset else ", the queue's end"
    late = shelf.wrong_time()
    told = ""
    if late is not None:
        told = f", and its entry of {span(late[0], 1)} says stored at {late[1]} ms, not {model.facts[late[0]].store_ms}"
    raise broken(
        number if number in (9, 10, 11, 12) else 4,
        expected=f"the first message stored at {store_ms} ms or later is {wanted}{stored}",
        found=f"`offset_at({store_ms})` says {found}{told}", method=_APPEND if late is not None else "",
    )  # fmt: skip
