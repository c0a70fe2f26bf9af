"""A run: a cluster, clients, faults one after the other; then all is healed, drained, read, and judged."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mq.chaos.calm import CALM_AFTER_S
from mq.chaos.history import NOTED, Journal
from mq.chaos.injecting import NEEDS_FAULT_FILES, NEEDS_NETWORK, Injector
from mq.chaos.load import Load
from mq.chaos.notes import TraceNotes
from mq.chaos.plan import WEIGHTS, faults
from mq.chaos.replicas import ask_replicas
from mq.chaos.report import HISTORY, NOTES
from mq.chaos.setting import Size, Topics
from mq.cluster.backend import ClusterBackend
from mq.cluster.errors import ClusterError
from mq.cluster.files import TRACES, ClusterFile, locked
from mq.cluster.opening import backend_of, check_is_for_a_cluster, cluster_in, cluster_up
from mq.cluster.plan import ClusterPlan
from mq.core.errors import MqError
from mq.core.message import MessageKind

__all__ = ["NODES_MIN", "ChaosPlan", "run_chaos"]

NODES_MIN = 3
"""With fewer there is nobody left who could go on when one fails."""
_LOCK = "chaos.lock"
_ATTEMPTS_MAX = 1000
"""Of a delivery: nothing is to become a dead letter here."""
_SETTINGS = {"segment_bytes": "4MiB", "snapshot_every_bytes": "4MiB"}
"""Small, so that segments and snapshots are made all the time."""
_CALM_S = 2.0
"""Before the first fault, and after what is left of the last one: what is refused then, is refused for no reason."""
_TOPIC_S_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """weights: of the kinds of faults. nodes, settings, parts, image: of a cluster that is made. tell: takes a line for people.

    nodes: None for three, or as many as there are. backend, image: what nodes are to run in; None for what they ran in before,
    or else local processes, or the usual image.
    """

    folder: Path
    seed: int
    seconds: float
    weights: Mapping[str, int] = field(default_factory=lambda: dict(WEIGHTS))
    nodes: int | None = None
    backend: str | None = None
    image: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    size: Size = field(default_factory=Size)
    tell: Callable[[str], None] = lambda _line: None


def run_chaos(plan: ChaosPlan) -> None:
    """Leaves a history and traces in the folder, for `mq.chaos.report`. A cluster that runs there is used, and goes on after it.

    Raises: ClusterError, MqError when it could not even begin.
    """
    folder = plan.folder.resolve()
    with (
        _cluster_in(folder, plan) as cluster,
        locked(folder, name=_LOCK, holder="run of `mq chaos`", limit_s=0.0),
    ):
        weights = _weights_for(cluster, plan)
        notes = TraceNotes(folder / TRACES / NOTES)
        journal = Journal(folder / HISTORY)
        try:
            asyncio.run(_Run(plan, weights, cluster, journal, notes).go())
        finally:
            journal.close()
            notes.close()


@contextmanager
def _cluster_in(folder: Path, plan: ChaosPlan) -> Iterator[ClusterBackend]:
    """The cluster that runs there; else one for this run alone. Raises: ClusterError."""
    backend = backend_of(folder, plan.backend)
    if ClusterFile.exists(folder):
        file = ClusterFile.read(folder)
        file.check_backend(backend)
        found = cluster_in(folder)
        if any(node.state != "stopped" for node in found.status().nodes):
            _check_whole(found, plan)
            if plan.parts:
                raise ClusterError(
                    f"the cluster in {folder} runs, with organs of its own: leave --parts out and unset MQ_PARTS; "
                    f"`mq cluster up --dir {folder} --parts X` gives it others when it is down"
                )
            yield found
            return
        if not file.is_under_test:
            raise ClusterError(
                f"the cluster in {folder} is down, and a run would start it with other settings: `mq cluster up --dir {folder}` "
                "starts it with its own, to be broken as it is; or give another --dir"
            )
    else:
        check_is_for_a_cluster(folder)
    settings = {**_SETTINGS, **plan.settings}
    wanted = ClusterPlan(nodes=plan.nodes, base_port=0, settings=settings, parts=plan.parts, is_under_test=True)
    made = cluster_up(folder, wanted, backend=backend, image=plan.image)
    try:
        yield made
    finally:
        made.down()


def _check_whole(cluster: ClusterBackend, plan: ChaosPlan) -> None:
    """A cluster that is somebody's own has to be whole, else its faults would be taken for ours. Raises: ClusterError."""
    status, where = cluster.status(), f"the cluster in {cluster.folder}"
    count = len(status.nodes)
    if plan.nodes not in {None, count}:
        raise ClusterError(f"--nodes {plan.nodes}: {where} has {count}; leave the flag out, or give another --dir")
    if count < NODES_MIN:
        raise ClusterError(
            f"{where} was made with --nodes {count}: chaos needs {NODES_MIN} or more, of which one can fail; give another --dir"
        )
    if others := [f"{node.name} is {node.state}" for node in status.nodes if node.state != "running"]:
        raise ClusterError(f"{where} is broken already: {', '.join(others)}; `mq cluster start` or `resume` it first")
    if status.cuts or status.delays:
        raise ClusterError(f"{where} is broken already: something is cut or slow; `mq cluster heal --dir {cluster.folder}` first")


