"""What a delivery table promises, by number, and how its values are told."""

from collections.abc import Mapping, Sequence
from typing import Any

from labs.grader.suite import PromiseBrokenError, rule
from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight

__all__ = ["SOURCES", "broken", "named", "place", "rule", "shown"]

_PROMISES = {
    1: "A receive hands out what was picked, each message once, and all of it is in flight from then on",
    2: "A pick that was made for another state of the queue is void",
    3: "A received message is hidden until its deadline, and ready again when it is reached",
    4: "Only the newest handle counts, and only in time",
    5: "An acknowledged message is never delivered again",
    6: "The attempt counts the deliveries that took place",
    7: "A change moves the deadline, and the new handle takes the place of the old one",
    8: "A renewal hides for longer what a living client holds, and its handles stay good",
    9: "What a client gives back is ready at once, and never later than it would have been",
    10: "A queue of an ordered group is delivered again as a whole, in order, or not at all",
    11: "A dead letter leaves the group's queue, once",
    12: "Nothing is lost: what was handed out is in flight until it is done, and is known to be",
    13: "Retention and a reset move the group on, and forget what is behind",
    14: "A table made from a snapshot is the table that it was made of, and equal commands make equal snapshots",
}
"""The README of the lab says each of them at length."""
SOURCES = {
    1: "RocketMQ: PopMessageProcessor",
    2: "RaftMQ: QueuePick",
    3: "RocketMQ: PopReviveService",
    4: "RocketMQ: AckMessageProcessor",
    5: "RocketMQ: AckMessageProcessor",
    6: "RocketMQ: PopReviveService",
    7: "RocketMQ: ChangeInvisibleTimeProcessor",
    8: "RocketMQ: ReceiveMessageRequest.auto_renew",
    9: "RocketMQ: NotifyClientTermination",
    10: "RocketMQ: ConsumerOrderInfoManager",
    11: "RocketMQ: ForwardMessageToDeadLetterQueue",
    12: "RocketMQ: PopBufferMergeService",
    13: "RocketMQ: DefaultMessageStore, ResetOffset",
    14: "Paper: Raft, section 7",
}


_SHOWN = 50
"""Messages of a pick."""


def broken(number: int, *, expected: str, found: str) -> PromiseBrokenError:
    """A rule does not hold."""
    return PromiseBrokenError(_PROMISES[number], expected=expected, found=found, section=rule(number))


def place(queue_id: int, offset: int) -> str:
    """A message, for people."""
    return f"q{queue_id}:{offset}"


def named(client: str) -> str:
    """A client, for people; in quotes when its name has blanks at its ends, or signs that nobody sees."""
    return client if client.isprintable() and client == client.strip() else repr(client)


def _pick(pick: QueuePick) -> str:
    fresh = [o for o in range(pick.first_offset, min(pick.next_offset, pick.first_offset + _SHOWN)) if o not in pick.skipped]
    parts = (
        ("again", pick.again), ("dead", [place.offset for place in pick.dead]), ("new", fresh), ("left out", pick.skipped),
    )  # fmt: skip
    words = ", ".join(f"{word} {', '.join(map(str, offsets))}" for word, offsets in parts if offsets)
    return f"of queue {pick.queue_id} {words or 'nothing'}{' (a repeat)' if pick.is_repeat else ''}"


def shown(value: Any) -> str:  # noqa: PLR0911 - one line for each kind
    """A value, for people."""
    match value:
        case Delivered():
            where = place(value.queue_id, value.offset)
            return f"{where} (attempt {value.attempt}, handle {value.stamp}, until {value.deadline_ms})"
        case InFlight():
            renews = ", renews itself" if value.renews else ""
            whose = f"{named(value.client)}'s since {value.taken_ms}"
            return f"attempt {value.attempt}, handle {value.stamp}, until {value.deadline_ms}, {whose}{renews}"
        case DeadPlace():
            return f"message {value.offset}"
        case QueuePick():
            return _pick(value)
        case Mapping():
            return "; ".join(f"{key}: {shown(one)}" for key, one in sorted(value.items())) or "nothing"
        case str() | int() | None:
            return "nothing" if value is None else repr(value)
        case Sequence():
            return ", ".join(map(shown, value)) or "nothing"
    return repr(value)[:200]
