"""A day of a cluster: an official producer and an official consumer at work, and what became of each of their orders."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lessons.cluster_roles import Roles
from lessons.programs import Program, wait_until
from mq.cluster.backend import ClusterBackend
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.message_client import MessageClient

__all__ = ["Cluster", "Day", "Note"]

_MANY = "1000000"
"""Orders that the producer would send, if it were not stopped."""
_KITCHEN, _AUDITOR = "kitchen", "auditor"
_BEGIN_S_MAX, _CONSUMED_S_MAX = 120.0, 3.0
_BEHIND_MAX = 3
_AFTER_S = 1.2
_LOOK_S, _PICTURE_S = 0.05, 0.8
_AT_ONCE, _WAIT_MS, _HIDDEN_MS = 32, 300, 600_000


class Note(NamedTuple):
    """A line of a client's: at_s: seconds since the day began. outcome: done or failed."""

    at_s: float
    order: int
    outcome: str


class Cluster(Protocol):
    """What a day needs of its cluster."""

    @property
    def backend(self) -> ClusterBackend: ...
    @property
    def folder(self) -> Path: ...
    @property
    def traces(self) -> Path: ...
    def make_topic(self, topic: str, group: str) -> None: ...


class Day:
    """Use `with`, then `begin`, `at`, `close`.

    sent, consumed: what both clients noted. events: (second, what was done to the cluster). roles: who was what, when.
    brokers: their numbers. in_queues: how often each order is in the queues; known when the day is over. ended_s: when it was.
    """

    def __init__(self, title: str, cluster: Cluster, topic: str, show: "Callable[[Day], None]") -> None:
        self.title, self._cluster, self._topic, self._show = title, cluster, topic, show
        self.events: list[tuple[float, str]] = []
        self.in_queues: Counter[int] = Counter()
        self.ended_s: float | None = None
        self.roles = Roles(cluster.traces)
        self.brokers = {node.name: node.node for node in cluster.backend.status().nodes}
        self._programs, self._shown_s = ExitStack(), 0.0
        self._began_ns, self._began_s = time.time_ns(), time.monotonic()

    def __enter__(self) -> "Day":
        return self

    def __exit__(self, *_: object) -> None:
        self._programs.close()

    # --- its course

    def begin(self) -> None:
        """Both clients start; returns when the first order went through. Raises: TimeoutError, MqError."""
        self._cluster.make_topic(self._topic, _KITCHEN)
        addresses = ";".join(node.client for node in self._cluster.backend.status().nodes)
        self._producer, *_ = [self._start(role, addresses) for role in ("produce", "consume")]
        wait_until(self._flows, "the first orders go through", limit_s=_BEGIN_S_MAX)
        self._began_ns, self._began_s = time.time_ns(), time.monotonic()
        self._look()

    def _start(self, role: str, addresses: str) -> Program:
        what = ("-m", "mq.cli.demo_clients", role, addresses, self._topic, _KITCHEN, _MANY, str(self._file(role)))
        log_file = self._cluster.folder / f"{role}.log"
        return self._programs.enter_context(Program(*what, log_file=log_file))

    def _flows(self) -> bool:
        """Whether the consumer, which begins later, has caught up."""
        consumed = len(self._lines("consume"))
        return consumed > 0 and consumed + _BEHIND_MAX >= len(self._lines("produce"))

    @property
    def now_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began_s

    def at(self, second: float) -> None:
        """Returns at that second of the day; until then the picture goes on."""
        while self.now_s < second:
            if self.now_s > self._shown_s + _PICTURE_S:
                self._look()
            time.sleep(max(0.0, min(_LOOK_S, second - self.now_s)))

    def wait(self, seconds: float) -> None:
        """Returns so much later."""
        self.at(self.now_s + seconds)

    def end(self, second: float) -> None:
        """Let it go on until that second, and for a while behind the last thing that was done to the cluster."""
        self.at(max(second, *(at_s + _AFTER_S for at_s, _ in self.events), 0.0))

    def happens(self, what: str) -> None:
        """Something is done to the cluster now."""
        self.events.append((self.now_s, what))

    def close(self) -> None:
        """No more orders; those that were acknowledged are waited for a little, and all queues are read once more."""
        self._producer.kill()
        self.ended_s = self.now_s
        acknowledged = {note.order for note in self.sent if note.outcome == "done"}
        end_s = time.monotonic() + _CONSUMED_S_MAX
        while time.monotonic() < end_s and not acknowledged <= {note.order for note in self.consumed}:
            time.sleep(_LOOK_S)
        self._audit()
        self._look()

    def _look(self) -> None:
        self.roles.look()
        self._show(self)
        self._shown_s = self.now_s

    def _audit(self) -> None:
        """Somebody with a group of their own reads all that the brokers hold of this day."""
        with Connection(self._cluster.backend.status().endpoint) as connection:
            AdminClient(connection).create_group(f"{_AUDITOR}-{self._topic}")
            client = MessageClient(connection)
            while found := client.receive(
                self._topic, f"{_AUDITOR}-{self._topic}", count=_AT_ONCE, wait_ms=_WAIT_MS, invisible_ms=_HIDDEN_MS
            ):
                self.in_queues.update(_order_of(one) for one in found)

    # --- what the clients saw

    @property
    def sent(self) -> list[Note]:
        """What the producer noted so far."""
        return self._notes("produce")

    @property
    def consumed(self) -> list[Note]:
        """What the consumer noted so far."""
        return self._notes("consume")

    def _file(self, role: str) -> Path:
        return self._cluster.folder / f"{self._topic}-{role}.txt"

    def _lines(self, role: str) -> list[str]:
        file = self._file(role)
        return file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []  # the last one may be half written

    def _notes(self, role: str) -> list[Note]:
        rows = (line.split() for line in self._lines(role))
        return [Note(int(at) / 1000 - self._began_ns / 1e9, int(order), outcome) for at, order, outcome in rows]

    def moment_of(self, second: float) -> float:
        """A second of the day as a moment of the machine's clock."""
        return self._began_s + second

    def second_of(self, monotonic_s: float) -> float:
        """A moment of the machine's clock, or of a trace, as one of the day."""
        return monotonic_s - self._began_s

    def trace_ms_of(self, second: float) -> int:
        """A second of the day by the traces' clock."""
        return int((self.moment_of(second) - self.roles.shift_s) * 1000)

    @property
    def longest_wait(self) -> tuple[float, float]:
        """Between two acknowledgements: (how long, from which second on)."""
        times = [note.at_s for note in self.sent if note.outcome == "done" and note.at_s >= 0]
        return max(((later - earlier, earlier) for earlier, later in pairwise(times)), default=(0.0, 0.0))

    def report(self) -> None:
        """What the clients saw, in numbers."""
        acknowledged = {note.order for note in self.sent if note.outcome == "done"}
        errors = [note for note in self.sent if note.outcome != "done"]
        waited_s, since_s = self.longest_wait
        waiting = acknowledged & set(self.in_queues) - {note.order for note in self.consumed}
        print(f"orders acknowledged {len(acknowledged)}, errors that the producer saw {len(errors)}")
        print(f"the longest time without an acknowledgement: {waited_s:.2f} s, from second {since_s:.2f} on")
        print(f"acknowledged, and not in the queues: {len(acknowledged - set(self.in_queues))}")
        print(f"in the queues more than once: {sum(count > 1 for count in self.in_queues.values())}")
        if waiting:
            print(f"not consumed yet: {len(waiting)} (handed out, perhaps to nobody: they come again, see lesson 3)")


def _order_of(received: Any) -> int:
    return int(bytes(received.message.body).split(b":")[0].split()[1])
