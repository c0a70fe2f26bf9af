"""A delivery table, driven by verbs and held against the model after each of them.

The bench is the broker around the table: it has the time, the log's indexes, the clients with all handles that they ever got, and
it picks as the broker's picker does. What the table answers, and all that it shows, is asked for in one crossing.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from labs.grader.seams import Call, Make, at_once, made_beside, made_by
from labs.grader.suite import Run
from labs.stage1_single_node.lab1c_delivery import judge
from labs.stage1_single_node.lab1c_delivery.model import Model
from labs.stage1_single_node.lab1c_delivery.rules import broken, named, place, shown
from labs.stage1_single_node.lab1c_delivery.timeline import Mark, Moment, Timeline
from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Received

__all__ = ["CLIENTS", "MAX_ATTEMPTS", "QUEUES", "Bench", "Handle", "dead_place"]

CLIENTS = ("anna", "ben", "carl", "ann", "anna ")
QUEUES = (0, 1)
MAX_ATTEMPTS = 3
_START_MS = 1000
_MOVING = (1, 5, 13, 14)
"""Rules of commands behind which all is looked at."""


class Handle(NamedTuple):
    """What a client needs for an ack. until_ms: when it ran out, as far as the client knows."""

    queue_id: int
    offset: int
    stamp: int
    client: str
    until_ms: int


def dead_place(offset: int) -> DeadPlace:
    """Where the log holds a message that dies."""
    return DeadPlace(offset, 100 + offset, 10 + offset, 0, 0)


def looks_of(now_ms: int, *, is_all: bool = True) -> list[Call]:
    """What a table shows: all of it, or what changes with each command."""
    asked = [Call("next_deadline_ms"), *(Call("flights", (queue_id,)) for queue_id in QUEUES)]
    asked += [Call("expired", (queue_id, now_ms)) for queue_id in QUEUES]
    if is_all:
        asked += [Call(name, (queue_id,)) for queue_id in QUEUES for name in ("next_offset", "consumer_offset", "attempt_id")]
    return asked


class Bench:
    """ends: of each queue, how many messages are stored. is_fifo: of an ordered group. attempts_max: then it is a dead letter.

    other: see `beside`. whose: of what is told, where there are two.
    """

    whose = ""

    def __init__(
        self, make: Make, run: Run, *, is_fifo: bool = False, ends: Sequence[int] = (14, 9), attempts_max: int = MAX_ATTEMPTS
    ) -> None:
        self.make, self.run, self.is_fifo, self.ends, self.attempts_max = make, run, is_fifo, list(ends), attempts_max
        self.other: Bench | None = None
        self.table, self.twin = make(), None
        self.model = Model(QUEUES)
        self.now_ms, self.index, self.turn = _START_MS, 0, 0
        self.handles: list[Handle] = []
        self.held: list[tuple[QueuePick, ...]] = []
        self.moments: list[Moment] = []
        self.marks: list[Mark] = []
        run.figure = Timeline(self.moments, self.marks)

    # --- asking

    def ask(self, number: int, calls: Sequence[Call], expected: Sequence[Any], before: Model) -> None:
        """Commands, and a look at everything. number: of the rule that they are about. before: how all was."""
        self.note()
        asked = [*calls, *looks_of(self.now_ms, is_all=number in _MOVING)]
        for table in (self.table, self.twin):
            if table is None:
                continue
            found = at_once(table, asked)
            for call, wanted, got in zip(calls, expected, found, strict=False):
                judge.answer(number, call, wanted, got, before, self.now_ms)
            try:
                judge.looks(number, asked[len(calls) :], found[len(calls) :], self.model, self.now_ms)
            except judge.StillInFlightError as left:
                raise self._bad_end(table, left) from None

    def note(self) -> None:
        """For the picture."""
        self.moments.append(Moment(self.now_ms, {queue_id: dict(q.flights) for queue_id, q in self.model.queues.items()}))

    def _bad_end(self, table: Any, left: "judge.StillInFlightError") -> Exception:
        """A message that is done is still in flight: what comes of it when its time is over?"""
        queue_id, offset, flight = left.queue_id, left.offset, left.flight
        done = f"{place(queue_id, offset)} {self.model.queues[queue_id].done.get(offset, 'is done')}"
        at_ms = max(self.now_ms, flight.deadline_ms)
        at = self.model.queues[queue_id].next_offset
        picks = (QueuePick(queue_id, at, at, at, (), (offset,)),)
        self.index += 1
        _, _, received = at_once(table, [
            Call("expired", (queue_id, at_ms)),
            Call("still_due", (picks, at_ms), {"is_fifo": self.is_fifo}),
            Call("take", (picks,), self._named(CLIENTS[2], at_ms, at_ms + 10_000)),
        ])  # fmt: skip
        again = [one for one in received.delivered if one.offset == offset]
        if not again:
            return broken(5, expected=done, found=f"`flights` still has it: {shown(flight)}")
        self.marks.append(Mark(at_ms, queue_id, offset, "!", f"{CLIENTS[2]} {again[0].attempt}"))
        self.run.tell(f"{at_ms} ms: its old deadline; {CLIENTS[2]} receives {shown(again)}")
        return broken(5, expected=done, found=f"at {at_ms} ms it was handed out again, attempt {again[0].attempt}")

    # --- receive

    def choose(self, client: str, count: int, attempt_id: str = "", skips: int = 0) -> tuple[QueuePick, ...]:
        """What the broker's picker picks now. skips: a filter leaves out each message whose offset can be divided by it."""
        del client
        self.turn += 1
        picks: list[QueuePick] = []
        for number in range(len(QUEUES)):
            queue_id = QUEUES[(self.turn + number) % len(QUEUES)]
            left = count - sum(len(p.again) + p.next_offset - p.first_offset - len(p.skipped) for p in picks)
            pick = self._pick(queue_id, left, attempt_id, skips) if left > 0 else None
            if pick is not None:
                picks.append(pick)
        return tuple(picks)

    def _pick(self, queue_id: int, count: int, attempt_id: str, skips: int) -> QueuePick | None:
        queue = self.model.queues[queue_id]
        at = queue.next_offset
        is_ordered = self.is_fifo and bool(queue.flights)
        is_repeat = is_ordered and bool(attempt_id) and queue.attempt_id == attempt_id
        if is_ordered and not is_repeat and any(f.deadline_ms > self.now_ms for f in queue.flights.values()):
            return None
        ready = sorted(queue.flights) if is_ordered else queue.expired(self.now_ms)
        dead = [o for o in ready if queue.flights[o].attempt >= self.attempts_max and not is_repeat]
        again = [o for o in ready if o not in dead][:count]
        after, skipped, left = at, list[int](), count - len(again)
        while not is_ordered and left > 0 and after < self.ends[queue_id]:
            if skips and after % skips == 0:
                skipped.append(after)
            else:
                left -= 1
            after += 1
        if not (dead or again or after > at):
            return None
        places = tuple(map(dead_place, dead))
        return QueuePick(queue_id, at, at, after, tuple(skipped), tuple(again), places, is_repeat)

    def land(self, picks: tuple[QueuePick, ...], client: str, span_ms: int, *, renews: bool, attempt_id: str = "") -> Received:
        """The receive comes out of the log: what is still due is taken."""
        self.index += 1
        before, until_ms = self.model.copy(), self.now_ms + span_ms
        due = self.model.still_due(picks, self.now_ms, is_fifo=self.is_fifo)
        how = self._named(client, self.now_ms, until_ms, renews=renews, attempt_id=attempt_id)
        expected = self.model.take(due, **how)
        calls = [Call("still_due", (picks, self.now_ms), {"is_fifo": self.is_fifo}), Call("take", (due,), how)]
        renewing = ", renewing" if renews else ""
        self.tell(f"{named(client)} receives, handle {self.index}, until {until_ms}{renewing}: {_told(expected)}")
        if expected.dead:
            self.tell(f"dead letters: {', '.join(place(queue_id, one.offset) for queue_id, one in expected.dead)}")
        self.ask(1, calls, [due, expected], before)
        self.handles += [Handle(d.queue_id, d.offset, d.stamp, client, d.deadline_ms) for d in expected.delivered]
        self._count(expected, before, picks, due)
        return expected

    def _count(self, got: Received, before: Model, picks: tuple[QueuePick, ...], due: tuple[QueuePick, ...]) -> None:
        met = self.run.met
        met["delivered"] += len(got.delivered)
        met["delivered again"] += sum(one.attempt > 1 for one in got.delivered)
        met["dead"] += len(got.dead)
        met["void"] += sum(before.queues[p.queue_id].next_offset != p.from_offset for p in picks)
        met["not due any more"] += picks != due
        met["repeats"] += any(pick.is_repeat for pick in picks)

    def _named(self, client: str, now_ms: int, deadline_ms: int, *, renews: bool = False, attempt_id: str = "") -> dict[str, Any]:
        return {
            "stamp": self.index, "deadline_ms": deadline_ms, "client": client, "renews": renews, "attempt_id": attempt_id,
            "now_ms": now_ms,
        }  # fmt: skip

    def receive(
        self, client: str, count: int, span_ms: int, *, renews: bool = False, attempt_id: str = "", skips: int = 0
    ) -> Received:
        """Choose, and carry it out at once."""
        picks = self.choose(client, count, attempt_id, skips)
        return self.land(picks, client, span_ms, renews=renews, attempt_id=attempt_id) if picks else Received((), ())

    # --- the other commands

    def command(self, number: int, name: str, line: str, *args: Any, **named: Any) -> Any:
        """One that is carried out in the table and in the model; returns what must come of it."""
        self.index += 1
        if name == "change":
            named["new_stamp"] = self.index
        before = self.model.copy()
        expected = getattr(self.model, name)(*args, **named)
        self.tell(f"{line}: {_came_to(expected)}" if expected is not None or name == "change" else line)
        if name == "ack" and not expected:
            self.marks.append(Mark(self.now_ms, args[0], args[1], "x"))
        self.ask(number, [Call(name, args, named)], [expected], before)
        return expected

    def ack(self, handle: Handle) -> bool:
        what = f"{named(handle.client)} acknowledges {place(*handle[:2])} with handle {handle.stamp}"
        done = bool(self.command(4, "ack", what, *handle[:3], self.now_ms))
        self.run.met["acks" if done else "acks refused"] += 1
        return done

    def change(self, handle: Handle, span_ms: int, *, is_counted: bool = True) -> bool:
        until_ms = self.now_ms + span_ms
        verb = "changes" if is_counted else "never got"
        line = f"{named(handle.client)} {verb} {place(*handle[:2])} with handle {handle.stamp}, until {until_ms}"
        new = self.command(7, "change", line, *handle[:3], self.now_ms, deadline_ms=until_ms, is_counted=is_counted)
        self.run.met["changes" if new else "changes refused"] += 1
        if new is not None:
            self.handles.append(Handle(*handle[:2], self.index, handle.client, until_ms))
        return new is not None

    def renew(self, client: str, span_ms: int, *, since: int = 0, not_before_ms: int = 0) -> None:
        until_ms = self.now_ms + span_ms
        limits = (f", taken since command {since}" if since else "") + (f", taken after {not_before_ms}" if not_before_ms else "")
        count = self.command(
            8, "renew", f"renew what {named(client)} holds until {until_ms}{limits}", client, until_ms, now_ms=self.now_ms,
            since=since, not_before_ms=not_before_ms,
        )  # fmt: skip
        self.run.met["renewed"] += count

    def give_back(self, client: str, *, everything: bool, earlier_ms: int = 0) -> None:
        """earlier_ms: so long ago it was gone; that comes out of the log only now."""
        what = "all that it holds" if everything else "what renews itself"
        gone = f"is gone since {self.now_ms - earlier_ms}" if earlier_ms else "is gone"
        count = self.command(
            9, "give_back", f"{named(client)} {gone}: {what} is given back", client, self.now_ms - earlier_ms, now_ms=self.now_ms,
            everything=everything,
        )  # fmt: skip
        self.run.met["given back"] += count

    def forget_below(self, queue_id: int, offset: int) -> None:
        self.command(13, "forget_below", f"retention takes what is below {place(queue_id, offset)}", queue_id, offset)
        self.run.met["retention"] += 1

    def move(self, queue_id: int, offset: int) -> None:
        self.command(13, "move", f"queue {queue_id} is reset to message {offset}", queue_id, offset)
        self.run.met["resets"] += 1

    def ask_handle(self, handle: Handle) -> None:
        """Whether a handle is good, and whether its message is done: the broker asks before it writes a command."""
        asked = [Call("valid", (*handle[:3], self.now_ms)), Call("is_done", handle[:2])]
        expected = [self.model.valid(*handle[:3], self.now_ms), self.model.is_done(*handle[:2])]
        for table in (self.table, self.twin):
            found = at_once(table, asked) if table is not None else expected
            for call, wanted, got in zip(asked, expected, found, strict=True):
                judge.answer(4, call, wanted, got, self.model, self.now_ms)

    # --- time, snapshots, the end

    def wait(self, ms: int, commands: int = 0) -> None:
        """commands: of others, which stand in the log meanwhile."""
        self.now_ms += ms
        self.index += commands
        if commands:
            self.tell(f"{commands} commands of others came out of the log, and {ms} ms passed")
        self.ask(3, [], [], self.model)

    def beside(self) -> "Bench":
        """The same broker's table for another group, in the same process. One log and one clock are for both."""
        if self.other is None:
            figure = self.run.figure
            self.other = Bench(lambda: made_beside(self.table, self.make), self.run, is_fifo=self.is_fifo, ends=self.ends)
            self.run.figure, self.other.whose = figure, "another group: "
        self.other.now_ms, self.other.index = self.now_ms, self.index
        return self.other

    def look_at_both(self) -> None:
        """What was done in one table is nothing to the other."""
        for bench in (self, self.other):
            if bench is not None:
                bench.ask(1, [], [], bench.model)

    def snapshot(self, *, is_twin: bool = False) -> None:
        """The table goes on as one that was made from its snapshot. is_twin: the old one goes on beside it."""
        self.tell("a snapshot; the table goes on as what is made of it" + (", and the old one beside it" if is_twin else ""))
        plain = json.loads(json.dumps(self.table.to_plain()))
        restored = made_by(self.make, "from_plain", plain)
        again = json.loads(json.dumps(restored.to_plain()))
        if again != plain:
            raise broken(14, expected=f"its snapshot is the same: {str(plain)[:200]}", found=str(again)[:200])
        self.twin, self.table = (self.table if is_twin else None), restored
        self.run.met["snapshots"] += 1
        self.ask(14, [], [], self.model)

    def compare_twins(self) -> None:
        """Equal commands make equal snapshots, whatever was restored in between."""
        if self.twin is None:
            return
        here, there = (json.loads(json.dumps(table.to_plain())) for table in (self.table, self.twin))
        if here != there:
            raise broken(
                14, expected=f"the one that was never restored and the other make the same snapshot: {str(there)[:160]}",
                found=f"the restored one makes {str(here)[:160]}",
            )  # fmt: skip

    def drain(self) -> None:
        """To the end: all that is not done is delivered and acknowledged, and then there is nothing more."""
        self.compare_twins()
        self.twin = None
        for _ in range(4 * sum(self.ends)):
            if all(q.consumer_offset >= end for q, end in zip(self.model.queues.values(), self.ends, strict=True)):
                break
            deadline_ms = self.model.next_deadline_ms()
            got = self.receive("carl", 8, 5_000)
            self._ack_all(got)
            if not got.delivered and deadline_ms is not None:
                self.wait(max(0, deadline_ms - self.now_ms))
        self.run.met["drained"] += 1

    def _ack_all(self, got: Received) -> None:
        before = self.model.copy()
        calls = [Call("ack", (one.queue_id, one.offset, one.stamp, self.now_ms)) for one in got.delivered]
        if calls:
            self.tell(f"carl acknowledges {', '.join(place(one.queue_id, one.offset) for one in got.delivered)}: done")
            self.ask(5, calls, [self.model.ack(*call.args) for call in calls], before)

    def tell(self, line: str) -> None:
        """The next line of the story, with the time."""
        self.run.tell(f"{self.now_ms} ms: {self.whose}{line}")


def _told(received: Received) -> str:
    told = (place(d.queue_id, d.offset) + (f" (attempt {d.attempt})" if d.attempt != 1 else "") for d in received.delivered)
    return ", ".join(told) or "nothing"


def _came_to(value: Any) -> str:
    if value is None or value is False:
        return "refused"
    return "done" if value is True else shown(value) if not isinstance(value, int) else str(value)
