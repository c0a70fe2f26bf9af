"""The trace of a real node: the lines of `mq.sim.group.events`, as the deterministic world writes them, in a file.

A node cannot know by which number its peer would call a message. So a message is named by what it says: `id` is a digest of its
details, the same for who sends and who receives it, and whoever merges the files of a group (`mq.chaos.merging`) numbers them.
Each line ends with `us=`, microseconds of the machine's one clock that cannot be set: files of one machine's nodes can be merged.

Lines are written before anything that they tell of leaves the process, or goes to the disk: a killed node's trace lacks nothing
that others can know of.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, cast

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Appended, Entry, HardState, RecordPlace
from mq.core.errors import MqError
from mq.core.ids import EntryId, LogIndex
from mq.core.ports import Plan
from mq.raft.configuration import Configuration
from mq.raft.messages import Message, Snapshot
from mq.raft.output import RoleChanged
from mq.raft.role import Role
from mq.server.host import StoreHost
from mq.sim.group.trace import GroupTrace
from mq.sim.trace import Event, Value

__all__ = ["TraceFile", "TracedHost", "message_digest", "traced_host"]

_MADE_LATER = 0
"""Of a message, where the world's trace has its number."""


def message_digest(details: dict[str, Value], sender: str) -> int:
    """What names a message: a digest of who sends what to whom. details: of its "send" line; `id` in them does not count."""
    told = " ".join(f"{key}={value}" for key, value in details.items() if key != "id")
    return int.from_bytes(blake2b(f"{sender} {told}".encode(), digest_size=7).digest(), "big")


