"""Faults, carried out on a cluster, and undone again."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mq.chaos.history import FaultDone
from mq.chaos.plan import Fault
from mq.cluster.asking import ask_all, ask_broker, leader_of
from mq.cluster.backend import ClusterBackend, NodeInfo
from mq.cluster.errors import ClusterError
from mq.cluster.polling import poll_until
from mq.core.errors import MqError
from mq.server.faults import Faults
from mq.sim.trace import Event

__all__ = ["NEEDS_FAULT_FILES", "NEEDS_NETWORK", "Injector", "TraceNotes"]

NEEDS_FAULT_FILES = frozenset({"disk-full", "sync-error", "slow-disk", "clock-jump"})
"""Kinds that the nodes themselves play, see `mq.server.faults`."""
NEEDS_NETWORK = frozenset({"isolate", "cut", "cut-one-way"})
"""Kinds that cut nodes off from each other."""

_ENDS_S_MAX = 15.0
_LEADER_S_MAX = 60.0
_NOTICED_S = 0.5
"""A leader that was silent for less is not replaced."""
_ENDING = ("double-kill", "sync-error")
"""Kinds that leave nodes behind that do not run; whoever else does not has ended by himself."""
_LOG_LINES = 8
_FULL = "full"
_STILL_S_MAX = 90.0
"""So long a node on its way back into its group may take in nothing."""
_LOOK_EVERY_S = 0.05
_ASK_EVERY_S, _ASK_S_MAX = 0.25, 10.0
"""Of a node that has much to do."""


def _part_of(client: str) -> tuple[str, int]:
    """How far a node takes part in its group, as it says itself, and how far its log goes."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC takes a tenth of a second to load
    from mq.rpc.calling import Connection  # noqa: PLC0415

    try:
        with Connection(client, timeout_s=_ASK_S_MAX) as connection:
            found = AdminClient(connection).describe_raft()
    except MqError as error:
        return str(error), -1
    part = found.part if found.node in found.voters and not found.old_voters else f"{found.part}, no voter"
    return part, found.last_index


def _now_us() -> int:
    return time.monotonic_ns() // 1000


