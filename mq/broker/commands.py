"""The commands: everything that changes the broker's state, as it stands in the log.

A command carries the *outcome* of what the leader decided (which queue, which offsets, which deadline), so
that applying it needs no clock, no choice and no message body. Every command is stamped with two times:
`log_ms` drives invisible durations, `wall_ms` store and delivery timestamps (docs/design: two clocks).

Control commands are stored as one byte for their kind and a JSON array, which a person can read in the log;
messages have a binary form of their own (`mq.broker.batch`).
"""

import json
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, TypeAlias

from mq.broker.batch import AppendMessages, decode_batch, decode_to_apply, encode_batch
from mq.core.errors import Code, FormatError, RefusedError

__all__ = [
    "AckMessages",
    "ChangeInvisible",
    "Command",
    "CreateGroup",
    "CreateTopic",
    "DeadLetter",
    "DeadPlace",
    "DeleteGroup",
    "DeleteTopic",
    "DropBefore",
    "EndTransaction",
    "MoveOffset",
    "PassTime",
    "QueuePick",
    "ReceiveMessages",
    "ReleaseClient",
    "ReleaseTimers",
    "RenewClient",
    "SetMember",
    "SetWritable",
    "decode_command",
    "encode_command",
]


@dataclass(frozen=True, slots=True)
class CreateTopic:
    """Define a topic, or change its queue count (it may only grow) and permission.

    if_absent: leave a topic that is there as it is.
    """

    KIND: ClassVar[int] = 2
    log_ms: int
    wall_ms: int
    name: str
    message_kind: int
    queues: int
    permission: int
    if_absent: bool = False


@dataclass(frozen=True, slots=True)
class DeleteTopic:
    """Forget a topic, its queues and every group's progress in it."""

    KIND: ClassVar[int] = 3
    log_ms: int
    wall_ms: int
    name: str


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """Define a consumer group, or change its settings.

    max_attempts: deliveries in all before a message becomes a dead letter.
    if_absent: leave a group that is there as it is.
    """

    KIND: ClassVar[int] = 4
    log_ms: int
    wall_ms: int
    name: str
    is_fifo: bool
    max_attempts: int
    if_absent: bool = False


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """Forget a consumer group and its progress everywhere."""

    KIND: ClassVar[int] = 5
    log_ms: int
    wall_ms: int
    name: str


class DeadPlace(NamedTuple):
    """A message that is to become a dead letter, and which entry of the log holds it.

    size_bytes: of the record. first: its number within the stored batch. tag_code: see `mq.broker.filters.tag`.
    """

    offset: int
    size_bytes: int
    log_index: int
    first: int
    tag_code: int


@dataclass(frozen=True, slots=True)
class QueuePick:
    """What one receive took from one queue.

    from_offset: the group's next offset that the choice was based on; a pick based on another one is void.
    first_offset, next_offset: new messages from the one up to, not including, the other; `next_offset` is the
    group's next offset afterwards. skipped: offsets in between that the filter left out.
    again: in-flight messages whose time ran out, delivered once more. dead: such that used up their attempts,
    each with its place in the log, so that applying needs no look-up.
    is_repeat: the same FIFO caller asked again after a lost reply; attempts are not counted again.
    """

    queue_id: int
    from_offset: int
    first_offset: int
    next_offset: int
    skipped: tuple[int, ...] = ()
    again: tuple[int, ...] = ()
    dead: tuple[DeadPlace, ...] = ()
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class ReceiveMessages:
    """Hide messages from the other consumers of a group and hand them to one of them.

    deadline_ms: log time at which they become visible again.
    renews: the leader moves the deadline while the client's heartbeats come.
    """

    KIND: ClassVar[int] = 6
    log_ms: int
    wall_ms: int
    group: str
    topic: str
    client: str
    attempt_id: str
    renews: bool
    deadline_ms: int
    picks: tuple[QueuePick, ...]


@dataclass(frozen=True, slots=True)
class AckMessages:
    """Messages are done for a group. deliveries: (queue id, offset, stamp of the receipt handle)."""

    KIND: ClassVar[int] = 7
    log_ms: int
    wall_ms: int
    group: str
    topic: str
    deliveries: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class ChangeInvisible:
    """Move the deadline of one delivery; a new receipt handle replaces the old one.

    is_counted: False when the messages never reached their consumer: the attempt is taken back.
    """

    KIND: ClassVar[int] = 8
    log_ms: int
    wall_ms: int
    group: str
    topic: str
    queue_id: int
    offset: int
    stamp: int
    deadline_ms: int
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class RenewClient:
    """Move the deadline of what a living client received with `auto_renew`; its handles stay good.

    since: log index; what was received before it stays as it is: whoever handed that out is gone, and nobody knows whether
    it arrived. The same goes for what was received at or before `not_before_ms` (log time): nothing is renewed for ever.
    """

    KIND: ClassVar[int] = 9
    log_ms: int
    wall_ms: int
    client: str
    group: str
    deadline_ms: int
    since: int
    not_before_ms: int


@dataclass(frozen=True, slots=True)
class ReleaseClient:
    """Give back what a client holds of a group: it said goodbye, or has not been heard of.

    Only deliveries with `auto_renew`, or all of them when `everything` is true.
    """

    KIND: ClassVar[int] = 10
    log_ms: int
    wall_ms: int
    client: str
    group: str
    deadline_ms: int
    everything: bool


