"""What the handlers need of the broker behind them: three protocols, filled by `mq.server`."""

from collections.abc import Iterable
from typing import Protocol

from mq.broker.batch import StoredMessage
from mq.broker.exchange import (
    BatchSlice,
    BrokerState,
    ClientInfo,
    DeliveredMessage,
    Outgoing,
    OutgoingBatch,
    QueueOfGroup,
    ReceiveWish,
)
from mq.broker.outcomes import Sent
from mq.broker.state import Group, Topic
from mq.core.errors import RefusedError

__all__ = ["AdminPort", "ClientsPort", "DeliveryPort", "SendingPort"]


class SendingPort(Protocol):
    """Producers."""

    def future_topic(self, name: str) -> Topic | None:
        """An unknown topic as the first send to it would make it; None where a send makes none."""

    async def send_one(self, topic_name: str, message: Outgoing) -> tuple[int, int]:
        """Store one message; its (queue id, offset)."""

    async def send(self, topic_name: str, messages: list[Outgoing]) -> list[tuple[int, int]]:
        """Store messages; (queue id, offset) of each."""

    async def send_batch(self, batch: OutgoingBatch) -> Sent:
        """Store one batch in one queue."""

    async def end_transaction(self, topic: str, transaction_id: str, *, is_commit: bool) -> None:
        """Commit or roll back."""


class DeliveryPort(Protocol):
    """Consumers."""

    async def receive(self, wish: ReceiveWish) -> list[DeliveredMessage]:
        """Messages, as soon as there is one."""

    async def ensure_group(self, name: str) -> Group:
        """The group, made on first use."""

    async def ack(self, group: str, topic: str, entries: list[tuple[str, str]]) -> list[RefusedError | None]:
        """Acknowledge (message id, receipt handle) pairs."""

    async def change_invisible(self, group: str, topic: str, text: str, invisible_ms: int) -> str:
        """Hide for a new span; the new handle."""

    async def forward_to_dead_letters(self, group: str, topic: str, text: str) -> None:
        """Give a delivery up."""

    async def release_client(self, client: str, groups: Iterable[str]) -> None:
        """A client said goodbye."""

    def give_back_messages(self, group: str, topic: str, messages: Iterable[DeliveredMessage]) -> None:
        """These never reached their consumer."""


class ClientsPort(Protocol):
    """Who is there."""

    def heard_again(self, client_id: str) -> bool:
        """A sign of life of a known client; False for another."""

    def heard(
        self, client_id: str, *, group: str = "", client_type: int = 0, language: str = "", version: str = "", address: str = ""
    ) -> None:
        """A sign of life."""

    def stream_opened(self, client_id: str) -> None:
        """A Telemetry call began."""

    def stream_closed(self, client_id: str) -> None:
        """A Telemetry call ended."""

    def gone(self, client_id: str) -> None:
        """A goodbye."""

    def groups_of(self, client_id: str) -> frozenset[str]:
        """The groups that the client was heard of with."""


class AdminPort(Protocol):
    """Definitions and look-ups."""

    async def create_topic(self, name: str, kind: int, queues: int, permission: int) -> Topic:
        """Define a topic, or change its queues and permission. 0: as it is, or the default of a new one."""

    async def delete_topic(self, name: str) -> None:
        """Forget a topic and its messages."""

    def topics(self) -> list[Topic]:
        """All topics, by name."""

    def topic(self, name: str) -> Topic:
        """One topic. Raises: RefusedError (TOPIC_NOT_FOUND)."""

    async def create_group(self, name: str, *, is_fifo: bool | None, max_attempts: int) -> Group:
        """Define a consumer group, or change its settings. None and 0: as it is, or the default of a new one."""

    async def delete_group(self, name: str) -> None:
        """Forget a group and its progress."""

    def groups(self) -> list[Group]:
        """All consumer groups, by name."""

    def group(self, name: str) -> Group:
        """One group. Raises: RefusedError (CONSUMER_GROUP_NOT_FOUND)."""

    def clients_of(self, group: str) -> list[ClientInfo]:
        """The clients of a group that were heard of lately."""

    def progress(self, group_name: str, only_topic: str = "") -> list[QueueOfGroup]:
        """A group's progress, queue by queue."""

    async def reset(
        self, group_name: str, topic: str, *, end: str = "", offset: int | None = None, time_ms: int | None = None
    ) -> list[QueueOfGroup]:
        """Move a group in all queues of a topic, to an end ("earliest", "latest"), an offset, or a time; its new progress."""

    async def move_offset(self, group: str, topic: str, queue_id: int, offset: int) -> None:
        """Set a group's next offset in one queue."""

    def consumer_offset(self, group: str, topic: str, queue_id: int) -> int | None:
        """A group's next offset in one queue; None when it never read there."""

    async def offset_at(self, topic: str, queue_id: int, time_ms: int) -> int:
        """The first offset stored at or after a wall time."""

    def queue_ends(self, topic: str, queue_id: int) -> tuple[int, int]:
        """(lowest kept offset, next offset to be given)."""

    async def peek(
        self, topic: str, queue_id: int, offset: int, count: int, tags: frozenset[str] | None = None
    ) -> tuple[list[tuple[int, StoredMessage]], int]:
        """([(offset, message)], where to go on), without touching any group."""

    async def find(self, topic: str, message_id: str, count: int) -> list[tuple[int, int, StoredMessage]]:
        """(queue id, offset, message) of the visible messages with an id."""

    async def batches(self, topic: str, queue_id: int, offset: int, bytes_max: int) -> tuple[list[BatchSlice], int]:
        """(stored batches from an offset on, the offset behind them)."""

    async def wait_for_more(self, topic: str, offset: int, queue_id: int, timeout_s: float) -> None:
        """Come back when a queue has grown beyond `offset`, or after a while."""

    def state(self) -> BrokerState:
        """The node at a glance."""
