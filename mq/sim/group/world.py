"""A whole run of a Raft group: nodes, network, disks, clients and a nemesis, all from one seed, checked at every step.

    GroupWorld(8142).run()

A step is one thing that is handled: a message, a tick, a sync that is done, a look of a client, a fault.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from mq.core.entry import EntryKind
from mq.raft.configuration import Configuration
from mq.raft.messages import Message
from mq.raft.node import RaftNode
from mq.raft.role import Role
from mq.sim.checkers import VacuousRunError
from mq.sim.group.agenda import Agenda
from mq.sim.group.checkers import (
    CommittedForEver,
    CommittedIsDurable,
    ElectionSafety,
    LeaderAppendOnly,
    LeaderCompleteness,
    LogMatching,
    OwnTermCounts,
    SnapshotsNameMembers,
    StateMachineSafety,
)
from mq.sim.group.faults import Nemesis
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group
from mq.sim.group.liveness import LIVENESS, come_to_rest
from mq.sim.group.machine import Place
from mq.sim.group.network import Network
from mq.sim.group.options import GROUP_STEPS, GroupOptions, draw_options
from mq.sim.group.promises import (
    AcknowledgedIsKept,
    DamagedIsSilent,
    History,
    MonotoneTerms,
    OneVoteEachTerm,
    PromisesAfterSaves,
    ReadsAreFresh,
)
from mq.sim.group.storage import LightStorage, MakeStorage
from mq.sim.group.trace import GroupTrace
from mq.sim.group.watch import Checker, Violation, ViolationError, Watch
from mq.sim.group.workload import Client, Common
from mq.sim.raised import raised

__all__ = ["OF_THE_WHOLE_RUN", "GroupWorld", "all_checkers"]

_RULES = "a node and its log keep their own rules", "the invariants of mq.raft and of its log"
_CHAOS_MS_MAX = 120_000
_EVENTS_PER_STEP_MAX = 40
"""Of a run of the usual length. A shorter one is granted as many: its faults last as long, and busy groups have 40,000 events."""
_DROWNED = (
    "a group does not drown in its own messages: what is asked again is asked once",
    "Paper: Raft, section 5.3 (one probe after each refusal)",
)

OF_THE_WHOLE_RUN = (_RULES, _DROWNED, LIVENESS)
"""Promises, and where they stand, that no checker looks after: what a node raises, and what never comes to its end."""


def all_checkers(hosts: dict[int, Host]) -> list[Checker]:
    """One of each."""
    return [
        ElectionSafety(), LeaderAppendOnly(), LogMatching(), LeaderCompleteness(), OwnTermCounts(), CommittedForEver(),
        StateMachineSafety(), CommittedIsDurable(hosts), MonotoneTerms(), OneVoteEachTerm(), PromisesAfterSaves(),
        AcknowledgedIsKept(), DamagedIsSilent(), ReadsAreFresh(), History(), SnapshotsNameMembers(),
    ]  # fmt: skip


class _Counter(Checker):
    """How often things happened that a run must have met."""

    def __init__(self) -> None:
        self.elections = self.commits = self.snapshots = self.installs = self.starts = self.changes = 0

    def started(self, host: Host) -> None:  # noqa: ARG002  # see Checker
        self.starts += 1

    def moved(self, host: Host) -> None:
        node = host.node
        self.elections += node is not None and node.role is Role.LEADER and host.role is not Role.LEADER

    def appended(self, host: Host, group: Group) -> None:
        if host.node is not None and host.node.role is Role.LEADER:
            self.changes += sum(1 for entry in group.entries if entry.kind is EntryKind.CONFIGURATION)

    def committed(self, host: Host, before: int, index: int) -> None:  # noqa: ARG002  # see Checker
        self.commits += 1

    def saved_snapshot(self, host: Host, index: int) -> None:  # noqa: ARG002  # see Checker
        self.snapshots += 1

    def installed(self, host: Host, index: int, checksum: int) -> None:  # noqa: ARG002  # see Checker
        self.installs += 1


class GroupWorld:
    """See the module. make: the Raft to be tried; make_storage: what it keeps its log on. flags: what else repeats this run."""

    def __init__(
        self,
        seed: int,
        options: GroupOptions | None = None,
        *,
        make: type[RaftNode] = RaftNode,
        make_storage: MakeStorage = LightStorage,
        checkers: Callable[[dict[int, Host]], list[Checker]] = all_checkers,
        flags: str = "",
    ) -> None:
        self.seed, self.options, self.flags = seed, options or draw_options(seed), flags
        options = self.options
        rng = self.rng = Random(seed)  # noqa: S311 - repeatable is what it has to be
        self.agenda, self.trace = Agenda(), GroupTrace()
        self.hosts: dict[int, Host] = {}
        self.network = Network(self.agenda, self.trace, rng, options.network, self._deliver)
        self.nemesis = Nemesis(self.agenda, self.network, self.trace, self.hosts, rng, options)
        self.counter = _Counter()
        self.checkers = checkers(self.hosts)
        # It counts before they judge, so that what broke a promise is counted, too.
        watch = self.watch = Watch([self.counter, *self.checkers, *([self.nemesis] if options.faults else [])])
        place = Place(
            agenda=self.agenda,
            network=self.network,
            trace=self.trace,
            watch=watch,
            rng=rng,
            raft=options.raft,
            options=options.host,
            configuration=Configuration.of(*range(1, options.nodes + 1)),
            make=make,
        )
        for node_id in range(1, options.nodes + options.spares + 1):
            self.hosts[node_id] = Host(node_id, place, make_storage(), replace(options.weather))
        self.common = Common(self.agenda, self.trace, watch, rng, options.workload, self.hosts)
        self.clients = [Client(f"c{number + 1}", self.common) for number in range(options.workload.clients)]

    def _deliver(self, number: int, message: Message) -> None:
        self.hosts[message[1]].deliver(number, message)

    # --- a run

    def run(self) -> GroupTrace:
        """All of it. Raises: ViolationError; VacuousRunError."""
        self.guard(self._run)
        self._check_not_vacuous()
        return self.trace

    def guard(self, do: Callable[[], None]) -> None:
        """Whatever goes wrong in it is a violation that says where and how to repeat it. Raises: ViolationError."""
        try:
            do()
        except ViolationError as error:
            raise self._placed(error.violation) from error
        except Exception as error:
            facts = (raised(error), f"it was raised in step {self.agenda.steps} of the run")
            raise self._placed(Violation(_RULES[0], facts, _RULES[1])) from error

    def _placed(self, violation: Violation) -> ViolationError:
        placed = violation._replace(step=self.agenda.steps, at_ms=self.agenda.now_ms)
        repeat = f"repeat: python3 run.py sim --seed {self.seed}{self.flags}"
        return ViolationError(placed, f"\n{self.trace.tail(12)}\n{repeat}")

    def _run(self) -> None:
        self.begin()
        until_ms = self.options.chaos_ms
        self.pass_time(until_ms)
        while (self.agenda.steps < self.options.steps or self.nemesis.owes) and until_ms < _CHAOS_MS_MAX:
            until_ms += 1000
            self.pass_time(until_ms)
        members = come_to_rest(self)
        for ends in self.watch.ends:
            ends(members)

    def begin(self) -> None:
        """Everything starts."""
        for host in self.hosts.values():
            host.start()
        for client in self.clients:
            client.act()
        self.nemesis.begin()

    def pass_time(self, until_ms: int) -> None:
        """Whatever happens till then. Raises: ViolationError when that has no end."""
        steps = max(self.options.steps, GROUP_STEPS)
        events_max = _EVENTS_PER_STEP_MAX * steps
        self.agenda.run(until_ms, events_max)
        if self.agenda.steps >= events_max:
            sent = self.network.counts["sent"]
            facts = (
                f"a run such as this has about {steps} events",
                f"at {self.agenda.now_ms} ms there were {events_max}, {sent} messages among them",
            )
            raise ViolationError(Violation(_DROWNED[0], facts, _DROWNED[1]))

    # --- what it met

    def met(self) -> dict[str, int]:
        """How often what happened."""
        did, network, common = self.nemesis.counts, self.network.counts, self.common
        counts, pauses = self.counter, did.get("pause", 0) + did.get("pause_leader", 0)
        return {
            "elections": counts.elections, "crashes": self.nemesis.crashes, "cuts": network["cuts"], "pauses": pauses,
            "changes of members": counts.changes, "transfers": did.get("transfer", 0), "commits": counts.commits,
            "snapshots taken": counts.snapshots, "snapshots installed": counts.installs, "done": common.done,
            "unknown": common.unknown, "reads": common.reads, "messages": network["sent"], "lost": network["lost"],
            "repeated": network["repeated"], "held": network["held"], "events": self.agenda.steps,
        }  # fmt: skip

    def _check_not_vacuous(self) -> None:
        met = self.met()
        missing = [name for name in self.options.wanted if not met[name]]
        if missing:
            raise VacuousRunError(f"seed {self.seed}: the run proves nothing, it never met: {', '.join(missing)}")
