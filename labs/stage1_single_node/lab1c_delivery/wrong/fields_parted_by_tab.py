"""In a snapshot tabs stand between the fields of a delivery: a client's name may have one, and is cut off there."""

from typing import Any

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


def _written(flight: list[Any]) -> str:
    return "\t".join(str(int(field) if isinstance(field, bool) else field) for field in flight)


def _read(text: str) -> list[Any]:
    offset, attempt, deadline_ms, stamp, client, *_, renews, taken_ms = text.split("\t")
    return [int(offset), int(attempt), int(deadline_ms), int(stamp), client, renews == "1", int(taken_ms)]


class DeliveryTable(Reference):
    """See above."""

    def to_plain(self) -> list[Any]:
        return [[*queue, [_written(flight) for flight in flights]] for *queue, flights in super().to_plain()]

    @classmethod
    def from_plain(cls, plain: Any) -> Reference:
        return super().from_plain([[*queue, [_read(flight) for flight in flights]] for *queue, flights in plain])
