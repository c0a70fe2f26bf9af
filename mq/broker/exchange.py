"""What goes into a broker and comes out of it, as plain data: the words between its edge and its inside."""

from dataclasses import dataclass
from typing import NamedTuple

from mq.broker.batch import BatchPart

__all__ = [
    "BatchSlice",
    "BrokerState",
    "ClientInfo",
    "DeliveredMessage",
    "Outgoing",
    "OutgoingBatch",
    "QueueOfGroup",
    "ReceiveWish",
]


class Outgoing(NamedTuple):
    """One checked message on its way into the log. stored: the bytes that will be handed to consumers.

    due_ms: wall time for delayed messages, else 0. message_group: unit of FIFO order, "" for none.
    """

    stored: bytes
    message_id: str
    tag: str
    kind: int
    due_ms: int
    message_group: str


@dataclass(frozen=True, slots=True)
class OutgoingBatch:
    """Checked messages on their way into one queue of a topic. queue_id: -1 for the broker to pick.

    message_group: of all, "" for none. tags, messages, shared: as in `mq.broker.batch.AppendMessages`.
    """

    topic: str
    queue_id: int
    kind: int
    message_group: str
    ids: tuple[str, ...]
    tags: tuple[str, ...] | str
    messages: tuple[bytes, ...]
    shared: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveWish:
    """What one receive asks for: up to `count_max` messages of a topic, as soon as there is one, none after `wait_ms`.

    tags: those wanted, None for all. invisible_ms: how long the messages stay hidden; None = until acknowledged, as long
    as the client lives (`auto_renew`). attempt_id: of a FIFO caller, who keeps it when it asks again after a lost reply.
    through: the node that passed the wish on, and passes the messages on; 0 when the client asked here.
    """

    group: str
    topic: str
    count_max: int
    tags: frozenset[str] | None
    invisible_ms: int | None
    wait_ms: int
    client: str
    attempt_id: str = ""
    through: int = 0


@dataclass(frozen=True, slots=True)
class DeliveredMessage:
    """One message as it goes to a consumer. stored: its bytes in the log.

    origin: (topic, message id) that a dead letter comes from, else None.
    """

    stored: bytes
    topic: str
    queue_id: int
    offset: int
    attempt: int
    handle: str
    invisible_ms: int
    store_ms: int
    message_kind: int
    origin: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class QueueOfGroup:
    """A group's progress in one queue. lag: messages that are not done, those in flight included."""

    topic: str
    queue_id: int
    consumer_offset: int
    max_offset: int
    lag: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class BatchSlice:
    """Messages of one stored batch. part: their bytes."""

    queue_id: int
    base_offset: int
    part: BatchPart


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The node at a glance."""

    name: str
    node_id: int
    role: str
    version: str
    first_index: int
    last_index: int
    durable_end: int
    applied_index: int
    segments: int
    uptime_ms: int
    replication: str


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A client heard of lately. client_type: RocketMQ's number; silent_ms: how long ago."""

    client_id: str
    client_type: int
    language: str
    version: str
    address: str
    silent_ms: int
