"""What the broker knows: topics, groups, and what is stored but not visible yet.

State holds indexes of log entries, never message bodies, nor where on one node's disk a record lies: that differs from
replica to replica. It changes only by applying commands (`mq.broker.machine`), and can be written to and read from plain
values for snapshots.
"""

from dataclasses import dataclass, field
from typing import Any

from mq.broker.delivery.table import DeliveryTable
from mq.broker.sent_ids import SentIds, json_of
from mq.broker.store.consume_queue import ConsumeQueue
from mq.core.errors import Code, RefusedError
from mq.core.message import MessageKind, Permission

__all__ = [
    "DEAD_LETTER_PREFIX",
    "MAX_ATTEMPTS",
    "QUEUES_DEFAULT",
    "Group",
    "Hidden",
    "Topic",
    "dead_letter_topic",
    "kind_of",
]

DEAD_LETTER_PREFIX = "%DLQ%"
MAX_ATTEMPTS = 17
"""Deliveries in all, for a group that was made on first use. RocketMQ: retryMaxTimes 16, plus the first one."""

QUEUES_DEFAULT = 8
"""Queues of a new topic."""


def kind_of(number: int) -> MessageKind:
    """What a topic takes. Raises: RefusedError (MESSAGE_PROPERTY_CONFLICT_WITH_TYPE) for a type that none takes."""
    try:
        return MessageKind(number)
    except ValueError:
        known = ", ".join(MessageKind.__members__)
        text = f"messages of type {number} are taken by no topic: there are {known}"
        raise RefusedError(Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, text) from None


def dead_letter_topic(group: str) -> str:
    """The topic that holds a group's dead letters."""
    return DEAD_LETTER_PREFIX + group


@dataclass(frozen=True, slots=True)
class Hidden:
    """A stored message that consumers do not see yet: delayed, or half of a transaction.

    size_bytes: of its record, the same on every replica. due_ms: wall time at which a delayed message becomes visible;
    0 for half messages.
    """

    topic: str
    queue_id: int
    size_bytes: int
    log_index: int
    tag_code: int
    due_ms: int

    def to_plain(self) -> list[Any]:
        """As plain values, in the order of the fields."""
        return [self.topic, self.queue_id, self.size_bytes, self.log_index, self.tag_code, self.due_ms]


@dataclass(slots=True)
class Topic:
    """One topic. made_at: log index of the command that made it. queue_class: what its queues are made of."""

    name: str
    kind: MessageKind
    permission: Permission
    made_at: int
    queues: list[ConsumeQueue] = field(default_factory=list)
    sent_ids: SentIds = field(default_factory=SentIds)
    queue_class: type[ConsumeQueue] = ConsumeQueue

    def grow(self, queues: int) -> None:
        """Add queues until there are so many."""
        self.queues.extend(self.queue_class(self.name, queue_id) for queue_id in range(len(self.queues), queues))

    def json_parts(self) -> list[bytes]:
        """Joined, the topic for `from_plain`, as JSON; its consume queues' files hold the rest."""
        queues = [q.to_plain() for q in self.queues]
        plain = [self.name, int(self.kind), int(self.permission), self.made_at, queues]
        return [json_of(plain)[:-1], b",", *self.sent_ids.json_parts(), b"]"]

    @classmethod
    def from_plain(cls, plain: list[Any], queue_class: type[ConsumeQueue] = ConsumeQueue) -> "Topic":
        """The topic of a snapshot."""
        name, kind, permission, made_at, queues, sent_ids = plain
        restored = [queue_class.from_plain(name, i, state) for i, state in enumerate(queues)]
        return cls(name, MessageKind(kind), Permission(permission), made_at, restored, SentIds.from_plain(sent_ids), queue_class)


@dataclass(slots=True)
class Group:
    """One consumer group: its settings, and its progress in each topic. table_class: what its tables are made of."""

    name: str
    is_fifo: bool = False
    max_attempts: int = MAX_ATTEMPTS
    tables: dict[str, DeliveryTable] = field(default_factory=dict)
    table_class: type[DeliveryTable] = DeliveryTable

    def table(self, topic: str) -> DeliveryTable:
        """The group's progress in a topic; at the beginning when it never read there."""
        table = self.tables.get(topic)
        if table is None:
            table = self.tables[topic] = self.table_class()
        return table

    def look(self, topic: str) -> DeliveryTable:
        """Like `table`, for reading only: looking must not change the state, which replicas share."""
        table = self.tables.get(topic)
        return self.table_class() if table is None else table

    def to_plain(self) -> list[Any]:
        """The group as plain values."""
        return [self.name, self.is_fifo, self.max_attempts, {t: table.to_plain() for t, table in self.tables.items()}]

    @classmethod
    def from_plain(cls, plain: list[Any], table_class: type[DeliveryTable] = DeliveryTable) -> "Group":
        """The group of a snapshot."""
        name, is_fifo, max_attempts, tables = plain
        restored = {topic: table_class.from_plain(table) for topic, table in tables.items()}
        return cls(name, is_fifo, max_attempts, restored, table_class)
