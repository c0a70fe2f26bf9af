"""Three real brokers of one group for a notebook, in processes or in containers, and all that can be done to them.

    cluster = YourCluster("processes")
    with cluster.day("The leader is killed", seconds=5) as day:
        day.at(1)
        cluster.kill(cluster.leader())

It is up from the first day on, and stays up between cells. When a cell fails or is interrupted, and when the kernel ends,
all of it is ended (`lessons.cluster_guard`); the next day begins with a new one.
"""

import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lessons.cluster_day import Day
from lessons.cluster_guard import Guard, end_left_behind
from lessons.cluster_pictures import Live
from lessons.programs import Program
from lessons.showing import ROOT
from mq.chaos.notes import TraceNotes
from mq.cli.demo_record import DONE, FAILED
from mq.cluster.asking import ask_all, ask_broker, leader_of
from mq.cluster.backend import ClusterBackend
from mq.cluster.errors import ClusterError
from mq.cluster.files import TRACES
from mq.cluster.opening import cluster_up
from mq.cluster.plan import ClusterPlan
from mq.cluster.polling import poll_until
from mq.core.errors import MqError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection

__all__ = ["YourCluster", "why_no_containers"]

TOP = ROOT / ".mq" / "lessons"
"""Where clusters of lessons are, each in a folder of its own."""
_LEADER_S_MAX, _ALL_S_MAX, _COMPLAINS_S_MAX = 20.0, 60.0, 20.0
_SETTINGS = {"segment_bytes": "8MiB"}
"""Less to read for a broker that comes back."""


def why_no_containers() -> str:
    """What is missing for containers, in a sentence; empty when nothing is."""
    try:
        from mq.cluster.docker_engine import check_image, engine
        from mq.cluster.docker_plan import DEFAULT_IMAGE

        check_image(engine(), DEFAULT_IMAGE)
    except (ClusterError, ImportError) as error:
        return str(error)
    return ""


