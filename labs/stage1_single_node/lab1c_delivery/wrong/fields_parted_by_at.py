"""In a snapshot `@` stands between the fields of a delivery: an official client's id has some, and its first part is left."""

from typing import Any

from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]


def _written(flight: list[Any]) -> str:
    return "@".join(str(int(field) if isinstance(field, bool) else field) for field in flight)


def _read(text: str) -> list[Any]:
    offset, attempt, deadline_ms, stamp, client, renews, taken_ms, *_ = text.split("@")
    return [int(offset), int(attempt), int(deadline_ms), int(stamp), client, renews == "1", int(taken_ms)]


class DeliveryTable(Reference):
    """See above."""

    def to_plain(self) -> list[Any]:
        return [[*queue, [_written(flight) for flight in flights]] for *queue, flights in super().to_plain()]

    @classmethod
    def from_plain(cls, plain: Any) -> Reference:
        return super().from_plain([[*queue, [_read(flight) for flight in flights]] for *queue, flights in plain])
