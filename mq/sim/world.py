"""One seed, one run: clients, a node, its disk, and everything that can go wrong with them.

    world = World(8142)
    world.run()

A step is one operation of the disk, one thing that a client does, one fault, or time that passes; all of them are
drawn from one `random.Random(seed)`. The checkers see each event, and all that is stored after each opening.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from mq.broker import commands as c
from mq.core.errors import DamageError, DiskError, MqError, NotServingError
from mq.core.message import MessageKind, Permission
from mq.sim.checkers import BrokenPromiseError, Checker, all_checkers, check_not_vacuous
from mq.sim.clients import Client, Consumer, Producer
from mq.sim.clock import SimClock
from mq.sim.crash import after_power_loss, draw_survival, unsynced_files
from mq.sim.disk import SimDisk
from mq.sim.node import NodeOptions, Parts, SimNode
from mq.sim.store_view import StoreView, view_store
from mq.sim.trace import Trace, Value

__all__ = ["LOST_WRITE", "PowerLoss", "World", "WorldOptions"]

LOST_WRITE = "power-loss of an unsynced write"
"""What a run can be asked to meet, beside the events of the trace."""
_NODE = "n1"
_TOPIC = "orders"
_GROUPS = ("billing", "shipping")
_RULES = "the node keeps its own rules"
_MARK_BYTES_MAX = 64
"""A power loss that takes no more than a mark of the durable end took nothing."""
_DRAIN_STEPS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """steps: before the faults end and everything is drained. Probabilities: of a fault at each step.

    bit_flip_probability: of a run to end with a flipped bit in its log. wanted: events that a run must meet (and
    `LOST_WRITE`); while one is missing it goes on for up to twice its steps.
    """

    steps: int = 2000
    queues: int = 2
    producers: int = 3
    consumers: int = 3
    power_loss_probability: float = 0.004
    kill_probability: float = 0.002
    sync_failure_probability: float = 0.001
    disk_full_probability: float = 0.002
    bit_flip_probability: float = 0.2
    node: NodeOptions = field(default_factory=NodeOptions)
    wanted: tuple[str, ...] = ("sent", "delivered", "acked", "opened", LOST_WRITE)


@dataclass(frozen=True, slots=True)
class PowerLoss:
    """The disk before and after the power was lost, and after the node opened it again. is_torn: a write was torn."""

    at_ms: int
    is_torn: bool
    unsynced_bytes: int
    before: SimDisk
    after: SimDisk
    opened: SimDisk | None = None

    def rank(self) -> tuple[bool, int]:
        """The higher, the more there is to be seen."""
        return self.is_torn, self.unsynced_bytes


class World:
    """See the module. trace: what happened. loss: of its power losses the one that shows most, for a picture."""

    def __init__(self, seed: int, options: WorldOptions | None = None, parts: Parts | None = None) -> None:
        self.seed, self.options, self.parts = seed, options or WorldOptions(), parts or Parts()
        self.rng = Random(seed)  # noqa: S311 - repeatable is what it has to be
        self.clock, self.trace, self.disk = SimClock(), Trace(), SimDisk()
        self.checkers: list[Checker] = all_checkers()
        self.loss: PowerLoss | None = None
        self.view: StoreView | None = None
        self.steps = 0
        self._node: SimNode | None = None
        self._is_over = self._is_draining = self._is_power_failing = False
        self._clients: list[Client] = []
        self._consumers: list[Consumer] = []
        for checker in self.checkers:
            self.trace.listeners.append(checker.observe)

    def note(self, event: str, **details: Value) -> None:
        """An event of the node."""
        self.trace.note(self.clock.now_ms, _NODE, event, **details)

    def _note_client(self, event: str, **details: Value) -> None:
        self.trace.note(self.clock.now_ms, "-", event, **details)

    # --- a run

    def run(self) -> Trace:
        """All of it. Raises: BrokenPromiseError, VacuousRunError; both end with the command that repeats the run."""
        try:
            self._run()
            check_not_vacuous(self._met(), self.options.wanted)
        except MqError as error:
            raise self._with_seed(BrokenPromiseError(_RULES, f"{type(error).__name__}: {error}")) from error
        except BrokenPromiseError as error:
            raise self._with_seed(error) from error
        return self.trace

    def _met(self) -> dict[str, int]:
        return {**self.trace.counts, LOST_WRITE: int(self.loss is not None)}

    def _with_seed(self, error: BrokenPromiseError) -> BrokenPromiseError:
        repeat = f"repeat: python3 run.py sim --profile broker --seed {self.seed}"
        return BrokenPromiseError(error.promise, f"{error.sentence}\n{self.trace.tail(12)}\n{repeat}")

    def _run(self) -> None:
        self._begin()
        for number in range(2 * self.options.steps):
            if number >= self.options.steps and all(map(self._met().get, self.options.wanted)):
                break
            self._step()
            if self._node is not None:
                self._node.check()
            if self._is_over:
                return
        self.disk.capacity_bytes, self.disk.failing_syncs = None, 0
        if self._node is not None and self._node.failure is not None:
            self._die(is_power_lost=False)
        self._open_at_last()
        if not self._is_over and self.rng.random() < self.options.bit_flip_probability:
            self._flip_a_bit()
        if not self._is_over:
            self._drain()

    def _begin(self) -> None:
        options = self.options
        self._open_at_last()
        node = self._serving()
        node.propose(
            c.CreateTopic(*node.stamps(), _TOPIC, MessageKind.NORMAL, options.queues, Permission.READ_WRITE), lambda _: None
        )
        for group in _GROUPS:
            node.propose(c.CreateGroup(*node.stamps(), group, False, 1_000_000), lambda _: None)  # noqa: FBT003
        self._settle()
        for number in range(options.producers):
            self._clients.append(Producer(f"p{number + 1}", _TOPIC, options.queues, self.rng, self._note_client))
        for number in range(options.consumers):
            group = _GROUPS[number % len(_GROUPS)]
            self._consumers.append(Consumer(f"c{number + 1}", group, _TOPIC, self.rng, self._note_client))
        self._clients += self._consumers

    def _step(self) -> None:
        self.steps += 1
        if self._is_power_failing and _unsynced_bytes(self.disk) > _MARK_BYTES_MAX:
            self._die(is_power_lost=True)
            return
        chance = self.rng.random()
        for probability, fault in self._faults():
            if chance < probability:
                fault()
                return
            chance -= probability
        node = self._node
        if node is None or node.failure is not None:
            self._end_of_a_failed_node()
            return
        way = self.rng.random()
        if way < 0.62 and node.step():
            return
        if way < 0.95:
            self.rng.choice(self._clients).act(node)
        else:
            self.clock.advance(self.rng.choice((1, 5, 20, 100)))

    def _faults(self) -> tuple[tuple[float, Callable[[], None]], ...]:
        options = self.options
        return (
            (options.power_loss_probability, self._lose_power),
            (options.kill_probability, lambda: self._die(is_power_lost=False)),
            (options.sync_failure_probability, self._fail_a_sync),
            (options.disk_full_probability, self._fill_the_disk),
        )

    # --- faults

    def _die(self, *, is_power_lost: bool) -> None:
        """The process ends, and perhaps the power with it."""
        self._node = None
        self._is_power_failing = self._is_power_failing and not is_power_lost
        if is_power_lost:
            survival = draw_survival(self.disk, self.rng)
            unsynced = _unsynced_bytes(self.disk)
            before, self.disk = self.disk, after_power_loss(self.disk, survival)
            loss = PowerLoss(self.clock.now_ms, survival.torn is not None, unsynced, before, self.disk.copy())
            if unsynced > _MARK_BYTES_MAX and not self._is_draining and (self.loss is None or loss.rank() >= self.loss.rank()):
                self.loss = loss
            kept, torn = sum(survival.sectors.values()), survival.torn[1] if survival.torn else 0
            self.note("power-loss", unsynced=unsynced, kept=kept, torn=torn, names=sum(survival.names.values()))
        else:
            self.note("kill")
        for client in self._clients:
            client.node_died()

    def _lose_power(self) -> None:
        """Now, or, as nobody is hurt at rest, as soon as something is written and not synced."""
        self._is_power_failing = self.rng.random() < 0.8
        if not self._is_power_failing:
            self._die(is_power_lost=True)

    def _end_of_a_failed_node(self) -> None:
        if self._node is not None:
            self._die(is_power_lost=self.rng.random() < 0.5)
        elif self.rng.random() < 0.3:
            self._open()
        else:
            self.clock.advance(self.rng.choice((5, 50, 200)))

    def _fail_a_sync(self) -> None:
        self.disk.failing_syncs = 1

    def _fill_the_disk(self) -> None:
        self.disk.capacity_bytes = self.disk.used_bytes + self.rng.choice((0, 100, 3000))
        self.clock.after(self.rng.choice((20, 300)), self._empty_the_disk)

    def _empty_the_disk(self) -> None:
        self.disk.capacity_bytes = None

    def _flip_a_bit(self) -> None:
        """At rest, with the mark of the durable end written, one bit of the log changes: under the node, or between two lives."""
        self._settle()
        segments = self._serving().log.segments()
        is_running = self.rng.random() < 0.5
        if not is_running:
            self._die(is_power_lost=False)
        # What was written last is still to be delivered.
        segment = self.rng.choice(segments[-4:] if is_running else segments)
        at, bit = self.rng.randrange(segment.written_bytes), self.rng.randrange(8)
        self.note("bit-flip", file=segment.file, at=at, bit=bit)
        self.disk.flip_bit(segment.file, at, bit)
        self._open_at_last()

    # --- the node

    def _serving(self) -> SimNode:
        if self._node is None:
            raise NotServingError("the node is down")
        return self._node

    def _open(self) -> None:
        """A new life of the node; the checkers see all that is stored."""
        node = SimNode(self.disk, self.clock, self.note, options=self.options.node, parts=self.parts)
        repairs_max = self.rng.randrange(3) if self.rng.random() < 0.1 else None
        try:
            node.open(repairs_max=repairs_max)
            self.view = view_store(node.log, node.machine, self.disk)
        except DamageError as error:
            self._report(error)
            return
        except (NotServingError, DiskError):
            self._die(is_power_lost=self.rng.random() < 0.5)
            return
        node.check()
        for checker in self.checkers:
            checker.examine(self.view)
        self._node = node
        if self.loss is not None and self.loss.opened is None:
            self.loss = replace(self.loss, opened=self.disk.copy())

    def _open_at_last(self) -> None:
        """Until it serves, or has reported damage."""
        while self._node is None and not self._is_over:
            self._open()

    def _settle(self) -> None:
        node = self._serving()
        while node.step():
            self.steps += 1
        if node.failure is not None:
            raise node.failure

    def _drain(self) -> None:
        """No more faults: the consumers take and acknowledge until nothing is left; then everything is looked at once more."""
        self._is_draining = True
        try:
            self._take_everything()
        except DamageError as error:
            self._report(error)
            return
        # With the power the mark behind the newest group may go, and a bit flipped in that group then looks like a torn write.
        self._die(is_power_lost=not self.trace.counts["bit-flip"])
        self._open_at_last()

    def _report(self, error: DamageError) -> None:
        self.note("damage", file=error.file, at=error.at)
        self._is_over = True

    def _take_everything(self) -> None:
        node, left = self._serving(), _DRAIN_STEPS_MAX
        self._settle()
        for consumer in self._consumers:
            consumer.keeps_all = True
        empty_rounds = 0
        while empty_rounds < 3:
            for consumer in self._consumers:
                consumer.act(node)
            self._settle()
            if all(consumer.came_back_empty for consumer in self._consumers):
                # What is hidden comes back by and by; the longest hiding is shorter than this.
                self.clock.advance(2000)
                empty_rounds += 1
            else:
                empty_rounds = 0
            left -= 1
            if left == 0:
                raise BrokenPromiseError("everything is delivered", "messages are still coming, without an end")
        for group in _GROUPS[: len(self._consumers)]:
            self._note_client("drained", group=group)


def _unsynced_bytes(disk: SimDisk) -> int:
    return sum(len(piece.data) for _, pieces in unsynced_files(disk) for piece in pieces)
