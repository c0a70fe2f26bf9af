"""What a table answered and shows, held against what must be: the first difference is told as a broken promise."""

from collections.abc import Mapping, Sequence
from typing import Any

from labs.grader.seams import Call
from labs.stage1_single_node.lab1c_delivery.model import Model
from labs.stage1_single_node.lab1c_delivery.rules import broken, place, shown
from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received

__all__ = ["StillInFlightError", "answer", "looks"]

_FIELDS = {"attempt": 6, "deadline_ms": 3, "stamp": 4, "client": 1, "renews": 8, "taken_ms": 8}
"""What a flight is made of, and the rule that each of it serves."""


class StillInFlightError(Exception):
    """A message that is done is still in flight: it may be told better when it was seen what comes of it."""

    def __init__(self, queue_id: int, offset: int, flight: InFlight) -> None:
        super().__init__(place(queue_id, offset))
        self.queue_id, self.offset, self.flight = queue_id, offset, flight


def answer(number: int, call: Call, expected: Any, found: Any, before: Model, now_ms: int) -> None:
    """What one call came to. Raises: PromiseBrokenError."""
    if call.name == "take":
        _received(call.args[0], expected, found, before, now_ms)
    elif call.name == "still_due":
        _due(call.args[0], expected, found, before, now_ms, is_fifo=bool(call.named["is_fifo"]))
    elif expected != found and not (call.name == "renew" and found == expected - _at_the_border(call, before)):
        raise broken(
            _rule_of(number, call, expected, found, before),
            expected=f"`{call.name}` comes to {shown(expected)}{_why(call, before)}",
            found=f"it came to {shown(found)}",
        )  # fmt: skip


def _at_the_border(call: Call, before: Model) -> int:
    """How many a renewal leaves as they are: they are hidden until that very time already. Counted or not, both is right."""
    client, deadline_ms = call.args
    copy = before.copy()
    for queue in copy.queues.values():
        queue.flights = {offset: flight for offset, flight in queue.flights.items() if flight.deadline_ms == deadline_ms}
    return copy.renew(client, deadline_ms, **call.named)


def _rule_of(number: int, call: Call, expected: Any, found: Any, before: Model) -> int:
    if call.name in ("valid", "ack") and found and call.args[1] in before.queues[call.args[0]].done:
        return 5
    if call.name == "change" and (expected is None) != (found is None):
        return 4
    if call.name == "change" and expected.attempt != found.attempt:
        return 6
    return 5 if call.name == "is_done" else number


def _why(call: Call, before: Model) -> str:
    """Of a handle, what there was to know."""
    if call.name not in ("ack", "change", "valid", "is_done"):
        return ""
    queue_id, offset = call.args[:2]
    queue = before.queues[queue_id]
    flight, where = queue.flights.get(offset), place(queue_id, offset)
    if flight is None:
        return f" ({where} {queue.done.get(offset, 'was never delivered')})"
    return f" ({where} is in flight: {shown(flight)})"


# ---------------------------------------------------------------- a receive


def _due(
    picks: Sequence[QueuePick], expected: Sequence[QueuePick], found: Sequence[QueuePick], before: Model, now_ms: int,
    *, is_fifo: bool,
) -> None:  # fmt: skip
    if tuple(found) == tuple(expected):
        return
    if [one.queue_id for one in found] != [one.queue_id for one in picks]:
        raise broken(2, expected="`still_due` returns a pick for each one given", found=shown(tuple(found)))
    pick, wanted, got = next((p, w, g) for p, w, g in zip(picks, expected, found, strict=True) if w != g)
    queue = before.queues[pick.queue_id]
    offsets = [o for o in (*pick.again, *(d.offset for d in pick.dead)) if queue.is_hidden(o, now_ms)]
    hidden = ", ".join(f"{place(pick.queue_id, o)} until {queue.flights[o].deadline_ms}" for o in offsets)
    raise broken(
        10 if is_fifo else 3,
        expected=f"of the pick is still due at {now_ms} ms: {shown(wanted)} (hidden is {hidden or 'nothing'})",
        found=f"`still_due` left {shown(got)}",
    )  # fmt: skip


def _received(picks: Sequence[QueuePick], expected: Received, found: Received, before: Model, now_ms: int) -> None:
    wanted = {(one.queue_id, one.offset): one for one in expected.delivered}
    got: dict[tuple[int, int], Delivered] = {}
    for one in found.delivered:
        where = (one.queue_id, one.offset)
        if where in got:
            raise broken(1, expected=f"{place(*where)} is handed out once", found="it is there twice")
        if where not in wanted:
            raise _too_much(picks, one, before, now_ms)
        got[where] = one
    for where, one in wanted.items():
        if where not in got:
            raise broken(12, expected=f"{shown(one)} is handed out", found=f"`take` handed out {shown(found.delivered)}")
        _same_delivery(one, got[where])
    if list(got) != list(wanted):
        order = ", ".join(place(*where) for where in got)
        raise broken(10, expected=f"the order is {', '.join(place(*where) for where in wanted)}", found=f"it is {order}")
    if tuple(found.dead) != expected.dead:
        raise broken(11, expected=f"dead are {_dead(expected)}", found=f"`take` says {_dead(found)}")


