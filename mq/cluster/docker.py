"""A cluster of containers of this machine's Docker engine; see `ClusterBackend` for the verbs.

Everything that is made bears the cluster's label, and is found again by it: containers and their network, which `down` takes
away, and the volumes with what is stored, which only `remove` does. A cut is made in the network of the one that is not to be
heard (`mq.cluster.silence`), by a container that is there for a moment: brokers themselves need no right to change a network.
Nothing can be delayed: that needs a module that kernels often lack.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mq.cluster import docker_plan as planned
from mq.cluster.asking import Ask, ask_broker, serves
from mq.cluster.backend import ClusterStatus, NodeInfo, RegistryInfo
from mq.cluster.docker_confined import is_confined, start_keeper, volume_options
from mq.cluster.docker_container import make_container, run_beside
from mq.cluster.docker_engine import check_image, check_unused, engine, explained, freeze, last_of, make_network
from mq.cluster.earlier import as_it_was
from mq.cluster.errors import ClusterError
from mq.cluster.files import CUTS, FAULTS, TRACES, ClusterFile, RegistryEntry, locked, read_json, write_json
from mq.cluster.plan import ClusterPlan
from mq.cluster.polling import poll_until
from mq.cluster.processes import PAUSED, RUNNING, STOPPED, uninterrupted
from mq.cluster.undoing import Before
from mq.cluster.waiting import Waiting
from mq.server.faults import Faults

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["DockerCluster"]

_SERVE_S_MAX = 90.0
_START_S_MAX = 30.0
_START_POLL_S = 0.1
_GRACE_S = 15
_GONE_S_MAX = 60
"""Until the engine has noticed that a container was killed."""
_TAIL_LINES = 20
_KEPT_LINES = 10_000
_SUBNETS_TRIED = 20
_STATES = {"running": RUNNING, "paused": PAUSED}
_PYTHON = "/opt/raftmq/bin/python"


class DockerCluster:
    """A cluster that is there, up or down. ask: how a node is asked for its role."""

    def __init__(self, folder: Path, *, ask: Ask = ask_broker) -> None:
        self.folder = folder.resolve()
        self._file = ClusterFile.read(self.folder)
        self._file.check_backend("docker")
        self._ask = ask
        self._engine = engine()

    @classmethod
    def up(cls, folder: Path, plan: ClusterPlan, *, image: str | None = None, ask: Ask = ask_broker) -> "DockerCluster":
        """As `LocalCluster.up`. image: built from docker/Dockerfile; it must be there; None: as it was, or the usual one.

        Raises: ClusterError.
        """
        if plan.is_direct:
            raise ClusterError("--direct: containers have nothing between them, and can be cut all the same; leave the flag out")
        folder = folder.resolve()
        image = image or planned.image_of(folder)
        check_image(engine(), image)
        with locked(folder):
            before, waiting = Before(folder), Waiting(ask)
            if before.cluster is not None:
                earlier = cls(folder, ask=ask)
                if any(earlier._state(name) != STOPPED for name in earlier._file.processes()):
                    raise ClusterError(f"the cluster in {folder} is up already; `mq cluster down --dir {folder}` ends it")
                made = as_it_was(plan, before.cluster)
                made.docker["image"] = image
                earlier._clear()
            else:
                check_unused(engine(), f"{planned.CLUSTER_LABEL}={planned.cluster_id(folder)}", str(folder))
                made = planned.make(folder, plan, image)
            made.write()
            cluster = cls(folder, ask=ask)
            try:
                cluster._start_all(waiting)
            except BaseException:
                with uninterrupted():
                    cluster._clear()
                    before.take_back(has_led=waiting.has_led, also=cluster._remove_volumes)
                raise
        return cluster

    def down(self) -> int:
        """End all containers in good order and take them and their network away; how many ran. Volumes stay."""
        with locked(self.folder):
            running = [name for name in self._file.processes() if self._state(name) != STOPPED]
            registries = [name for name in running if self._file.registry(name) is not None]
            self._each([name for name in running if name not in registries], self._stop)  # they say goodbye to registry nodes
            self._each(registries, self._stop)
            self._clear()
        return len(running)

    def remove(self) -> None:
        """`down`, and take away what is stored, too."""
        self.down()
        self._remove_volumes()

    def _remove_volumes(self) -> None:
        with explained("volumes"):
            for volume in self._engine.volumes.list(filters=self._mine()):
                volume.remove(force=True)

    @property
    def runs_in(self) -> str:
        """What its nodes run in, for people."""
        image = self._file.docker["image"]
        with explained(image):
            made = self._engine.images.get(image).short_id.partition(":")[2]
            return f"containers of Docker {self._engine.version()['Version']}, image {image} {made}"

    @property
    def is_under_test(self) -> bool:
        """See `ClusterBackend`."""
        return self._file.is_under_test

    # --- the verbs

    def start(self, name: str, *, is_awaited: bool = True) -> bool:
        """Start a stopped node; whether it serves. What was cut, still is."""
        with locked(self.folder):
            state = self._state(name)
            if state != STOPPED:
                raise ClusterError(f"{name} is {state}" + ("; `mq cluster resume` lets it go on" if state == PAUSED else ""))
            with explained(name):
                container = self._needed(name)
                container.start()
                if self._cuts_of(name):
                    freeze(container)  # nothing is said before the cut is there
                    self._silence(name)
                    container.unpause()
        if (registry := self._file.registry(name)) is not None:
            self._await_registries([registry])
            return True
        if not is_awaited:
            return False
        found: list[bool | None] = [False]
        waiting = Waiting(self._ask)

        def is_done() -> bool:
            if self._state(name) != STOPPED:
                found[0] = waiting.serves(name, self.status().nodes)
            return found[0] is not False or self._state(name) == STOPPED

        poll_until(is_done, _START_S_MAX, every_s=_START_POLL_S)
        self._check_alive([name])
        return found[0] is True

    def stop(self, name: str) -> None:
        """SIGTERM, and wait; SIGKILL when it takes longer than 15 s."""
        self._running(name)
        self._stop(name)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        container = self._running(name)
        with explained(name):
            container.kill("SIGKILL")
            container.wait(timeout=_GONE_S_MAX)

    def pause(self, name: str) -> None:
        """The freezer of the kernel's control groups."""
        freeze(self._running(name))

    def resume(self, name: str) -> None:
        """Let it thaw."""
        container = self._running(name)
        with explained(name):
            container.unpause()

    def cut(self, a: str, b: str, *, is_one_way: bool = False) -> None:
        """Cut two nodes off from each other."""
        self._file.check_name(a)
        self._file.check_name(b)
        if a == b:
            raise ClusterError(f"{a} cannot be cut off from itself")
        added = [(a, b)] if is_one_way else [(a, b), (b, a)]
        self._set_cuts([*self._cuts(), *(cut for cut in added if cut not in self._cuts())])

    def delay(self, a: str, b: str, delay_ms: int) -> None:
        """Not here. Raises: ClusterError."""
        raise ClusterError(f"{a} and {b}: containers cannot be delayed by {delay_ms} ms; --backend local can do it")

    def isolate(self, name: str) -> None:
        """Cut a node off from all others of its group."""
        own = self._file.node(name)
        pairs = [(name, other.name) for other in self._file.nodes if other.group == own.group and other != own]
        wanted = [*pairs, *((b, a) for a, b in pairs)]
        self._set_cuts([*self._cuts(), *(cut for cut in wanted if cut not in self._cuts())])

    def heal(self) -> None:
        """Undo all cuts."""
        self._set_cuts([])

    def play(self, name: str, faults: Faults) -> None:
        """By the folder of faults, which every container has."""
        self._file.play(name, faults)

    def wipe(self, name: str) -> None:
        """Empty its volume."""
        if self._state(name) != STOPPED:
            raise ClusterError(f"{name} is {self._state(name)}; `mq cluster kill` ends it")
        with explained(f"wiping {name}"):
            command = ["find", planned.DATA, "-mindepth", "1", "-delete"]
            run_beside(self._engine, self._file, name, self._labels(), command, network_mode="none")

    def logs(self, name: str, *, is_followed: bool = False) -> Iterator[str]:
        """The lines of a node's log."""
        self._file.check_name(name)
        begun = ""
        with explained(name):
            for data in self._needed(name).logs(stream=True, follow=is_followed):
                *lines, begun = (begun + data.decode("utf-8", "replace")).split("\n")
                yield from (line + "\n" for line in lines)
        if begun:
            yield begun

    def status(self) -> ClusterStatus:
        """How everything is now."""
        with explained("status"):
            found = {one.name: one for one in self._engine.containers.list(all=True, filters=self._mine())}

        def shown(name: str) -> tuple[str, str | None]:
            """State and container."""
            made = planned.object_name(self.folder, name)
            return (_STATES.get(found[made].status, STOPPED), made) if made in found else (STOPPED, None)

        nodes, registries = [], []
        for node in self._file.nodes:
            (state, container), parts = shown(node.name), self._file.parts.get(node.name, "")
            volume, own = planned.object_name(self.folder, node.name), (node.name, node.group, node.node, node.client, node.peer)
            nodes.append(NodeInfo(*own, volume, state, container=container, parts=parts))
        for one in self._file.registries:
            state, container = shown(one.name)
            registries.append(RegistryInfo(one.name, one.listen, state, container=container))
        network, cuts = RUNNING if found else STOPPED, tuple(self._cuts())
        return ClusterStatus(tuple(nodes), network, cuts, registries=tuple(registries))

    # --- containers

    def _mine(self) -> dict[str, str | list[str] | bool]:
        return {"label": f"{planned.CLUSTER_LABEL}={planned.cluster_id(self.folder)}"}

    def _labels(self, name: str = "") -> dict[str, str]:
        return {planned.CLUSTER_LABEL: planned.cluster_id(self.folder), **({planned.NODE_LABEL: name} if name else {})}

    def _each(self, names: list[str], work: Callable[[str], object]) -> None:
        """All at once; the first failure is raised when all have ended."""
        with ThreadPoolExecutor(len(names) or 1) as pool:
            list(pool.map(work, names))

    def _start_all(self, waiting: Waiting) -> None:
        write_json(self.folder / CUTS, {"cuts": []})
        self._make_test_folders()
        self._make_network()
        names = [node.name for node in self._file.nodes]
        self._each(names, self._make_volume)
        if is_confined(self._file.docker):
            volumes = {name: planned.object_name(self.folder, name) for name in names}
            start_keeper(self._engine, self._file.docker["image"], planned.object_name(self.folder), self._labels(), volumes)
        for some in ([one.name for one in self._file.registries], names):
            self._each(some, lambda name: make_container(self._engine, self._file, name, self._labels(name)))
        self._await_registries(self._file.registries)
        self._await_all(waiting)

    def _make_test_folders(self) -> None:
        self._file.make_test_folders()
        if self.is_under_test:  # nodes run as somebody whom this machine need not know
            (self.folder / TRACES).chmod(0o777)
            (self.folder / FAULTS).chmod(0o755)  # whatever the umask: who cannot read there plays nothing

    def _make_network(self) -> None:
        name, is_internal = planned.object_name(self.folder), is_confined(self._file.docker)
        for _ in range(_SUBNETS_TRIED):
            if make_network(self._engine, name, self._file.docker["subnet"], self._labels(), is_internal=is_internal):
                return
            self._file.docker["subnet"] = planned.random_subnet()
            self._file.nodes = planned.moved(self._file.nodes, self._file.docker["subnet"])
            self._file.write()
        raise ClusterError(f"network {name}: no subnet of {_SUBNETS_TRIED} that were tried is free")

    def _make_volume(self, name: str) -> None:
        with explained(name):
            options = volume_options(self._file.docker)
            self._engine.volumes.create(planned.object_name(self.folder, name), labels=self._labels(name), **options)

    def _container(self, name: str) -> "Container | None":
        import docker  # noqa: PLC0415

        self._file.check_name(name)
        try:
            with explained(name):
                return self._engine.containers.get(planned.object_name(self.folder, name))
        except ClusterError as error:
            if isinstance(error.__cause__, docker.errors.NotFound):
                return None
            raise

    def _state(self, name: str) -> str:
        container = self._container(name)
        return STOPPED if container is None else _STATES.get(container.status, STOPPED)

    def _needed(self, name: str) -> "Container":
        container = self._container(name)
        if container is None:
            raise ClusterError(f"{name} has no container; `mq cluster up` makes it")
        return container

    def _running(self, name: str) -> "Container":
        container = self._needed(name)
        if _STATES.get(container.status, STOPPED) == STOPPED:
            raise ClusterError(f"{name} does not run; `mq cluster start` starts it")
        return container

    def _stop(self, name: str) -> None:
        container = self._running(name)
        with explained(name):
            if container.status == "paused":
                container.unpause()  # one that is paused would not hear of it
            container.stop(timeout=_GRACE_S)

    def _clear(self) -> None:
        """Take containers and network away, whatever state they are in."""
        with explained("down"):
            for container in self._engine.containers.list(all=True, filters=self._mine()):
                self._keep_log(container)
                container.remove(force=True)
            for network in self._engine.networks.list(filters=self._mine()):
                network.remove()
        write_json(self.folder / CUTS, {"cuts": []})

    def _keep_log(self, container: "Container") -> None:
        """What a node said goes with its container; the end of it stays in the folder."""
        name = container.labels.get(planned.NODE_LABEL)
        if name is not None:
            file = self._file.log_file(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(container.logs(tail=_KEPT_LINES))

    # --- cuts: (who is not heard, by whom), kept in a file, because a container that starts has a new network

    def _cuts(self) -> list[tuple[str, str]]:
        found = read_json(self.folder / CUTS) or {}
        return [(str(source), str(target)) for source, target in found.get("cuts", [])]

    def _cuts_of(self, name: str) -> list[str]:
        """The addresses that this node does not reach."""
        targets = [target for source, target in self._cuts() if source == name]
        return [planned.inside_host(self._file, target) for target in targets]

    def _set_cuts(self, cuts: list[tuple[str, str]]) -> None:
        with locked(self.folder):
            changed = {source for source, _ in set(cuts) ^ set(self._cuts())}
            write_json(self.folder / CUTS, {"cuts": cuts})
            self._each([name for name in sorted(changed) if self._state(name) != STOPPED], self._silence)

    def _silence(self, name: str) -> None:
        with explained(f"cutting {name} off"):
            run_beside(
                self._engine, self._file, name, self._labels(), [_PYTHON, "-m", "mq.cluster.silence", *self._cuts_of(name)],
                user="root", cap_add=["NET_ADMIN"], network_mode=f"container:{planned.object_name(self.folder, name)}",
            )  # fmt: skip

    # --- waiting

    def _await_all(self, waiting: Waiting) -> None:
        missing: list[str] = []

        def is_done() -> bool:
            self._check_alive(self._file.processes())
            missing[:] = waiting.missing(self.status().nodes)
            return not missing

        if not poll_until(is_done, _SERVE_S_MAX):
            raise ClusterError(f"after {_SERVE_S_MAX:g} s {', '.join(missing)}")

    def _await_registries(self, registries: Sequence[RegistryEntry]) -> None:
        """Until they serve: the engine itself listens at their ports. Raises: ClusterError."""
        for registry in registries:

            def is_done(registry: RegistryEntry = registry) -> bool:
                self._check_alive([registry.name])
                return serves(registry.listen)

            if not poll_until(is_done, _START_S_MAX, every_s=_START_POLL_S):
                raise ClusterError(f"after {_START_S_MAX:g} s {registry.name} does not serve at {registry.listen}")

    def _check_alive(self, names: list[str]) -> None:
        for name in names:
            container = self._needed(name)
            if container.status not in {"created", "running", "paused", "restarting"}:
                raise ClusterError(last_of(container, name, _TAIL_LINES))
