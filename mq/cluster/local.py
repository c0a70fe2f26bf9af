"""A cluster of processes of this machine. Nothing but its folder knows of it: any later command finds it there."""

import os
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import mq
from mq.cluster.asking import Ask, ask_broker, listens
from mq.cluster.backend import ClusterStatus, NodeInfo, RegistryInfo
from mq.cluster.broken_parts import FIRST_CALLS_S, BrokenParts, BrokenPartsError
from mq.cluster.earlier import as_it_was
from mq.cluster.errors import ClusterError
from mq.cluster.files import PROXY, ClusterFile, NodeEntry, RegistryEntry, locked
from mq.cluster.log_lines import lines_of
from mq.cluster.plan import BROKER_COMMAND, ClusterPlan, environment_of, flags_of, registry_command
from mq.cluster.polling import poll_until
from mq.cluster.ports import PortPicker
from mq.cluster.processes import PAUSED, RUNNING, STOPPED, Process, can_pause, end_all, uninterrupted
from mq.cluster.proxy import ask_proxy, command_of_proxy
from mq.cluster.trying_parts import try_parts
from mq.cluster.undoing import Before
from mq.cluster.waiting import Waiting
from mq.core.address import parse_address
from mq.server.config_sources import ENVIRONMENT_PREFIX, PARTS_VARIABLE
from mq.server.faults import Faults

__all__ = ["LocalCluster"]

_SERVE_S_MAX = 60.0
_START_S_MAX = 30.0
_START_POLL_S = 0.1
_LET_GO_S_MAX = 3.0
_ANSWER_S_MAX = 10.0
_GRACE_S = 15.0
_FORGET_S_MAX = 1.0
_TAIL_LINES = 20
_ROOT = Path(mq.__file__).resolve().parent.parent
"""Nodes start here, so that they find this very program, wherever the command was given."""


