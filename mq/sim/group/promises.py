"""What nodes promise each other and their clients, one checker each: votes, acknowledgements, reads, histories."""

from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex
from mq.raft.messages import AppendReply, Message, SnapshotReply, VoteReply, VoteRequest
from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group
from mq.sim.group.watch import Checker, of_term

__all__ = [
    "AcknowledgedIsKept",
    "DamagedIsSilent",
    "History",
    "MonotoneTerms",
    "OneVoteEachTerm",
    "PromisesAfterSaves",
    "ReadsAreFresh",
]


class MonotoneTerms(Checker):
    """Time, for Raft, is a number that only rises."""

    promise = "terms and commit indexes never fall, and a vote changes only with the term"
    section = "Paper: Raft, section 5.1 and figure 2"

    def __init__(self) -> None:
        self._spoken: dict[int, int] = {}

    def started(self, host: Host) -> None:
        """See `Checker`."""
        spoken, node = self._spoken.get(host.node_id, 0), host.node
        if node is not None and node.term < spoken and not host.storage.is_damaged:  # then it says nothing any more
            self.fail(f"node {host.node_id} had sent a message of term {spoken}", f"it started again in term {node.term}")

    def moved(self, host: Host) -> None:
        """See `Checker`."""
        node = host.node
        if node is None:
            return
        if node.term < host.term:
            self.fail(f"node {host.node_id} was in term {host.term}", f"it is in term {node.term} now")
        if node.term == host.term and host.vote is not None and node.vote != host.vote:
            self.fail(
                f"node {host.node_id} gave its vote of term {node.term} to node {host.vote}",
                f"its vote of that term is {node.vote} now",
            )
        if node.commit_index < host.commit_index and not host.is_taking_back:
            self.fail(
                f"node {host.node_id} held entry {host.commit_index} to be committed",
                f"its commit index is {node.commit_index} now",
            )

    def leaves(self, host: Host, message: Message) -> None:
        """See `Checker`. Pre-votes speak of a term that nobody is in."""
        term = message[2]
        if term > self._spoken.get(host.node_id, 0) and not getattr(message, "is_pre_vote", False):
            self._spoken[host.node_id] = term


class OneVoteEachTerm(Checker):
    """As others see it, over all crashes."""

    promise = "a node votes for at most one candidate in a term"
    section = "Paper: Raft, section 5.2"

    def __init__(self) -> None:
        self._votes: dict[tuple[int, int], int] = {}

    def leaves(self, host: Host, message: Message) -> None:
        """See `Checker`."""
        if isinstance(message, VoteRequest):
            if not message.is_pre_vote:
                self._vote(host.node_id, message.term, message.sender)
        elif isinstance(message, VoteReply) and message.is_granted and not message.is_pre_vote:
            self._vote(host.node_id, message.term, message.to)

    def _vote(self, voter: int, term: int, candidate: int) -> None:
        first = self._votes.setdefault((voter, term), candidate)
        if first != candidate:
            self.fail(f"node {voter} voted for node {first} in term {term}", f"it voted for node {candidate} in term {term}, too")


class PromisesAfterSaves(Checker):
    """Each message is held against the sender's disk at the moment when it leaves."""

    promise = "nothing is promised before it is durable: a term, a vote, a candidate's log, an acknowledged entry"
    section = 'Paper: Raft, figure 2 ("updated on stable storage before responding to RPCs")'

    def leaves(self, host: Host, message: Message) -> None:
        """See `Checker`."""
        durable = host.storage.durable
        if message[2] > durable.hard_state.term:
            if not getattr(message, "is_pre_vote", False):
                self.fail(
                    f"node {host.node_id} sends a message of term {message.term}: {message}",
                    f"the term on its disk is {durable.hard_state.term}",
                )
        elif isinstance(message, AppendReply):
            if message.is_matching:
                self._check_acknowledged(host, message)
        elif isinstance(message, VoteRequest | VoteReply) and not message.is_pre_vote:
            self._check_vote(host, message)
        elif (
            isinstance(message, SnapshotReply)
            and message.is_installed
            and not durable.holds(message.last.index, message.last.term)
        ):
            self.fail(
                f"node {host.node_id} says that it has what the snapshot of {message.last} stands for",
                f"its disk does not hold that entry: it ends at {durable.last_index}",
            )

    def _check_vote(self, host: Host, message: VoteRequest | VoteReply) -> None:
        """Of this term, or of an earlier one that it was in when it decided: the disk was told of that vote."""
        durable, is_of_now = host.storage.durable, message.term == host.storage.durable.hard_state.term
        if isinstance(message, VoteRequest):
            candidate = message.sender
            # Else its log may have changed since: it followed that term's leader, who gave it a better one.
            is_candidate = host.node is not None and host.node.role is Role.CANDIDATE and host.node.term == message.term
            # Or a snapshot took its place, which stands for an entry that it lacked: who has that entry votes for no such log.
            is_candidate = is_candidate and not 0 < host.installed_index == host.log.last_index
            if is_of_now and is_candidate and not durable.holds(message.last.index, message.last.term):
                self.fail(
                    f"node {host.node_id} asks for votes for a log that ends with {message.last}",
                    f"its disk does not hold that entry, but {durable.last_index} entries",
                )
        elif message.is_granted:
            candidate = message.to
        else:
            return
        if (message.term, candidate) not in durable.votes:
            self.fail(
                f"node {host.node_id} votes for node {candidate} in term {message.term}",
                f"that was never on its disk, which holds term {durable.hard_state.term}, vote {durable.hard_state.vote}",
            )

    def _check_acknowledged(self, host: Host, message: AppendReply) -> None:
        """Within a term a follower's log only grows, once it agrees. What it said of an earlier term was true once.

        Or a snapshot took its place: what an answer says that waited for the disk meanwhile stands in that, on the disk.
        """
        durable, index = host.storage.durable, message.match_index
        if index > durable.end:
            self.fail(
                f"node {host.node_id} acknowledges entries up to {index} to node {message.to} in term {message.term}",
                f"since its start no more than {durable.end} entries were on its disk",
            )
        term = host.log.term_at(LogIndex(index))
        is_in_log = index < durable.base.index or (durable.term_at(index) is not None and durable.term_at(index) == term)
        is_kept, node = is_in_log or index <= host.snapshot_index, host.node
        if not is_kept and node is not None and node.term == message.term:
            self.fail(
                f"node {host.node_id} acknowledges entries up to {index} to node {message.to} in term {message.term}",
                f"its disk holds {of_term(durable.term_at(index))} at {index}, its memory {of_term(term)}",
            )


