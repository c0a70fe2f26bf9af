"""What a replaced Raft hands out, looked at from outside; see `mq.server.organ_looks`.

Types first, so that what no host can carry out names its method. Then what cannot be, whatever a Raft is like inside: what it
was given to propose stands in its log, in order, where `Output.proposed` says; what it acknowledges is in its log, and what it
sends to others as its log is; what it puts into its log is handed out to be saved (`mq.server.saving_looks`); what it hands out
to be applied is committed (`mq.server.applied_looks`); it votes once a term, and leads when it was voted for
(`mq.server.voting_looks`); and while it leads, it leads (`mq.server.leading_looks`).

What became of an entry later is looked at where it is applied (`mq.server.pending`).
"""

from collections.abc import Iterable, Sequence
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from mq.core.entry import Appended, Entry, EntryKind
from mq.core.ids import EntryId
from mq.raft.messages import AppendReply, AppendRequest, Message, Snapshot
from mq.raft.output import Chunk, ChunkWanted, EntriesWanted, Output, ReadReady, RoleChanged
from mq.raft.view import NodeView
from mq.server.applied_looks import UNAPPLIED_TICKS_MAX, check_applying
from mq.server.leading_looks import check_leading
from mq.server.organ_looks import Looks, OrganError, check_plan
from mq.server.saving_looks import check_saving
from mq.server.voting_looks import check_voting

__all__ = ["RAFT_LOOKS", "UNAPPLIED_TICKS_MAX"]

_OUTPUTS = {
    "tick", "step", "propose", "read", "campaign", "saved", "save_failed", "disk_failed", "applied", "snapshot_saved",
    "snapshot_received", "snapshot_failed", "fetched", "chunk_fetched", "transfer", "change_members",
}  # fmt: skip
_MESSAGES: tuple[type, ...] = get_args(Message)
_LISTS: dict[str, tuple[type, ...]] = {
    "saves": (Appended,),
    "send": _MESSAGES,
    "reads": (ReadReady,),
    "fetch": (EntriesWanted, ChunkWanted),
    "chunks": (Chunk,),
    "changes": (RoleChanged,),
}
_OR_NOTHING = {"install": Snapshot, "proposed": EntryId}


def _look_at_raft(name: str, what: str, node: Any, arguments: tuple[Any, ...], found: Any) -> None:
    if name == "view":
        if not isinstance(found, NodeView):
            raise OrganError(f"{what} returned {type(found).__name__}, expected NodeView")
        _check_fields(what, found)
    if name not in _OUTPUTS:
        return
    if not isinstance(found, Output):
        raise OrganError(f"{what} returned {type(found).__name__}, expected Output")
    _check_types(what, found)
    storage = node.log.storage
    last = max(storage.durable_index, node.snapshot.last.index)
    if found.apply_to > last:
        raise OrganError(f"{what} wants entry {found.apply_to} to be applied, and only those up to {last} are durable here")
    if name == "propose":
        _check_proposed(what, storage, arguments[0], found)
    if found.send or found.send_after:
        _check_said(name, what, node, arguments, found)
    check_voting(name, what, node, arguments, found)
    view = node.view() if name == "tick" else None
    check_saving(name, what, node, arguments, found, view)
    check_applying(name, what, node, arguments, found, view)
    check_leading(name, what, node, arguments, found, view)


# --- types


def _check_types(what: str, found: Output) -> None:
    for field, kinds in _LISTS.items():
        _check_list(what, field, getattr(found, field), kinds)
    _check_list(what, "send_after", found.send_after, (tuple,))
    pairs: tuple[Any, ...] = found.send_after
    for pair in pairs:
        if len(pair) != 2 or type(pair[0]) is not int or not isinstance(pair[1], _MESSAGES):
            raise OrganError(
                f"{what} returned an Output whose `send_after` has {repr(pair)[:80]}, expected pairs of a sequence and a message"
            )
    for field, kind in _OR_NOTHING.items():
        value = getattr(found, field)
        if value is not None and not isinstance(value, kind):
            raise OrganError(f"{what} returned an Output whose `{field}` is {repr(value)[:80]}, expected {kind.__name__} or None")
    if not isinstance(found.apply_to, int):
        raise OrganError(f"{what} returned an Output whose `apply_to` is {repr(found.apply_to)[:40]}, expected a log index")
    check_plan(what, found.forget)
    _check_parts(what, found)


def _check_list(what: str, field: str, values: Any, kinds: tuple[type, ...]) -> None:
    if not isinstance(values, tuple) or not all(isinstance(value, kinds) for value in values):
        expected = "Message" if kinds is _MESSAGES else " or ".join(kind.__name__ for kind in kinds)
        raise OrganError(f"{what} returned an Output whose `{field}` is {repr(values)[:80]}, expected a tuple of {expected}")


