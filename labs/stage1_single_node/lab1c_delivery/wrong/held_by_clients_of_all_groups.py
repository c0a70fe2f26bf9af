"""What a client holds is noted for all tables of a process, and each new one begins with nothing: others renew in vain."""

from collections.abc import Callable
from typing import Any

from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import InFlight, Received
from mq.broker.delivery.progress import QueueProgress
from mq.broker.delivery.table import DeliveryTable as Reference

__all__ = ["DeliveryTable"]

_HELD: set[tuple[str, int, int]] = set()


class DeliveryTable(Reference):
    """See above."""

    def __init__(self) -> None:
        super().__init__()
        _HELD.clear()

    def take(self, picks: tuple[QueuePick, ...], *, client: str, **named: Any) -> Received:
        received = super().take(picks, client=client, **named)
        _HELD.update((client, one.queue_id, one.offset) for one in received.delivered)
        return received

    def renew(self, client: str, deadline_ms: int, *, now_ms: int, since: int, not_before_ms: int) -> int:
        def is_meant(f: InFlight) -> bool:
            return f.renews and f.stamp >= since and f.taken_ms > not_before_ms and now_ms < f.deadline_ms <= deadline_ms

        return self._moved(client, deadline_ms, is_meant)

    def give_back(self, client: str, deadline_ms: int, *, now_ms: int, everything: bool) -> int:
        def is_meant(f: InFlight) -> bool:
            return (f.renews or everything) and max(now_ms, deadline_ms) < f.deadline_ms

        return self._moved(client, deadline_ms, is_meant)

    def _moved(self, client: str, deadline_ms: int, is_meant: Callable[[InFlight], bool]) -> int:
        held = {(queue_id, offset) for holder, queue_id, offset in _HELD if holder == client}
        mine = [f for q in self.queues() for o, f in self.flights(q).items() if (q, o) in held and f.client == client]
        return self._move_deadlines(deadline_ms, lambda f: any(f is one for one in mine) and is_meant(f))

    @classmethod
    def from_plain(cls, plain: Any) -> "DeliveryTable":
        table = cls()
        table._queues.update({queue_id: QueueProgress.from_plain(progress) for queue_id, *progress in plain})
        _HELD.update((f.client, q, offset) for q in table.queues() for offset, f in table.flights(q).items())
        return table
