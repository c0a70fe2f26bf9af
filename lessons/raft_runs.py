"""Runs of our Raft for the lessons: moved by hand, or left to a simulated clock. Nothing in here draws.

    run = hand(SCRIPT)                     # commands of `mq.sim.hand`, one in a line
    run = hand(SCRIPT, MyRaft)             # the same on a class of yours, derived from `RaftNode`
    run.events, run.broken                 # the trace; the sentence about the promise that broke, or ""
    run.log_rows()                         # what the logs hold now

    group = TimedGroup(seed=7, nodes=5)    # time-outs, network and disks by a clock that moves when it is told to
    group.pass_time(2_000).kill(group.leader).pass_time(1_000)
    group.events, group.broken, group.log_rows()

What is given for `raft` is checked all the while: after each step of a `TimedGroup` by all checkers of the world, in `hand` by
the few that `mq.sim.hand.group` knows (two leaders in a term; two entries applied in one place).
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from lessons.raft_hand import TracedScript
from mq.raft.errors import NotLeaderError
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.role import Event as Happens
from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.machine import HostOptions
from mq.sim.group.network import NetworkOptions
from mq.sim.group.options import GroupOptions
from mq.sim.group.watch import ViolationError
from mq.sim.group.workload import WorkloadOptions
from mq.sim.group.world import GroupWorld
from mq.sim.trace import Event

__all__ = ["HandRun", "LogRow", "TimedGroup", "counting", "hand"]


class LogRow(NamedTuple):
    """One node's log. role: "down" while it is. entries: (index, term, text) of each. commit_index: what it knows of.

    durable_index: what stands behind it would be lost with the power.
    """

    name: str
    role: str
    term: int
    entries: tuple[tuple[int, int, str], ...]
    commit_index: int
    durable_index: int


class HandRun:
    """See the module. script: `mq.sim.hand.script` itself, for more; lines: what was told, as in transcripts."""

    def __init__(self, raft: type[RaftNode]) -> None:
        self.script, self.broken = TracedScript(raft), ""
        self.lines: list[str] = []

    def __repr__(self) -> str:
        return _told_in_short(self.log_rows(), self.group.now_ms, self.broken)

    def play(self, text: str) -> "HandRun":
        """Go on with these commands; nothing more happens where a promise broke. Raises: IllegalArgumentError."""
        if not self.broken:
            self.broken = self.script.play(text)
            self.lines += self.script.told
        return self

    @property
    def group(self):
        """The group: `.members[1].node` is the node itself."""
        return self.script.group

    @property
    def events(self) -> list[Event]:
        """The trace so far."""
        return list(self.group.trace.events())

    def log_rows(self) -> list[LogRow]:
        """The logs as they are now."""
        return [_row_of(member) for _, member in sorted(self.group.members.items())]


def _row_of(member) -> LogRow:
    node, log = member.node, member.log
    entries = tuple((entry.index, entry.term, entry.payload.decode()) for entry in log.entries(1, log.last_index))
    if node is None:
        return LogRow(f"n{member.node_id}", "down", log.hard_state.term, entries, 0, log.durable_index)
    return LogRow(f"n{member.node_id}", str(node.role), node.term, entries, node.commit_index, log.durable_index)


def _told_in_short(rows: list[LogRow], now_ms: int, broken: str) -> str:
    """For the end of a cell."""
    leading = [f"{row.name} leads term {row.term}" for row in rows if row.role == "leader"] or ["nobody leads"]
    return f"<{len(rows)} nodes at {now_ms} ms: {', '.join(leading)}{f'; broken: {broken}' if broken else ''}>"


def hand(script: str, raft: type[RaftNode] = RaftNode) -> HandRun:
    """Play a script from its `group` on."""
    return HandRun(raft).play(script)


class TimedGroup:
    """A group in the simulated world, without any fault but those that you ask for. A tick is 50 ms, a heartbeat every 100.

    Time-outs are drawn from the seed: 500 to 1,000 ms, unless `options` (those of `RaftOptions`, in ticks) say otherwise.
    clients: so many ask for something now and then. network: delays, losses. is_watched: False to let a wrong Raft go on where it
    broke a promise. Every call returns the group, so that calls can be strung together.
    """

    def __init__(
        self,
        seed: int,
        nodes: int = 3,
        raft: type[RaftNode] = RaftNode,
        *,
        clients: int = 0,
        network: NetworkOptions | None = None,
        host: HostOptions | None = None,
        is_watched: bool = True,
        **options: object,
    ) -> None:
        chosen = GroupOptions(
            nodes=nodes,
            faults=(),
            raft=RaftOptions(**options),  # type: ignore[arg-type]
            network=network or NetworkOptions(),
            host=host or HostOptions(),
            workload=WorkloadOptions(clients=clients),
        )
        self.broken, self.violation = "", None
        more = {} if is_watched else {"checkers": lambda _: []}
        self.world = GroupWorld(seed, chosen, make=raft, **more)  # type: ignore[arg-type]
        self._guarded(self.world.begin)

    def __repr__(self) -> str:
        return _told_in_short(self.log_rows(), self.now_ms, self.broken)

    def _guarded(self, do) -> None:
        if self.broken:
            return
        try:
            self.world.guard(do)
        except ViolationError as error:
            self.violation = error.violation
            self.broken = f"{error.violation.promise}: {error.violation.facts[0]}; {error.violation.facts[1]}"

    # --- what happens

    def pass_time(self, span_ms: int) -> "TimedGroup":
        """Whatever happens in that time; it stops where a promise breaks, and `broken` says which."""
        agenda = self.world.agenda
        until_ms = agenda.now_ms + span_ms
        self._guarded(lambda: agenda.run(until_ms, 1 << 40))
        if not self.broken:
            agenda.now_ms = until_ms  # it stands where the last event was
        return self

    def wait_for_leader(self, limit_ms: int = 60_000) -> "TimedGroup":
        """Until somebody leads. Raises: TimeoutError when nobody does within that time."""
        end_ms = self.now_ms + limit_ms
        while self.leader is None and not self.broken:
            if self.now_ms >= end_ms:
                raise TimeoutError(f"nobody leads after {limit_ms} ms")
            self.pass_time(5)
        return self

    def propose(self, node_id: int, *payloads: bytes) -> "TimedGroup":
        """Ask a node for commands, as a client that waits does; one that does not lead refuses, and the trace says so."""

        def ask() -> None:
            try:
                self.host(node_id).propose(_Asker(self.world), [payload.decode() for payload in payloads], payloads)
            except NotLeaderError:
                return

        self._guarded(ask)
        return self

    def kill(self, node_id: int, *, is_power_lost: bool = False) -> "TimedGroup":
        """End the process, or the power with it."""
        self.host(node_id).die(is_power_lost=is_power_lost)
        return self

    def start(self, node_id: int) -> "TimedGroup":
        """Start it again from its disk."""
        self._guarded(self.host(node_id).start)
        return self

    def pause(self, node_id: int) -> "TimedGroup":
        """Let the process stand still."""
        self.host(node_id).pause()
        return self

    def resume(self, node_id: int) -> "TimedGroup":
        """Let it go on."""
        self._guarded(self.host(node_id).resume)
        return self

    def split(self, *sides: Iterable[int]) -> "TimedGroup":
        """Cut every way between nodes of different sides."""
        parts = [set(side) for side in sides]
        ways = {(one, other) for side in parts for one in side for part in parts if part is not side for other in part}
        self.world.network.cut_off(ways)
        return self

    def isolate(self, node_id: int) -> "TimedGroup":
        """Cut one node from all others."""
        return self.split([node_id], [other for other in self.world.hosts if other != node_id])

    def heal(self) -> "TimedGroup":
        """Nothing is cut any more."""
        self.world.network.heal()
        return self

    # --- what is seen

    def host(self, node_id: int) -> Host:
        """Of a node: `.node` is the Raft itself, None while it is down."""
        return self.world.hosts[node_id]

    @property
    def now_ms(self) -> int:
        """Virtual time."""
        return self.world.agenda.now_ms

    @property
    def leader(self) -> int | None:
        """Who leads the highest term that anybody leads, of those that are up."""
        nodes = [host.node for host in self.world.hosts.values() if host.is_up]
        leading = [(node.term, node.node_id) for node in nodes if node.role is Role.LEADER]
        return max(leading)[1] if leading else None

    @property
    def events(self) -> list[Event]:
        """The trace so far."""
        return list(self.world.trace.events())

    def log_rows(self) -> list[LogRow]:
        """The logs as they are now."""
        rows = []
        for node_id, host in self.world.hosts.items():
            found = host.storage.entries(host.log.first_index, host.log.last_index, 1 << 60)
            entries = tuple((entry.index, entry.term, entry.payload.decode()) for entry in found)
            role, term = ("down", 0) if host.node is None else (str(host.node.role), host.node.term)
            commit_index = 0 if host.node is None else host.node.commit_index
            rows.append(LogRow(f"n{node_id}", role, term, entries, commit_index, host.log.durable_index))
        return rows


class _Asker:
    """Notes in the trace what a client is told."""

    def __init__(self, world: GroupWorld) -> None:
        self._world = world

    def _tell(self, *row: object) -> None:
        self._world.trace.note((self._world.agenda.now_ms, 0, *row))

    def done(self, request: str, index: int, term: int) -> None:
        self._tell("done", request, index, term)

    def unknown(self, request: str) -> None:
        self._tell("unknown", request)

    def answered(self, request: str, index: int) -> None: ...

    def lost(self, request: str) -> None: ...


def counting(counts: "Counter[tuple[Role, Happens]]", raft: type[RaftNode] = RaftNode) -> type[RaftNode]:
    """A Raft that notes each turn of a role: (role before, what happened). For `raft_pictures.draw_roles`."""

    class Counting(raft):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def _turn(self, event: Happens, *, leader: int | None = None) -> None:
            counts[self.role, event] += 1
            super()._turn(event, leader=leader)

    return Counting
