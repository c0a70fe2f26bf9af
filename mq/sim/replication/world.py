"""A whole run of a master and its slaves: nodes, links, disks, clients, faults and the people who promote, all from one seed.

    MasterSlaveWorld(7, careful).run()

A *story* is what happens to the group: a generator that does something and yields for how many ms nothing else is done. The
product's core runs in it unchanged (or somebody's in its place).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias, cast

from mq.broker.replication.master_slave import Copy, MasterSlave
from mq.raft.configuration import Configuration
from mq.raft.messages import Message, Snapshot
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.sim.group.agenda import Agenda
from mq.sim.group.machine import HostOptions, Place
from mq.sim.group.network import NetworkOptions
from mq.sim.group.trace import GroupTrace
from mq.sim.group.watch import Violation, ViolationError, Watch
from mq.sim.group.workload import Client, Common, WorkloadOptions
from mq.sim.raised import raised
from mq.sim.replication.book import AcknowledgedIsDurable, Book, HeldBeforeApplied, OneMaster, SentIsDurable
from mq.sim.replication.host import Replica
from mq.sim.replication.network import OrderedNetwork

__all__ = ["MasterSlaveOptions", "MasterSlaveWorld", "Story", "draw_options"]

Story: TypeAlias = Callable[["MasterSlaveWorld"], Iterator[int]]
_EVENTS_MAX = 150_000
_REST_MS_MAX = 60_000
_RULES = "a node keeps its own rules", "the invariants of mq.raft, mq.broker.replication and of their log"
_REST = "when all nodes run and all links stand, slaves catch up and all hold the same", "mq.broker.replication.master_slave"
_OUTLIVES = "what is acknowledged is in the log of the last master", "synchronous copy, and a person who promotes who has most"


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterSlaveOptions:
    """copy: what a master waits for. The rest is that of a Raft group's world."""

    nodes: int = 3
    copy: Copy = Copy.ASYNC
    raft: RaftOptions = field(default_factory=RaftOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    host: HostOptions = field(default_factory=HostOptions)
    workload: WorkloadOptions = field(default_factory=lambda: WorkloadOptions(read_probability=0.1))


def draw_options(seed: int, copy: Copy) -> MasterSlaveOptions:
    """Those of a seed."""
    rng = Random(f"options of {seed}")  # noqa: S311 - repeatable is what it has to be
    return MasterSlaveOptions(
        nodes=rng.choice((2, 3)),
        copy=copy,
        raft=RaftOptions(
            election_ticks=rng.choice((5, 10)), entries_max=rng.choice((2, 8, 1024)), in_flight_max=rng.choice((2, 8, 64)),
            recent_bytes_max=rng.choice((1, 60, 8 << 20)), chunk_bytes_max=rng.choice((120, 256 << 10)),
            learner_lag_max=rng.choice((0, 5, 1000)),
        ),
        network=NetworkOptions(delay_ms=rng.choice((1, 5)), spread_ms=rng.choice((2, 10, 40))),
        host=HostOptions(
            snapshot_every=rng.choice((0, 20, 80)), kept_entries=rng.choice((0, 3, 50)), apply_ms=rng.choice((0, 1, 30)),
            read_ms=rng.choice((0, 1, 10)), state_words=rng.choice((1, 10, 30)),
        ),
        workload=WorkloadOptions(
            clients=rng.choice((2, 3)), think_ms=rng.choice((40, 80)), batch_max=rng.choice((1, 4)), read_probability=0.1
        ),
    )  # fmt: skip


class MasterSlaveWorld:
    """See the module. make: the core to be tried. keeps_all: whether the story must not lose what was acknowledged.

    lines: what happened, for people. met: how often what did. lost: what was acknowledged and is gone at the end.
    """

    def __init__(
        self,
        seed: int,
        story: Story,
        options: MasterSlaveOptions | None = None,
        *,
        make: type[MasterSlave] = MasterSlave,
        keeps_all: bool = False,
    ) -> None:
        self.seed, self._story, self._make, self._keeps_all = seed, story, make, keeps_all
        options = self.options = options or draw_options(seed, Copy.ASYNC)
        self.rng, self.agenda, self.trace = Random(seed), Agenda(), GroupTrace()  # noqa: S311 - as above
        self.hosts: dict[int, Replica] = {}
        self.network = OrderedNetwork(self.agenda, self.trace, self.rng, options.network, self._deliver)
        self.book, self.excused = Book(), set[int]()
        self.acknowledged = AcknowledgedIsDurable(
            self.hosts, is_sync=options.copy is Copy.SYNC, is_excused=self.excused.__contains__
        )
        watch = Watch([self.book, OneMaster(), HeldBeforeApplied(), SentIsDurable(), self.acknowledged])
        place = Place(
            agenda=self.agenda, network=self.network, trace=self.trace, watch=watch, rng=self.rng, raft=options.raft,
            options=options.host, configuration=Configuration.of(*range(1, options.nodes + 1)),
            make=cast("type[RaftNode]", self._made),
        )  # fmt: skip
        for node_id in range(1, options.nodes + 1):
            self.hosts[node_id] = Replica(node_id, place, self.hosts)
        self._common = Common(self.agenda, self.trace, watch, self.rng, options.workload, cast("dict[int, Any]", self.hosts))
        self.clients: list[Client] = []
        self.lines: list[str] = []
        self.met: Counter[str] = Counter()
        self.lost: list[bytes] = []

    def _made(
        self, node_id: int, log: Any, _chance: Random, *, options: RaftOptions, configuration: Configuration,
        snapshot: Snapshot | None, later_configurations: object,  # noqa: ARG002  # as a Raft node is made
    ) -> MasterSlave:  # fmt: skip
        return self._make(
            node_id, log, copy=self.options.copy, options=options, configuration=configuration, snapshot=snapshot,
            applied=snapshot.last.index if snapshot else 0,
        )  # fmt: skip

    def _deliver(self, number: int, message: Message) -> None:
        self.hosts[message[1]].deliver(number, message)

    # --- what stories do

    def say(self, what: str, *counted: str) -> None:
        """For whoever reads the run. counted: under these names it was met."""
        self.lines.append(f"{self.agenda.now_ms:>7} ms  {what}")
        self.met.update(counted)

    @property
    def masters(self) -> list[Replica]:
        """All who take themselves for the master, the highest epoch last."""
        return sorted((host for host in self.hosts.values() if host.is_master), key=lambda host: host.decides.term)

    @property
    def done(self) -> int:
        """How many commands were acknowledged so far."""
        return len(self.acknowledged.done_bodies)

    def crash(self, host: Replica, *, with_disk: bool = False) -> None:
        """A process ends; or a machine is lost, unless it is the last that holds anything."""
        is_last = not any(other.storage.durable.last_index for other in self.hosts.values() if other is not host)
        if with_disk and not is_last:
            self.say(f"the machine of node {host.node_id} is lost, with its disk", "lost disks")
            host.lose_disk()
        elif host.node is not None:
            self.say(f"node {host.node_id} is killed", "kills")
            host.die(is_power_lost=self.rng.random() < 0.5)

    def start(self, host: Replica) -> None:
        """It starts, if it does not run."""
        if host.node is None:
            self.say(f"node {host.node_id} starts", "starts")
            host.start()

    def promote(self, host: Replica, *, is_alone: bool = False) -> bool:
        """A person names the master."""
        is_taken = host.promote(is_alone=is_alone)
        if is_taken:
            if is_alone:
                self.excused.add(host.decides.term)
            self.say(f"a person promotes node {host.node_id}: epoch {host.decides.term}", "promotions")
        return is_taken

    def go_alone(self, host: Replica) -> None:
        """A person tells a master to go on without a slave."""
        self.say(f"a person tells node {host.node_id}, the master, to go on without a slave", "alone")
        self.excused.add(host.decides.term)
        host.carry_out(host.decides.go_alone())

    def add_clients(self, count: int) -> None:
        """They begin anywhere, and stay with whoever takes what they ask for."""
        for _ in range(count):
            self.clients.append(Client(f"c{len(self.clients) + 1}", self._common))
            self.clients[-1].act()

    def cut(self, one: Replica, *others: Replica) -> None:
        """A node is cut off from others."""
        self.say(f"node {one.node_id} is cut off from {', '.join(str(other.node_id) for other in others)}", "cuts")
        self.network.cut_off({link for other in others for link in _both(one, other)})

    def heal(self) -> None:
        """All links stand again."""
        if self.network.cut:
            self.say("all links stand again", "heals")
            self.network.heal()

    # --- a run

    def run(self) -> None:
        """All of it. Raises: ViolationError."""
        try:
            for host in self.hosts.values():
                host.start()
            first = self.hosts[1]
            first.carry_out(first.decides.promote())
            self.add_clients(self.options.workload.clients)
            for pause_ms in self._story(self):
                self.pass_time(pause_ms)
            self._come_to_rest()
        except ViolationError as error:
            raise self._placed(error.violation) from error
        except Exception as error:
            facts = (raised(error), f"it was raised in step {self.agenda.steps} of the run")
            raise self._placed(Violation(_RULES[0], facts, _RULES[1])) from error

    def pass_time(self, span_ms: int) -> None:
        """Whatever happens meanwhile. Raises: ViolationError when that has no end."""
        until_ms = self.agenda.now_ms + span_ms
        self.agenda.run(until_ms, _EVENTS_MAX)
        if self.agenda.steps >= _EVENTS_MAX:
            facts = (f"there were {_EVENTS_MAX} events", f"it is {self.agenda.now_ms} ms, and the story is not over")
            raise ViolationError(Violation("a group does not drown in its own messages", facts, _RULES[1]))
        self.agenda.now_ms = until_ms

    def _placed(self, violation: Violation) -> ViolationError:
        placed = violation._replace(step=self.agenda.steps, at_ms=self.agenda.now_ms)
        story = "\n".join(self.lines[-12:])
        return ViolationError(placed, f"\nseed {self.seed}, {self.options.copy} copy:\n{story}\n{self.trace.tail(12)}")

    def _come_to_rest(self) -> None:
        self.say("everything is made whole")
        self.heal()
        for host in self.hosts.values():
            host.weather.extra_ms = 0
            self.start(host)
        self.pass_time(2_000)
        if not self.masters:
            self.promote(self.furthest(list(self.hosts.values())))
        for client in self.clients:
            client.is_closing = True
        end_ms = self.agenda.now_ms + _REST_MS_MAX
        while not self._is_at_rest():
            if self.agenda.now_ms > end_ms:
                facts = (f"{_REST_MS_MAX} ms after everything was made whole", f"the nodes are {self._shown()}")
                raise ViolationError(Violation(_REST[0], facts, _REST[1]))
            self.pass_time(500)
        self._look_for_losses()

    def furthest(self, among: list[Replica]) -> Replica:
        """Whose log is the newest; whoever is dead has none that can be asked."""
        return max(among, key=lambda host: host.decides.log.last if host.is_up else (-1, -1))

    def _is_at_rest(self) -> bool:
        hosts = list(self.hosts.values())
        if len(self.masters) != 1 or not all(client.is_idle for client in self.clients):
            return False
        last = self.masters[0].decides.log.last
        return all(
            host.decides.log.last == last and host.applied == last.index == host.storage.durable.last_index for host in hosts
        )

    def _look_for_losses(self) -> None:
        checksums = {host.checksum for host in self.hosts.values()}
        if len(checksums) > 1:
            facts = (f"all have applied up to {self.masters[0].applied}", f"the states are {checksums}")
            raise ViolationError(Violation(_REST[0], facts, _REST[1]))
        last = self.masters[0].decides.log.last
        kept = set(self.book.bodies(last.index, last.term))
        self.lost = [body for body in self.acknowledged.done_bodies if body not in kept]
        gone = sum(len(host.set_aside) for host in self.hosts.values())
        self.met.update({"acknowledged": self.done, "lost": len(self.lost), "set aside": gone})
        self.say(f"{self.done} commands were acknowledged, {len(self.lost)} of them are gone")
        if self._keeps_all and self.lost:
            facts = (f"{self.lost[0]!r} was acknowledged", f"it is not in the log of node {self.masters[0].node_id}, the master")
            raise ViolationError(Violation(_OUTLIVES[0], facts, _OUTLIVES[1]))

    def _shown(self) -> str:
        return "; ".join(
            f"{number}: {host.decides.role} of epoch {host.decides.term}, log up to {tuple(host.decides.log.last)}, "
            f"applied {host.applied}" if host.is_up else f"{number}: down"
            for number, host in self.hosts.items()
        )  # fmt: skip


def _both(one: Replica, other: Replica) -> set[tuple[int, int]]:
    return {(one.node_id, other.node_id), (other.node_id, one.node_id)}
