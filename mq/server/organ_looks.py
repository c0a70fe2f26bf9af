"""What a replaced organ hands out, looked at from outside: what cannot be is said in a sentence with organ and method.

Of a commit log's plans it is checked that what was to be kept is in what they leave on the disk: the payload of each entry, in
order and as it is, and a `Sync` of each file behind the last `Write` to it. What a plan writes and then writes over, or removes
with its file, does not count. That needs no knowledge of a log's format, but rules out one that changes payloads, such as by
compression: what is changed cannot be told from what is lost, and a node that says "durable" of a lost entry takes acknowledged
messages along.

Each plan is judged alone. That a later one writes over what an earlier one made durable is not seen: a log may write a page once
more, move entries, or use again the place of superseded ones, and to tell that from a loss all payloads would have to be kept.
What is lost in that way is found when the log is read again, and counts as damage of the disk.

How far the log says that it is durable is counted here as well (`mq.server.durable_looks`).
"""

from collections.abc import Callable, Generator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from mq.broker.store.commit_log import Recovery
from mq.core.entry import Appended, Entry, HardState
from mq.core.errors import MqError
from mq.core.ports import Create, Read, Remove, Replace, Sync, Write
from mq.server.durable_looks import count_from, count_of

__all__ = ["LOG_LOOKS", "Looks", "OrganError", "check_plan", "check_written", "look_at_read", "reads_max"]

_Piece: TypeAlias = tuple[int, bytes]
"""Of a file: from which byte on, and what."""
_OPERATIONS = (Create, Write, Sync, Remove, Replace)
_BYTES = (bytes, bytearray, memoryview)
_NUMBERS = ("first_index", "last_index", "durable_index")
_CHANGE = {"append", "reset", "synced", "abandon", "drop_before", "note_durable"}
"""A log's methods behind which it may be another one; the others are asked often, and say what it is."""
_HEAD_BYTES, _HEADS_MAX = 32, 4
_READS_MAX = 1_000_000
_READ_BYTES_MIN = 8


class OrganError(MqError):
    """A replaced organ did what the seam does not allow. The node stops; the others go on."""


class Looks(NamedTuple):
    """call: at what a call returned: the method, "organ: `method`", the organ, its arguments, what it returned.

    result: at what the steps of a generator came to, in the same way.
    """

    call: Callable[[str, str, Any, tuple[Any, ...], Any], None]
    result: Callable[[str, str, Any, tuple[Any, ...], Any], None]


def _expect(what: str, found: Any, kind: type, name: str = "") -> None:
    if not isinstance(found, kind):
        raise OrganError(f"{what} returned {type(found).__name__}, expected {name or kind.__name__}")


# --- a commit log


def _look_at_log(name: str, what: str, log: Any, arguments: tuple[Any, ...], found: Any) -> None:
    if name in {"entries", "recover"}:
        _expect(what, found, Generator, "a generator of Read")
        return
    if name == "term_at" and found is not None:
        _expect(what, found, int, "int or None")
    if name not in _CHANGE:
        return
    if name in {"append", "reset"}:
        _expect(what, found, Appended)
        check_plan(what, found.plan)
        _check_hard_state(what, log)
    elif name in {"drop_before", "note_durable"}:
        check_plan(what, found)
    durable = _check_borders(what, log)
    if name == "append":
        _after, entries, hard_state = (*arguments, *(0, (), None)[len(arguments) :])[:3]
        _check_append(what, log, entries, hard_state, found)
    elif name == "reset":
        check_written(what, found.plan, ())
    _check_durable(name, what, log, arguments, found, durable)


def _check_borders(what: str, log: Any) -> int:
    """Returns the last durable entry, as the log says."""
    first, last, durable = numbers = [getattr(log, name) for name in _NUMBERS]
    for name, number in zip(_NUMBERS, numbers, strict=True):
        _check_property(what, name, number, int)
    if first - 1 > last or durable > last:
        raise OrganError(f"{what} leaves a log that holds {first} to {last}, of which {durable} is durable")
    assert isinstance(durable, int)
    return durable


