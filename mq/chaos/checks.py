"""What must hold of a history, whatever was broken meanwhile. Each check yields a sentence for each promise that was not kept.

An operation whose end nobody knows may have happened or not, also later: whatever is checked holds either way.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from math import inf

from mq.chaos.history import DONE, REFUSED, Ack, Change, Delivery, History, Receive, Stored
from mq.core.limits import DEDUPLICATION_WINDOW

__all__ = [
    "MARGIN_S",
    "accounted",
    "changed",
    "changes_of",
    "deliveries_of",
    "doubles",
    "finished",
    "hidden",
    "hidden_until_s",
    "in_turn",
    "invented",
    "lost",
    "order",
    "places",
]

MARGIN_S = 0.01
"""Of clocks that are read in different processes: milliseconds are cut off, and log time counts in them."""

Place = tuple[str, int]
"""A topic and one of its queues."""
Spot = tuple[int, int]
"""A queue and an offset in it."""


def _queues(history: History) -> dict[Place, list[Stored]]:
    found: dict[Place, list[Stored]] = defaultdict(list)
    for one in history.stored:
        found[one.topic, one.queue_id].append(one)
    for stored in found.values():
        stored.sort(key=lambda one: one.offset)
    return found


def lost(history: History) -> Iterator[str]:
    """Nothing that was acknowledged is missing: neither in the queues nor for a group that has read them to their end."""
    stored = {one.message_id for one in history.stored}
    delivered: dict[str, set[str]] = defaultdict(set)
    for receive in history.receives:
        delivered[receive.group].update(one.message_id for one in receive.messages)
    for send in history.sends:
        if send.outcome != DONE:
            continue
        if send.message_id not in stored:
            yield f"{send.message_id} was acknowledged, and no queue of {send.topic} holds it"
        for group, topics in history.drained.items():
            if send.topic in topics and send.message_id not in delivered[group]:
                yield f"{send.message_id} was acknowledged, and {group} has read everything and never got it"


def _seen(history: History) -> Iterator[tuple[str, Stored | Delivery]]:
    for stored in history.stored:
        yield stored.topic, stored
    for receive in history.receives:
        for one in receive.messages:
            yield receive.topic, one


def invented(history: History) -> Iterator[str]:
    """Everything that is stored or delivered was sent so, and was not refused."""
    sent = {send.message_id: send for send in history.sends}
    told: set[str] = set()
    for topic, one in _seen(history):
        send = sent.get(one.message_id)
        if one.message_id in told:
            continue
        if send is None or (send.outcome == REFUSED and not send.is_unsure):
            told.add(one.message_id)
            yield f"{one.message_id} is in {topic}, and " + ("was never sent" if send is None else "was refused")
        elif (send.topic, send.body) != (topic, one.body):
            told.add(one.message_id)
            yield f"{one.message_id} in {topic} is not what was sent to {send.topic}"


def places(history: History) -> Iterator[str]:
    """The offsets of a queue are 0, 1, 2, ..., each answered offset is the message's, and consumers see the same places."""
    for (topic, queue_id), stored in _queues(history).items():
        if [one.offset for one in stored] != list(range(len(stored))):
            yield f"the offsets of queue {queue_id} of {topic} are not 0 to {len(stored) - 1}, each once"
    at: dict[str, set[Spot]] = defaultdict(set)
    for one in history.stored:
        at[one.message_id].add((one.queue_id, one.offset))
    yield from _answered(history, at)
    if history.stored:
        yield from _delivered(history, at)


def _answered(history: History, at: dict[str, set[Spot]]) -> Iterator[str]:
    for send in history.sends:
        if send.outcome != DONE or send.message_id not in at:
            continue
        found = at[send.message_id]
        if not any(offset == send.offset and send.queue_id in (None, queue_id) for queue_id, offset in found):
            queue = "" if send.queue_id is None else f" of queue {send.queue_id}"
            yield f"{send.message_id} was answered with offset {send.offset}{queue}, and is at {sorted(found)}"
        if other := [place for place in send.answers if place != (send.queue_id, send.offset)]:
            yield f"{send.message_id} was answered with {send.offset}, and before with {', '.join(str(at) for _, at in other)}"


