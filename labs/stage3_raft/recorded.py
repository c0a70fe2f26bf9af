"""A group that is moved by hand and keeps a trace of itself, so that it can be drawn: `mq.sim.hand` tells, this one notes, too.

Nothing is asked of a node for it but what it shows anyway. Time has no meaning here: each thing that is done takes 10 ms.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mq.raft.messages import AppendRequest, Message, SnapshotRequest, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.role import Role
from mq.sim.group.trace import GroupTrace
from mq.sim.hand.group import HandGroup
from mq.sim.hand.hand_log import Waiting
from mq.sim.hand.member import Member
from mq.sim.hand.script import Script
from mq.sim.hand.words import message_text
from mq.sim.trace import Event

__all__ = ["STEP_MS", "RecordedGroup", "RecordedScript"]

STEP_MS = 10
_COULD_NOT_SAVE = "could not save #"
_OF_A_SNAPSHOT = ("saves snapshot", "has snapshot", "has all parts")
"""How it is told that one is on the disk."""


class _Look(NamedTuple):
    """What was noted of a node. written, saved: numbers of the last append that was noted, and of the last durable one.

    first: index at which its log begins.
    """

    role: Role
    term: int
    leader: int | None
    vote: int | None
    commit_index: int
    written: int
    saved: int
    first: int


class RecordedGroup(HandGroup):
    """trace: what happened so far, in the events of `mq.sim.group.events`. lone: a node whose others a test plays; 0 for none."""

    def __init__(
        self,
        voters: Sequence[int],
        learners: Sequence[int] = (),
        *,
        options: RaftOptions | None = None,
        raft_class: type[RaftNode] = RaftNode,
        lone: int = 0,
    ) -> None:
        self.trace, self.lone = GroupTrace(), lone
        self._at_ms = self._messages = 0
        self._is_begun = False
        self._arriving: list[Message] = []
        self._times: list[int] = []
        self._looks: dict[int, _Look] = {}
        self._numbers: dict[int, tuple[int, Message]] = {}
        self._played: dict[int, tuple[str, int]] = {}
        super().__init__(voters, learners, options=options, raft_class=raft_class)

    # --- noting

    def _note(self, node_id: int, *what: Any) -> None:
        if not self._is_begun:
            self._is_begun, self._at_ms = True, STEP_MS
        self.trace.note((self._at_ms, node_id, *what))

    def put(self, member: Member) -> None:
        """Another host takes the place of a node's, before anything happened. It was given its log with one append, if any."""
        self.members[member.node_id] = member
        self._started(member, 1 if member.log.last_index else 0)

    def go_on(self) -> None:
        """The next thing is done."""
        self.settle()
        self._at_ms += STEP_MS if self._is_begun else 0

    def settle(self) -> None:
        """All that was done is noted: call it before the trace is read."""
        for node_id in self._looks:
            self._look(node_id)
        for message in self._arriving:
            self._received(message)
        self._arriving.clear()

    def _started(self, member: Member, written: int) -> None:
        """It stands there as its disk has it; what it was given to begin with is no event before that.

        written: appends so far.
        """
        node, log, node_id = member.node, member.log, member.node_id
        if node is None or self.lone not in {0, node_id}:
            return
        if not self._is_begun:
            self.trace.rows[:] = [row for row in self.trace.rows if row[1] != node_id]
        hard_state, first, last = log.hard_state, log.first_index, log.last_index
        vote = hard_state.vote
        row = (hard_state.term, vote, first, last, log.term_at(last) or 0, first - 1, self.configuration.members)
        self.trace.note((self._at_ms, node_id, "start", *row))
        self._looks[node_id] = _Look(
            Role.FOLLOWER, hard_state.term, None, vote, max(node.commit_index, first - 1), written, written, first
        )
        entries = log.entries(first, last)
        if entries and not self._is_begun:  # so that a picture has the terms of all of them
            self.trace.note((0, node_id, "append", first - 1, entries, written))
            self.trace.note((0, node_id, "save", written, hard_state.term, vote, last))

    def _look(self, node_id: int) -> None:
        """Notes what is new of a node."""
        member, was = self.members.get(node_id), self._looks.get(node_id)
        node = member.node if member is not None else None
        if member is None or node is None or was is None:
            return
        now = self._seen(member, node, was)
        self._looks[node_id] = now  # before the disk is looked at: it is noted once
        if (now.role, now.term, now.leader) != (was.role, was.term, was.leader):
            self._note(node_id, "role", str(now.role), now.term, now.leader)
        for waiting in member.log.waiting:
            if waiting.sequence > was.written:
                self._note_append(node_id, waiting, member)
        if now.vote is not None and (now.term, now.vote) != (was.term, was.vote):
            self._note(node_id, "vote", now.term, now.vote)
        if now.saved > was.saved:
            kept = member.log.hard_state
            self._note(node_id, "save", now.saved, kept.term, kept.vote, member.log.durable_index)
        if now.first > was.first and not any(waiting.is_reset for waiting in member.log.waiting):
            self._note(node_id, "forget", now.first)
        if now.commit_index > was.commit_index:
            self._note(node_id, "commit", now.commit_index, now.term)

    @staticmethod
    def _seen(member: Member, node: RaftNode, was: _Look) -> _Look:
        waiting = member.log.waiting
        written = max([was.written, *(each.sequence for each in waiting)])
        saved = max(was.saved, waiting[0].sequence - 1 if waiting else written)
        first = member.log.first_index
        return _Look(node.role, node.term, node.leader, node.vote, node.commit_index, written, saved, first)

    def _note_append(self, node_id: int, waiting: Waiting, member: Member) -> None:
        if waiting.is_reset and waiting.after is not None:
            self._note(node_id, "install", waiting.after, member.log.term_at(waiting.after) or 0)
        elif waiting.entries:
            self._note(node_id, "append", waiting.entries[0].index - 1, waiting.entries, waiting.sequence)
        else:
            self._note(node_id, "append", member.log.last_index, (), waiting.sequence)

    # --- what is told is noted, too

    def take_lines(self) -> list[str]:
        """See `HandGroup`. What was done is over with that."""
        self.go_on()
        self._times.clear()
        return super().take_lines()

    def told_of(self, node_id: int, verb: str) -> list[str]:
        """The texts behind that verb, since lines were taken."""
        return [text for who, what, text in self._lines if (who, what) == (str(node_id), verb)]

    def wait(self, node_id: int, ticks: int) -> None:
        """Time passes for one node, and that is told: where nothing comes of it nobody would know."""
        self._is_begun = True
        self._times.append(self._at_ms + STEP_MS)  # when the first of them passes
        super().say(node_id, "waits", f"{ticks} tick{'s' if ticks > 1 else ''}")
        self.tick(node_id, ticks)

    def timed_lines(self) -> list[str]:
        """The same, each behind its time."""
        told = [
            f"{at_ms} ms, n{who}: {verb:<14} {text}".rstrip()
            for at_ms, (who, verb, text) in zip(self._times, self._lines, strict=True)
        ]
        self.take_lines()
        return told

    def say(self, node_id: int | str, verb: str, text: str = "") -> None:
        """See `HandGroup`."""
        if isinstance(node_id, int):
            self._look(node_id)
            if verb.startswith(_COULD_NOT_SAVE):
                number, was = int(verb.removeprefix(_COULD_NOT_SAVE)), self._looks[node_id]
                self._note(node_id, "save-failed", number, 1)
                self._looks[node_id] = was._replace(saved=max(was.saved, number))  # it waits no more, and is not saved
            elif verb in _OF_A_SNAPSHOT:
                snapshot = self.members[node_id].snapshot
                last = (0, 0) if snapshot is None else (snapshot.last.index, snapshot.last.term)
                self._note(node_id, "snapshot", *last)
        self._times.append(self._at_ms or STEP_MS)
        super().say(node_id, verb, text)

    def post(self, message: Message) -> None:
        """See `HandGroup`."""
        self._look(message.sender)
        number = self._sent(message)
        count = len(self.flights)
        super().post(message)
        if len(self.flights) == count:
            self._note(0, "lose", number, "cut")
        elif self.lone:
            self._arriving.append(message)

    def _sent(self, message: Message) -> int:
        self._messages += 1
        self._numbers[id(message)] = (self._messages, message)  # it is kept, so that no other one gets its place in memory
        self._note(message.sender, "send", self._messages, message)
        return self._messages

    def _received(self, message: Message) -> None:
        number, _ = self._numbers.get(id(message)) or (self._sent(message), message)
        self._note(message.to, "receive", number, message)

    # --- what is done

    def add(self, node_id: int) -> None:
        """See `HandGroup`."""
        super().add(node_id)
        self._started(self.members[node_id], 0)

    def give_log(self, node_id: int, terms: Sequence[int], *, term: int | None = None, vote: int | None = None) -> None:
        """See `HandGroup`."""
        super().give_log(node_id, terms, term=term, vote=vote)
        self._started(self.members[node_id], 1)

    def hear(self, to: int, message: Message) -> None:
        """A message comes that a test made, in the place of a node that it plays."""
        self.go_on()
        self._played_by(message)
        self._sent(message)
        self._received(message)
        self.say(to, f"hears {message.sender}", message_text(message))
        self.members[to].call(lambda node: node.step(message))
        self._look(to)

    def _played_by(self, message: Message) -> None:
        """What its sender is, as far as the message says."""
        role = ""
        if isinstance(message, VoteRequest) and not message.is_pre_vote:
            role = "candidate"
        elif isinstance(message, AppendRequest | SnapshotRequest):
            role = "leader"
        played = (role, int(message.term))
        if role and self._played.get(message.sender) != played:
            self._played[message.sender] = played
            self._note(message.sender, "role", role, message.term, message.sender if role == "leader" else None)

    def _call(self, node_id: int, verb: str, *arguments: object) -> None:
        self.go_on()
        if verb == "propose":
            for payload in arguments[0]:  # type: ignore[attr-defined]  # its only one: several payloads
                self._note(node_id, "propose", "c", payload)
        elif verb == "read":
            self._note(node_id, "read", f"r{arguments[0]}", 0)
        elif verb == "transfer":
            self._note(node_id, "transfer", f"n{arguments[0]}")
        elif verb == "change_members":
            self._note(node_id, "change", tuple(arguments[0]), tuple(arguments[1]))  # type: ignore[arg-type]  # ids
        elif verb == "disk_failed":
            self._note(node_id, "save-failed", 0, 0)
        super()._call(node_id, verb, *arguments)
        self._look(node_id)

    def _arrive(self, message: Message) -> None:
        self.go_on()
        if self.members[message.to].node is None:
            self._note(0, "lose", self._numbers[id(message)][0], "down")
        else:
            self._received(message)
        super()._arrive(message)
        self._look(message.to)

    def drop(self, way: str, kind: str | None = None, which: str = "first") -> None:
        """See `HandGroup`."""
        for flight in self.chosen(way, kind, which):
            self._note(0, "lose", self._numbers[id(flight.message)][0], "chance")
        super().drop(way, kind, which)

    def cut(self, one: int, other: int, *, is_one_way: bool = False) -> None:
        """See `HandGroup`."""
        ways = [(one, other)] if is_one_way else [(one, other), (other, one)]
        for sender, to in ways:
            self._note(0, "cut", f"n{sender}", f"n{to}")
        for flight in self.flights:
            if (flight.message.sender, flight.message.to) in ways:
                self._note(0, "lose", self._numbers[id(flight.message)][0], "cut")
        super().cut(one, other, is_one_way=is_one_way)

    def heal(self) -> None:
        """See `HandGroup`."""
        for sender, to in sorted(self._cuts):
            self._note(0, "mend", f"n{sender}", f"n{to}")
        super().heal()

    def save_all(self, node_id: int, count_max: int = 2000) -> None:
        """See `HandGroup`."""
        self.go_on()
        super().save_all(node_id, count_max)
        self._look(node_id)

    def crash(self, node_id: int, *, loses_unsaved: bool = False) -> None:
        """See `HandGroup`."""
        self.go_on()
        waiting = len(self.member(node_id).log.waiting)
        self._note(node_id, *(("power-loss", 0, waiting) if loses_unsaved else ("kill",)))
        super().crash(node_id, loses_unsaved=loses_unsaved)

    def restart(self, node_id: int) -> None:
        """See `HandGroup`."""
        self.go_on()
        super().restart(node_id)
        self._started(self.members[node_id], self._looks[node_id].written if node_id in self._looks else 0)


class RecordedScript(Script):
    """Runs commands on a group that is recorded."""

    def events(self) -> Iterable[Event]:
        """What happened so far."""
        if not isinstance(self._group, RecordedGroup):
            return ()
        self._group.settle()
        return self._group.trace.events()

    def _begin(self, words: list[str]) -> None:
        super()._begin(words)
        plain = self.group
        now = plain.configuration
        self._group = RecordedGroup(now.voters, now.learners, options=plain.options, raft_class=plain.raft_class)
        for node_id, member in plain.members.items():
            self._group.members[node_id].is_manual = member.is_manual