def _check_hard_state(what: str, log: Any) -> None:
    found = log.hard_state
    _check_property(what, "hard_state", found, HardState)
    _check_property(what, "hard_state.term", found.term, int)
    if found.vote is not None:
        _check_property(what, "hard_state.vote", found.vote, int)


def _check_property(what: str, name: str, found: Any, kind: type) -> None:
    if type(found) is not kind:
        raise OrganError(f"{what} leaves a log whose `{name}` is {repr(found)[:40]}, expected {kind.__name__}")


def _check_durable(name: str, what: str, log: Any, arguments: tuple[Any, ...], found: Any, durable: int) -> None:
    count, wrong = count_of(log), None
    if count is None:
        return
    match name:
        case "append":
            wrong = count.appended(found.sequence, arguments[0], arguments[1])
        case "reset":
            wrong = count.was_reset(found.sequence, arguments[0].index)
        case "synced":
            count.synced(arguments[0])
        case "abandon":
            count.abandoned(arguments[0])
    wrong = wrong or count.what_is_wrong(durable, was_told=name == "synced")
    if wrong is not None:
        raise OrganError(f"{what} {wrong}")


def _check_append(what: str, log: Any, entries: Sequence[Entry], hard_state: Any, found: Appended) -> None:
    if entries and (log.last_index != entries[-1].index or log.term_at(log.last_index) != entries[-1].term):
        raise OrganError(
            f"{what} was given entries up to {entries[-1].index}, and the log ends at {log.last_index}: they are lost"
        )
    if len(found.places) != len(entries):
        raise OrganError(f"{what} was given {len(entries)} entries, and says the places of {len(found.places)}")
    if hard_state is not None and log.hard_state != hard_state:
        raise OrganError(f"{what} was given {hard_state}, and the log says {log.hard_state}: a vote may be given twice")
    check_written(what, found.plan, entries)


def check_plan(what: str, plan: Any) -> None:
    """Raises: OrganError when a plan holds what no disk can carry out."""
    if not isinstance(plan, tuple) or not all(isinstance(operation, _OPERATIONS) for operation in plan):
        kinds = ", ".join(kind.__name__ for kind in _OPERATIONS)
        raise OrganError(f"{what} returned the plan {repr(plan)[:80]}, expected a tuple of {kinds}")
    operations: tuple[Any, ...] = plan
    for operation in operations:
        data, at = getattr(operation, "data", b""), getattr(operation, "at", 0)
        wrong = not (isinstance(operation.file, str) and isinstance(data, _BYTES) and isinstance(at, int) and at >= 0)
        if wrong:
            raise OrganError(f"{what} returned a plan with {repr(operation)[:80]}, which no disk can carry out")


def check_written(what: str, plan: Sequence[Any], entries: Sequence[Entry]) -> None:
    """That a plan keeps what an append was given. Raises: OrganError."""
    left: dict[str, list[_Piece]] = {}
    unsynced: dict[str, None] = {}
    for operation in plan:
        match operation:
            case Write(file, at, data):
                _put(left.setdefault(file, []), at, bytes(data))
                unsynced[file] = None
            case Sync(file):
                unsynced.pop(file, None)
            case Create(file) | Remove(file):
                left.pop(file, None)
                unsynced.pop(file, None)
            case Replace(file, data):
                left[file] = [(0, bytes(data))]
                unsynced.pop(file, None)
    if not left:
        raise OrganError(f"{what} returned a plan that writes nothing: what it was given is lost")
    lost = _first_lost(entries, [data for pieces in left.values() for data in _joined(pieces)])
    if lost is not None:
        raise OrganError(
            f"{what} was given entry {lost.index}, and its plan {_how_lost(plan, entries, lost)}: it is lost "
            "(payloads must be written as they are, in the order of the entries)"
        )
    if unsynced:
        file = next(iter(unsynced))
        raise OrganError(f"{what} returned a plan without a Sync of {file} behind the last Write to it: it is not durable")