class TraceNotes:
    """What is done to nodes and network, as lines of a trace, beside those that the nodes write themselves."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("a", encoding="utf-8")

    def note(self, node: int, name: str, **details: int | str) -> None:
        """Something is about to be done: a cause comes before its effects. node: 0 for the network."""
        self._write(_now_us(), node, name, details)

    def done(self, node: int, name: str, began_us: int) -> None:
        """A node was ended, or stands still; it fell silent between `began_us` and now, as its trace tells: see `merge`."""
        self._write(began_us, node, name, {"by": _now_us()})

    @contextmanager
    def doing(self, node: int, name: str) -> Iterator[int]:
        """Around what ends a node or lets it stand still: `done` since the moment before, which is given in microseconds."""
        began_us = _now_us()
        yield began_us
        self.done(node, name, began_us)

    def _write(self, at_us: int, node: int, name: str, details: Mapping[str, int | str]) -> None:
        event = Event(at_us // 1000, f"n{node}" if node else "-", name, {**details, "us": at_us})
        self._file.write(event.to_line() + "\n")
        self._file.flush()

    def close(self) -> None:
        """No more of them."""
        self._file.close()


class Injector:
    """One fault at a time; everything here blocks.

    wait: for so many seconds, or less when the run is ended. surprises: what went wrong that nobody did.
    """

    def __init__(self, cluster: ClusterBackend, notes: TraceNotes, wait: Callable[[float], object]) -> None:
        self._cluster, self._notes, self._wait = cluster, notes, wait
        self._numbers = {node.name: node.node for node in cluster.status().nodes}
        self._cuts: list[tuple[int, int]] = []
        self.surprises: list[str] = []
        self.verbs: dict[str, Callable[[Fault, list[str], bool], int]] = {
            "kill": self._kill, "pause": self._pause, "restart": self._restart, "isolate": self._isolate, "cut": self._cut,
            "cut-one-way": self._cut, "double-kill": self._double_kill, "rolling-restart": self._rolling_restart,
            "disk-full": self._disk_full, "sync-error": self._sync_error, "slow-disk": self._slow_disk,
            "clock-jump": self._clock_jump, "wiped-node": self._wiped_node,
        }  # fmt: skip

    def leader(self) -> str | None:
        """Who leads now; waits until somebody does, for a while."""
        found: dict[str, str] = {}

        def is_there() -> bool:
            nodes = self._cluster.status().nodes
            found.update(leader_of(nodes, ask_all(nodes, ask_broker)))
            return bool(found)

        return next(iter(found.values())) if poll_until(is_there, _LEADER_S_MAX, every_s=_LOOK_EVERY_S) else None

    def carry_out(self, fault: Fault) -> FaultDone:
        """Do it, wait, undo it. Raises: ClusterError when a node does not start again."""
        leader = self.leader()
        if leader is None:
            self.surprises.append(f"before a {fault.kind}: no leader for {_LEADER_S_MAX:g} s, though all is well")
        others = sorted(name for name in self._numbers if name != leader)
        others = others[fault.pick % len(others) :] + others[: fault.pick % len(others)]
        is_leader = fault.hits_leader and leader is not None
        victims = [leader, *others] if leader is not None and is_leader else [*others, *filter(None, [leader])]
        began_s = time.monotonic()
        nodes = victims[:2] if fault.kind in ("double-kill", "cut", "cut-one-way") else victims[:1]
        is_done = False
        try:
            elections = self.verbs[fault.kind](fault, victims, is_leader)
            is_done = True
        finally:
            self.repair(nodes if fault.kind in _ENDING or not is_done else ())
        return FaultDone(fault.kind, ",".join(nodes), began_s, time.monotonic(), elections)

    def look_for_surprises(self) -> None:
        """A node that ended though nobody ended it."""
        for node in self._cluster.status().nodes:
            if node.state == "stopped":
                self._tell_ended(node.name)
                self._start(node.name)

    def _tell_ended(self, name: str) -> None:
        tail = list(self._cluster.logs(name))[-_LOG_LINES:]
        self.surprises.append(f"{name} ended by itself; its last lines:\n{''.join(tail).rstrip()}")

    def repair(self, ended: Collection[str]) -> None:
        """All is well again: nothing cut, full, slow, paused or stopped. ended: those that were; others ended by themselves."""
        if self._cluster.is_under_test:
            for name in self._numbers:
                self._cluster.play(name, Faults())
        states = {node.name: node.state for node in self._cluster.status().nodes}
        for name, state in states.items():
            if state == "paused":
                self._resume(name)
        if self._cluster.status().cuts:
            self._heal()
        stopped = [name for name, state in states.items() if state == "stopped"]
        for name in stopped:
            if name not in ended:
                self._tell_ended(name)
            self._cluster.start(name, is_awaited=False)
        for name in stopped:
            self._await(name)

    # --- processes

    def _end(self, name: str) -> None:
        with self._notes.doing(self._numbers[name], "kill"):
            self._cluster.kill(name)

    def _resume(self, name: str) -> None:
        self._notes.note(self._numbers[name], "resume")
        self._cluster.resume(name)

    def _start(self, name: str) -> None:
        self._cluster.start(name, is_awaited=False)
        self._await(name)

    def _await(self, name: str) -> None:
        client = self._info(name).client
        if not poll_until(lambda: ask_broker(client) is not None, _LEADER_S_MAX, every_s=_LOOK_EVERY_S):
            tail = list(self._cluster.logs(name))[-_LOG_LINES:]
            raise ClusterError(f"{name} was started and does not answer; its last lines:\n{''.join(tail).rstrip()}")

    def _kill(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001 - all of these are alike
        self._end(victims[0])
        self._wait(fault.duration_s)
        self._start(victims[0])
        return int(is_leader)

    def _double_kill(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        for name in victims[:2]:
            self._end(name)
        self._wait(fault.duration_s)
        return 1  # who is left has no quorum, and steps down if it led

    def _pause(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001
        began_s = time.monotonic()  # the verbs take their time, too
        with self._notes.doing(self._numbers[victims[0]], "pause"):
            self._cluster.pause(victims[0])
        self._wait(fault.duration_s)
        self._resume(victims[0])
        return int(is_leader and time.monotonic() - began_s > _NOTICED_S)

    def _restart(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001
        with self._notes.doing(self._numbers[victims[0]], "kill"):
            self._cluster.stop(victims[0])
        self._wait(fault.duration_s)
        self._start(victims[0])
        return int(is_leader)

    def _rolling_restart(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        needed = 0
        for name in sorted(victims):
            needed += int(self.leader() == name)
            with self._notes.doing(self._numbers[name], "kill"):
                self._cluster.stop(name)
            self._start(name)
            self._wait(fault.duration_s)
        return needed

    def _wiped_node(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001
        name = victims[0]
        self._end(name)
        self._cluster.wipe(name)
        self._notes.note(self._numbers[name], "wipe")
        self._wait(fault.duration_s)
        self._start(name)
        self._await_full(name)
        return int(is_leader)

    def _await_full(self, name: str) -> None:
        """Until it is a voter again: a second disk that is lost before would be more than a group can bear.

        Raises: ClusterError when it takes in nothing any more.
        """
        client, part, end, since_s = self._info(name).client, "nothing", -1, time.monotonic()

        def is_over() -> bool:
            nonlocal part, end, since_s
            part, now_end = _part_of(client)
            if now_end > end:
                end, since_s = now_end, time.monotonic()
            return part == _FULL or time.monotonic() - since_s > _STILL_S_MAX

        poll_until(is_over, math.inf, every_s=_ASK_EVERY_S)
        if part != _FULL:
            raise ClusterError(f"{name} lost its disk, came to entry {end}, and {_STILL_S_MAX:g} s later it is: {part}")

    def _info(self, name: str) -> NodeInfo:
        return next(node for node in self._cluster.status().nodes if node.name == name)

    # --- the network

    def _cut(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        is_one_way = fault.kind == "cut-one-way"
        a, b = victims[:2] if fault.pick % 2 else victims[1::-1]
        self._note_cut(a, b)
        if not is_one_way:
            self._note_cut(b, a)
        self._cluster.cut(a, b, is_one_way=is_one_way)
        self._wait(fault.duration_s)
        self._heal()
        return 0  # whoever hears a leader, or is heard by a majority, stops those who do not

    def _isolate(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001
        for other in victims[1:]:
            self._note_cut(victims[0], other)
            self._note_cut(other, victims[0])
        self._cluster.isolate(victims[0])
        self._wait(fault.duration_s)
        self._heal()
        return int(is_leader)

    def _note_cut(self, a: str, b: str) -> None:
        self._cuts.append((self._numbers[a], self._numbers[b]))
        self._notes.note(0, "cut", sender=f"n{self._numbers[a]}", to=f"n{self._numbers[b]}")

    def _heal(self) -> None:
        for a, b in self._cuts:
            self._notes.note(0, "mend", sender=f"n{a}", to=f"n{b}")
        self._cuts.clear()
        self._cluster.heal()

    # --- what the nodes play themselves

    def _disk_full(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001
        self._notes.note(self._numbers[victims[0]], "disk-full")
        self._cluster.play(victims[0], Faults(is_full=True))
        self._wait(fault.duration_s)
        self._notes.note(self._numbers[victims[0]], "disk-free")
        self._cluster.play(victims[0], Faults())
        return int(is_leader)

    def _sync_error(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001
        name = victims[0]
        self._notes.note(self._numbers[name], "sync-fails")
        began_us = _now_us()
        self._cluster.play(name, Faults(is_sync_failing=True))

        def is_over() -> bool:
            return any(node.name == name and node.state == "stopped" for node in self._cluster.status().nodes)

        if not poll_until(is_over, _ENDS_S_MAX):
            self.surprises.append(f"{name} goes on, though its disk failed {_ENDS_S_MAX:g} s ago")
            return int(is_leader)
        self._notes.done(self._numbers[name], "kill", began_us)
        self._cluster.play(name, Faults())
        self._wait(fault.duration_s)
        return int(is_leader)

    def _slow_disk(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        self._notes.note(self._numbers[victims[0]], "slow-disk", ms=fault.amount)
        self._cluster.play(victims[0], Faults(slow_ms=fault.amount))
        self._wait(fault.duration_s)
        return 0

    def _clock_jump(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        self._cluster.play(victims[0], Faults(wall_shift_ms=fault.amount))
        self._wait(fault.duration_s)
        return 0
