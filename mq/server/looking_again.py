"""When a poll that found nothing looks again by itself: when something that its group holds runs out.

All else that may give it something wakes it: messages that come, and what its group's consumers do.
"""

from mq.broker.delivery.picker import Look
from mq.broker.delivery.table import DeliveryTable

__all__ = ["PAUSE_S", "look_again_in_s"]

PAUSE_S = 0.05
"""What is ready again and could not be taken: another poll's command with it is under way, or retention took what it names.
Neither is worth a busy loop."""


def look_again_in_s(look: Look, log_ms: int, limit_s: float) -> float:
    """How long a poll waits after a look that found nothing, at most `limit_s`, in s.

    log_ms: log time now, which has gone on since the look.
    """
    table = look.group.look(look.topic)
    ready_ms = _next_opening_ms(table) if look.group.is_fifo else table.next_deadline_ms()
    if ready_ms is None:
        return limit_s
    if ready_ms <= look.now_ms:
        return min(limit_s, PAUSE_S)
    # One millisecond more: a deadline is reached when log time is not below it.
    return min(limit_s, max(0.001, (ready_ms - log_ms + 1) / 1000))


def _next_opening_ms(table: DeliveryTable) -> int | None:
    """When the first of an ordered group's closed queues opens: each does when the last of what is hidden of it runs out."""
    held = (table.flights(queue_id) for queue_id in table.queues())
    return min((max(flight.deadline_ms for flight in flights.values()) for flights in held if flights), default=None)
