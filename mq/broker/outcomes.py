"""What applying a command came to: the answer for whoever asked, equal on every replica."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from mq.broker.delivery.flight import InFlight, Received
from mq.core.errors import RefusedError

__all__ = ["Acked", "Changed", "Done", "Outcome", "Received", "Released", "Sent"]


class Sent(NamedTuple):
    """Messages are stored. places: (queue id, offset) of each. duplicates: how many were known before.

    is_visible: consumers can receive them now (not delayed, not half of a transaction).
    """

    topic: str
    places: tuple[tuple[int, int], ...]
    duplicates: int
    is_visible: bool


class Acked(NamedTuple):
    """For each delivery whether it is done now by this ack."""

    done: tuple[bool, ...]


class Changed(NamedTuple):
    """A delivery's deadline was moved; None when the handle was not valid."""

    flight: InFlight | None


class Released(NamedTuple):
    """Messages became visible in these topics."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Carried out; nothing more to tell. count: of what the command is about."""

    count: int = 0


Outcome: TypeAlias = Sent | Received | Acked | Changed | Released | Done | RefusedError
