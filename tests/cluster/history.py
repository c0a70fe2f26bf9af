"""What clients saw of a broker, and whether that keeps every promise the broker made.

All times are readings of the test's own monotonic clock, in seconds. An operation that was never answered may or may
not have happened: whatever is checked holds either way.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

__all__ = ["Ack", "Change", "Delivery", "History", "Outcome", "Send", "Stored", "violations"]


class Outcome(Enum):
    """How an operation ended."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Send:
    """One message, all attempts to send it together. offset: as answered, None when it was not or is not told."""

    message_id: str
    body: bytes
    caller: str
    number: int
    outcome: Outcome
    offset: int | None = None


@dataclass(frozen=True)
class Delivery:
    """One message of one receive. invisible_s: for how long; None when the stream broke before its end."""

    message_id: str
    body: bytes
    queue_id: int
    offset: int
    attempt: int
    invoked_s: float
    completed_s: float
    invisible_s: float | None


@dataclass(frozen=True)
class Ack:
    """An acknowledgement of one delivery."""

    message_id: str
    attempt: int
    invoked_s: float
    completed_s: float
    outcome: Outcome


@dataclass(frozen=True)
class Change:
    """A new invisible time for one delivery, counted from the call."""

    message_id: str
    attempt: int
    invoked_s: float
    completed_s: float
    invisible_s: float
    outcome: Outcome


@dataclass(frozen=True)
class Stored:
    """What a queue holds at the end."""

    message_id: str
    body: bytes
    queue_id: int
    offset: int


@dataclass
class History:
    """Everything that one consumer group and its producers did and saw. lost_receives_messages: how many messages the
    receives without an answer could have taken together."""

    sends: list[Send] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    lost_receives_messages: int = 0


def violations(history: History) -> list[str]:
    """Every broken promise, as a sentence; none when all is well."""
    checks = (_lost, _invented, _doubled, _misplaced, _gaps, _out_of_order, _too_early, _refused_in_time, _after_ack, _attempts)
    return [sentence for check in checks for sentence in check(history)]


def _lost(history: History) -> Iterator[str]:
    stored = {one.message_id for one in history.stored}
    delivered = {one.message_id for one in history.deliveries}
    for send in history.sends:
        if send.outcome is Outcome.DONE and send.message_id not in stored:
            yield f"lost: {send.message_id} was acknowledged and is not stored"
        elif send.outcome is Outcome.DONE and send.message_id not in delivered:
            yield f"lost: {send.message_id} was acknowledged and never delivered"


def _invented(history: History) -> Iterator[str]:
    sent = {send.message_id: send for send in history.sends}
    seen: tuple[Stored | Delivery, ...] = (*history.stored, *history.deliveries)
    for one in seen:
        send = sent.get(one.message_id)
        if send is None or send.outcome is Outcome.REFUSED:
            yield f"invented: {one.message_id} was not sent, or was refused"
        elif send.body != one.body:
            yield f"changed: the body of {one.message_id} is not what was sent"


def _doubled(history: History) -> Iterator[str]:
    places: dict[str, set[tuple[int, int]]] = defaultdict(set)
    seen: tuple[Stored | Delivery, ...] = (*history.stored, *history.deliveries)
    for one in seen:
        places[one.message_id].add((one.queue_id, one.offset))
    for message_id, found in places.items():
        if len(found) > 1:
            yield f"doubled: {message_id} is at {sorted(found)}"


def _misplaced(history: History) -> Iterator[str]:
    offsets = {one.message_id: one.offset for one in history.stored}
    for send in history.sends:
        if send.offset is not None and offsets.get(send.message_id, send.offset) != send.offset:
            yield f"misplaced: {send.message_id} was answered with offset {send.offset}, is at {offsets[send.message_id]}"


def _gaps(history: History) -> Iterator[str]:
    offsets: dict[int, list[int]] = defaultdict(list)
    for one in history.stored:
        offsets[one.queue_id].append(one.offset)
    for queue_id, found in offsets.items():
        if sorted(found) != list(range(len(found))):
            yield f"gap: the offsets of queue {queue_id} are not 0 to {len(found) - 1}, each once"


