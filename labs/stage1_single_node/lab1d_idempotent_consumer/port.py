"""What passes between a consumer of orders and its host: deliveries in, plans out.

The consumer does no I/O. For each delivery it returns a *plan*, a tuple of operations; the host carries them out one after the
other, and may die between any two of them, or before the first. Then a new consumer is made, of the rows that lie in the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

__all__ = ["Ack", "Consumer", "Delivery", "GiveBack", "Operation", "Save"]


class Delivery(NamedTuple):
    """One delivery of a message.

    message_id: made by the producer's client when it sends; who sends again makes another one. key: of the order; its producer
    gives the same one to each message about it. body: text. handle: of this delivery alone; another delivery of the same message
    has another one. attempt: which delivery of the message this is, as the broker counts: from 1.
    """

    message_id: str
    key: str
    body: str
    handle: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Save:
    """Rows of the store are set (None: removed), all of them at once or none at all. Carried out, they outlive every crash."""

    rows: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Ack:
    """Tell the broker that a message is done. It may not hear of it."""

    handle: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Tell the broker to deliver the message again, after so many ms."""

    handle: str
    after_ms: int


Operation = Save | Ack | GiveBack


class Consumer(Protocol):
    """See `OrderConsumer`, which is to be written.

    rows: all that lies in the store, in any order. keep_ms: no copy of an order comes later than so long after it was settled.
    attempts_max: with this attempt a message is not given back any more. retry_ms: after how long what was given back comes
    again.
    """

    def __init__(self, rows: Mapping[str, str], *, keep_ms: int, attempts_max: int, retry_ms: int) -> None: ...

    def handle(self, delivery: Delivery, now_ms: int) -> Sequence[Operation]:
        """What has to be done about a delivery, in this order."""
