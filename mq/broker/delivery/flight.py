"""What a delivery table speaks of: messages in flight, and what a receive came to."""

from dataclasses import dataclass
from typing import NamedTuple

from mq.broker.commands import DeadPlace

__all__ = ["Delivered", "InFlight", "Received"]


@dataclass(slots=True)
class InFlight:
    """One message that was handed out and is not done.

    attempt: how often it was delivered, from 1; 0 when the only delivery did not take place.
    deadline_ms: log time at which it is ready again.
    stamp: log index of the command that made its valid receipt handle. taken_ms: log time of the delivery.
    """

    attempt: int
    deadline_ms: int
    stamp: int
    client: str
    renews: bool
    taken_ms: int


class Delivered(NamedTuple):
    """One message handed out by a receive."""

    queue_id: int
    offset: int
    attempt: int
    stamp: int
    deadline_ms: int


class Received(NamedTuple):
    """What a receive came to: the messages handed out, and (queue id, place) of those that died."""

    delivered: tuple[Delivered, ...]
    dead: tuple[tuple[int, DeadPlace], ...]
