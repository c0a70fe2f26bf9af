"""What is looked at after every step, whatever people and faults do; and the book of all entries that there ever were.

An entry is known by its index and its epoch. The book holds what stood before it, too: so a log's last entry tells all of it, and
what was acknowledged can be looked for in the log of whoever is the master at the end.
"""

from collections.abc import Callable, Iterator, Mapping

from mq.core.entry import Entry
from mq.core.ids import LogIndex
from mq.raft.messages import AppendRequest, Message
from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group
from mq.sim.group.watch import Checker
from mq.sim.replication.host import Replica

__all__ = ["AcknowledgedIsDurable", "Book", "HeldBeforeApplied", "OneMaster", "SentIsDurable"]


_LATELY_MS = 1_000


class OneMaster(Checker):
    """Two masters there may be, but each of an epoch of its own."""

    promise = "an epoch has one master"
    section = "mq.broker.replication.epochs"

    def __init__(self) -> None:
        self.masters: dict[int, int] = {}

    def moved(self, host: Host) -> None:
        """See `Checker`."""
        if host.node is not None and host.node.role is Role.LEADER:
            first = self.masters.setdefault(host.node.term, host.node_id)
            if first != host.node_id:
                self.fail(f"node {first} was the master of epoch {host.node.term}", f"node {host.node_id} is")


class Book(Checker):
    """Also the promise that logs of one epoch agree: then an entry is the same wherever it stands, and so is all before it."""

    promise = "two logs that hold the same entry of an epoch are equal up to it"
    section = "mq.broker.replication.master_slave: a master sends only what is durable with it"

    def __init__(self) -> None:
        self._entries: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._known: set[tuple[int, int]] = set()  # to others, or to a state: nobody may put anything else there

    def leaves(self, host: Host, message: Message) -> None:  # noqa: ARG002  # see Checker
        """See `Checker`."""
        if isinstance(message, AppendRequest):
            self._known.update((entry.index, entry.term) for entry in message.entries)

    def applied(self, host: Host, entry: Entry, checksum: int) -> None:  # noqa: ARG002  # see Checker
        """See `Checker`."""
        self._known.add((entry.index, entry.term))

    def appended(self, host: Host, group: Group) -> None:
        """See `Checker`."""
        before = host.log.term_at(LogIndex(group.after_index)) if group.entries else None
        if before is None:
            return
        for entry in group.entries:
            at, now = (entry.index, entry.term), (entry.payload, before)
            known = self._entries.setdefault(at, now) if at in self._known else now
            self._entries[at] = now
            if known != now:
                self.fail(
                    f"entry {entry.index} of epoch {entry.term} was {known[0]!r} behind one of epoch {known[1]}",
                    f"on node {host.node_id} it is {entry.payload!r} behind one of epoch {before}",
                )
            before = entry.term

    def bodies(self, index: int, epoch: int) -> Iterator[bytes]:
        """Of all entries of the log that ends with this one, the last first."""
        while index > 0:
            body, before = self._entries[index, epoch]
            yield body
            index, epoch = index - 1, before


class HeldBeforeApplied(Checker):
    """Nothing is applied that a crash could take away again."""

    promise = "a node applies only what is on its own disk"
    section = "mq.raft.state: apply_to"

    def applied(self, host: Host, entry: Entry, checksum: int) -> None:  # noqa: ARG002  # see Checker
        """See `Checker`."""
        if not host.storage.durable.holds(entry.index, entry.term):
            self.fail(f"node {host.node_id} applies entry {entry.index} of epoch {entry.term}", "its disk does not hold it")


class SentIsDurable(Checker):
    """A master that starts again goes on in its epoch: it would put other entries where it had sent what it had not saved."""

    promise = "a master sends only what is on its own disk"
    section = "mq.broker.replication.master_slave: _feed"

    def leaves(self, host: Host, message: Message) -> None:
        """See `Checker`."""
        if isinstance(message, AppendRequest) and message.entries:
            last = message.entries[-1]
            if not host.storage.durable.holds(last.index, last.term):
                self.fail(f"node {host.node_id} sends entry {last.index} of epoch {last.term}", "its disk does not hold it")


class AcknowledgedIsDurable(Checker):
    """What a client was told is stored where the way of copying says. copies: on how many nodes, at least, at that moment."""

    promise = "what is acknowledged is durable at the master, and with synchronous copy at a slave, too"
    section = "mq.broker.replication.master_slave: Copy"

    def __init__(self, hosts: Mapping[int, Replica], *, is_sync: bool, is_excused: Callable[[int], bool]) -> None:
        self._hosts, self._copies, self._is_excused = hosts, 2 if is_sync else 1, is_excused
        self.done_bodies: list[bytes] = []
        self.by_epoch: dict[int, int] = {}

    def done(self, body: bytes, index: int, term: int) -> None:
        """See `Checker`."""
        self.done_bodies.append(body)
        self.by_epoch[term] = self.by_epoch.get(term, 0) + 1
        holders = [node for node, host in self._hosts.items() if host.storage.durable.holds(index, term)]
        wanted = 1 if self._is_excused(term) else self._copies
        since_ms = min(host.agenda.now_ms - host.lost_ms if host.lost_ms >= 0 else _LATELY_MS for host in self._hosts.values())
        if len(holders) < wanted and since_ms >= _LATELY_MS:  # a disk may be lost on the way from its answer to the client
            self.fail(f"entry {index} of epoch {term} was acknowledged", f"on disks it is at nodes {holders or 'none'}")
