"""What can befall a delivery table: the steps that schedules are made of.

A step is plain data and speaks of the table as it is when its turn comes ("acknowledge with one of the handles that were ever
given"), so that a schedule stays one when any of its steps are left out.
"""

from dataclasses import dataclass

from labs.stage1_single_node.lab1c_delivery.bench import CLIENTS, QUEUES, Bench, Handle

__all__ = [
    "Ack",
    "Change",
    "Choose",
    "Forget",
    "GiveBack",
    "Land",
    "Later",
    "Other",
    "Receive",
    "Renew",
    "Reset",
    "Snapshot",
    "Step",
    "Stray",
    "Wait",
]

_HELD_MAX = 3


@dataclass(frozen=True, slots=True)
class Receive:
    """One client asks. attempt: of a FIFO caller, what it calls itself; skips: see `Bench.choose`."""

    client: int
    count: int
    span_ms: int
    renews: bool = False
    attempt: int = 0
    skips: int = 0

    def do(self, bench: Bench) -> None:
        attempt_id = f"{CLIENTS[self.client]}-{self.attempt}" if self.attempt else ""
        bench.receive(CLIENTS[self.client], self.count, self.span_ms, renews=self.renews, attempt_id=attempt_id, skips=self.skips)


@dataclass(frozen=True, slots=True)
class Choose:
    """A leader chooses, and its command is on its way into the log; others may come before it."""

    count: int

    def do(self, bench: Bench) -> None:
        picks = bench.choose("ben", self.count)
        if picks and len(bench.held) < _HELD_MAX:
            bench.held.append(picks)
            bench.tell("a receive of ben's is chosen, and on its way into the log")


@dataclass(frozen=True, slots=True)
class Land:
    """A receive that was chosen before comes out of the log. which: of those on their way; attempt: see `Receive`."""

    which: int
    span_ms: int
    attempt: int = 0

    def do(self, bench: Bench) -> None:
        attempt_id = f"ben-{self.attempt}" if self.attempt else ""
        if bench.held:
            picks = bench.held.pop(self.which % len(bench.held))
            bench.land(picks, "ben", self.span_ms, renews=False, attempt_id=attempt_id)


def _handle(bench: Bench, which: int, *, is_fresh: bool) -> Handle | None:
    """One that was ever given; a fresh one is of what is in flight now, if there is one."""
    handles = bench.handles
    if is_fresh:
        good = [h for h in handles if bench.model.valid(*h[:3], bench.now_ms) is not None]
        handles = good or handles
    return handles[which % len(handles)] if handles else None


def _holder(bench: Bench, which: int) -> str:
    """A client that holds something which renews itself, if there is one."""
    flights = [flight for queue in bench.model.queues.values() for flight in queue.flights.values()]
    holders = sorted({flight.client for flight in flights if flight.renews and flight.deadline_ms > bench.now_ms})
    return (holders or CLIENTS)[which % len(holders or CLIENTS)]


@dataclass(frozen=True, slots=True)
class Ack:
    """With one of the handles that were ever given. is_fresh: with a good one, if there is one."""

    which: int
    is_fresh: bool = True

    def do(self, bench: Bench) -> None:
        handle = _handle(bench, self.which, is_fresh=self.is_fresh)
        if handle is not None:
            bench.ask_handle(handle)
            bench.ack(handle)
            bench.ask_handle(handle)


@dataclass(frozen=True, slots=True)
class Stray:
    """An ack, and a change, with a handle that nobody got. The queue may be one that was never read."""

    queue_id: int

    def do(self, bench: Bench) -> None:
        handle = Handle(QUEUES[self.queue_id], 0, bench.index + 7, "ben", bench.now_ms)
        bench.ask_handle(handle)
        bench.ack(handle)
        bench.change(handle, 1_000)


@dataclass(frozen=True, slots=True)
class Change:
    """Another span, from now. is_counted: False when the message never reached its consumer."""

    which: int
    span_ms: int
    is_fresh: bool = True
    is_counted: bool = True

    def do(self, bench: Bench) -> None:
        handle = _handle(bench, self.which, is_fresh=self.is_fresh)
        if handle is not None:
            bench.change(handle, self.span_ms, is_counted=self.is_counted)
            bench.ask_handle(handle)


@dataclass(frozen=True, slots=True)
class Renew:
    """limit: 1 of all, 2 of what was taken lately by command, 3 by time."""

    client: int
    span_ms: int
    limit: int = 1

    def do(self, bench: Bench) -> None:
        since = max(0, bench.index - 2) if self.limit == 2 else 0
        not_before_ms = bench.now_ms - 2_000 if self.limit == 3 else 0
        bench.renew(_holder(bench, self.client), self.span_ms, since=since, not_before_ms=not_before_ms)


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A client said goodbye. earlier_ms: so long ago."""

    client: int
    everything: bool
    earlier_ms: int = 0

    def do(self, bench: Bench) -> None:
        bench.give_back(_holder(bench, self.client), everything=self.everything, earlier_ms=self.earlier_ms)


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes. to_deadline: up to the next deadline (0), or so many ms beside it; else `ms`."""

    ms: int
    to_deadline: int | None = None

    def do(self, bench: Bench) -> None:
        ms, deadline_ms = self.ms, bench.model.next_deadline_ms()
        if self.to_deadline is not None and deadline_ms is not None:
            ms = max(0, deadline_ms + self.to_deadline - bench.now_ms)
        bench.wait(ms)
        bench.run.met["deadlines reached"] += any(q.expired(bench.now_ms) for q in bench.model.queues.values())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """See `Bench.snapshot`."""

    is_twin: bool = False

    def do(self, bench: Bench) -> None:
        bench.compare_twins()
        bench.snapshot(is_twin=self.is_twin)


@dataclass(frozen=True, slots=True)
class Forget:
    """Retention, so many messages behind the lowest that is not done."""

    queue_id: int
    further: int

    def do(self, bench: Bench) -> None:
        queue_id = QUEUES[self.queue_id]
        offset = min(bench.model.queues[queue_id].consumer_offset + self.further, bench.ends[queue_id])
        bench.forget_below(queue_id, offset)


@dataclass(frozen=True, slots=True)
class Reset:
    """The group goes on elsewhere. share: of the queue, in percent."""

    queue_id: int
    share: int

    def do(self, bench: Bench) -> None:
        queue_id = QUEUES[self.queue_id]
        bench.move(queue_id, bench.ends[queue_id] * self.share // 100)


@dataclass(frozen=True, slots=True)
class Later:
    """Much time passes, and as many commands of others come out of the log: numbers get as large as they are in a broker."""

    ms: int
    commands: int

    def do(self, bench: Bench) -> None:
        bench.wait(self.ms, self.commands)


@dataclass(frozen=True, slots=True)
class Other:
    """A step of another group, whose table lives in the same process."""

    step: Receive | Ack | Renew | GiveBack

    def do(self, bench: Bench) -> None:
        other = bench.beside()
        self.step.do(other)
        bench.index = other.index
        bench.look_at_both()


Step = Later | Other | Receive | Choose | Land | Ack | Stray | Change | Renew | GiveBack | Wait | Snapshot | Forget | Reset