class YourCluster:
    """runs_in: processes, or docker. raft: a file with a class `Raft` for all three; without one they run ours.

    settings: of `mq broker`, such as election_ticks=40.
    """

    def __init__(self, runs_in: str = "processes", *, raft: str = "", **settings: object) -> None:
        if runs_in not in {"processes", "docker"}:
            raise ValueError(f"brokers run in processes or in docker, not in {runs_in!r}")
        if runs_in == "docker" and (missing := why_no_containers()):
            print(f"no containers ({missing}): processes it is")
            runs_in = "processes"
        self.runs_in, self._raft = runs_in, raft
        self._settings = _SETTINGS | {name: str(value) for name, value in settings.items()}
        self._backend: ClusterBackend | None = None
        self._guard: Guard | None = None
        self._notes: TraceNotes | None = None
        self._days = 0
        self._day: Day | None = None
        self._cuts: list[tuple[int, int]] = []

    # --- its life

    def up(self) -> "YourCluster":
        """Start it, if it is not up; returns when it has a leader. Raises: ClusterError."""
        if self._backend is not None:
            return self
        if left := end_left_behind(TOP):
            print(f"an earlier lesson was killed; what it left running, {left} broker(s), is ended")
        folder = TOP / f"cluster-{secrets.token_hex(3)}"
        self._guard = Guard(folder)
        parts = {"": str(ROOT / self._raft)} if self._raft else {}
        plan = ClusterPlan(base_port=0, settings=self._settings, parts=parts, is_under_test=True)
        try:
            self._backend = cluster_up(folder, plan, backend="docker" if self.runs_in == "docker" else "local")
            self._notes = TraceNotes(self.traces / "zz-lesson.trace")
        except BaseException:
            self.end()
            raise
        return self

    def end(self) -> None:
        """End all of it; nothing of it stays. Raises: ClusterError."""
        guard, self._guard, self._backend = self._guard, None, None
        if self._notes is not None:
            self._notes.close()
            self._notes = None
        if guard is not None:
            guard.let_go()

    @contextmanager
    def day(self, title: str, *, seconds: float) -> Iterator[Day]:
        """Orders go through it for so long, while a picture shows what comes of them; whatever is broken is mended at its end.

        Raises: ClusterError; when anything is raised in it, the whole cluster is ended.
        """
        self.up()
        self._await_all()
        self._days += 1
        try:
            with Day(title, self, f"orders-{self._days}", Live(seconds)) as day:
                self._day = day
                day.begin()
                yield day
                day.end(seconds)
                self.mend()
                day.close()
        except BaseException:
            self.end()
            raise
        finally:
            self._day = None

    def _await_all(self) -> None:
        """Until all three answer: one that an earlier day killed may still be starting. Raises: ClusterError."""

        def answer() -> bool:
            nodes = self.backend.status().nodes
            answers = ask_all(nodes, ask_broker)
            return None not in answers.values() and bool(leader_of(nodes, answers))

        if not poll_until(answer, _ALL_S_MAX, every_s=0.05):
            raise ClusterError("not all three brokers answer")

    # --- what it is

    @property
    def backend(self) -> ClusterBackend:
        """Raises: ClusterError while it is not up."""
        if self._backend is None:
            raise ClusterError("the cluster is not up: `cluster.up()`")
        return self._backend

    @property
    def folder(self) -> Path:
        """Where its files are, while it is up."""
        return self.backend.folder

    @property
    def traces(self) -> Path:
        """Where its brokers write down what they do."""
        return self.folder / TRACES

    @property
    def names(self) -> dict[str, int]:
        """Its brokers and their numbers."""
        return {node.name: node.node for node in self.backend.status().nodes}

    def leader(self, *, but: str = "") -> str:
        """Who leads now; waits for one. but: who is known not to. Of two that both say so, the one whose log goes further.

        Raises: ClusterError.
        """
        found: list[str] = []

        def is_known() -> bool:
            nodes = [node for node in self.backend.status().nodes if node.name != but]
            found[:] = leader_of(nodes, ask_all(nodes, ask_broker)).values()
            return bool(found)

        if not poll_until(is_known, _LEADER_S_MAX, every_s=0.05):
            raise ClusterError("nobody leads")
        return found[0]

    def show(self) -> None:
        """What runs where."""
        leader = self.leader()
        print(self.backend.runs_in)
        for node in self.backend.status().nodes:
            runs = f"process {node.pid}" if node.pid else f"container {node.container}"
            print(f"  {node.name}  for clients at {node.client:16} {runs}{'  leads' if node.name == leader else ''}")

    def make_topic(self, topic: str, group: str) -> None:
        """Raises: MqError."""
        with Connection(self.backend.status().endpoint) as connection:
            admin = AdminClient(connection)
            admin.create_topic(topic, queues=2)
            admin.create_group(group)

    def organs(self) -> dict[str, str]:
        """Of each broker that answers: whose Raft it runs, and how often that was called."""
        found = {}
        for node in self.backend.status().nodes:
            try:
                with Connection(node.client, timeout_s=2.0) as connection:
                    organs = AdminClient(connection).describe_raft().organs
                found[node.name] = next((f"{o.class_name}, called {o.calls:,} times" for o in organs if o.name == "raft"), "?")
            except MqError as error:
                found[node.name] = f"no answer: {error}"
        return found

    def try_order(self, known: Iterable[str], seconds: float = 6.0) -> str:
        """What becomes of an order of an official producer that begins now. known: the brokers whose addresses it is told.

        seconds: for how long it tries. Raises: ClusterError when nobody leads; MqError.
        """
        self._days += 1
        topic, addresses = f"tried-{self._days}", {node.name: node.client for node in self.backend.status().nodes}
        with Connection(addresses[self.leader()]) as connection:
            AdminClient(connection).create_topic(topic, queues=2)
        found = self.folder / f"{topic}.txt"
        what = ("-m", "mq.cli.demo_clients", "produce", ";".join(addresses[name] for name in known), topic, "-", "1", str(found))
        begun_s = time.monotonic()

        def outcomes() -> list[str]:
            return [line.split()[-1] for line in found.read_text(encoding="utf-8").splitlines()] if found.exists() else []

        with Program(*what, log_file=self.folder / f"{topic}.log") as producer:
            poll_until(lambda: DONE in outcomes() or not producer.is_running, seconds, every_s=0.05)
        told = outcomes()
        if DONE in told:
            return f"a yes after {time.monotonic() - begun_s:.1f} s, and {told.count(FAILED)} errors"
        why = "" if told else ": it was told nothing at all (a busy machine? once more, then)"
        return f"no yes within {seconds:g} s, and {told.count(FAILED)} errors{why}"

    def try_out(self) -> list[str]:
        """Call it up and let it work until a broker complains; then end it. Returns what was said: each complaint once."""
        why_not: list[str] = []
        try:
            self.up()
            poll_until(self._work_a_little, _COMPLAINS_S_MAX, every_s=0.05)
            told = "".join(line for node in self.backend.status().nodes for line in self.backend.logs(node.name))
        except (ClusterError, MqError) as error:
            told = str(error)
            why_not = [told]  # of one that could not begin, say
        self.end()
        return list(dict.fromkeys(re.findall(r"ERROR +(.*)", told))) or why_not

    def _work_a_little(self) -> bool:
        """Whether a broker has ended itself."""
        self._days += 1
        with suppress(MqError):
            self.make_topic(f"topic-{self._days}", "anybody")
        return any(node.state == "stopped" for node in self.backend.status().nodes)

    # --- what can be done to it; each is noted, for the pictures (when it is done) and for whoever judges the traces

    def kill(self, name: str) -> None:
        """SIGKILL: no time for anything, no last words."""
        self._tell(f"{name} is killed")
        number = self.names[name]
        with self._noted.doing(number, "kill"):
            self.backend.kill(name)
        if self._day is not None:
            self._day.roles.dies(number)

    def start(self, name: str) -> None:
        """Start it again, on what it has on its disk; returns at once."""
        self.backend.start(name, is_awaited=False)
        self._tell(f"{name} is started")

    def pause(self, name: str) -> None:
        """SIGSTOP, or the freezer: it stands still, and all its connections stay open."""
        with self._noted.doing(self.names[name], "pause"):
            self.backend.pause(name)
        self._tell(f"{name} stands still")

    def resume(self, name: str) -> None:
        """It goes on as if nothing had been."""
        self._noted.note(self.names[name], "resume")
        self.backend.resume(name)
        self._tell(f"{name} goes on")

    def isolate(self, name: str) -> None:
        """It lives, and serves clients; but no other broker hears it, nor is heard by it."""
        number = self.names[name]
        for other in sorted(set(self.names.values()) - {number}):
            for sender, to in ((number, other), (other, number)):
                self._noted.note(0, "cut", sender=f"n{sender}", to=f"n{to}")
                self._cuts.append((sender, to))
        self.backend.isolate(name)
        self._tell(f"{name} is cut off")

    def heal(self) -> None:
        """All hear all again."""
        for sender, to in self._cuts:
            self._noted.note(0, "mend", sender=f"n{sender}", to=f"n{to}")
        self._cuts.clear()
        self.backend.heal()
        self._tell("all hear all again")

    def mend(self) -> None:
        """Undo all that was done: nothing is cut, nobody stands still, all are there."""
        status = self.backend.status()
        if status.cuts:
            self.heal()
        for node in status.nodes:
            if node.state == "paused":
                self.resume(node.name)
            elif node.state == "stopped":
                self.start(node.name)

    @property
    def _noted(self) -> TraceNotes:
        if self._notes is None:
            raise ClusterError("the cluster is not up: `cluster.up()`")
        return self._notes

    def _tell(self, what: str) -> None:
        if self._day is not None:
            self._day.happens(what)
