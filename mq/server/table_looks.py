"""What a replaced delivery table hands out, looked at from outside; see `mq.server.organ_looks`.

What it is asked for, the types of the answers, and what would lose or repeat a message at once: that is told with organ and
method. A table that is wrong in a way that shows only later is for the labs to find.
"""

from collections.abc import Mapping
from typing import Any

from mq.broker.delivery.flight import Delivered, InFlight, Received
from mq.server.organ_looks import Looks, OrganError

__all__ = ["TABLE_LOOKS", "expect", "look_at_plain"]

_PLAIN = {
    "ack": bool,
    "is_done": bool,
    "renew": int,
    "give_back": int,
    "forget_below": int,
    "next_offset": int,
    "consumer_offset": int,
    "attempt_id": str,
}
_OR_NOTHING: dict[str, type] = {"valid": InFlight, "change": InFlight, "next_deadline_ms": int}


def expect(what: str, found: Any, is_right: bool, expected: str) -> None:  # noqa: FBT001 - a fact, not a switch
    """Raises: OrganError with what was returned, when that is not what was expected."""
    if not is_right:
        raise OrganError(f"{what} returned {repr(found)[:80]} ({type(found).__name__}), expected {expected}")


def _look_at_table(name: str, what: str, table: Any, arguments: tuple[Any, ...], found: Any) -> None:
    if name in _PLAIN:
        expect(what, found, type(found) is _PLAIN[name], _PLAIN[name].__name__)
    elif name in _OR_NOTHING:
        kind = _OR_NOTHING[name]
        expect(what, found, found is None or type(found) is kind, f"{kind.__name__} or None")
    elif name == "take":
        _look_at_received(what, table, arguments[0], found)
    elif name == "still_due":
        _look_at_due(what, arguments[0], found)
    elif name == "flights":
        expect(what, found, isinstance(found, Mapping), "a mapping of offset to InFlight")
    elif name in ("expired", "queues"):
        is_right = isinstance(found, list | tuple) and all(type(number) is int for number in found)
        expect(what, found, is_right, "a list or tuple of int")
    elif name == "to_plain":
        look_at_plain(what, found)
    if name == "ack" and found and not table.is_done(*arguments[:2]):
        raise OrganError(f"{what} said True, and message {arguments[1]} of queue {arguments[0]} is not done: it would come again")


def _look_at_received(what: str, table: Any, picks: tuple[Any, ...], found: Any) -> None:
    expect(what, found, isinstance(found, Received), "Received")
    is_right = isinstance(found.delivered, tuple) and all(isinstance(one, Delivered) for one in found.delivered)
    expect(what, found.delivered, is_right, "a tuple of Delivered in `delivered`")
    expect(what, found.dead, isinstance(found.dead, tuple), "a tuple of (queue id, DeadPlace) in `dead`")
    by_queue = {pick.queue_id: pick for pick in picks}
    for one in found.delivered:
        pick = by_queue.get(one.queue_id)
        is_picked = pick is not None and (one.offset in pick.again or pick.first_offset <= one.offset < pick.next_offset)
        if not is_picked:
            raise OrganError(f"{what} hands out message {one.offset} of queue {one.queue_id}, which was not picked")
        if table.is_done(one.queue_id, one.offset):
            raise OrganError(f"{what} hands out message {one.offset} of queue {one.queue_id}, and takes it for done: it is lost")
    if len({(one.queue_id, one.offset) for one in found.delivered}) < len(found.delivered):
        raise OrganError(f"{what} hands out the same message twice: {repr(found.delivered)[:200]}")


def _look_at_due(what: str, picks: tuple[Any, ...], found: Any) -> None:
    is_right = isinstance(found, tuple) and [one.queue_id for one in found] == [pick.queue_id for pick in picks]
    expect(what, found, is_right, "a tuple with a QueuePick for each one given, in their order")


def look_at_plain(what: str, found: Any) -> None:
    """Raises: OrganError when JSON cannot hold what goes into a snapshot."""
    if isinstance(found, list | tuple):
        for one in found:
            look_at_plain(what, one)
    elif isinstance(found, dict):
        # JSON turns other keys into text, and the restored table would not find them again.
        keys = [key for key in found if type(key) is not str]
        expect(what, keys[0] if keys else found, not keys, "plain lists, with text alone for keys")
        look_at_plain(what, list(found.values()))
    else:
        expect(what, found, found is None or type(found) in (bool, int, float, str), "what JSON can hold")


TABLE_LOOKS = Looks(_look_at_table, lambda *_: None)
