"""What a broker tells of itself and of what it stores, as plain data. The field names are the keys of `mq ... -o json`."""

from dataclasses import dataclass

from mq.client.queues import QueueName

__all__ = [
    "BatchResult",
    "BrokerView",
    "ClientView",
    "GroupDescription",
    "GroupView",
    "LagView",
    "MessagePage",
    "MessageView",
    "OrganView",
    "ProgressView",
    "PulledMessage",
    "QueueView",
    "ReceivedMessage",
    "SentMessage",
    "TopicDescription",
    "TopicView",
]


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic's definition. type: normal, fifo, delay or transaction. permission: read_write, read, write or none."""

    name: str
    type: str
    queues: int
    permission: str


@dataclass(frozen=True, slots=True)
class QueueView:
    """The two ends of one queue; `max_offset` is the offset that the next message will get.

    broker: its broker group, as a registry tells it; empty from a broker.
    """

    queue_id: int
    min_offset: int
    max_offset: int
    broker: str = ""


@dataclass(frozen=True, slots=True)
class LagView:
    """How far one group is behind in a topic."""

    group: str
    lag: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic, its queues, and its groups."""

    topic: TopicView
    queues: tuple[QueueView, ...]
    groups: tuple[LagView, ...]


@dataclass(frozen=True, slots=True)
class GroupView:
    """A consumer group's settings. max_attempts: deliveries in all, before a message becomes a dead letter."""

    name: str
    is_fifo: bool
    max_attempts: int


@dataclass(frozen=True, slots=True)
class ProgressView:
    """A group's progress in one queue. lag: messages not acknowledged yet, those in flight included. broker: see `QueueView`."""

    topic: str
    queue_id: int
    consumer_offset: int
    max_offset: int
    lag: int
    in_flight: int
    broker: str = ""


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client of a group that was heard of `last_heard_ms` ago."""

    client_id: str
    type: str
    language: str
    version: str
    address: str
    last_heard_ms: int


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A group, its progress, and its clients."""

    group: GroupView
    queues: tuple[ProgressView, ...]
    clients: tuple[ClientView, ...]


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message. Times are Unix milliseconds, 0 where unknown. origin: topic and message id that a dead letter had."""

    topic: str
    queue_id: int
    offset: int
    message_id: str
    tag: str
    keys: tuple[str, ...]
    message_group: str
    type: str
    properties: dict[str, str]
    born_ms: int
    store_ms: int
    delivery_ms: int
    attempt: int
    origin: tuple[str, str] | None
    body: bytes


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A delivery: the message, and the receipt handle that acknowledges it. broker: the broker group that it is of, if known."""

    message: MessageView
    receipt_handle: str
    broker: str = ""


@dataclass(frozen=True, slots=True)
class PulledMessage:
    """A message as a pull consumer reads it: nothing is hidden, and there is nothing to acknowledge. queue: where it stands."""

    message: MessageView
    queue: QueueName


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Some messages of a queue, where to go on, and the queue's two ends."""

    messages: tuple[MessageView, ...]
    next_offset: int
    min_offset: int
    max_offset: int


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that is stored. offset: -1 where only its batch is known to be there."""

    message_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A batch that is stored. count: messages stored now; duplicates: those left out since their id was stored before."""

    queue_id: int
    base_offset: int
    count: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class OrganView:
    """A replaceable part of the broker, the class that fills it, and how often it was called."""

    name: str
    class_name: str
    calls: int


@dataclass(frozen=True, slots=True)
class BrokerView:
    """A broker at a glance. durable_end: commit-log position up to which everything is synced."""

    name: str
    node: int
    role: str
    version: str
    replication: str
    first_index: int
    last_index: int
    applied_index: int
    durable_end: int
    segments: int
    uptime_ms: int
    organs: tuple[OrganView, ...]
