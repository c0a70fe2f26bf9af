"""Schedules by hand, watched: text files of commands (`mq.sim.hand.script`) in which a wrong Raft breaks a promise.

    python3 -m tools.schedule labs/stage3_raft/schedules/figure_8.txt                          on ours
    python3 -m tools.schedule labs/stage3_raft/schedules/figure_8.txt --raft mine.py:Raft      on another

A schedule shows nothing and compares no text. What it says is said by `expect`, and by the promises that are looked up after each
command. So it can be given to any Raft.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mq.core.entry import Entry
from mq.core.errors import IllegalArgumentError, MqError, StateError
from mq.core.ids import EntryId
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode
from mq.raft.output import Output
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.sim.arguments import read_name
from mq.sim.hand.commands import COMMANDS, check
from mq.sim.hand.group import HandGroup
from mq.sim.hand.member import Member
from mq.sim.hand.script import Script
from mq.sim.load_raft import load_raft
from mq.sim.raised import raised

__all__ = ["NOT_DONE", "Watch", "main", "play"]

NOT_DONE = ", cannot be done: "
"""In the end of a schedule that does not fit to a Raft."""

_OWN = {
    "begin-snapshot": ("ID", "the state is being saved"),
    "end-snapshot": ("ID", "the disk is done with it"),
    "chunks-wait": ("ID", "chunks of a snapshot that come stay in the disk's queue"),
    "chunks-go": ("ID", "and are saved at once again"),
    "ask": ("ID TEXTS", "a client does, with one command, and waits"),
    "read-is-over": ("N", "stop unless this read was answered or given back"),
}
_TABLE = {**COMMANDS, **_OWN}
"""What schedules may say: verbs of their own beside those of transcripts."""


class Watch:
    """What a group promises, looked up after each command.

    committed: by index, (entry, term of the node that knew it first). known: by (index, term), the entry and the term before it.
    last_views: of each node that is up. floors: by read, how much
    was committed when it was asked. over: reads that were answered or given back.
    """

    def __init__(self) -> None:
        self.committed: dict[int, tuple[Entry, int]] = {}
        self.known: dict[tuple[int, int], tuple[Entry, int | None]] = {}
        self.last_views: dict[int, tuple[RaftNode, NodeView]] = {}
        self.floors: list[int] = []
        self.over: set[int] = set()

    def look(self, group: HandGroup) -> None:
        """Raises: StateError when a promise is broken."""
        up = [(member, member.node) for member in group.members.values() if member.node is not None]
        for member in group.members.values():
            self._check_log(member)
        for member, node in up:
            view = node.view()
            self._check_rising(node, view)
            self._check_commit(group, member, view)
        for member, node in up:
            if node.role is Role.LEADER:
                self._check_complete(member, node)

    def _check_rising(self, node: RaftNode, view: NodeView) -> None:
        """Terms and what is to be applied only rise, while a node lives; its vote changes with its term only."""
        before_node, before = self.last_views.get(view.node_id, (None, view))
        self.last_views[view.node_id] = (node, view)
        if before_node is not node or Role.MUTE in {view.role, before.role}:
            return
        if view.term < before.term or view.apply_to < before.apply_to:
            raise StateError(f"node {view.node_id} went back from term {before.term}, {before.apply_to} committed entries")
        if view.term == before.term and before.vote not in {None, view.vote}:
            raise StateError(f"node {view.node_id} voted for {before.vote} and changed its mind in term {view.term}")

    def _check_log(self, member: Member) -> None:
        """Log matching: an entry of an index and a term is the same everywhere, and so is the term before it."""
        log = member.log
        for entry in log.entries(log.first_index, log.last_index):
            found = (entry, log.term_at(entry.index - 1))  # type: ignore[arg-type]
            first = self.known.setdefault((entry.index, entry.term), found)
            if first != found:
                raise StateError(f"two logs differ at or before entry {entry.index} of term {entry.term}")

    def _check_commit(self, group: HandGroup, member: Member, view: NodeView) -> None:
        """What is known to be committed is the same everywhere, and durable on a quorum."""
        log = member.log
        for entry in log.entries(log.first_index, view.commit_index):
            is_new = entry.index not in self.committed
            first, _ = self.committed.setdefault(entry.index, (entry, view.term))
            if first != entry:
                place = f"entry {entry.index} of term {entry.term}"
                raise StateError(f"node {view.node_id} takes {place} for committed; it was of term {first.term}")
            if is_new and entry.index == view.commit_index and view.role is Role.LEADER:
                self._check_quorum(group, view.configuration, entry)

    def _check_quorum(self, group: HandGroup, configuration: Configuration, entry: Entry) -> None:
        def has(node_id: int) -> bool:
            log = group.members[node_id].log
            index = entry.index
            return log.durable_index >= index and (log.first_index > index + 1 or log.term_at(index) == entry.term)

        plain = Configuration(*configuration)
        if not plain.has_quorum(has):
            raise StateError(f"entry {entry.index} of term {entry.term} is committed, and no quorum has it on disk")

    def _check_complete(self, member: Member, node: RaftNode) -> None:
        """A leader has what was committed in earlier terms."""
        for index, (entry, term) in self.committed.items():
            if term < node.term and index >= member.log.first_index and member.log.entries(index, index) != (entry,):
                raise StateError(f"node {node.node_id} leads term {node.term} without entry {index}, committed in term {term}")

    # --- reads

    def check_told(self, number: int) -> None:
        """Raises: StateError when whoever asked for this read still waits."""
        if number not in self.over:
            raise StateError(f"read {number} is neither answered nor given back")

    def asked(self) -> None:
        """A read is asked; it is given the next number."""
        self.floors.append(max(self.committed, default=0))

    def told(self, lines: list[str]) -> None:
        """Raises: StateError when a read was answered with a state that was old when it was asked."""
        for line in lines:
            _, *words = line.split()
            if words[:2] in (["answers", "read"], ["drops", "read"]):
                self.over.add(int(words[2].rstrip(",")))
            if words[:2] == ["answers", "read"]:
                number, index = int(words[2]), int(words[5].rstrip(":"))
                if index < self.floors[number - 1]:
                    raise StateError(f"read {number} sees {index} entries; {self.floors[number - 1]} were committed before it")


# --- verbs that only schedules need: a host and its disk in the middle of their work


class _Slow:
    """Snapshots that are being saved, by node; and whose chunks are not saved yet."""

    def __init__(self) -> None:
        self._begun: dict[int, tuple[Snapshot | None, bytes]] = {}

    def begin_snapshot(self, member: Member) -> None:
        """The state is being saved: the node was asked what it stands for, and the disk is not done."""
        if member.node is not None:
            self._begun[member.node_id] = (member.node.take_snapshot(), b" ".join(member.commands))

    def end_snapshot(self, member: Member) -> None:
        """The disk is done with it."""
        snapshot, data = self._begun[member.node_id]
        if snapshot is not None:
            member.snapshot, member.snapshot_data = snapshot, data
            member.call(lambda node: node.snapshot_saved(snapshot))

    def chunks_wait(self, member: Member) -> None:
        """Chunks that come stay in the disk's queue."""
        vars(member)["_take_chunks"] = lambda _: None

    def chunks_go(self, member: Member) -> None:
        """And are saved at once again."""
        del vars(member)["_take_chunks"]