def _dead(received: Received) -> str:
    return ", ".join(place(queue_id, one.offset) for queue_id, one in received.dead) or "none"


def _too_much(picks: Sequence[QueuePick], one: Delivered, before: Model, now_ms: int) -> Exception:
    queue, where = before.queues.get(one.queue_id), place(one.queue_id, one.offset)
    pick = next((pick for pick in picks if pick.queue_id == one.queue_id), None)
    found = f"`take` handed out {shown(one)}"
    if queue is None or pick is None:
        return broken(1, expected=f"{where} was not picked", found=found)
    if queue.next_offset != pick.from_offset:
        expected = f"the pick was made when the next message was {pick.from_offset}, and it is {queue.next_offset}: nothing of it"
        return broken(2, expected=expected, found=found)
    if one.offset in queue.done or one.offset in pick.skipped:
        return broken(5, expected=f"{where} {queue.done.get(one.offset, 'is left out by the filter')}", found=found)
    if queue.is_hidden(one.offset, now_ms):
        return broken(3, expected=f"{where} is hidden until {queue.flights[one.offset].deadline_ms}", found=found)
    return broken(1, expected=f"{where} is not to be handed out", found=found)


def _same_delivery(wanted: Delivered, got: Delivered) -> None:
    if wanted == got:
        return
    number = 6 if wanted.attempt != got.attempt else 1
    raise broken(number, expected=f"{shown(wanted)} is handed out", found=f"`take` handed out {shown(got)}")


# ---------------------------------------------------------------- what it shows


def looks(number: int, asked: Sequence[Call], found: Sequence[Any], model: Model, now_ms: int) -> None:
    """What a table shows. number: of the rule that the last command is about.

    Raises: PromiseBrokenError, StillInFlightError.
    """
    seen = {(call.name, *call.args[:1]): got for call, got in zip(asked, found, strict=True)}
    for queue_id, queue in model.queues.items():
        _flights(number, queue_id, queue.flights, seen["flights", queue_id])
        _expired(queue_id, queue.expired(now_ms), list(seen["expired", queue_id]), model, now_ms)
        for name, of_rule in (("next_offset", 13 if number == 13 else 1), ("consumer_offset", 12), ("attempt_id", 10)):
            if (name, queue_id) in seen:
                _same(of_rule, name, queue_id, getattr(queue, name), seen[name, queue_id])
    wanted, got = model.next_deadline_ms(), seen["next_deadline_ms",]
    if wanted != got:
        raise broken(12, expected=f"the next deadline is {shown(wanted)}", found=f"`next_deadline_ms` says {shown(got)}")


def _flights(number: int, queue_id: int, wanted: Mapping[int, InFlight], got: Mapping[int, InFlight]) -> None:
    if wanted == got:
        return
    for offset, flight in got.items():
        if offset not in wanted:
            raise StillInFlightError(queue_id, offset, flight)
    for offset, flight in wanted.items():
        where = place(queue_id, offset)
        if offset not in got:
            raise broken(12, expected=f"{where} is in flight: {shown(flight)}", found="`flights` does not have it: it is lost")
        for name, of_rule in _FIELDS.items():
            if getattr(flight, name) != getattr(got[offset], name):
                raise broken(
                    number if number in (7, 8, 9, 14) and of_rule != 6 else of_rule,
                    expected=f"{where} is in flight: {shown(flight)}", found=f"`flights` says {shown(got[offset])}",
                )  # fmt: skip


def _expired(queue_id: int, wanted: list[int], got: list[int], model: Model, now_ms: int) -> None:
    if wanted == got:
        return
    flights = model.queues[queue_id].flights
    deadlines = ", ".join(f"{place(queue_id, o)} until {f.deadline_ms}" for o, f in sorted(flights.items())) or "nothing"
    raise broken(
        3, expected=f"at {now_ms} ms messages {wanted} of queue {queue_id} are ready again, in order (in flight: {deadlines})",
        found=f"`expired` says {got}",
    )  # fmt: skip


def _same(number: int, name: str, queue_id: int, wanted: Any, got: Any) -> None:
    if wanted != got:
        raise broken(number, expected=f"`{name}` of queue {queue_id} is {shown(wanted)}", found=f"it is {shown(got)}")
