"""What a group that is moved by hand promises, looked up after each command.

What a promise is called here, and where it stands, goes with the sentence that a schedule ends with: so a report can show the two
facts that conflict.
"""

from typing import Any, NamedTuple, Protocol

from mq.core.entry import Entry, HardState
from mq.core.errors import StateError
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from mq.sim.hand.hand_log import HandLog
from mq.sim.hand.member import Member

__all__ = ["Promise", "Shown", "Watch", "WatchError"]


class Promise(NamedTuple):
    """text: in one sentence; section: where it stands."""

    text: str
    section: str


MATCHING = Promise("if two logs hold an entry with the same index and term, they are equal up to it", "Paper: Raft, figure 3")
COMPLETE = Promise("what was committed is in the logs of all later leaders", "Paper: Raft, figure 3")
COMMITTED = Promise("where an entry is committed, no node ever takes another one for committed", "Paper: Raft, section 5.4")
DURABLE = Promise("what is committed is durable on a quorum of the members", "Paper: Raft, section 5.3")
RISING = Promise("terms and commit indexes never fall, and a vote changes only with the term", "Paper: Raft, section 5.1")
KEPT = Promise("a vote that is on a disk stays there as long as its term lasts", "Paper: Raft, figure 2")
FRESH = Promise("a read shows everything that was committed before it was asked", "Paper: Raft, section 8")
ANSWERED = Promise("who asks for a read is told, or told to ask again", "Paper: Raft, section 8")


class WatchError(StateError):
    """A broken promise. expected, found: the two facts that conflict. Its text is one sentence that says all of it."""

    def __init__(self, text: str, promise: Promise, expected: str, found: str) -> None:
        super().__init__(text)
        self.promise, self.expected, self.found = promise, expected, found


class Shown(Protocol):
    """What is looked at of a node: `mq.raft.view.NodeView` has it, and so has what comes out of a student's process."""

    @property
    def node_id(self) -> int: ...
    @property
    def role(self) -> Role: ...
    @property
    def term(self) -> Term: ...
    @property
    def vote(self) -> int | None: ...
    @property
    def commit_index(self) -> LogIndex: ...
    @property
    def apply_to(self) -> LogIndex: ...
    @property
    def configuration(self) -> Configuration: ...


