"""A group of Raft nodes that is moved by hand, as in `mq.sim.hand`, and that writes a trace while it is moved.

The trace is what the simulated world and real nodes write, too (`mq.sim.group.events`), so that it can be drawn and judged. Time
has no meaning in it: each step takes ten milliseconds.
"""

from collections import deque

from mq.core.entry import Entry
from mq.core.errors import IllegalArgumentError, StateError
from mq.core.ids import LogIndex
from mq.raft.messages import Message
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.role import Role
from mq.sim.group.trace import GroupTrace
from mq.sim.hand.group import HandGroup
from mq.sim.hand.member import Member
from mq.sim.hand.script import Script

__all__ = ["STEP_MS", "TracedGroup", "TracedScript"]

STEP_MS = 10


class _TracedMember(Member):
    """A node and its host; what it does goes into the group's trace, in the order in which a host does it."""

    def start(self, raft_class: type[RaftNode], options: RaftOptions) -> None:
        super().start(raft_class, options)
        node, last = self.node, self.log.last_index
        self._seen = (node.term, node.vote, node.commit_index)
        first, snapshot = self.log.first_index, 0 if self.snapshot is None else self.snapshot.last.index
        members = node.configuration.members
        self._note("start", node.term, node.vote, first, last, self.log.term_at(last), snapshot, members)
        self._configuration = node.configuration
        if node.configuration.learners or self.around.now_ms:  # at first all are voters, as a start says already
            self._note_members()
        if node.role is Role.MUTE:
            self._note("role", str(node.role), node.term, node.leader)

    def _note_members(self) -> None:
        now = self._configuration
        self._note("members", now.voters, now.old_voters, now.learners)

    def _note(self, name: str, *values: object) -> None:
        self.around.note(self.node_id, name, *values)

    def carry_out(self, output: Output) -> None:
        for change in output.changes:
            self._note("role", str(change.role), change.term, change.leader)
        for appended in output.saves:
            waiting = next(found for found in self.log.waiting if found.sequence == appended.sequence)
            after = self.log.last_index if waiting.after is None else waiting.after
            self._note("append", after, waiting.entries, waiting.sequence)
        if self.node.configuration is not self._configuration:
            self._configuration = self.node.configuration
            self._note_members()
        if output.install is not None:
            self._note("install", output.install.last.index, output.install.last.term)
        node, (term, vote, commit_index) = self.node, self._seen
        self._seen = (node.term, node.vote, node.commit_index)
        if node.vote is not None and (node.term, node.vote) != (term, vote):
            self._note("vote", node.term, node.vote)
        if node.commit_index > commit_index:
            self._note("commit", node.commit_index, node.term)
        super().carry_out(output)

    def save(self) -> None:
        waiting = self.log.waiting[0]
        hard_state = waiting.state.hard_state
        self._note("save", waiting.sequence, hard_state.term, hard_state.vote, waiting.state.last_index)
        super().save()

    def crash(self, *, keeps_unsaved: bool) -> None:
        unsaved = len(self.log.waiting)
        super().crash(keeps_unsaved=keeps_unsaved)
        self._note("kill") if keeps_unsaved else self._note("power-loss", 0, unsaved)

    def _apply(self, apply_to: int) -> None:
        for entry in self.log.entries(self.applied_index + 1, apply_to):
            self._note("apply", entry)
            self.around.tell_client(self.node_id, entry)
        super()._apply(apply_to)

    def take_snapshot(self) -> None:
        before = self.snapshot
        super().take_snapshot()
        if self.snapshot is not None and self.snapshot is not before:
            self._note("snapshot", self.snapshot.last.index, self.snapshot.last.term)
            self._note("forget", self.log.first_index)


