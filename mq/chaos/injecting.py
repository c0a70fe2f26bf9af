"""Faults, carried out on a cluster, and undone again."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from mq.chaos.history import FaultDone
from mq.chaos.notes import TraceNotes
from mq.chaos.plan import Fault
from mq.cluster.asking import ask_all, ask_broker, leader_of
from mq.cluster.backend import ClusterBackend, NodeInfo
from mq.cluster.errors import ClusterError
from mq.cluster.polling import poll_until
from mq.core.errors import MqError
from mq.server.faults import Faults
from mq.server.setting_aside import ASIDE

__all__ = ["NEEDS_FAULT_FILES", "NEEDS_NETWORK", "Injector"]

NEEDS_FAULT_FILES = frozenset({"disk-full", "sync-error", "slow-disk", "clock-jump", "power-cut"})
"""Kinds that the nodes themselves play, see `mq.server.faults`."""
NEEDS_NETWORK = frozenset({"isolate", "cut", "cut-one-way", "lost-leader"})
"""Kinds that cut nodes off from each other."""

_ENDS_S_MAX = 15.0
_LEADER_S_MAX = 60.0
_NOTICED_S = 0.5
"""A leader that was silent for less is not replaced."""
_ENDING = ("double-kill", "sync-error")
"""Kinds that leave nodes behind that do not run; whoever else does not has ended by himself."""
_HIT = {"double-kill": 2, "cut": 2, "cut-one-way": 2, "power-cut": None}
"""How many nodes a fault hits; None for all."""
_SLOW_BEFORE_MS, _SLOW_BEFORE_S = 40, 0.5
_LOST_DISK = (1, 2)
_LOG_LINES = 8
_FULL = "full"
_STILL_S_MAX = 90.0
"""So long a node on its way back into its group may take in nothing."""
_BACK_S_MAX = 300.0
"""And so long it may be on its way: under load there is always something new that it takes in."""
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


class Injector:
    """One fault at a time; everything here blocks.

    wait: for so many seconds, or less when the run is ended. surprises: what went wrong that nobody did.
    """

    def __init__(self, cluster: ClusterBackend, notes: TraceNotes, wait: Callable[[float], object]) -> None:
        self._cluster, self._notes, self._wait = cluster, notes, wait
        self._numbers = {node.name: node.node for node in cluster.status().nodes}
        self._cuts: list[tuple[int, int]] = []
        self.surprises: list[str] = []
        self._aside = self._set_aside()
        self.verbs: dict[str, Callable[[Fault, list[str], bool], int]] = {
            "kill": self._kill, "pause": self._pause, "restart": self._restart, "isolate": self._isolate, "cut": self._cut,
            "cut-one-way": self._cut, "double-kill": self._double_kill, "rolling-restart": self._rolling_restart,
            "disk-full": self._disk_full, "sync-error": self._sync_error, "slow-disk": self._slow_disk,
            "clock-jump": self._clock_jump, "wiped-node": self._wiped_node, "power-cut": self._power_cut,
            "lost-leader": self._lost_leader,
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
        is_leader = (fault.hits_leader or fault.kind in ("lost-leader", "power-cut")) and leader is not None
        victims = [leader, *others] if leader is not None and is_leader else [*others, *filter(None, [leader])]
        began_s = time.monotonic()
        nodes = victims[: _HIT.get(fault.kind, 1)]
        is_done = False
        try:
            elections = self.verbs[fault.kind](fault, victims, is_leader)
            is_done = True
        finally:
            self.repair(nodes if fault.kind in _ENDING or not is_done else ())
        return FaultDone(fault.kind, ",".join(nodes), began_s, time.monotonic(), elections)

    def look_for_surprises(self) -> None:
        """A node that ended though nobody ended it, or that found its data damaged: nothing here damages any."""
        for name in sorted((now := self._set_aside()) - self._aside):
            self.surprises.append(f"a node found what it had stored damaged, and put it aside: {name}")
        self._aside = now
        for node in self._cluster.status().nodes:
            if node.state == "stopped":
                self._tell_ended(node.name)
                self._start(node.name)

    def _set_aside(self) -> set[str]:
        """Where that is a folder that can be looked into."""
        return {str(found) for node in self._cluster.status().nodes for found in Path(node.data).glob(f"{ASIDE}*")}

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

    def _lost_leader(self, fault: Fault, victims: list[str], is_leader: bool) -> int:  # noqa: FBT001
        """What it takes alone can reach nobody any more: if it acknowledged that, it is lost, as clients will see."""
        name = victims[0]
        self._cut_off(victims)
        self._wait(fault.duration_s)
        self._end(name)
        if is_wiped := fault.pick % 4 != 0:
            self._cluster.wipe(name)
            self._notes.note(self._numbers[name], "wipe")
        self._heal()
        self._start(name)
        if is_wiped:
            self._await_full(name)
        return int(is_leader)

    def _await_full(self, name: str) -> None:
        """Until it is a voter again: a second disk that is lost before would be more than a group can bear.

        Raises: ClusterError when it takes in nothing any more, or does so for ever.
        """
        client, part, end, since_s = self._info(name).client, "nothing", -1, time.monotonic()

        def is_over() -> bool:
            nonlocal part, end, since_s
            part, now_end = _part_of(client)
            if now_end > end:
                end, since_s = now_end, time.monotonic()
            return part == _FULL or time.monotonic() - since_s > _STILL_S_MAX

        is_still = poll_until(is_over, _BACK_S_MAX, every_s=_ASK_EVERY_S)
        if part != _FULL:
            after = f"and {_STILL_S_MAX:g} s later" if is_still else f"and {_BACK_S_MAX:g} s after its start"
            raise ClusterError(f"{name} lost its disk, came to entry {end}, {after} it is: {part}")

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
        self._cut_off(victims)
        self._wait(fault.duration_s)
        self._heal()
        return int(is_leader)

    def _cut_off(self, victims: list[str]) -> None:
        """The first of them from all others."""
        for other in victims[1:]:
            self._note_cut(victims[0], other)
            self._note_cut(other, victims[0])
        self._cluster.isolate(victims[0])

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
        began_us = self._notes.now_us()
        self._cluster.play(name, Faults(is_sync_failing=True, seed=fault.pick))
        if self._go_on([name]):
            self.surprises.append(f"{name} goes on, though its disk failed {_ENDS_S_MAX:g} s ago")
            return int(is_leader)
        self._notes.done(self._numbers[name], "kill", began_us)
        self._cluster.play(name, Faults())
        self._wait(fault.duration_s)
        return int(is_leader)

    def _go_on(self, names: Collection[str]) -> list[str]:
        """Those of them that still run, after enough time for all to end."""
        left: list[str] = []

        def are_over() -> bool:
            left[:] = [node.name for node in self._cluster.status().nodes if node.name in names and node.state != "stopped"]
            return not left

        poll_until(are_over, _ENDS_S_MAX, every_s=_LOOK_EVERY_S)
        return left

    def _power_cut(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        """All at once: what one alone loses, the others still have. Sometimes the disk of the leader does not come back at all.

        The others' disks are slow before, so that more comes than they are done with, and several writes share a sync.
        """
        leader, *others = victims
        for name in others:
            self._cluster.play(name, Faults(slow_ms=_SLOW_BEFORE_MS))
        self._wait(_SLOW_BEFORE_S)
        began_us = self._notes.now_us()
        for number, name in enumerate(victims):
            slow_ms = _SLOW_BEFORE_MS if name in others else 0
            self._cluster.play(name, Faults(is_power_cut=True, slow_ms=slow_ms, seed=fault.pick + number))
        for name in self._go_on(victims):
            self.surprises.append(f"{name} goes on, though its power was cut {_ENDS_S_MAX:g} s ago")
        for name in victims:
            self._notes.done(self._numbers[name], "power-loss", began_us)
            self._cluster.play(name, Faults())
        if is_lost := fault.pick % 4 in _LOST_DISK:
            self._cluster.wipe(leader)
            self._notes.note(self._numbers[leader], "wipe")
        self._wait(fault.duration_s)
        for name in victims:
            self._cluster.start(name, is_awaited=False)
        for name in victims:
            self._await(name)
        if is_lost:
            self._await_full(leader)
        return 1

    def _slow_disk(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        self._notes.note(self._numbers[victims[0]], "slow-disk", ms=fault.amount)
        self._cluster.play(victims[0], Faults(slow_ms=fault.amount))
        self._wait(fault.duration_s)
        return 0

    def _clock_jump(self, fault: Fault, victims: list[str], _is_leader: bool) -> int:  # noqa: FBT001
        self._cluster.play(victims[0], Faults(wall_shift_ms=fault.amount))
        self._wait(fault.duration_s)
        return 0
