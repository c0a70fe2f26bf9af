"""All checks of a history. One that never met what it is about has shown nothing, and fails."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mq.chaos import attempts, checks
from mq.chaos.calm import Calm, given_up, refused
from mq.chaos.history import DONE, History
from mq.chaos.replicas import differing, unlike

__all__ = ["CHECKS", "Check", "judge"]


class Check(NamedTuple):
    """broken: a sentence for each promise that was not kept. met: how often the history met what this is about; of: as a word.

    needs: what older histories do not tell, see `mq.chaos.history.NOTED`. within: for how long it could be met, for people.
    """

    broken: Callable[[History], Iterator[str]]
    met: Callable[[History], int]
    of: str
    needs: str = ""
    within: Callable[[History], str] = lambda _history: ""


def judge(check: Check, history: History) -> tuple[list[str], str]:
    """Why it does not hold, empty when it does; and how often it was met, as a figure."""
    if check.needs and check.needs not in history.facts.get("noted", ()):
        return [f"the history does not tell its {check.needs}, as those of an older program do not: nothing to judge"], ""
    met = check.met(history)
    broken = list(check.broken(history))
    if not broken and not met:
        broken = [f"it met nothing to judge: no {check.of}"]
    return broken, f"{met} {check.of}{check.within(history)}"


# --- what each is about


def _calm_sends(history: History) -> int:
    return Calm(history).sends(history)


def _calm_time(history: History) -> str:
    return f", in {Calm(history).seconds(history):.1f} s"


def _read_sends(history: History) -> int:
    read = {topic for topics in history.drained.values() for topic in topics}
    return sum(send.outcome == DONE and send.topic in read for send in history.sends)


def _deliveries(history: History) -> int:
    return sum(len(receive.messages) for receive in history.receives)


def _seen(history: History) -> int:
    return min(len(history.stored), _deliveries(history))


def _answered_offsets(history: History) -> int:
    return sum(send.outcome == DONE and send.offset is not None for send in history.sends)


def _in_message_groups(history: History) -> int:
    """Stored behind others, so that there is an order."""
    first = len({(one.topic, one.queue_id) for one in history.stored})
    return min(len(history.stored) - first, sum(send.outcome == DONE and send.message_group != "" for send in history.sends))


def _sent_again(history: History) -> int:
    return sum(send.attempts > 1 for send in history.sends)


def _again(history: History) -> int:
    return sum(one.attempt > 1 for receive in history.receives for one in receive.messages)


def _changed(history: History) -> int:
    """Both longer and shorter times count, or none does."""
    received = {receive.group: receive.invisible_s for receive in history.receives}
    done = [one for one in history.changes if one.outcome == DONE and one.group in received]
    shorter = sum(one.invisible_s < received[one.group] for one in done)
    return len(done) if 0 < shorter < len(done) else 0


def _acknowledged(history: History) -> int:
    return sum(ack.outcome == DONE for ack in history.acks)


def _ordered(history: History) -> int:
    """Such as have another before them in their queue."""
    return sum(one.offset > 0 for receive in history.receives if receive.group in history.ordered for one in receive.messages)


def _copied(history: History) -> int:
    return sum(copy.count for copy in history.copies)


CHECKS: dict[str, Check] = {
    "faults were carried out": Check(lambda _history: iter(()), lambda history: len(history.faults), "faults"),
    "no send failed": Check(given_up, lambda history: len(history.sends), "sends"),
    "while all is well, nothing is refused": Check(refused, _calm_sends, "sends then", "attempts", _calm_time),
    "nothing acknowledged is lost": Check(checks.lost, _read_sends, "acknowledged messages that a group has read"),
    "nothing is invented": Check(checks.invented, _seen, "messages stored and delivered"),
    "each message is where it was said to be": Check(checks.places, _answered_offsets, "answered offsets"),
    "queues and message groups are in order": Check(checks.order, _in_message_groups, "messages in message groups"),
    "nothing is stored twice": Check(checks.accounted, _sent_again, "messages sent again", "attempts"),
    "nothing is delivered inside its invisible time": Check(checks.hidden, _again, "deliveries again"),
    "attempts are counted one by one": Check(attempts.skipped, _again, "deliveries again"),
    "what ran out while all was well has come again soon": Check(attempts.late, _again, "deliveries again"),
    "a changed invisible time counts": Check(checks.changed, _changed, "changes to a longer and to a shorter one", "changes"),
    "nothing acknowledged is delivered again": Check(checks.finished, _acknowledged, "acknowledged deliveries"),
    "an ordered group gets its messages in turn": Check(checks.in_turn, _ordered, "deliveries behind others"),
    "all nodes hold the same state": Check(differing, lambda history: len(history.replicas), "nodes", "replicas"),
    "all nodes store the same messages": Check(unlike, _copied, "messages on their disks", "copies"),
}
"""By the sentence that a report tells."""