def _put(pieces: list[_Piece], at: int, data: bytes) -> None:
    """Of a file: what is written takes the place of what was written there before."""
    end = at + len(data)
    if any(at < start + len(old) and start < end for start, old in pieces):
        before = [(start, old[: at - start]) for start, old in pieces if start < at]
        behind = [(max(start, end), old[max(end - start, 0) :]) for start, old in pieces if start + len(old) > end]
        pieces[:] = [*before, (at, data), *behind]
        pieces.sort(key=itemgetter(0))
    else:
        pieces.append((at, data))


def _joined(pieces: Sequence[_Piece]) -> list[bytes]:
    """As they were written, but as one where one follows the other."""
    runs, end = [[pieces[0][1]]], pieces[0][0] + len(pieces[0][1])
    for at, data in pieces[1:]:
        if at == end:
            runs[-1].append(data)
        else:
            runs.append([data])
        end = at + len(data)
    return [run[0] if len(run) == 1 else b"".join(run) for run in runs]


def _how_lost(plan: Sequence[Any], entries: Sequence[Entry], lost: Entry) -> str:
    begun = _first_lost(entries, [bytes(one.data) for one in plan if isinstance(one, Write | Replace)])
    if begun is None or begun.index > lost.index:
        return "writes that entry's payload and does not leave it there"
    return "does not write that entry's payload"


def _first_lost(entries: Sequence[Entry], written: Sequence[bytes]) -> Entry | None:
    """The first entry whose payload does not stand behind those of the entries before it."""
    number = at = 0
    for entry in entries:
        while number < len(written) and (found := _find(written[number], entry.payload, at)) < 0:
            number, at = number + 1, 0
        if number == len(written):
            return entry
        at = found + len(entry.payload)
    return None


def _find(data: bytes, payload: bytes, at: int) -> int:
    """As `bytes.find`, which takes a while to prepare itself for a long payload: mostly the first place that begins so is it."""
    head = payload[:_HEAD_BYTES]
    for _ in range(_HEADS_MAX):
        at = data.find(head, at)
        if at < 0 or data.startswith(payload, at):
            return at
        at += 1
    return data.find(payload, at)


# --- what a commit log reads, in steps


def look_at_read(what: str, wanted: Any) -> None:
    """Raises: OrganError when a generator's step asks for something else than bytes of a file."""
    if not isinstance(wanted, Read):
        raise OrganError(f"{what} yielded {repr(wanted)[:80]}, expected Read")
    numbers: tuple[Any, ...] = (wanted.at, wanted.size_bytes)
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise OrganError(f"{what} yielded {repr(wanted)[:80]}, which no disk can carry out")


def reads_max(name: str, arguments: tuple[Any, ...]) -> int:
    """So many reads are enough for anything: a few for each record, wherever in the files it looks for them."""
    size_bytes = sum(arguments[0].values()) if name == "recover" and arguments else 0
    return int(_READS_MAX + size_bytes // _READ_BYTES_MIN)


def _look_at_log_result(name: str, what: str, log: Any, arguments: tuple[Any, ...], found: Any) -> None:
    if name == "recover":
        _expect(what, found, Recovery)
        check_plan(what, found.repairs)
        _check_property(what, "is_damaged", log.is_damaged, bool)
        _check_hard_state(what, log)
        _check_borders(what, log)
        count_from(log, log.last_index)
    elif name == "entries":
        _check_entries(what, log, arguments[0], arguments[1], found)


def _check_entries(what: str, log: Any, first: int, last: int, found: Any) -> None:
    _expect(what, found, tuple)
    try:
        indexes = [entry.index for entry, _place in found]
    except (TypeError, ValueError, AttributeError):
        raise OrganError(f"{what} returned {repr(found)[:80]}, expected pairs of an entry and its place") from None
    if indexes != list(range(first, first + len(indexes))) or first + len(indexes) - 1 > last:
        raise OrganError(f"{what} was asked for entries {first} to {last}, and returned {repr(indexes)[:80]}")
    if not indexes and log.first_index <= first <= log.last_index:
        raise OrganError(f"{what} was asked for entries {first} to {last}, and returned none")


LOG_LOOKS = Looks(_look_at_log, _look_at_log_result)
