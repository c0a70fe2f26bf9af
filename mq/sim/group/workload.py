"""Clients of a group: they ask for commands and read, each one thing at a time, and keep to the rule of retries.

What was refused for certain may be tried again elsewhere; what may have happened never is: its command is given up, and the
next one is another. Paper: Raft, section 8.
"""

from dataclasses import dataclass
from random import Random

from mq.raft.errors import NotLeaderError
from mq.sim.group.agenda import Agenda
from mq.sim.group.host import Host
from mq.sim.group.trace import GroupTrace
from mq.sim.group.watch import Watch

__all__ = ["Client", "Common", "WorkloadOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOptions:
    """think_ms: about so long between two looks of a client. patience_ms: after it an outcome is unknown.

    batch_max: commands in one call. read_probability: of what is asked.
    """

    clients: int = 3
    think_ms: int = 60
    patience_ms: int = 1500
    batch_max: int = 1
    read_probability: float = 0.3


@dataclass(slots=True)
class Common:
    """What all clients share. floor: the newest entry that any of them knows to be committed."""

    agenda: Agenda
    trace: GroupTrace
    watch: Watch
    rng: Random
    options: WorkloadOptions
    hosts: dict[int, Host]
    floor: int = 0
    done: int = 0
    unknown: int = 0
    refused: int = 0
    reads: int = 0


class Client:
    """See the module. is_closing: it asks for nothing new. open: what it waits for, by request; a read has no body.

    served: how often it got what it wanted.
    """

    def __init__(self, name: str, common: Common) -> None:
        self.name, self.common = name, common
        self.is_closing = False
        self.open: dict[str, bytes] = {}
        self._floor = self._number = self._deadline_ms = self.served = 0
        self._again: tuple[bytes, ...] | None = None
        self._leader: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open, and nothing to be tried again."""
        return not self.open and self._again is None

    def act(self, _: object = None, __: object = None) -> None:
        """Look what is to be done, and look again later."""
        common = self.common
        think_ms = common.options.think_ms
        common.agenda.at(common.agenda.now_ms + think_ms // 2 + int(common.rng.random() * think_ms), self.act)
        if self.open:
            if common.agenda.now_ms >= self._deadline_ms:
                for request in list(self.open):
                    self.unknown(request)
        elif self._again is not None:
            self._ask(self._again)
        elif not self.is_closing:
            self.ask()

    def ask(self) -> None:
        """For something new."""
        common = self.common
        if common.rng.random() < common.options.read_probability:
            self.ask_for_a_read()
        else:
            self.ask_for_commands(1 + int(common.rng.random() * common.options.batch_max))

    def ask_for_a_read(self) -> None:
        """Until it is answered, or takes too long."""
        self._ask(())

    def ask_for_commands(self, count: int) -> None:
        """For new ones, until they are taken."""
        bodies = tuple(f"{self.name}-{self._number + number + 1}".encode() for number in range(count))
        self._number += count
        self._ask(bodies)

    def _ask(self, bodies: tuple[bytes, ...]) -> None:
        """bodies: empty for a read."""
        common = self.common
        self._again = bodies
        host = common.hosts.get(self._leader or 0)
        if host is None or not host.is_up:
            hosts = list(common.hosts.values())
            host = hosts[int(common.rng.random() * len(hosts))]
            self._leader = None
        if not host.is_up:
            return
        if bodies:
            requests = {body.decode(): body for body in bodies}
        else:
            self._number += 1
            requests = {f"{self.name}-{self._number}": b""}
        self.open, self._deadline_ms, self._again = requests, common.agenda.now_ms + common.options.patience_ms, None
        try:
            if bodies:
                host.propose(self, tuple(requests), bodies)
            else:
                self._floor = common.floor
                host.read(self, next(iter(requests)), common.floor)
        except NotLeaderError as error:
            common.refused += 1
            self.open, self._leader, self._again = {}, error.leader, bodies
        else:
            self._leader = host.node_id

    # --- what it is told

    def done(self, request: str, index: int, term: int) -> None:
        """See `Asker`."""
        body, common = self.open.pop(request, None), self.common
        if body is None:
            return  # it had given up
        common.done += 1
        self.served += 1
        common.floor = max(common.floor, index)
        common.trace.note((common.agenda.now_ms, 0, "done", request, index, term))
        for told in common.watch.done:
            told(body, index, term)

    def unknown(self, request: str) -> None:
        """See `Asker`."""
        if self.open.pop(request, None) is not None:
            self.common.unknown += 1
            self._leader = None
            self.common.trace.note((self.common.agenda.now_ms, 0, "unknown", request))

    def answered(self, request: str, index: int) -> None:
        """See `Asker`."""
        common = self.common
        if self.open.pop(request, None) is None:
            return
        common.reads += 1
        self.served += 1
        for told in common.watch.answered:
            told(request, self._floor, index)
        common.floor = max(common.floor, index)

    def lost(self, request: str) -> None:
        """See `Asker`. A read may always be asked again."""
        if self.open.pop(request, None) is not None:
            self._leader, self._again = None, ()