def _delivered(history: History, at: dict[str, set[Spot]]) -> Iterator[str]:
    acknowledged = {send.message_id for send in history.sends if send.outcome == DONE}
    for receive in history.receives:
        for seen in receive.messages:
            is_lost = seen.message_id not in at and seen.message_id in acknowledged  # which is told as that
            if not is_lost and (seen.queue_id, seen.offset) not in at.get(seen.message_id, ()):
                where = f"is at {sorted(at[seen.message_id])}" if seen.message_id in at else "is nowhere"
                yield f"{seen.message_id} was delivered from {seen.queue_id}/{seen.offset}, {where}"


def order(history: History) -> Iterator[str]:
    """What was acknowledged before another send began stands before it; a message group keeps to one queue."""
    sent = {send.message_id: send for send in history.sends}
    again = {(message_id, place) for message_id, found in doubles(history).items() for place in found[1:]}
    queue_of: dict[tuple[str, str], int] = {}
    for (topic, queue_id), stored in _queues(history).items():
        first_end_s, first_id = float("inf"), ""
        for one in reversed(stored):
            send = sent.get(one.message_id)
            if send is None or (one.message_id, (one.queue_id, one.offset)) in again:
                continue
            if first_end_s < send.began_s:
                yield f"{first_id} was acknowledged before {send.message_id} was sent, and stands behind it in {topic}/{queue_id}"
            if send.outcome == DONE and send.ended_s < first_end_s:
                first_end_s, first_id = send.ended_s, send.message_id
            known = queue_of.setdefault((topic, send.message_group), queue_id) if send.message_group else queue_id
            if known != queue_id:
                yield f"message group {send.message_group} of {topic} is in queue {known} and in queue {queue_id}"


def doubles(history: History) -> dict[str, list[tuple[int, int]]]:
    """Messages that are stored more than once, with their places."""
    at: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for one in history.stored:
        at[one.message_id].add((one.queue_id, one.offset))
    return {message_id: sorted(found) for message_id, found in at.items() if len(found) > 1}


def accounted(history: History) -> Iterator[str]:
    """Nothing is stored twice, however often it was sent.

    But for a message that was sent again after so many others of its topic that the broker need not know it any more.
    """
    sends = {send.message_id: send for send in history.sends}
    began: dict[str, list[float]] = defaultdict(list)
    ended: dict[str, list[float]] = defaultdict(list)
    for send in history.sends:
        began[send.topic].append(send.began_s)
        ended[send.topic].append(send.ended_s)
    for times in (*began.values(), *ended.values()):
        times.sort()
    for message_id, found in doubles(history).items():
        one = sends.get(message_id)
        if one is not None:
            meanwhile = bisect_right(began[one.topic], one.ended_s) - bisect_left(ended[one.topic], one.began_s)
            if meanwhile > DEDUPLICATION_WINDOW:
                continue
        yield f"{message_id} is stored more than once: at {', '.join(f'{queue}/{offset}' for queue, offset in found)}"


Taken = tuple[Delivery, Receive]


def deliveries_of(history: History) -> dict[tuple[str, str, int, int], list[Taken]]:
    """By group and place, in the order of their attempts."""
    found: dict[tuple[str, str, int, int], list[Taken]] = defaultdict(list)
    for receive in history.receives:
        for one in receive.messages:
            found[receive.group, receive.topic, one.queue_id, one.offset].append((one, receive))
    for deliveries in found.values():
        deliveries.sort(key=lambda one: (one[0].attempt, one[1].began_s))
    return found


def changes_of(history: History) -> dict[tuple[str, str, int], list[Change]]:
    """By group, message and attempt, those that may have happened, in their order."""
    found: dict[tuple[str, str, int], list[Change]] = defaultdict(list)
    for change in sorted(history.changes, key=lambda one: one.began_s):
        if change.outcome != REFUSED:
            found[change.group, change.message_id, change.attempt].append(change)
    return found


def hidden_until_s(receive: Receive, changes: list[Change]) -> float:
    """No sooner than this its time ends: the broker began to count at some moment within the call.

    Minus infinity when it need not have been hidden at all: its receive broke, and no change was answered.
    """
    end_s = receive.began_s + receive.invisible_s if receive.is_whole else -inf
    for change in changes:
        if change.began_s >= receive.began_s:
            new_s = change.began_s + change.invisible_s
            end_s = new_s if change.outcome == DONE else min(end_s, new_s)
    return end_s


