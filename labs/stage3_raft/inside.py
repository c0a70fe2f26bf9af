"""The side of the border on which a student's Raft is: the Raft with a log of ours beside it, called from outside.

It decides nothing and can be taken over by the code beside it. What is said outside is checked there, by the world's own log.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from labs.stage3_raft.crossing import Abandoned, Did, Dropped, Life, Put, Refused, Reset, Seen, Synced, Turn, Wrote
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import EntryId, LogIndex
from mq.core.ports import Plan
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.messages import Message, Snapshot
from mq.raft.output import NOTHING, ChunkWanted, EntriesWanted, Output
from mq.raft.port import Chance
from mq.sim.explore.copying import clone
from mq.sim.group.light_log import LightLog, LightMedium

__all__ = ["HostedRaft", "WritingLog"]


_NOTHING_DONE = Did()
_LAST_NAMED = {"chunk_fetched": "is_last", "snapshot_saved": "keep_from"}
"""Methods whose last argument has a name."""


class WritingLog(LightLog):
    """A log that notes what is written to it."""

    __slots__ = ("wrote",)

    def __init__(self, medium: LightMedium) -> None:
        super().__init__(medium)
        self.wrote: list[Wrote] = []

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """See `LogStorage`."""
        appended = super().append(after_index, entries, hard_state)
        self.wrote.append(Put(appended.sequence, after_index, tuple(entries), hard_state))
        return appended

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """See `LogStorage`."""
        appended = super().reset(last, hard_state)
        self.wrote.append(Reset(appended.sequence, last, hard_state))
        return appended

    def synced(self, sequence: int) -> None:
        """See `LogStorage`."""
        super().synced(sequence)
        self.medium.sync(sequence)
        self.wrote.append(Synced(sequence))

    def abandon(self, sequence: int) -> None:
        """See `LogStorage`."""
        super().abandon(sequence)
        self.wrote.append(Abandoned(sequence))

    def drop_before(self, index: LogIndex) -> Plan:
        """See `LogStorage`."""
        self.wrote.append(Dropped(index))
        return super().drop_before(index)


class _Lowest:
    """Where nothing is left to chance."""

    def randrange(self, start: int, stop: int, /) -> int:  # noqa: ARG002 - the port's
        return start


class HostedRaft:
    """One life of a node. make: the student's class. life: or another one, of which this is a copy.

    is_lived_again: the copy is made by doing again all that the other one did, in place of copying what it is.
    """

    turns: list[tuple[str, tuple[Any, ...], bool]]

    def __init__(self, make: Any, life: "Life | HostedRaft", *, is_lived_again: bool = False) -> None:
        if isinstance(life, HostedRaft):
            self._be_like(make, life, is_lived_again=is_lived_again)
        else:
            self._begin(make, life)

    def _be_like(self, make: Any, other: "HostedRaft", *, is_lived_again: bool) -> None:
        if not is_lived_again:
            try:
                self.__dict__.update(clone(other, (other.life, other.turns)).__dict__)
            except Exception:  # noqa: BLE001 - what cannot be copied (a lock, a generator) is made once more
                is_lived_again = True
        if is_lived_again:
            self._begin(make, other.life)
            self.begin()
            for name, args, is_disk_ready in other.turns:
                self.turn(name, args, is_disk_ready=is_disk_ready)
        self.turns = list(other.turns)

    def _begin(self, make: Any, life: Life) -> None:
        self.life, self.turns = life, []
        self._applied = 0 if life.snapshot is None else life.snapshot.last.index
        medium = LightMedium()
        medium.base, medium.entries = life.base, list(life.kept)
        medium.hard_state, medium.is_damaged = life.hard_state, life.is_damaged
        self._log = WritingLog(medium)
        random: Chance = _Lowest()
        if life.chance is not None:
            random = Random()
            random.setstate(life.chance)
        self._shown: Seen | None = None
        self._configuration: Any = None
        self._is_turning = False
        self._node = make(
            life.node_id, self._log, random, options=life.options, configuration=life.configuration, snapshot=life.snapshot,
            later_configurations=life.later_configurations,
        )  # fmt: skip

    # --- what the host calls, see `mq.raft.node.RaftNode`

    def begin(self) -> Did:
        """Nothing: shows the node as it was made."""
        return self._did(None)

    def tick(self) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.tick())

    def step(self, message: Message) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.step(message))

    def campaign(self) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.campaign())

    def saved(self, sequence: int) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.saved(sequence))

    def save_failed(self, sequence: int) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.save_failed(sequence))

    def disk_failed(self) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.disk_failed())

    def applied(self, index: LogIndex) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.applied(index))

    def fetched(self, wanted: EntriesWanted, entries: tuple[Entry, ...]) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.fetched(wanted, entries))

    def chunk_fetched(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.chunk_fetched(wanted, data, is_last=is_last))

    def take_snapshot(self) -> Did:
        """See `RaftNode`."""
        return self._did(None)._replace(taken=self._node.take_snapshot())

    def snapshot_saved(self, snapshot: Snapshot, *, keep_from: LogIndex | None) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.snapshot_saved(snapshot, keep_from=keep_from))

    def snapshot_received(self, snapshot: Snapshot) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.snapshot_received(snapshot))

    def snapshot_failed(self, snapshot: Snapshot) -> Did:
        """See `RaftNode`."""
        return self._did(self._node.snapshot_failed(snapshot))

    def propose(self, payloads: tuple[bytes, ...]) -> Did:
        """See `RaftNode`."""
        return self._asked("propose", payloads)

    def read(self, context: int) -> Did:
        """See `RaftNode`."""
        return self._asked("read", context)

    def transfer(self, to: int) -> Did:
        """See `RaftNode`."""
        return self._asked("transfer", to)

    def change_members(self, voters: tuple[int, ...], learners: tuple[int, ...]) -> Did:
        """See `RaftNode`."""
        return self._asked("change_members", voters, learners)

    def check(self) -> Did:
        """See `RaftNode`."""
        self._node.check()
        return self._did(None)

    # --- several calls in one crossing

    def turn(self, name: str, args: tuple[Any, ...], *, is_disk_ready: bool) -> tuple[Turn, ...]:
        """A call with those that its host makes because of it, and `check`, which shows nothing, at the end.

        All is done ahead, in one crossing: the host outside asks for each by itself, and takes none that it would not ask for.
        is_disk_ready: what is planned is durable at once.
        """
        self.turns.append((name, args, is_disk_ready))
        self._is_turning = True
        try:
            found = self._turned(name, args, is_disk_ready=is_disk_ready)
            self.check()
        finally:
            self._is_turning = False
        return tuple(found)

    def _turned(self, name: str, args: tuple[Any, ...], *, is_disk_ready: bool) -> list[Turn]:
        call = getattr(self, name)
        did = call(*args[:-1], **{_LAST_NAMED[name]: args[-1]}) if name in _LAST_NAMED else call(*args)
        found = [Turn(name, 0, did)]
        todo = [did.output]
        while todo:
            output = todo.pop(0)
            for due, number, done in () if output is None else self._due(output, is_disk_ready=is_disk_ready):
                found.append(Turn(due, number, None if done == _NOTHING_DONE else done))
                todo.append(done.output)
        return found

    def _due(self, output: Output, *, is_disk_ready: bool) -> Iterator[tuple[str, int, Did]]:
        for wanted in output.fetch:
            if isinstance(wanted, EntriesWanted):
                yield "fetched", wanted.first, self.fetched(wanted, self._log.entries(wanted.first, wanted.last))
        if is_disk_ready and output.saves:
            newest = output.saves[-1].sequence
            yield "saved", newest, self.saved(newest)
        if output.install is not None:
            self._applied = output.install.last.index
            yield "applied", output.install.last.index, self.applied(output.install.last.index)
        if output.apply_to > self._applied:
            self._applied = output.apply_to
            yield "applied", output.apply_to, self.applied(output.apply_to)

    # --- how it answers

    def _asked(self, name: str, *arguments: Any) -> Did:
        try:
            output = getattr(self._node, name)(*arguments)
        except NotLeaderError as error:
            return self._did(None)._replace(refused=Refused("not leader", error.leader))
        except ChangeRefusedError as error:
            return self._did(None)._replace(refused=Refused("change", why=str(error)))
        return self._did(output)

    def _did(self, output: Output | None) -> Did:
        node, log = self._node, self._log
        wrote, log.wrote = tuple(log.wrote), []
        seen: Seen | None = Seen(node.term, node.vote, node.role, node.leader, node.commit_index, node.apply_to, node.snapshot)
        if seen == self._shown:
            seen = None
        else:
            self._shown = seen
        configuration = None
        if node.configuration != self._configuration:
            configuration = self._configuration = node.configuration
        is_unsound = not (self._is_turning or self._is_sound())
        return Did(None if output is NOTHING else output, wrote, seen, configuration, is_unsound=is_unsound)

    def _is_sound(self) -> bool:
        """Looked up ahead, as it is asked for behind nearly every call. Why it is not, `check` itself says when it is asked."""
        try:
            self._node.check()
        except BaseException:  # noqa: BLE001 - whatever a student's code raises
            return False
        return True