class TracedGroup(HandGroup):
    """See the module. trace: what happened so far. now_ms: ten for each step."""

    def __init__(self, *voters_and_learners: object, **more: object) -> None:
        self.trace, self.now_ms = GroupTrace(), 0
        self._numbers: dict[Message, deque[int]] = {}
        self._sent = self._asked = 0
        self._waits: dict[tuple[int, int], str] = {}
        super().__init__(*voters_and_learners, **more)  # type: ignore[arg-type]

    def note(self, node_id: int, name: str, *values: object) -> None:
        """A row of the trace. node_id: 0 for nobody."""
        self.trace.note((self.now_ms, node_id, name, *values))

    def tell_client(self, node_id: int, entry: Entry) -> None:
        """A node applied an entry: whoever waits for it there is told."""
        request = self._waits.pop((node_id, entry.index), None)
        if request is None:
            return
        wanted_term, name = request.split(":", 1)
        if int(wanted_term) == entry.term:
            self.note(0, "done", name, entry.index, entry.term)
        else:
            self.note(0, "unknown", name)

    # --- nodes

    def add(self, node_id: int) -> None:
        self._take_over(node_id, Member(self, node_id, self.configuration))

    def _take_over(self, node_id: int, plain: Member) -> None:
        member = self.members[node_id] = _TracedMember(self, node_id, plain.configuration)
        member.log = plain.log
        member.start(self.raft_class, self.options)

    def give_log(self, node_id: int, terms: list[int], *, term: int | None = None, vote: int | None = None) -> None:
        super().give_log(node_id, terms, term=term, vote=vote)
        rows = self.trace.rows
        rows[:] = [row for row in rows if row[1] != node_id]
        self._take_over(node_id, self.members[node_id])
        # A start tells how long a log is, and not what is in it: so it is told as empty, and filled.
        _, _, name, term, vote, first, *_, members = rows.pop()
        self.note(node_id, name, term, vote, first, 0, 0, 0, members)
        log = self.members[node_id].log
        self.note(node_id, "append", LogIndex(0), log.entries(1, log.last_index), 1)
        self.note(node_id, "save", 1, term, vote, log.last_index)

    # --- steps

    def _call(self, node_id: int, verb: str, *arguments: object) -> None:
        self.now_ms += STEP_MS
        if verb == "propose":
            self._note_proposals(node_id, *arguments)
        elif verb == "transfer":
            self.note(node_id, "transfer", arguments[0])
        super()._call(node_id, verb, *arguments)

    def _note_proposals(self, node_id: int, payloads: tuple[bytes, ...]) -> None:
        node = self.node(node_id)
        for place, payload in enumerate(payloads, 1):
            self._asked += 1
            name = f"c{self._asked}"
            self.note(node_id, "propose", name, payload)
            if node.role is Role.LEADER:
                index = self.member(node_id).log.last_index + place
                self.note(node_id, "proposed", name, index, node.term)
                self._waits[node_id, index] = f"{node.term}:{name}"
            else:
                self.note(node_id, "refuse", name)

    def _arrive(self, message: Message) -> None:
        self.now_ms += STEP_MS
        number = self._numbers[message].popleft()
        if self.members[message.to].node is None:
            self.note(0, "lose", number, "dead")
        else:
            self.note(message.to, "receive", number, message)
        super()._arrive(message)

    def save_all(self, node_id: int, count_max: int = 2000) -> None:
        self.now_ms += STEP_MS
        super().save_all(node_id, count_max)

    def crash(self, node_id: int, *, loses_unsaved: bool = False) -> None:
        self.now_ms += STEP_MS
        self._waits = {key: name for key, name in self._waits.items() if key[0] != node_id}
        super().crash(node_id, loses_unsaved=loses_unsaved)

    def restart(self, node_id: int) -> None:
        self.now_ms += STEP_MS
        super().restart(node_id)

    def snapshot(self, node_id: int) -> None:
        self.now_ms += STEP_MS
        super().snapshot(node_id)

    # --- the network

    def post(self, message: Message) -> None:
        self._sent += 1
        self.note(message.sender, "send", self._sent, message)
        before = len(self.flights)
        super().post(message)
        if len(self.flights) == before:
            self.note(0, "lose", self._sent, "cut")
        else:
            self._numbers.setdefault(message, deque()).append(self._sent)

    def drop(self, way: str, kind: str | None = None, which: str = "first") -> None:
        for flight in self.chosen(way, kind, which):
            self.note(0, "lose", self._numbers[flight.message].popleft(), "chance")
        super().drop(way, kind, which)

    def duplicate(self, way: str, kind: str | None = None, which: str = "first") -> None:
        for flight in self.chosen(way, kind, which):
            numbers = self._numbers[flight.message]
            numbers.appendleft(numbers[0])
        super().duplicate(way, kind, which)

    def cut(self, one: int, other: int, *, is_one_way: bool = False) -> None:
        self.now_ms += STEP_MS
        ways = [(one, other)] if is_one_way else [(one, other), (other, one)]
        for sender, to in ways:
            self.note(0, "cut", f"n{sender}", f"n{to}")
        for flight in self.flights:
            if (flight.message.sender, flight.message.to) in ways:
                self.note(0, "lose", self._numbers[flight.message].popleft(), "cut")
        super().cut(one, other, is_one_way=is_one_way)

    def isolate(self, node_id: int) -> None:
        now_ms = self.now_ms
        super().isolate(node_id)
        self.now_ms = now_ms + STEP_MS
        for at, row in enumerate(self.trace.rows):
            if row[0] > self.now_ms:
                self.trace.rows[at] = (self.now_ms, *row[1:])

    def heal(self) -> None:
        self.now_ms += STEP_MS
        for sender, to in sorted(self._cuts):
            self.note(0, "mend", f"n{sender}", f"n{to}")
        super().heal()


class TracedScript(Script):
    """Runs commands on a group that writes a trace. told: what came of them, as transcripts show it."""

    told: list[str]

    @property
    def group(self) -> TracedGroup:
        """Raises: IllegalArgumentError before the first `group`."""
        return super().group  # type: ignore[return-value]

    def _begin(self, words: list[str]) -> None:
        super()._begin(words)
        plain = super().group
        of = plain.configuration
        group = TracedGroup(of.voters, of.learners, options=plain.options, raft_class=plain.raft_class)
        for node_id, member in group.members.items():
            member.is_manual = plain.members[node_id].is_manual
        self._group = group

    def play(self, text: str) -> str:
        """Commands, one in a line; `#` begins a remark. Returns why it stopped: the promise that broke, or nothing.

        Raises: IllegalArgumentError for what is no command.
        """
        self.told = []
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                try:
                    self.told += self.do(line.strip())
                except IllegalArgumentError:
                    raise
                except StateError as error:
                    self.told += self.group.take_lines()
                    return str(error)
        return ""