class TraceFile:
    """Lines that are added to a file, in one go each time; one that a crash cut is taken away by the next start."""

    def __init__(self, file: Path, node: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        self._at = _whole_lines(self._file)
        os.ftruncate(self._file, self._at)
        self._node = node
        self._shapes = GroupTrace()
        self._waiting: list[str] = []

    def note(self, name: str, *values: Any) -> None:
        """An event; what follows its name is as in the world's trace, with messages in place of their numbers."""
        now_us = time.monotonic_ns() // 1000
        if name in ("send", "receive"):
            message = values[0]
            sent = self._event(now_us, "send", (_MADE_LATER, message))
            digest = message_digest(sent.details, f"n{message.sender}")
            event = sent if name == "send" else self._event(now_us, name, (_MADE_LATER, message))
            event.details["id"] = digest
        else:
            event = self._event(now_us, name, values)
        event.details["us"] = now_us
        self._waiting.append(event.to_line())

    def _event(self, now_us: int, name: str, values: tuple[Any, ...]) -> Event:
        return next(self._shapes.events([(now_us // 1000, self._node, name, *values)]))

    def flush(self) -> None:
        """Into the file."""
        if self._waiting:
            data = ("\n".join(self._waiting) + "\n").encode()
            self._waiting.clear()
            self._at += os.pwrite(self._file, data, self._at)

    def close(self) -> None:
        """No more lines."""
        self.flush()
        os.close(self._file)


def _whole_lines(descriptor: int) -> int:
    """Where the last whole line of a file ends."""
    end = os.fstat(descriptor).st_size
    while end:
        begin = max(0, end - 4096)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


class _TracedLog(FreshLog):
    """Remembers what each append held until the disk has it: (after, entries, term and vote or None, the log's end then)."""

    def __init__(self, log: CommitLog) -> None:
        super().__init__(log)
        self.held: dict[int, tuple[int, tuple[Entry, ...], HardState | None, int]] = {}

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        """See `LogStorage`."""
        appended = super().append(after_index, entries, hard_state)
        self.held[appended.sequence] = after_index, tuple(entries), hard_state, self.last_index
        return appended

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        """See `LogStorage`."""
        appended = super().reset(last, hard_state)
        self.held[appended.sequence] = last.index, (), hard_state, last.index
        return appended


class _Traced(Protocol):
    """Of `RaftNode` what a trace tells."""

    term: int
    vote: int | None
    role: Role
    commit_index: int

    @property
    def configuration(self) -> Configuration:
        """In force."""


class TracedHost(StoreHost):
    """A host that notes what it does. The order of the lines is that of `mq.sim.group.host`, its twin."""

    def __init__(self, trace: TraceFile, *given: Any, **named: Any) -> None:
        self._trace = trace
        super().__init__(*given, **named)
        log, node = self.fresh_log, self._node
        self._traced_log = cast(_TracedLog, log)
        self._known = (node.term, node.vote)
        # The state may be ahead of what the core knows to be committed: its snapshot says so.
        self._noted_commit, self._is_falling = self.machine.applied_index, False
        self._saved = log.hard_state
        row = (log.first_index, log.last_index, log.term_at(log.last_index), self.machine.applied_index)
        self._configuration = node.configuration
        trace.note("start", node.term, node.vote, *row, node.configuration.members)
        self._note_members()
        trace.flush()

    @property
    def _node(self) -> _Traced:
        return cast(_Traced, self.core)

    def make_log(self, log: CommitLog) -> FreshLog:
        """See `StoreHost`."""
        return _TracedLog(log)

    # --- the way in, and the way to the disk

    def hear(self, message: Message) -> None:
        """See `StoreHost`."""
        self._trace.note("receive", message)
        super().hear(message)

    def _write_more(self) -> None:
        self._trace.flush()
        super()._write_more()

    def _end(self, error: MqError) -> None:
        self._trace.flush()
        super()._end(error)

    async def close(self) -> None:
        """See `StoreHost`."""
        self._trace.flush()
        await super().close()

    # --- outputs

    def role_changed(self, changes: Sequence[RoleChanged]) -> None:
        """See `HostLoop`."""
        for change in changes:
            self._trace.note("role", str(change.role), change.term, change.leader)
        super().role_changed(changes)

    def look(self) -> None:
        """See `HostLoop`."""
        node = self._node
        if node.configuration is not self._configuration:
            self._configuration = node.configuration
            self._note_members()
        now = (node.term, node.vote)
        if now != self._known:
            self._known = now
            if node.vote is not None:
                self._trace.note("vote", *now)
        if self._is_falling:
            self._is_falling, self._noted_commit = False, max(node.commit_index, self.machine.applied_index)
        if node.commit_index > self._noted_commit:
            self._noted_commit = node.commit_index
            self._trace.note("commit", node.commit_index, node.term)

    def _note_members(self) -> None:
        members = self._configuration
        self._trace.note("members", members.voters, members.old_voters, members.learners)

    def send(self, message: Message) -> None:
        """See `HostLoop`."""
        self._trace.note("send", message)
        super().send(message)

    def save(self, saves: Sequence[Appended]) -> None:
        """See `HostLoop`."""
        for appended in saves:
            after, entries, _, _ = self._traced_log.held[appended.sequence]
            self._trace.note("append", after, entries, appended.sequence)
        super().save(saves)

    def saved(self, sequence: int) -> None:
        """See `HostLoop`."""
        held, end = self._traced_log.held, 0
        for one in sorted(at for at in held if at <= sequence):
            _, _, hard_state, end = held.pop(one)
            self._saved = hard_state or self._saved
        self._trace.note("save", sequence, self._saved.term, self._saved.vote, end)
        super().saved(sequence)

    def taking_back(self, sequence: int) -> None:
        """See `HostLoop`."""
        self._traced_log.held.pop(sequence, None)
        self._trace.note("save-failed", sequence, 1)
        self._is_falling = True
        super().taking_back(sequence)

    def disk_failed(self) -> None:
        """See `HostLoop`."""
        self._trace.note("save-failed", 0, 0)
        super().disk_failed()

    def forget(self, plan: Plan) -> None:
        """See `HostLoop`."""
        super().forget(plan)
        self._trace.note("forget", self.log.first_index)

    # --- state

    def _apply_one(self, entry: Entry, place: RecordPlace) -> None:
        # First what `StoreHost` does before it applies an entry: that may take a snapshot of the state without it.
        self.keeper.about_to_apply(entry.index)
        self._trace.note("apply", entry)
        super()._apply_one(entry, place)

    def _stands_for(self) -> Snapshot | None:
        # Noted when the disk is asked: a kill may come between the disk and its answer.
        found = super()._stands_for()
        if found is not None:
            self._trace.note("snapshot", found.last.index, found.last.term)
            self._trace.flush()
        return found

    def install(self, snapshot: Snapshot) -> None:
        """See `HostLoop`."""
        self._trace.note("install", snapshot.last.index, snapshot.last.term)
        self._noted_commit = max(self._noted_commit, snapshot.last.index)
        super().install(snapshot)


def traced_host(file: Path, node: int) -> Callable[..., StoreHost]:
    """What makes the host of a node that writes a trace."""
    return partial(TracedHost, TraceFile(file, node))