@dataclass(frozen=True, slots=True)
class MoveOffset:
    """Set the next offset that a group reads in a queue; what it holds in flight there is forgotten."""

    KIND: ClassVar[int] = 11
    log_ms: int
    wall_ms: int
    group: str
    topic: str
    queue_id: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Move one delivery to the group's dead-letter queue. RocketMQ: ForwardMessageToDeadLetterQueue."""

    KIND: ClassVar[int] = 12
    log_ms: int
    wall_ms: int
    group: str
    topic: str
    queue_id: int
    stamp: int
    place: DeadPlace


@dataclass(frozen=True, slots=True)
class EndTransaction:
    """Make a half message visible, or drop it."""

    KIND: ClassVar[int] = 13
    log_ms: int
    wall_ms: int
    topic: str
    transaction_id: str
    is_commit: bool


@dataclass(frozen=True, slots=True)
class ReleaseTimers:
    """Make every delayed message visible that is due at `wall_ms`."""

    KIND: ClassVar[int] = 14
    log_ms: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class DropBefore:
    """Retention: forget all entries below an index. floors: (topic, queue id, new minimum offset)."""

    KIND: ClassVar[int] = 15
    log_ms: int
    wall_ms: int
    index: int
    floors: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class PassTime:
    """Nothing but the time: so that a restart, which goes on from the last stamp, loses little of it."""

    KIND: ClassVar[int] = 16
    log_ms: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class SetMember:
    """Where a node of the group is reached: HOST:PORT by the other nodes, and by clients. Both empty: it is gone."""

    KIND: ClassVar[int] = 17
    log_ms: int
    wall_ms: int
    node: int
    peer_address: str
    client_address: str


@dataclass(frozen=True, slots=True)
class SetWritable:
    """Whether the broker group takes messages. One that does not is being drained: what it has is received as before."""

    KIND: ClassVar[int] = 18
    log_ms: int
    wall_ms: int
    is_writable: bool


Control: TypeAlias = (
    CreateTopic
    | DeleteTopic
    | CreateGroup
    | DeleteGroup
    | ReceiveMessages
    | AckMessages
    | ChangeInvisible
    | RenewClient
    | ReleaseClient
    | MoveOffset
    | DeadLetter
    | EndTransaction
    | ReleaseTimers
    | DropBefore
    | PassTime
    | SetMember
    | SetWritable
)
Command: TypeAlias = AppendMessages | Control

_CONTROL: dict[int, type[Any]] = {
    c.KIND: c
    for c in (
        CreateTopic, DeleteTopic, CreateGroup, DeleteGroup, ReceiveMessages, AckMessages, ChangeInvisible, RenewClient,
        ReleaseClient, MoveOffset, DeadLetter, EndTransaction, ReleaseTimers, DropBefore, PassTime,
        SetMember, SetWritable,
    )
}  # fmt: skip
_FIELDS = {c: tuple(f.name for f in fields(c)) for c in (*_CONTROL.values(), QueuePick)}
_PAYLOAD_BYTES_MAX = 64 << 20
"""Far more than any good request comes to, and less than what one message between two nodes holds: what does not fit into one
would never be committed, and all behind it neither."""
_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode_command(command: Command) -> bytes:
    """The bytes of a command, as an entry's payload. Raises: RefusedError (PAYLOAD_TOO_LARGE)."""
    payload = encode_batch(command) if type(command) is AppendMessages else _encode_control(command)
    if len(payload) > _PAYLOAD_BYTES_MAX:
        raise RefusedError(Code.PAYLOAD_TOO_LARGE, f"request: {len(payload)} bytes in the log, at most {_PAYLOAD_BYTES_MAX}")
    return payload


def _encode_control(command: Any) -> bytes:
    values = [getattr(command, name) for name in _FIELDS[type(command)]]
    if type(command) is ReceiveMessages:
        values[-1] = [[getattr(pick, name) for name in _FIELDS[QueuePick]] for pick in command.picks]
    return bytes((command.KIND,)) + _dumps(values).encode()


def decode_command(payload: bytes, *, is_to_apply: bool = False) -> Command:
    """The command of an entry's payload. is_to_apply: of a batch of messages without the messages.

    Raises: FormatError when it has a kind or a shape that this program does not know.
    """
    kind = payload[0] if payload else None
    if kind == AppendMessages.KIND:
        return decode_to_apply(payload) if is_to_apply else decode_batch(payload)
    kinds = _CONTROL.get(kind or 0)
    if kinds is None:
        raise FormatError(f"command kind {kind} is not known to this program")
    try:
        values = _tuples(json.loads(payload[1:]))
        if kinds is ReceiveMessages:
            values = (*values[:-1], tuple(_pick(pick) for pick in values[-1]))
        elif kinds is DeadLetter:
            values = (*values[:-1], DeadPlace(*values[-1]))
        command: Command = kinds(*values)
    except (ValueError, TypeError) as error:
        raise FormatError(f"command kind {kind} has another shape: {error}") from error
    return command


def _pick(values: Any) -> QueuePick:
    queue_id, before, first, after, skipped, again, dead, is_repeat = values
    return QueuePick(queue_id, before, first, after, skipped, again, tuple(DeadPlace(*d) for d in dead), is_repeat)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
