"""What a replaced consume queue hands out, looked at from outside; see `mq.server.organ_looks`.

What was put into it last is remembered here, so that it can be told at once when the queue leads to another place of the log. Of
older entries a node knows nothing of its own: what is wrong there is for the labs to find.
"""

import weakref
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any

from mq.broker.store.queue_entry import QueueEntry, queue_folder
from mq.core.ports import Write
from mq.server.organ_looks import Looks, OrganError, check_plan, check_written
from mq.server.table_looks import expect, look_at_plain

__all__ = ["QUEUE_LOOKS"]

_REMEMBERED = 32
"""Entries of each queue."""
_NUMBERS = ("min_offset", "max_offset", "entry_count", "flushed_count")
_put: dict[int, tuple["weakref.ref[Any]", deque[QueueEntry]]] = {}
"""By the identity of a queue: what was put into it last. It goes with the queue."""


def _look_at_queue(name: str, what: str, queue: Any, arguments: tuple[Any, ...], found: Any) -> None:
    if name in ("entries", "offset_at"):
        expect(what, found, isinstance(found, Generator), "a generator of Read")
        return
    if name in ("flush", "drop_before", "delete", "hollow"):
        check_plan(what, found)
        _check_folder(what, queue, found)
    elif name == "missing":
        expect(what, found, found is None or type(found) is str, "the name of a file, or None")
    elif name == "to_plain":
        look_at_plain(what, found)
    look_further = _FURTHER.get(name)
    if look_further is not None:
        _check_numbers(what, queue)
        look_further(what, queue, arguments, found)


def _check_numbers(what: str, queue: Any) -> None:
    for name in _NUMBERS:
        number = getattr(queue, name)
        if type(number) is not int:
            raise OrganError(f"{what} leaves a queue whose `{name}` is {repr(number)[:40]}, expected int")
    if not 0 <= queue.min_offset <= queue.max_offset or not 0 <= queue.flushed_count <= queue.entry_count:
        numbers = ", ".join(f"{name} {getattr(queue, name)}" for name in _NUMBERS)
        raise OrganError(f"{what} leaves a queue that cannot be: {numbers}")


def _check_folder(what: str, queue: Any, plan: Sequence[Any]) -> None:
    """So that a queue never writes over another one, or over the log."""
    folder = queue_folder(queue.topic, queue.queue_id) + "/"
    for operation in plan:
        if not operation.file.startswith(folder) or ".." in operation.file:
            raise OrganError(f"{what} returned a plan with {operation.file}, which is not in the queue's folder {folder}")


# --- what was put


def _look_at_append(what: str, queue: Any, arguments: tuple[Any, ...], _found: Any) -> None:
    entry: QueueEntry = arguments[0]
    end = entry.base_offset + entry.count
    if queue.max_offset != end:
        raise OrganError(
            f"{what} was given messages {entry.base_offset} to {end - 1}, and the queue ends before {queue.max_offset}: "
            "what comes next would have a wrong offset"
        )
    known = _put.get(id(queue))
    if known is None:
        key = id(queue)
        try:
            known = _put[key] = (weakref.ref(queue, lambda _gone: _put.pop(key, None)), deque(maxlen=_REMEMBERED))
        except TypeError:  # of a class that allows no such thing, nothing is remembered
            return
    known[1].append(entry)


def _look_at_flush(what: str, queue: Any, arguments: tuple[Any, ...], found: Sequence[Any]) -> None:
    waiting = queue.entry_count - queue.flushed_count
    if waiting and not any(isinstance(operation, Write) or hasattr(operation, "data") for operation in found):
        raise OrganError(f"{what} returned a plan that writes nothing, and {waiting} entries are in no file")
    if waiting and any(arguments):
        check_written(what, found, ())


def _look_at_drop(what: str, queue: Any, arguments: tuple[Any, ...], _found: Any) -> None:
    begins = min(arguments[0], queue.max_offset)
    if queue.min_offset < begins:
        raise OrganError(
            f"{what} was told that the messages before {begins} are gone, and the queue begins at {queue.min_offset}"
        )


_FURTHER: dict[str, Callable[[str, Any, tuple[Any, ...], Any], None]] = {
    "append": _look_at_append, "flush": _look_at_flush, "drop_before": _look_at_drop,
    "flushed": lambda *_: None, "hollow": lambda *_: None,
}  # fmt: skip


# --- what is found


def _look_at_result(name: str, what: str, queue: Any, arguments: tuple[Any, ...], found: Any) -> None:
    if name == "offset_at":
        expect(what, found, type(found) is int and 0 <= found <= queue.max_offset, f"an offset up to {queue.max_offset}")
    elif name == "entries":
        is_right = isinstance(found, tuple) and all(isinstance(entry, QueueEntry) for entry in found)
        expect(what, found, is_right, "a tuple of QueueEntry")
        _check_entries(what, queue, arguments[0], arguments[1], found)
        _check_places(what, queue, found)


def _check_entries(what: str, queue: Any, offset: int, entries_max: int, found: Sequence[QueueEntry]) -> None:
    asked = f"{what} was asked for {entries_max} entries from offset {offset} on"
    if not found:
        if max(offset, queue.min_offset) < queue.max_offset:
            raise OrganError(f"{asked}, and returned none: the queue ends at {queue.max_offset}")
        return
    first, at = found[0], found[0].base_offset
    if (
        len(found) > entries_max
        or not first.base_offset <= max(offset, queue.min_offset)
        or first.base_offset + first.count <= offset
    ):
        raise OrganError(f"{asked}, and returned {len(found)}, the first of offsets {at} to {at + first.count - 1}")
    for entry in found:
        if entry.base_offset != at or entry.count < 1:
            raise OrganError(f"{asked}, and returned one of {entry.count} messages at {entry.base_offset} where {at} is next")
        at += entry.count


def _check_places(what: str, queue: Any, found: Sequence[QueueEntry]) -> None:
    """Of what was put last, that it leads to where it was put."""
    known = _put.get(id(queue))
    if known is None:
        return
    puts = known[1]
    for entry in reversed(found):
        if entry.base_offset < puts[0].base_offset:
            break
        put = next(put for put in reversed(puts) if put.base_offset <= entry.base_offset)
        wanted = (put.position, put.log_index, put.size_bytes, put.first + entry.base_offset - put.base_offset)
        got = (entry.position, entry.log_index, entry.size_bytes, entry.first)
        if got != wanted:
            raise OrganError(
                f"{what} says that message {entry.base_offset} is number {got[3]} of the record at position {got[0]} (log index "
                f"{got[1]}, {got[2]} bytes), and it is number {wanted[3]} of that at {wanted[0]} ({wanted[1]}, {wanted[2]} bytes)"
            )


QUEUE_LOOKS = Looks(_look_at_queue, _look_at_result)