class LocalCluster:
    """A cluster that is there, up or down; see `ClusterBackend` for the verbs. ask: how a node is asked for its role."""

    def __init__(self, folder: Path, *, ask: Ask = ask_broker) -> None:
        self.folder = folder.resolve()
        self._file = ClusterFile.read(self.folder)
        self._ask = ask
        self._log_began: dict[str, int] = {}  # where in its log a process began that was started here

    @classmethod
    def up(cls, folder: Path, plan: ClusterPlan, *, ask: Ask = ask_broker, others_go_on: bool = False) -> "LocalCluster":
        """Start a cluster, new or as it was (`mq.cluster.earlier`); returns when every group has a leader and its members answer.

        When that fails, nothing is left running, and the folder is as it was (`mq.cluster.undoing`). others_go_on: but when all
        that fails are nodes with replaced organs, and the others are a majority: these stay up, and BrokenPartsError is raised.
        Raises: ClusterError, IllegalArgumentError for a wrong setting.
        """
        folder = folder.resolve()
        with locked(folder):
            before = Before(folder)
            if before.cluster is not None:
                before.cluster.check_backend("local")
                earlier = cls(folder, ask=ask)
                if earlier._running():
                    raise ClusterError(f"the cluster in {folder} is up already; `mq cluster down --dir {folder}` ends it")
                wanted = as_it_was(plan, before.cluster)
            else:
                wanted = plan.make(folder)
            if plan.command == BROKER_COMMAND:
                try_parts(wanted, _environment_of(wanted), _ROOT)
            waiting = Waiting(ask)
            try:
                wanted.write()
                cluster = cls(folder, ask=ask)
                cluster._start_all(waiting, BrokenParts(wanted, is_new=before.cluster is None) if others_go_on else None)
            except BrokenPartsError:
                raise
            except BaseException:
                with uninterrupted():
                    if ClusterFile.exists(folder):
                        failed = cls(folder, ask=ask)
                        failed._end_all(grace_s=0)
                    before.take_back(has_led=waiting.has_led)
                raise
        return cluster

    def down(self) -> int:
        """End all processes in good order; how many there were."""
        with locked(self.folder):
            return self._end_all(grace_s=_GRACE_S)

    def remove(self) -> None:
        """Nothing more than `down`: what is stored is in the folder, and its owner's to delete. See `DockerCluster`."""
        self.down()

    @property
    def runs_in(self) -> str:
        """What its nodes run in, for people."""
        return "processes of this machine"

    @property
    def is_under_test(self) -> bool:
        """See `ClusterBackend`."""
        return self._file.is_under_test

    # --- the verbs

    def start(self, name: str, *, is_awaited: bool = True) -> bool:
        """Start a stopped node, and the proxy if it does not run; whether the node serves (without a majority it does not)."""
        with locked(self.folder):
            state = self._state(name)
            if state != STOPPED:
                raise ClusterError(f"{name} is {state}" + ("; `mq cluster resume` lets it go on" if state == PAUSED else ""))
            if self._file.token and self._state(PROXY) == STOPPED:
                self._start_proxy()
                self._await_proxy()
            self._check_ports(name)
            self._start(name)
        if (registry := self._file.registry(name)) is not None:
            self._await_registries([registry])
            return True
        if not is_awaited:
            return False
        found: list[bool | None] = [False]
        waiting = Waiting(self._ask)

        def is_done() -> bool:
            if self._state(name) == STOPPED:
                return True
            found[0] = waiting.serves(name, map(self._info, self._file.nodes))
            return found[0] is not False

        poll_until(is_done, _START_S_MAX, every_s=_START_POLL_S)
        self._check_alive([name])
        return found[0] is True

    def _check_ports(self, name: str) -> None:
        """Else its log would tell, below much else. Raises: ClusterError when another program listens by now.

        A process that was just killed may still be letting go of its own.
        """
        with PortPicker() as picker:
            for place in self._file.places(name):
                port = parse_address(place, "address")[1]
                if not poll_until(partial(picker.take, port), _LET_GO_S_MAX, every_s=_START_POLL_S):
                    raise ClusterError(f"port {port} of {name} is taken by another program; end it, and start {name} again")

    def stop(self, name: str) -> None:
        """SIGTERM, and wait; SIGKILL when it takes longer than 15 s."""
        process = self._needed(name)
        end_all([process], grace_s=_GRACE_S)
        self._forget_ended(name, process)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self._needed(name)
        process.kill()
        self._forget_ended(name, process)

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        self._send(name, "SIGSTOP", PAUSED)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._send(name, "SIGCONT", RUNNING)

    def cut(self, a: str, b: str, *, is_one_way: bool = False) -> None:
        """Cut two nodes off from each other."""
        self._network({"verb": "cut", "from": a, "to": b, "one_way": is_one_way})

    def delay(self, a: str, b: str, delay_ms: int) -> None:
        """Slow two nodes down for each other."""
        self._network({"verb": "delay", "from": a, "to": b, "ms": delay_ms})

    def isolate(self, name: str) -> None:
        """Cut a node off from all others of its group."""
        group = self._file.node(name).group
        for other in self._file.nodes:
            if other.group == group and other.name != name:
                self.cut(name, other.name)

    def heal(self) -> None:
        """Undo all cuts and delays."""
        self._network({"verb": "heal"})

    def play(self, name: str, faults: Faults) -> None:
        """By the folder of faults."""
        self._file.play(name, faults)

    def wipe(self, name: str) -> None:
        """Delete its data folder."""
        if self._state(name) != STOPPED:
            raise ClusterError(f"{name} is {self._state(name)}; `mq cluster kill` ends it")
        if (folder := self._file.data_folder(name)).exists():
            shutil.rmtree(folder)

    def logs(self, name: str, *, is_followed: bool = False) -> Iterator[str]:
        """The lines of a node's log, or of the proxy's by the name `proxy`."""
        if name != PROXY:
            self._file.check_name(name)
        return lines_of(self._file.log_file(name), is_followed=is_followed)

    def status(self) -> ClusterStatus:
        """How everything is now."""
        nodes, registries = tuple(map(self._info, self._file.nodes)), tuple(map(self._registry_info, self._file.registries))
        if not self._file.token:
            return ClusterStatus(nodes, "direct", registries=registries)
        try:
            state = self._network({"verb": "state"})
        except ClusterError:
            return ClusterStatus(nodes, STOPPED, registries=registries)
        cuts = tuple((source, target) for source, target in state["cuts"])
        delays = tuple((source, target, delay_ms) for source, target, delay_ms in state["delays"])
        return ClusterStatus(nodes, RUNNING, cuts, delays, registries)

    # --- processes

    def _info(self, node: NodeEntry) -> NodeInfo:
        process, state = self._process(node.name), self._state(node.name)
        return NodeInfo(
            node.name, node.group, node.node, node.client, node.peer, str(self._file.data_folder(node.name)), state,
            pid=process.pid if process is not None and state != STOPPED else None, parts=self._file.parts.get(node.name, ""),
            has_ended_itself=process is not None and state == STOPPED,
        )  # fmt: skip

    def _registry_info(self, registry: RegistryEntry) -> RegistryInfo:
        process, state = self._process(registry.name), self._state(registry.name)
        pid = process.pid if process is not None and state != STOPPED else None
        return RegistryInfo(registry.name, registry.listen, state, pid)

    def _process(self, name: str) -> Process | None:
        if name != PROXY:
            self._file.check_name(name)
        return Process.read(self._file.pid_file(name))

    def _state(self, name: str) -> str:
        process = self._process(name)
        return STOPPED if process is None else process.state

    def _needed(self, name: str) -> Process:
        process = self._process(name)
        if process is None or process.state == STOPPED:
            raise ClusterError(f"{name} does not run; `mq cluster start` starts it")
        return process

    def _running(self) -> list[Process]:
        found = (self._process(name) for name in {PROXY, *self._file.processes()})
        return [process for process in found if process is not None and process.state != STOPPED]

    def _forget(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._file.pid_file(name).unlink()

    def _forget_ended(self, name: str, ended: Process) -> None:
        """Take its note away, unless it is of another process by now: once one has ended, anybody may start the node again.

        While another command is at work, the note stays. It tells nobody a lie: its process is seen to have ended.
        """
        with suppress(ClusterError), locked(self.folder, limit_s=_FORGET_S_MAX):
            if self._process(name) == ended:
                self._forget(name)

    def _send(self, name: str, signal_name: str, wanted: str) -> None:
        if not can_pause():
            raise ClusterError("this system cannot pause processes (there is no SIGSTOP); `kill` and `start` work")
        import signal  # noqa: PLC0415 - the names differ between systems

        process = self._needed(name)
        process.signal(getattr(signal, signal_name))
        poll_until(lambda: process.state in (wanted, STOPPED), _ANSWER_S_MAX)
        if process.state != wanted:
            raise ClusterError(f"{name} is {process.state}, not {wanted}")

    def _start_process(self, name: str, command: list[str]) -> Process:
        log_file = self._file.log_file(name)
        self._log_began[name] = log_file.stat().st_size if log_file.exists() else 0
        with uninterrupted():  # no process without a note of it
            return Process.start(command, log_file, _environment_of(self._file), _ROOT, self._file.pid_file(name))

    def _start(self, name: str) -> Process:
        registry = self._file.registry(name)
        if registry is not None:
            return self._start_process(name, registry_command(self._file, registry))
        return self._start_process(name, [*self._file.command, *flags_of(self._file, name)])

    def _start_proxy(self) -> None:
        self._start_process(PROXY, command_of_proxy(self.folder))

    def _start_all(self, waiting: Waiting, broken: BrokenParts | None) -> None:
        """The proxy, if there is one, and all nodes; until they serve."""
        self._file.make_test_folders()
        if self._file.token:
            self._start_proxy()
        for name in (*(one.name for one in self._file.registries), *(node.name for node in self._file.nodes)):
            self._start(name)
        self._await_registries(self._file.registries)
        self._await_all(waiting, broken)

    def _end_all(self, *, grace_s: float) -> int:
        running = self._running()
        end_all(running, grace_s=grace_s)
        for name in {PROXY, *self._file.processes()}:
            self._forget(name)
        return len(running)

    # --- waiting

    def _await_all(self, waiting: Waiting, broken: BrokenParts | None) -> None:
        """Until every member of a group answers, every group has a leader, and the proxy listens. Raises: ClusterError.

        broken: notes which nodes nobody waits for any more; None: all are needed.
        """
        names = self._file.processes()
        missing: list[str] = []

        def has_broken() -> set[str]:
            gone = broken.look(self._state) if broken is not None else set()
            self._check_alive([name for name in names if name not in gone])
            return gone

        def is_done() -> bool:
            gone = has_broken()
            missing[:] = waiting.missing(self._info(node) for node in self._file.nodes if node.name not in gone)
            if missing and broken is not None and broken.is_hopeless(has_led=waiting.has_led):
                self._check_alive(names)
            if not missing and self._file.token:
                try:
                    self._network({"verb": "state"})
                except ClusterError as error:
                    missing.append(str(error))
            return not missing

        is_up = poll_until(is_done, _SERVE_S_MAX)
        if broken is not None:
            if is_up and self._file.parts:
                poll_until(lambda: bool(has_broken()), FIRST_CALLS_S)
            broken.tell(lambda nodes: bool(waiting.missing(map(self._info, nodes))), self._check_alive, is_up=is_up)
        if not is_up:
            self._check_alive(names)
            raise ClusterError(f"after {_SERVE_S_MAX:g} s {', '.join(missing)}; what they say is in {self.folder / 'logs'}")

    def _await_registries(self, registries: Sequence[RegistryEntry]) -> None:
        """Until they listen. Raises: ClusterError."""
        for registry in registries:

            def is_done(registry: RegistryEntry = registry) -> bool:
                self._check_alive([registry.name])
                return listens(registry.listen)

            if not poll_until(is_done, _START_S_MAX, every_s=_START_POLL_S):
                raise ClusterError(f"after {_START_S_MAX:g} s {registry.name} does not listen on {registry.listen}")

    def _await_proxy(self) -> None:
        """Until the proxy listens. Raises: ClusterError when it ends instead."""

        def is_done() -> bool:
            self._check_alive([PROXY])
            return self._proxy_answers()

        if not poll_until(is_done, _START_S_MAX, every_s=_START_POLL_S):
            raise ClusterError(f"after {_START_S_MAX:g} s the proxy between the nodes does not answer")

    def _proxy_answers(self) -> bool:
        with suppress(ClusterError):
            self._network({"verb": "state"})
            return True
        return False

    def _check_alive(self, names: list[str]) -> None:
        for name in names:
            process = self._process(name)
            if process is None or process.state == STOPPED:
                status = None if process is None else process.exit_status
                ended = "ended" if status is None else f"ended with exit status {status}"
                since = self._log_began.get(name, 0)  # what earlier starts said is no reason for this end
                tail = "".join(deque(lines_of(self._file.log_file(name), since=since), _TAIL_LINES))
                raise ClusterError(f"{name} {ended} while starting; the end of {self._file.log_file(name)}:\n{tail.rstrip()}")

    def _network(self, request: dict[str, object]) -> dict[str, Any]:
        for key in ("from", "to"):
            if key in request:
                self._file.node(str(request[key]))
        if not self._file.token:
            raise ClusterError("this cluster is up without a proxy (--direct): nothing can be cut, delayed or healed")
        if self._state(PROXY) == STOPPED:
            raise ClusterError("the proxy between the nodes does not run; `mq cluster down`, then `up`")
        return ask_proxy(self._file.control, self._file.token, request)


def _environment_of(file: ClusterFile) -> dict[str, str]:
    """Of a node: ours, but for what only one broker could mean, and what all nodes of the cluster share."""
    ours = {key: text for key, text in os.environ.items() if not key.startswith((ENVIRONMENT_PREFIX, PARTS_VARIABLE))}
    return ours | environment_of(file, str(file.folder))