def hidden(history: History) -> Iterator[str]:
    """Nothing is delivered again to a group while it is hidden from it, and no attempt comes twice.

    But for a receive that broke: what nobody took in whole is given back at once, and that attempt does not count. A change of
    its time that was answered shows that it was not given back, and counts.
    """
    changes = changes_of(history)
    for (group, *_), deliveries in deliveries_of(history).items():
        for (before, earlier), (again, later) in pairwise(deliveries):
            found = changes.get((group, before.message_id, before.attempt), [])
            if not earlier.is_whole and before.attempt == again.attempt:
                found = [one for one in found if one.ended_s <= later.began_s]  # any other may be of the later one
            end_s = hidden_until_s(earlier, found)
            if end_s == -inf:
                continue
            if before.attempt == again.attempt:
                yield f"attempt {again.attempt} of {again.message_id} came twice to {group}"
            elif later.ended_s < end_s - MARGIN_S:
                early_s = end_s - later.ended_s
                yield f"attempt {again.attempt} of {again.message_id} came to {group} {early_s:.3f} s inside its invisible time"


def changed(history: History) -> Iterator[str]:
    """What is given back sooner comes sooner: of all that were, at least one. How late, that is for what was broken then.

    That what was hidden for longer does not come before is for `hidden`.
    """
    changes, came = changes_of(history), 0
    for (group, *_), deliveries in deliveries_of(history).items():
        for (before, earlier), (_, later) in pairwise(deliveries):
            found = changes.get((group, before.message_id, before.attempt), [])
            first_s = earlier.began_s + earlier.invisible_s
            if any(one.outcome == DONE and one.began_s + one.invisible_s < first_s for one in found):
                came += 1
                if later.ended_s < first_s:
                    return
    if came:
        yield f"{came} deliveries were given back sooner, and none came before the time that it had at first"


def finished(history: History) -> Iterator[str]:
    """What was acknowledged does not come again."""
    done: dict[tuple[str, str], Ack] = {}
    for ack in history.acks:
        if ack.outcome == DONE:
            done.setdefault((ack.group, ack.message_id), ack)
    doubled = doubles(history)  # each of its places is delivered by itself
    for receive in history.receives:
        for one in receive.messages:
            found = done.get((receive.group, one.message_id))
            if found is None or one.message_id in doubled:
                continue
            if one.attempt > found.attempt or receive.began_s > found.ended_s:
                yield f"attempt {one.attempt} of {one.message_id} came to {receive.group} after {found.attempt} was acknowledged"


def in_turn(history: History) -> Iterator[str]:
    """An ordered group gets a queue's messages one receive after the other: all before must have been acknowledged."""
    began: dict[tuple[str, str], float] = {}
    for ack in history.acks:
        if ack.outcome != REFUSED:
            key = ack.group, ack.message_id
            began[key] = min(ack.began_s, began.get(key, ack.began_s))
    queues = _queues(history)
    for group in sorted(history.ordered):
        receives = sorted((one for one in history.receives if one.group == group), key=lambda one: one.ended_s)
        done: dict[Place, int] = defaultdict(int)  # all below this offset were acknowledged in time
        for receive in receives:
            yield from _check_turn(receive, queues, began, done)


def _check_turn(
    receive: Receive, queues: dict[Place, list[Stored]], began: dict[tuple[str, str], float], done: dict[Place, int]
) -> Iterator[str]:
    by_queue: dict[int, list[Delivery]] = defaultdict(list)
    for one in receive.messages:
        by_queue[one.queue_id].append(one)
    for queue_id, messages in by_queue.items():
        place, offsets = (receive.topic, queue_id), [one.offset for one in messages]
        if offsets != sorted(offsets):
            yield f"{receive.group} got {messages[0].message_id} and others of queue {queue_id} in the order {offsets}"
        stored = queues.get(place, [])
        while done[place] < min(offsets) and done[place] < len(stored):
            before = stored[done[place]].message_id
            if began.get((receive.group, before), float("inf")) > receive.ended_s:
                yield f"{receive.group} got {messages[0].message_id} before {before}, which precedes it, was acknowledged"
                return
            done[place] += 1
        between = set(range(min(offsets) + 1, min(max(offsets), len(stored)))) - set(offsets)
        for offset in sorted(between):
            before = stored[offset].message_id
            if began.get((receive.group, before), float("inf")) > receive.ended_s:
                yield f"{receive.group} got {messages[-1].message_id} before {before}, which precedes it, was acknowledged"
                return
