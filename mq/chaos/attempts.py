"""Whether deliveries are counted right, and whether what ran out comes again in time.

Some of them nobody saw: a node handed messages out and was ended before they left it. Each of those counts, and hides its
messages for a whole time of its own.
"""

from collections.abc import Iterator
from itertools import pairwise

from mq.chaos.calm import Calm
from mq.chaos.checks import MARGIN_S, changes_of, deliveries_of, hidden_until_s
from mq.chaos.history import DONE, REFUSED, Change, History, Receive

__all__ = ["late", "skipped"]

_LATE_S = 10.0
"""Whoever reads asks again at once; a busy machine takes its time."""


def skipped(history: History) -> Iterator[str]:
    """No attempt is left out, but for those that nobody saw: there was time for each of them, and not all was well."""
    calm, changes = Calm(history), changes_of(history)
    sent_s = {send.message_id: send.began_s for send in history.sends}
    for (group, *_), deliveries in deliveries_of(history).items():
        first, receive = deliveries[0]
        began_s = sent_s.get(first.message_id, receive.began_s)
        if first.attempt > 1 and not _may_be_unseen(calm, first.attempt - 1, began_s, began_s, receive):
            yield f"{first.message_id} came to {group} with attempt {first.attempt} first"
        for (before, earlier), (again, later) in pairwise(deliveries):
            found = changes.get((group, before.message_id, before.attempt), [])
            hidden_s = max(earlier.began_s, hidden_until_s(earlier, found))
            unseen = again.attempt - before.attempt - 1
            if unseen > 0 and not _may_be_unseen(calm, unseen, earlier.began_s, hidden_s, later):
                yield f"attempt {again.attempt} of {again.message_id} came to {group} right after {before.attempt}"


def _may_be_unseen(calm: Calm, count: int, began_s: float, free_s: float, then: Receive) -> bool:
    """Whether so many attempts fit in between: something was wrong in that time, and each hid the message, from `free_s` on."""
    return not calm.covers(began_s, then.ended_s) and then.ended_s - free_s >= count * then.invisible_s - MARGIN_S


def late(history: History) -> Iterator[str]:
    """What ran out while all was well, and was for some time, has come again by then.

    Not in an ordered group: there it waits for others of its queue.
    """
    calm, changes = Calm(history), changes_of(history)
    for (group, *_), deliveries in deliveries_of(history).items():
        if group in history.ordered:
            continue
        for (before, earlier), (again, later) in pairwise(deliveries):
            if again.attempt != before.attempt + 1 or not earlier.is_whole:
                continue
            free_s = _free_at_last_s(earlier, changes.get((group, before.message_id, before.attempt), []))
            if later.ended_s > free_s + _LATE_S and calm.covers(free_s, free_s + _LATE_S):
                late_s = later.ended_s - free_s
                yield f"attempt {again.attempt} of {again.message_id} came to {group} {late_s:.3f} s after its invisible time"


def _free_at_last_s(receive: Receive, changes: list[Change]) -> float:
    """Not later than this its time ends, whatever became of changes that nobody knows of."""
    end_s = receive.ended_s + receive.invisible_s
    for change in changes:
        new_s = change.ended_s + change.invisible_s
        if change.outcome == DONE:
            end_s = new_s
        elif change.outcome != REFUSED:
            end_s = max(end_s, new_s)
    return end_s