def _out_of_order(history: History) -> Iterator[str]:
    """Each caller sends one message after the other."""
    sent = {send.message_id: (send.caller, send.number) for send in history.sends}
    last: dict[tuple[str, int], int] = {}
    for one in sorted(history.stored, key=lambda one: (one.queue_id, one.offset)):
        caller, number = sent.get(one.message_id, ("", -1))
        if number < last.get((caller, one.queue_id), -1):
            yield f"order: message {number} of {caller} is behind a later one in queue {one.queue_id}"
        last[caller, one.queue_id] = number


def _hidden_until(history: History) -> dict[tuple[str, int], tuple[float, bool]]:
    """For each whole delivery, by message and attempt: the soonest end of its invisible time, and whether its first
    receipt handle is surely the valid one.

    The broker counts from some moment within a call, so the time ends no sooner than counted from the call's beginning.
    """
    changes: dict[tuple[str, int], list[Change]] = defaultdict(list)
    for change in sorted(history.changes, key=lambda change: change.invoked_s):
        changes[change.message_id, change.attempt].append(change)
    ends = {}
    for one in history.deliveries:
        if one.invisible_s is None:
            continue
        end_s, is_certain = one.invoked_s + one.invisible_s, True
        for change in changes[one.message_id, one.attempt]:
            until_s = change.invoked_s + change.invisible_s
            if change.outcome is Outcome.DONE:
                end_s = until_s
            elif change.outcome is Outcome.UNKNOWN:
                end_s, is_certain = min(end_s, until_s), False
        ends[one.message_id, one.attempt] = end_s, is_certain
    return ends


def _too_early(history: History) -> Iterator[str]:
    ends: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for (message_id, attempt), (end_s, _) in _hidden_until(history).items():
        ends[message_id].append((attempt, end_s))
    for again in history.deliveries:
        for attempt, end_s in ends[again.message_id]:
            if attempt < again.attempt and again.completed_s < end_s:
                early_s = end_s - again.completed_s
                yield f"early: attempt {again.attempt} of {again.message_id} came {early_s:.3f} s inside its invisible time"


def _refused_in_time(history: History) -> Iterator[str]:
    """An acknowledgement that comes in time is taken."""
    ends = _hidden_until(history)
    for ack in history.acks:
        end_s, is_certain = ends.get((ack.message_id, ack.attempt), (0.0, False))
        if ack.outcome is Outcome.REFUSED and is_certain and ack.completed_s < end_s:
            yield f"refused: the ack of {ack.message_id}, attempt {ack.attempt}, came {end_s - ack.completed_s:.3f} s in time"


def _after_ack(history: History) -> Iterator[str]:
    done: dict[str, Ack] = {}
    for ack in history.acks:
        if ack.outcome is Outcome.DONE:
            before = done.setdefault(ack.message_id, ack)
            if before.attempt != ack.attempt:
                yield f"acknowledged twice: {ack.message_id}, attempts {before.attempt} and {ack.attempt}"
    for one in history.deliveries:
        found = done.get(one.message_id)
        if found is not None and (one.attempt > found.attempt or one.invoked_s > found.completed_s):
            yield f"again: {one.message_id} was delivered after attempt {found.attempt} was acknowledged"


def _attempts(history: History) -> Iterator[str]:
    """Counted from 1 up; one that nobody saw must belong to a receive without an answer."""
    seen: dict[str, list[Delivery]] = defaultdict(list)
    for one in history.deliveries:
        seen[one.message_id].append(one)
    unseen = 0
    for message_id, found in seen.items():
        found.sort(key=lambda one: one.attempt)
        attempts = [one.attempt for one in found]
        if len(set(attempts)) < len(attempts) or attempts[0] < 1:
            yield f"attempts: those of {message_id} are {attempts}"
        if any(later.completed_s < earlier.invoked_s for earlier, later in pairwise(found)):
            yield f"attempts: those of {message_id} do not rise with time"
        unseen += attempts[-1] - len(attempts)
    if unseen > history.lost_receives_messages:
        yield f"attempts: {unseen} were counted that nobody saw; lost answers explain {history.lost_receives_messages}"
