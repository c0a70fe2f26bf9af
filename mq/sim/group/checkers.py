"""What Raft promises about logs and leaders, one checker each; after every step they look at what that step changed.

Paper: Raft, figure 3, names the five properties; the rest follows from figure 2.
"""

from bisect import bisect_left
from collections.abc import Mapping

from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group
from mq.sim.group.watch import Checker, of_term

__all__ = [
    "CommittedForEver",
    "CommittedIsDurable",
    "ElectionSafety",
    "LeaderAppendOnly",
    "LeaderCompleteness",
    "LogMatching",
    "OwnTermCounts",
    "SnapshotsNameMembers",
    "StateMachineSafety",
]


def _entry(entry: Entry) -> str:
    body = entry.payload[:40].decode(errors="replace")
    return f"entry {entry.index} of term {entry.term} ({EntryKind(entry.kind).name.lower()} {body!r})"


class ElectionSafety(Checker):
    """Of a term's votes a majority can go to one node only."""

    promise = "in each term there is at most one leader"
    section = "Election Safety; Paper: Raft, section 5.2"

    def __init__(self) -> None:
        self.leaders: dict[int, int] = {}

    def moved(self, host: Host) -> None:
        """See `Checker`."""
        node = host.node
        if node is None or node.role is not Role.LEADER or (host.role is Role.LEADER and host.term == node.term):
            return
        first = self.leaders.setdefault(node.term, host.node_id)
        if first != host.node_id:
            self.fail(f"node {first} was leader of term {node.term}", f"node {host.node_id} is leader of term {node.term}, too")


class LeaderAppendOnly(Checker):
    """A leader is right by definition: its followers adapt to it."""

    promise = "a leader never overwrites or deletes entries of its own log, it only appends"
    section = "Leader Append-Only; Paper: Raft, section 5.3"

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def started(self, host: Host) -> None:
        """See `Checker`."""
        self._last[host.node_id] = host.log.last_index

    def appended(self, host: Host, group: Group) -> None:
        """See `Checker`."""
        last, node = self._last[host.node_id], host.node
        self._last[host.node_id] = host.log.last_index
        is_cut = group.reset is not None or (group.entries and group.after_index < last)
        if is_cut and node is not None and node.role is host.role is Role.LEADER and host.term == node.term:
            self.fail(
                f"node {host.node_id} leads term {node.term} and its log ended at {last}",
                f"it replaced what stood behind entry {group.after_index}",
            )


class LogMatching(Checker):
    """Held by induction: an entry is the same wherever it stands, and so is the term of the entry before it."""

    promise = "if two logs hold an entry with the same index and term, they are equal in all entries up to it"
    section = "Log Matching; Paper: Raft, section 5.3"

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[Entry, int, int]] = {}

    def appended(self, host: Host, group: Group) -> None:
        """See `Checker`."""
        if not group.entries:
            return
        before = host.log.term_at(LogIndex(group.after_index))
        if before is None:
            return  # it was compacted in the same step
        for entry in group.entries:
            known = self._known.setdefault((entry[0], entry[1]), (entry, before, host.node_id))
            if known[0] is not entry and known[0] != entry:
                self.fail(f"node {known[2]} has {_entry(known[0])}", f"node {host.node_id} has {_entry(entry)} there")
            if known[1] != before:
                self.fail(
                    f"before {_entry(entry)} node {known[2]} has one of term {known[1]}",
                    f"node {host.node_id} has one of term {before} before it",
                )
            before = entry[1]


class LeaderCompleteness(Checker):
    """By Log Matching it is enough to look at the last of them."""

    promise = "an entry that was committed in a term is in the logs of the leaders of all later terms"
    section = "Leader Completeness; Paper: Raft, section 5.4"

    def __init__(self) -> None:
        self._terms: list[int] = []
        self._last: list[tuple[int, int, int]] = []

    def committed(self, host: Host, before: int, index: int) -> None:  # noqa: ARG002  # see Checker
        """See `Checker`. Only a leader commits anything first."""
        newest = self._last[-1][0] if self._last else 0
        node, term = host.node, host.log.term_at(LogIndex(index))
        if node is None or term is None or index <= newest:
            return
        found = (index, term, host.node_id)
        if self._terms and node.term <= self._terms[-1]:
            self._last[-1] = found
        else:
            self._terms.append(node.term)
            self._last.append(found)

    def moved(self, host: Host) -> None:
        """See `Checker`."""
        node = host.node
        if node is None or node.role is not Role.LEADER or (host.role is Role.LEADER and host.term == node.term):
            return
        place = bisect_left(self._terms, node.term)
        if not place:
            return
        index, term, by = self._last[place - 1]
        if index >= host.log.first_index - 1 and host.log.term_at(LogIndex(index)) != term:
            self.fail(
                f"entry {index} of term {term} was committed in term {self._terms[place - 1]}, as node {by} knows",
                f"node {host.node_id} leads term {node.term} and has {of_term(host.log.term_at(LogIndex(index)))} there",
            )


class OwnTermCounts(Checker):
    """The rule that figure 8 is about."""

    promise = "a leader commits by counting copies only what is of its own term"
    section = "Paper: Raft, section 5.4.2 and figure 8"

    def committed(self, host: Host, before: int, index: int) -> None:
        """See `Checker`."""
        node = host.node
        if node is None or node.role is not Role.LEADER or index <= node.snapshot.last.index:
            return  # a snapshot that it was sent before it led is durable only now: what that stands for is committed
        term = host.log.term_at(LogIndex(index))
        if term is not None and term != node.term:
            self.fail(
                f"node {host.node_id} leads term {node.term}",
                f"it moved its commit index from {before} to {index}, where an entry of term {term} stands",
            )