def _check_parts(what: str, found: Output) -> None:
    messages = (*found.send, *(message for _, message in found.send_after))
    single = (value for value in (found.install, found.proposed) if value is not None)
    for value in (*messages, *found.reads, *found.fetch, *found.chunks, *found.changes, *single):
        _check_fields(what, value)
    for appended in found.saves:
        check_plan(what, appended.plan)
        if not isinstance(appended.sequence, int):
            raise OrganError(f"{what} returned a save whose sequence is {repr(appended.sequence)[:40]}, expected int")


def _check_fields(what: str, value: Any) -> None:
    """Of a message, or what else an output holds."""
    kind: type = type(value)
    for (field, kinds), found in zip(_fields_of(kind), value, strict=True):
        if not isinstance(found, kinds):
            expected = " or ".join(one.__name__ for one in kinds)
            raise OrganError(f"{what} returned {kind.__name__} whose `{field}` is {repr(found)[:80]}, expected {expected}")


@cache
def _fields_of(kind: type) -> tuple[tuple[str, tuple[type, ...]], ...]:
    """(name, what its value may be) of each."""
    return tuple((field, _kinds_of(hint)) for field, hint in get_type_hints(kind).items())


def _kinds_of(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, UnionType):
        return tuple(kind for one in get_args(hint) for kind in _kinds_of(one))
    found = getattr(hint, "__supertype__", None) or get_origin(hint) or hint
    assert isinstance(found, type)
    return (found,)


# --- what was proposed


def _check_proposed(what: str, storage: Any, payloads: Sequence[bytes], found: Output) -> None:
    """Each command is in the log, in order, from `proposed` on, and handed out to be saved."""
    given = f"{what} was given {len(payloads)} command(s)"
    if found.proposed is None:
        raise OrganError(f"{given}, and its Output does not say where the first one is: `proposed` is None")
    if not found.saves:
        raise OrganError(f"{given}, and its Output saves nothing: they are lost")
    (term, first), end = found.proposed, storage.last_index
    last = first + len(payloads) - 1
    if not storage.first_index <= first <= last <= end:
        raise OrganError(
            f"{given}, and says that they are entries {first} to {last}: its log holds {storage.first_index} to {end}"
        )
    for number, payload in enumerate(payloads):
        index = first + number
        entry = _at_hand(storage, index)
        if storage.term_at(index) != term:
            raise OrganError(f"{given} in term {term}, and entry {index} of its log is of term {storage.term_at(index)}")
        if entry is not None and (entry.kind is not EntryKind.COMMAND or entry.payload != payload):
            raise OrganError(f"{given}, and entry {index} of its log is not number {number + 1} of them: it is lost, or moved")


def _at_hand(storage: Any, index: int) -> Entry | None:
    """An entry that is not applied yet; None for others, and with a log that keeps none at hand."""
    found = getattr(storage, "fresh", {}).get(index)
    return None if found is None else found[0]


# --- what is said to others


def _check_said(name: str, what: str, node: Any, arguments: tuple[Any, ...], found: Output) -> None:
    storage, snapshot = node.log.storage, node.snapshot.last.index
    later = [message for _, message in found.send_after]
    for messages, end, how in ((found.send, storage.durable_index, "durable"), (later, storage.last_index, "there")):
        last = max(end, snapshot)
        for message in messages:
            if isinstance(message, AppendReply) and message.is_matching and message.match_index > last:
                raise OrganError(
                    f"{what} acknowledges entries up to {message.match_index}, and only those up to {last} are {how}"
                )
            if isinstance(message, AppendRequest):
                _check_sent(what, storage, message)
    if name == "step" and isinstance(arguments[0], AppendRequest) and arguments[0].entries:
        _check_taken(what, storage, snapshot, arguments[0], (*found.send, *later))


def _check_sent(what: str, storage: Any, message: AppendRequest) -> None:
    for entry in message.entries:
        own = _at_hand(storage, entry.index)
        if own is not None and own != entry:
            raise OrganError(f"{what} sends entry {entry.index} to node {message.to} as it is not in its own log")


def _check_taken(what: str, storage: Any, snapshot: int, request: AppendRequest, said: Iterable[Message]) -> None:
    """What is acknowledged of a request is in the log as it came."""
    matched = [one.match_index for one in said if isinstance(one, AppendReply) and one.is_matching and one.term == request.term]
    end = max(matched, default=0)
    for entry in request.entries:
        if snapshot < entry.index <= end:
            own = _at_hand(storage, entry.index)
            if storage.term_at(entry.index) != entry.term or (own is not None and own != entry):
                raise OrganError(f"{what} acknowledges entry {entry.index}, which is not in its log as it came: it is lost")


RAFT_LOOKS = Looks(_look_at_raft, lambda *_: None)