class _Clients:
    """Whoever asked for a command, and waits until its entry is applied where it asked."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Member, EntryId, bytes]] = []

    def ask(self, member: Member, command: bytes) -> None:
        """For one command."""

        def carry(node: RaftNode) -> Output:
            output = node.propose([command])
            if output.proposed is not None:
                self._waiting.append((member, output.proposed, command))
            return output

        member.call(carry)

    def check(self) -> None:
        """Raises: StateError when one is told that its command is done, and it is not."""
        for member, proposed, command in self._waiting:
            for entry in member.log.entries(proposed.index, min(proposed.index, member.applied_index)):
                if proposed == EntryId(entry.term, entry.index) and entry.payload != command:
                    raise StateError(f"a client is told that entry {entry.index} is its command, and it is another one")


def play(file: Path, raft_class: type[RaftNode] = RaftNode) -> str | None:
    """How a schedule ends: None when every promise is kept, else the command and what broke.

    A command that cannot be done, or is not written as it should be, is told with NOT_DONE: it says nothing about the Raft.
    """
    script, watch, slow, clients = Script(raft_class), Watch(), _Slow(), _Clients()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        verb, *words = line.split()
        try:
            check(verb, words, _TABLE)
            if verb == "read":
                watch.asked()
            if verb == "read-is-over":
                watch.check_told(int(words[0]))
            elif verb == "ask":
                clients.ask(script.group.member(int(words[0])), words[1].encode())
            elif verb in _OWN:
                getattr(slow, verb.replace("-", "_"))(script.group.member(int(words[0])))
            else:
                watch.told(script.do(line))
            watch.look(script.group)
            clients.check()
        except IllegalArgumentError as error:
            return f"line {number}, {line!r}{NOT_DONE}{error}"
        except MqError as error:
            return f"line {number}, {line!r}: {error}"
        except Exception as error:  # noqa: BLE001  # whatever a wrong Raft comes to is its end
            return f"line {number}, {line!r}: {raised(error)}"
    return None


def _check_text(file: Path) -> None:
    """Raises: IllegalArgumentError, naming the file, when it cannot be read."""
    try:
        file.read_text(encoding="utf-8")
    except OSError as error:
        raise IllegalArgumentError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise IllegalArgumentError(f"{file} is no text, and so no schedule") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every promise is kept, 1 when one is broken, 2 when the schedule says nothing about this Raft."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.schedule", description="Play schedules, and watch every promise.")
    parser.add_argument("files", nargs="+", type=Path, metavar="SCHEDULE", help="as in labs/stage3_raft/schedules")
    parser.add_argument("--raft", type=read_name, metavar="FILE:Class", help="another Raft in the place of ours")
    options = parser.parse_args(arguments)
    try:
        raft_class = load_raft(options.raft) if options.raft else RaftNode
        for file in options.files:
            _check_text(file)
        ends = {file: play(file, raft_class) for file in options.files}
    except IllegalArgumentError as error:
        parser.error(str(error))
    for file, end in ends.items():
        print(f"{file.stem}: {end or 'every promise is kept'}")
    told = [end for end in ends.values() if end is not None]
    return 0 if not told else 1 if any(NOT_DONE not in end for end in told) else 2


if __name__ == "__main__":
    sys.exit(main())