class Watch:
    """What a group promises, looked up after each command.

    committed: by index, (entry, term of the node that knew it first). known: by (index, term), the entry and the term before it.
    last_views: of each node that is up. floors: by read, how much
    was committed when it was asked. over: reads that were answered or given back.
    votes: by node, its log, and term and vote as they were last on its disk.
    """

    def __init__(self) -> None:
        self.committed: dict[int, tuple[Entry, int]] = {}
        self.known: dict[tuple[int, int], tuple[Entry, int | None]] = {}
        self.last_views: dict[int, tuple[Any, Shown]] = {}
        self.votes: dict[int, tuple[HandLog, HardState]] = {}
        self.floors: list[int] = []
        self.over: set[int] = set()

    def look(self, group: HandGroup) -> None:
        """Raises: WatchError when a promise is broken."""
        up = [(member, member.node) for member in group.members.values() if member.node is not None]
        for member in group.members.values():
            self._check_log(member)
        for member, node in up:
            view = node.view()
            self._check_rising(node, view)
            self._check_commit(group, member, view)
        for member, node in up:
            if node.role is Role.LEADER:
                self._check_complete(member, node.view())
        for member in group.members.values():
            self._check_vote_on_disk(member.node_id, member.log)

    def _check_rising(self, node: Any, view: Shown) -> None:
        """Terms and what is to be applied only rise, while a node lives; its vote changes with its term only."""
        before_node, before = self.last_views.get(view.node_id, (None, view))
        self.last_views[view.node_id] = (node, view)
        if before_node is not node or Role.MUTE in {view.role, before.role}:
            return
        if view.term < before.term or view.apply_to < before.apply_to:
            was = f"term {before.term}, {before.apply_to} committed entries"
            now = f"it is in term {view.term}, with {view.apply_to} committed entries"
            raise WatchError(f"node {view.node_id} went back from {was}", RISING, f"node {view.node_id} was in {was}", now)
        if view.term == before.term and before.vote not in {None, view.vote}:
            text = f"node {view.node_id} voted for {before.vote} and changed its mind in term {view.term}"
            was = f"node {view.node_id} voted for {before.vote} in term {view.term}"
            raise WatchError(text, RISING, was, f"in the same term its vote is {view.vote or 'nobody'}")

    def _check_vote_on_disk(self, node_id: int, log: HandLog) -> None:
        """No later write takes a vote away: neither entries nor a log that begins anew behind a snapshot."""
        if log.waiting:
            return  # what is newest is not on the disk yet
        of, before = self.votes.get(node_id, (log, log.hard_state))
        now = log.hard_state
        self.votes[node_id] = (log, now)
        if of is log and now.term == before.term and before.vote not in {None, now.vote}:
            was = f"the disk of node {node_id} held its vote for {before.vote} in term {before.term}"
            found = f"in the same term it holds {'no vote' if now.vote is None else f'one for {now.vote}'}"
            raise WatchError(f"{was}; {found}", KEPT, was, found)

    def _check_log(self, member: Member) -> None:
        """Log matching: an entry of an index and a term is the same everywhere, and so is the term before it."""
        log = member.log
        for entry in log.entries(log.first_index, log.last_index):
            found = (entry, log.term_at(entry.index - 1))  # type: ignore[arg-type]
            first = self.known.setdefault((entry.index, entry.term), found)
            if first != found:
                text = f"two logs differ at or before entry {entry.index} of term {entry.term}"
                expected = f"entry {entry.index} of term {entry.term} was {_told(first)}"
                raise WatchError(text, MATCHING, expected, f"in the log of node {member.node_id} it is {_told(found)}")

    def _check_commit(self, group: HandGroup, member: Member, view: Shown) -> None:
        """What is known to be committed is the same everywhere, and durable on a quorum."""
        log = member.log
        for entry in log.entries(log.first_index, view.commit_index):
            is_new = entry.index not in self.committed
            first, _ = self.committed.setdefault(entry.index, (entry, view.term))
            if first != entry:
                place = f"entry {entry.index} of term {entry.term}"
                takes = f"node {view.node_id} takes {place} for committed"
                was = f"entry {entry.index} was committed, and was of term {first.term}"
                raise WatchError(f"{takes}; it was of term {first.term}", COMMITTED, was, takes)
            if is_new and entry.index == view.commit_index and view.role is Role.LEADER:
                self._check_quorum(group, view, entry)

    def _check_quorum(self, group: HandGroup, view: Shown, entry: Entry) -> None:
        def has(node_id: int) -> bool:
            log = group.members[node_id].log
            index = entry.index
            return log.durable_index >= index and (log.first_index > index + 1 or log.term_at(index) == entry.term)

        plain = Configuration(*view.configuration)
        if not plain.has_quorum(has):
            place = f"entry {entry.index} of term {entry.term}"
            holders = [str(node_id) for node_id in plain.members if has(node_id)]
            found = f"it is on the disks of {' and '.join(holders) or 'none'} of {', '.join(map(str, plain.members))}"
            says = f"node {view.node_id} says that {place} is committed"
            raise WatchError(f"{place} is committed, and no quorum has it on disk", DURABLE, says, found)

    def _check_complete(self, member: Member, view: Shown) -> None:
        """A leader has what was committed in earlier terms."""
        for index, (entry, term) in self.committed.items():
            if term < view.term and index >= member.log.first_index and member.log.entries(index, index) != (entry,):
                text = f"node {view.node_id} leads term {view.term} without entry {index}, committed in term {term}"
                was = f"entry {index} of term {entry.term} was committed in term {term}"
                raise WatchError(text, COMPLETE, was, f"node {view.node_id} leads term {view.term} without it")

    # --- reads

    def check_told(self, number: int) -> None:
        """Raises: WatchError when whoever asked for this read still waits."""
        if number not in self.over:
            text = f"read {number} is neither answered nor given back"
            raise WatchError(text, ANSWERED, f"read {number} is over", "it is neither answered nor given back")

    def asked(self) -> None:
        """A read is asked; it is given the next number."""
        self.floors.append(max(self.committed, default=0))

    def told(self, lines: list[str]) -> None:
        """Raises: WatchError when a read was answered with a state that was old when it was asked."""
        for line in lines:
            _, *words = line.split()
            if words[:2] in (["answers", "read"], ["drops", "read"]):
                self.over.add(int(words[2].rstrip(",")))
            if words[:2] == ["answers", "read"]:
                number, index = int(words[2]), int(words[5].rstrip(":"))
                floor = self.floors[number - 1]
                if index < floor:
                    text = f"read {number} sees {index} entries; {floor} were committed before it"
                    were = f"{floor} entries were committed before read {number} was asked"
                    raise WatchError(text, FRESH, were, f"it sees {index}")


def _told(found: tuple[Entry, int | None]) -> str:
    entry, before = found
    return f"a {entry.kind.name.lower()} {entry.payload!r} behind one of term {before}"