class AcknowledgedIsKept(Checker):
    """A late message, or a snapshot that is older than the log, must not take away what a leader counts on."""

    promise = "what a follower has acknowledged in a term it keeps at least as long as that term lasts"
    section = "Paper: Raft, section 5.3, and figure 13, rule 6"

    def __init__(self) -> None:
        self._acknowledged: dict[int, tuple[int, int]] = {}

    def leaves(self, host: Host, message: Message) -> None:
        """See `Checker`."""
        if isinstance(message, AppendReply) and message.is_matching:
            known = self._acknowledged.get(host.node_id, (0, 0))
            self._acknowledged[host.node_id] = max(known, (message.term, message.match_index))

    def appended(self, host: Host, group: Group) -> None:
        """See `Checker`."""
        term, index = self._acknowledged.get(host.node_id, (0, 0))
        is_cut = group.after_index < index and (group.reset is not None or group.entries)
        if is_cut and host.node is not None and host.node.term == term:
            self.fail(
                f"node {host.node_id} acknowledged entries up to {index} in term {term}",
                f"in the same term it takes out of its log what stands behind {group.after_index}",
            )


class DamagedIsSilent(Checker):
    """It may have promised things that it cannot know any more."""

    promise = "a node whose log is damaged below its durable end neither votes nor acknowledges anything"
    section = "docs/decisions; Paper: Raft, section 5.1 (no promise may be forgotten)"

    def leaves(self, host: Host, message: Message) -> None:
        """See `Checker`."""
        if host.storage.is_damaged:
            self.fail(f"the log of node {host.node_id} is damaged", f"it sends {message}")


class ReadsAreFresh(Checker):
    """Held against what any client knew when the read was asked for."""

    promise = "a read is never stale: it shows everything that was acknowledged before it was asked"
    section = "Paper: Raft, section 8; thesis, section 6.4"

    def answered(self, request: str, floor: int, index: int) -> None:
        """See `Checker`."""
        if index < floor:
            self.fail(
                f"entry {floor} had been acknowledged, or shown by a read, before read {request} was asked",
                f"read {request} was answered with the state behind entry {index}",
            )


class History(Checker):
    """What clients can know, held against what was applied."""

    promise = "nothing acknowledged is lost, nothing is invented, and nothing is applied twice"
    section = "Paper: Raft, section 8 (linearizable semantics)"

    def __init__(self) -> None:
        self._proposed: set[bytes] = set()
        self._places: dict[bytes, int] = {}
        self._done: dict[bytes, int] = {}

    def proposes(self, body: bytes) -> None:
        """See `Checker`."""
        self._proposed.add(body)

    def applied(self, host: Host, entry: Entry, checksum: int) -> None:  # noqa: ARG002  # see Checker
        """See `Checker`."""
        if entry.kind is not EntryKind.COMMAND:
            return
        place = self._places.get(entry.payload)
        if place is None:
            self._places[entry.payload] = entry.index
            if entry.payload not in self._proposed:
                self.fail(f"node {host.node_id} applied {entry.payload!r} at {entry.index}", "no client ever asked for that")
        elif place != entry.index:
            self.fail(f"command {entry.payload!r} was applied at {place}", f"it was applied at {entry.index}, too")

    def done(self, body: bytes, index: int, term: int) -> None:
        """See `Checker`."""
        self._done[body] = index
        if self._places.get(body) != index:
            self.fail(
                f"a client was told that {body!r} is committed at {index} in term {term}",
                f"it was applied at {self._places.get(body)}",
            )

    def ends(self, hosts: tuple[Host, ...]) -> None:
        """See `Checker`. Every node that is there holds all of it."""
        last = max(self._done.values(), default=0)
        for host in hosts:
            if host.applied < last and host.node is not None and host.node.role is not Role.MUTE:
                self.fail(f"entry {last} was acknowledged", f"in the end node {host.node_id} has applied only {host.applied}")