def _weights_for(cluster: ClusterBackend, plan: ChaosPlan) -> dict[str, int]:
    """Of the kinds of faults that this cluster can suffer.

    Raises: ClusterError when it cannot be cut, and should be, or when none is left.
    """
    network = cluster.status().network
    cutting = [kind for kind, weight in plan.weights.items() if weight and kind in NEEDS_NETWORK]
    if network != "running" and cutting:
        why = "is up without a proxy (--direct)" if network == "direct" else "has no proxy that runs"
        raise ClusterError(
            f"the cluster in {cluster.folder} {why}, so nothing can be cut: no {', '.join(cutting)}. Name other kinds, such as "
            "--only kill --only pause, or give another --dir"
        )
    left_out = frozenset[str]() if cluster.is_under_test else NEEDS_FAULT_FILES
    weights = {kind: weight for kind, weight in plan.weights.items() if kind not in left_out}
    if not any(weights.values()):
        raise ClusterError(
            f"no fault is left: nodes that `mq cluster up` made cannot play {', '.join(sorted(left_out & set(plan.weights)))}"
        )
    return weights


class _Run:
    """One run against a cluster that serves."""

    def __init__(
        self, plan: ChaosPlan, weights: Mapping[str, int], cluster: ClusterBackend, journal: Journal, notes: TraceNotes
    ) -> None:
        self._plan, self._weights, self._journal, self._tell = plan, weights, journal, plan.tell
        self._stop = threading.Event()
        self._left_out = sorted(kind for kind, weight in plan.weights.items() if weight and kind not in weights)
        if self._left_out:
            self._tell(f"the nodes were started without a place for faults: no {', '.join(self._left_out)}")
        self._injector = Injector(cluster, notes, self._stop.wait)
        self._cluster = cluster
        self._members = len(cluster.status().nodes)
        self._endpoints = cluster.status().endpoint
        self._topics = Topics.of(f"{time.time_ns() // 1_000_000:x}")

    async def go(self) -> None:
        """From beginning to end."""
        await asyncio.to_thread(_make_topics, self._endpoints, self._topics)
        load = Load(self._endpoints, self._topics, self._journal, self._plan.seed, self._plan.size)
        self._journal.facts(
            seed=self._plan.seed, began_s=time.monotonic(), ordered=[self._topics.turn], left_out=self._left_out,
            nodes=f"{self._members}, {self._cluster.runs_in}", members=self._members, noted=NOTED,
            has_traces=self._cluster.is_under_test,
        )  # fmt: skip
        clients = [asyncio.create_task(load.produce()), asyncio.create_task(load.consume())]
        broken = []
        try:
            await asyncio.sleep(_CALM_S)
            broken = await self._injure(load)
            self._tell("no more faults; clients go on for a moment, and read to the end")
            await asyncio.sleep(CALM_AFTER_S + _CALM_S)
            load.progress.stopping.set()
            await clients[0]
            left = await load.drain()
            await clients[1]
            self._tell("each node is asked for all that it holds")
            broken += await self._read_back(load)
        finally:
            self._stop.set()
            for task in clients:
                task.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
        broken += [f"{group} was not done with all messages in the end" for group in left]
        broken += sorted(load.progress.refusals)
        drained = {group: topics for group, topics in self._topics.reads.items() if group not in left}
        self._journal.facts(surprises=[*broken, *self._injector.surprises], drained=drained, ended_s=time.monotonic())

    async def _read_back(self, load: Load) -> list[str]:
        """Note what all nodes hold. Returns why they do not tell it: then the run is judged all the same, by what clients saw."""
        nodes = self._cluster.status().nodes
        try:
            for replica in await asyncio.to_thread(ask_replicas, nodes):
                self._journal.note(replica)
            await load.read_all(nodes)
        except MqError as error:
            return [f"in the end the nodes do not tell what they hold: {error}"]
        return []

    async def _injure(self, load: Load) -> list[str]:
        """Faults, until the time is over. Returns why it ended before."""
        end_s = time.monotonic() + self._plan.seconds
        for number, fault in enumerate(faults(self._plan.seed, self._weights), 1):
            if time.monotonic() >= end_s:
                break
            try:
                done = await asyncio.to_thread(self._injector.carry_out, fault)
                self._journal.note(done)
                self._tell(
                    f"{number:4}  {done.kind:<16} {done.nodes:<24} {done.ended_s - done.began_s:5.1f} s  "
                    f"{load.progress.acknowledged} messages acknowledged"
                )
                await asyncio.sleep(fault.rest_s)
                await asyncio.to_thread(self._injector.look_for_surprises)
            except (ClusterError, MqError) as error:
                with suppress(ClusterError, MqError):
                    await asyncio.to_thread(self._injector.repair, ())
                return [f"after fault {number}, {fault.kind}: {error}"]
        return []


def _make_topics(endpoints: str, topics: Topics) -> None:
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC takes a tenth of a second to load
    from mq.rpc.calling import Connection  # noqa: PLC0415

    with Connection(endpoints, timeout_s=_TOPIC_S_MAX) as connection:
        admin = AdminClient(connection)
        for topic, queues in topics.queues.items():
            kind = MessageKind.FIFO if topic == topics.ordered else MessageKind.NORMAL
            admin.create_topic(topic, kind=kind, queues=queues)
        for group in topics.reads:
            admin.create_group(group, is_fifo=group == topics.turn, max_attempts=_ATTEMPTS_MAX)
