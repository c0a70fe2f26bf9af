"""The verbs: what a hand can do with a group of nodes, its network and its disks.

    group = HandGroup((1, 2, 3))
    group.campaign(1)
    group.stabilize()
    group.propose(1, b"a")
    group.drop("1>3")
    group.stabilize()
    what_happened = group.take_lines()

Nothing happens by itself: a message stays on its way until it is delivered or dropped. Disks say yes at once, unless they are
told to wait.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import IllegalArgumentError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.messages import Message
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.role import Role
from mq.sim.hand.member import Member
from mq.sim.hand.words import kind_of, message_text

__all__ = ["Flight", "HandGroup"]

_STEPS_MAX = 2000
_TOLD_MAX = 12
"""So many messages are told where one that is not there is asked for."""


@dataclass(eq=False, slots=True)
class Flight:
    """A message on its way. is_held: only an explicit `deliver` moves it."""

    message: Message
    is_held: bool = False

    def is_at(self, way: str) -> bool:
        """Whether it goes that way: `1>2`, `1>*`, `*>2` or `*>*`."""
        sender, to = way.split(">")
        return sender in {"*", str(self.message.sender)} and to in {"*", str(self.message.to)}


@dataclass(slots=True)
class _Facts:
    """What may never contradict itself, however the group is moved."""

    applied: dict[int, Entry] = field(default_factory=dict)
    leaders: dict[int, int] = field(default_factory=dict)


class HandGroup:
    """members: by id. flights: messages on their way, the oldest first. raft_class: what the nodes are made of."""

    def __init__(
        self,
        voters: Sequence[int],
        learners: Sequence[int] = (),
        *,
        options: RaftOptions | None = None,
        raft_class: type[RaftNode] = RaftNode,
    ) -> None:
        self.configuration = Configuration(tuple(sorted(voters)), (), tuple(sorted(learners)))
        self.options, self.raft_class = options or RaftOptions(), raft_class
        self.members: dict[int, Member] = {}
        self.flights: list[Flight] = []
        self._cuts: set[tuple[int, int]] = set()
        self._lines: list[tuple[str, str, str]] = []
        self._facts = _Facts()
        self._reads = 0
        for node_id in self.configuration.members:
            self.add(node_id)

    def add(self, node_id: int) -> None:
        """A node that is no member yet: it knows the group's first members, and not more."""
        self.members[node_id] = Member(self, node_id, self.configuration)
        self.members[node_id].start(self.raft_class, self.options)

    def node(self, node_id: int) -> RaftNode:
        """The node itself. Raises: IllegalArgumentError while it is down."""
        node = self.member(node_id).node
        if node is None:
            raise IllegalArgumentError(f"node {node_id} is down")
        return node

    def member(self, node_id: int) -> Member:
        """Raises: IllegalArgumentError when there is none."""
        if node_id not in self.members:
            raise IllegalArgumentError(f"there is no node {node_id}")
        return self.members[node_id]

    def give_log(self, node_id: int, terms: Sequence[int], *, term: int | None = None, vote: int | None = None) -> None:
        """Start a node anew with a log of entries of these terms, all durable. term: its current one, or the last entry's."""
        member = Member(self, node_id, self.configuration)
        entries = [Entry(LogIndex(at), Term(of), EntryKind.COMMAND, b"") for at, of in enumerate(terms, 1)]
        current = term if term is not None else (terms[-1] if terms else 0)
        member.log.append(LogIndex(0), entries, HardState(Term(current), vote))
        member.log.synced(1)
        member.start(self.raft_class, self.options)
        self.members[node_id] = member

    # --- what is told

    def say(self, node_id: int | str, verb: str, text: str = "") -> None:
        """A line of the transcript: who, does, what."""
        self._lines.append((str(node_id), verb, text))

    def take_lines(self) -> list[str]:
        """What was told since the last time, in columns."""
        lines, self._lines = self._lines, []
        return [f"{who:<2} {verb:<14} {text}".rstrip() for who, verb, text in lines]

    # --- the node's verbs

    def _call(self, node_id: int, verb: str, *arguments: object) -> None:
        """Call a node's method; a refusal is told like everything else."""
        node = self.node(node_id)

        def carry(raft: RaftNode) -> Output:
            output: Output = getattr(raft, verb)(*arguments)
            return output

        try:
            self.members[node_id].call(carry)
        except (NotLeaderError, ChangeRefusedError) as refusal:
            self.say(node_id, "refuses", str(refusal))
        self._check_leaders(node_id, node)

    def campaign(self, node_id: int) -> None:
        """Its election time-out is over."""
        self._call(node_id, "campaign")

    def propose(self, node_id: int, *payloads: bytes) -> None:
        """Commands, together."""
        self._call(node_id, "propose", payloads)

    def read(self, node_id: int) -> None:
        """Ask for the state as it is now. Reads are numbered from 1."""
        self._reads += 1
        self._call(node_id, "read", self._reads)

    def tick(self, node_id: int, count: int = 1) -> None:
        """Time passes for one node."""
        for _ in range(count):
            self._call(node_id, "tick")

    def change(self, node_id: int, voters: Sequence[int], learners: Sequence[int] = ()) -> None:
        """Ask the leader for other members; nodes that are new are started."""
        for new in (*voters, *learners):
            if new not in self.members:
                self.add(new)
        self._call(node_id, "change_members", voters, learners)

    def transfer(self, node_id: int, to: int) -> None:
        """Ask the leader to hand over."""
        self._call(node_id, "transfer", to)

    def snapshot(self, node_id: int) -> None:
        """Take one of the state as it is; the log goes before it."""
        self.member(node_id).take_snapshot()

    # --- disks

    def save(self, node_id: int) -> None:
        """The disk says yes to the oldest write. Raises: IllegalArgumentError when none waits."""
        if not self.member(node_id).log.waiting:
            raise IllegalArgumentError(f"nothing of node {node_id} waits for its disk")
        self.save_all(node_id, 1)

    def save_all(self, node_id: int, count_max: int = _STEPS_MAX) -> None:
        """The disk says yes to all that waits, and to what comes of it, if anything does."""
        member, node = self.member(node_id), self.node(node_id)
        for _ in range(count_max):
            if not member.log.waiting:
                return
            member.save()
            node.check()
            self._check_leaders(node_id, node)

    def save_fails(self, node_id: int) -> None:
        """Its disk is full: nothing of what waits was saved."""
        self.member(node_id).fail_saves()

    def disk_fails(self, node_id: int) -> None:
        """Its disk cannot be trusted any more."""
        self.member(node_id).held.clear()
        self._call(node_id, "disk_failed")

    def crash(self, node_id: int, *, loses_unsaved: bool = False) -> None:
        """The process ends, or (loses_unsaved) the power; its messages are on their way."""
        self.member(node_id).crash(keeps_unsaved=not loses_unsaved)
        self.say(node_id, "crashes", "what was not saved is lost" if loses_unsaved else "")

    def restart(self, node_id: int) -> None:
        """From what is on its disk."""
        member = self.member(node_id)
        hard_state = member.log.hard_state
        vote = "no vote" if hard_state.vote is None else f"vote for {hard_state.vote}"
        self.say(node_id, "starts", f"term {hard_state.term}, {vote}, last entry {member.log.last_index}")
        member.start(self.raft_class, self.options)

    # --- the network

    def post(self, message: Message) -> None:
        """A node sends; the message is lost at once where the way is cut, or leads to nobody."""
        text = message_text(message)
        if (message.sender, message.to) in self._cuts or message.to not in self.members:
            self.say(message.sender, f"to {message.to}, lost", text)
        else:
            self.say(message.sender, f"sends to {message.to}", text)
            self.flights.append(Flight(message))

    def chosen(self, way: str, kind: str | None = None, which: str = "first") -> list[Flight]:
        """Messages on a way. which: "first", "last", "all", or a number from 1.

        Raises: IllegalArgumentError when there is none, but for "all".
        """
        found = [flight for flight in self.flights if flight.is_at(way) and kind in {None, kind_of(flight.message)}]
        place = {"first": slice(0, 1), "last": slice(-1, None), "all": slice(None)}.get(which)
        if place is None:
            place = slice(int(which) - 1, int(which))
        if not found[place] and which != "all":
            wanted = " ".join(filter(None, (way, kind, which)))
            raise IllegalArgumentError(f"no such message is on its way: {wanted}; {self._under_way()}")
        return found[place]

    def _under_way(self) -> str:
        """What is, for people."""
        if not self.flights:
            return "none is"
        ways = [f"{flight.message.sender}>{flight.message.to} {kind_of(flight.message)}" for flight in self.flights]
        more = f" and {len(ways) - _TOLD_MAX} more" if len(ways) > _TOLD_MAX else ""
        return f"there are {', '.join(ways[:_TOLD_MAX])}{more}"

    def deliver(self, way: str, kind: str | None = None, which: str = "first") -> None:
        """They arrive, in the order in which they were sent."""
        for flight in self.chosen(way, kind, which):
            self.flights.remove(flight)
            self._arrive(flight.message)

    def _arrive(self, message: Message) -> None:
        to = message.to
        node = self.members[to].node
        if node is None:
            self.say(to, f"is down, lost from {message.sender}", message_text(message))
            return
        self.say(to, f"hears from {message.sender}", message_text(message))
        self.members[to].call(lambda raft: raft.step(message))
        self._check_leaders(to, node)

    def drop(self, way: str, kind: str | None = None, which: str = "first") -> None:
        """They are lost."""
        for flight in self.chosen(way, kind, which):
            self.flights.remove(flight)
            self.say(flight.message.sender, f"to {flight.message.to}, lost", message_text(flight.message))

    def duplicate(self, way: str, kind: str | None = None, which: str = "first") -> None:
        """They will arrive twice."""
        for flight in self.chosen(way, kind, which):
            self.flights.insert(self.flights.index(flight), Flight(flight.message, flight.is_held))

    def hold(self, way: str, kind: str | None = None, which: str = "all") -> None:
        """They are late: `stabilize` leaves them where they are."""
        for flight in self.chosen(way, kind, which):
            flight.is_held = True

    def release(self, way: str, kind: str | None = None, which: str = "all") -> None:
        """They are like all others again."""
        for flight in self.chosen(way, kind, which):
            flight.is_held = False

    def cut(self, one: int, other: int, *, is_one_way: bool = False) -> None:
        """What they send each other is lost from now on, and what is on its way."""
        ways = {(one, other)} if is_one_way else {(one, other), (other, one)}
        self._cuts |= ways
        for flight in [flight for flight in self.flights if (flight.message.sender, flight.message.to) in ways]:
            self.flights.remove(flight)
            self.say(flight.message.sender, f"to {flight.message.to}, lost", message_text(flight.message))

    def isolate(self, node_id: int) -> None:
        """Cut a node from all others."""
        for other in self.members:
            if other != node_id:
                self.cut(node_id, other)

    def heal(self) -> None:
        """Nothing is cut any more."""
        self._cuts.clear()

    def stabilize(self, among: Iterable[int] = ()) -> None:
        """Deliver the oldest message again and again until none is on its way, among these nodes or all.

        Raises: StateError when that does not end.
        """
        nodes = set(among) or set(self.members)
        for _ in range(_STEPS_MAX):
            ready = (f for f in self.flights if not f.is_held and {f.message.sender, f.message.to} <= nodes)
            flight = next(ready, None)
            if flight is None:
                return
            self.flights.remove(flight)
            self._arrive(flight.message)
        raise StateError(f"after {_STEPS_MAX} messages there are still some on their way")

    # --- what must never happen

    def check_applied(self, node_id: int, entry: Entry) -> None:
        """Raises: StateError when another entry was applied there. Paper: Raft, figure 3, State Machine Safety."""
        first = self._facts.applied.setdefault(entry.index, entry)
        if first != entry:
            ours, theirs = EntryId(entry.term, entry.index), EntryId(first.term, first.index)
            raise StateError(
                f"node {node_id} applies entry {ours.index} of term {ours.term}; applied elsewhere: term {theirs.term}"
            )

    def _check_leaders(self, node_id: int, node: RaftNode) -> None:
        """Paper: Raft, figure 3, Election Safety."""
        if node.role is Role.LEADER:
            first = self._facts.leaders.setdefault(node.term, node_id)
            if first != node_id:
                raise StateError(f"term {node.term} has two leaders: node {first} and node {node_id}")