class CommittedForEver(Checker):
    """All nodes agree, and go on agreeing, on what is committed."""

    promise = "where an entry is committed, no node ever holds another one to be committed"
    section = "State Machine Safety; Paper: Raft, section 5.4.3"

    def __init__(self) -> None:
        self._terms: dict[int, tuple[int, int]] = {}

    def committed(self, host: Host, before: int, index: int) -> None:
        """See `Checker`."""
        terms, log, node_id = self._terms, host.log, host.node_id
        for at in range(before + 1, index + 1):
            term = log.term_at(LogIndex(at))
            if term is None:
                continue  # it lies below a snapshot
            known = terms.setdefault(at, (term, node_id))
            if known[0] != term:
                self.fail(
                    f"node {known[1]} held entry {at} of term {known[0]} to be committed",
                    f"node {node_id} holds entry {at} of term {term} to be committed",
                )


class StateMachineSafety(Checker):
    """Compared entry by entry, and where a snapshot took their place by the checksum of the state."""

    promise = "no two nodes ever apply different commands for the same index"
    section = "State Machine Safety; Paper: Raft, section 5.4.3"

    def __init__(self) -> None:
        self.known: dict[int, tuple[Entry, int, int]] = {}

    def applied(self, host: Host, entry: Entry, checksum: int) -> None:
        """See `Checker`."""
        known = self.known.get(entry.index)
        if known is None:
            self.known[entry.index] = (entry, checksum, host.node_id)
        elif known[0] != entry:
            self.fail(f"node {known[2]} applied {_entry(known[0])}", f"node {host.node_id} applied {_entry(entry)}")
        elif known[1] != checksum:
            self.fail(
                f"behind entry {entry.index} the state of node {known[2]} has the checksum {known[1]:08x}",
                f"that of node {host.node_id} has {checksum:08x}: it missed some command, or took one twice",
            )

    def installed(self, host: Host, index: int, checksum: int) -> None:
        """See `Checker`."""
        known = self.known.get(index)
        if known is None:
            self.fail(f"node {host.node_id} installed a snapshot of entry {index}", "nobody has applied that entry")
        elif known[1] != checksum:
            self.fail(
                f"behind entry {index} the state of node {known[2]} has the checksum {known[1]:08x}",
                f"node {host.node_id} installed a snapshot of it with {checksum:08x}",
            )


class SnapshotsNameMembers(Checker):
    """Where the log is gone, the snapshot is all that is left to say who belongs to the group."""

    promise = "a snapshot stands for its entry, and names the members whom the entries up to it decided on"
    section = "Paper: Raft, section 7 (the latest configuration in the log as of last included index)"

    def __init__(self) -> None:
        self._known: list[tuple[int, Configuration]] = []

    def applied(self, host: Host, entry: Entry, checksum: int) -> None:  # noqa: ARG002  # see Checker
        """See `Checker`. Entries are applied in their order by whoever is first."""
        if entry.kind is EntryKind.CONFIGURATION and (not self._known or entry.index > self._known[-1][0]):
            self._known.append((entry.index, Configuration.from_bytes(entry.payload)))

    def has_snapshot(self, host: Host, snapshot: Snapshot, index: int) -> None:
        """See `Checker`."""
        at = snapshot.last.index
        if at != index:
            self.fail(f"node {host.node_id} has a snapshot of entry {at}", f"the state in it is the one behind entry {index}")
        known = (known for known in reversed(self._known) if known[0] <= at)
        since, members = next(known, (0, host.place.configuration))
        if snapshot.configuration != members:
            self.fail(
                f"behind entry {at} these are the members, since entry {since}: {members}",
                f"the snapshot of it that node {host.node_id} has names {snapshot.configuration}",
            )


class CommittedIsDurable(Checker):
    """Looked up on the simulated disks, not in anybody's memory."""

    promise = "what is committed is durable on a quorum of the members"
    section = "Paper: Raft, section 5.3 and figure 2 (persistent state); thesis, section 10.2.1"

    def __init__(self, hosts: Mapping[int, Host]) -> None:
        self._hosts, self._newest = hosts, 0

    def committed(self, host: Host, before: int, index: int) -> None:  # noqa: ARG002  # see Checker
        """See `Checker`. When it is first known; later a disk may lose more than any system can bear."""
        node, term = host.node, host.log.term_at(LogIndex(index))
        if index <= self._newest or node is None or term is None:
            return
        self._newest = index
        # The members who decided: a leader that commits a joint configuration leaves it in the same step. And they are counted
        # here: a node that is wrong about what a majority is would be right about its own mistake.
        members = host.deciding
        holders = [member for member in members.members if self._hosts[member].storage.durable.holds(index, term)]
        for voters in (members.voters, members.old_voters):
            if 2 * len({*voters} & {*holders}) > len(voters) or not voters:
                continue
            self.fail(
                f"node {host.node_id} holds entry {index} of term {term} to be committed",
                f"of the voters {list(voters)} only {[voter for voter in voters if voter in holders]} have it on their disks",
            )
