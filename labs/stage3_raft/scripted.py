"""Schedules by hand, watched: text files of commands (`mq.sim.hand.script`) in which a wrong Raft breaks a promise.

A schedule shows nothing and compares no text. What it says is said by `expect`, and by the promises that are looked up after each
command. So it can be given to any Raft: a class that is here, or one in another process (`labs.stage3_raft.remote.raft_made_by`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.stage3_raft.watching import Promise, Watch, WatchError
from mq.core.errors import IllegalArgumentError, MqError, StateError
from mq.core.ids import EntryId
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode
from mq.raft.output import Output
from mq.sim.hand.commands import COMMANDS, check
from mq.sim.hand.member import Member
from mq.sim.hand.script import Script
from mq.sim.raised import raised

__all__ = ["NOT_DONE", "TABLE", "Broken", "Ended", "play", "played"]

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
TABLE = {**COMMANDS, **_OWN}
"""What schedules may say: verbs of their own beside those of transcripts."""

_CLIENT = Promise("a client is told that its command is done only when it is", "Paper: Raft, section 8")
_OF_THE_GROUP = (
    (
        re.compile(r"(node \d+ applies entry (\d+) of term \d+); applied elsewhere: (term \d+)"),
        Promise("no two nodes ever apply different entries for the same index", "Paper: Raft, figure 3"),
        lambda found: (f"entry {found[2]} of {found[3]} was applied elsewhere", found[1]),
    ),
    (
        re.compile(r"(term \d+) has two leaders: (node \d+) and (node \d+)"),
        Promise("in each term there is at most one leader", "Paper: Raft, figure 3"),
        lambda found: (f"{found[2]} leads {found[1]}", f"{found[3]} leads it, too"),
    ),
    (
        re.compile(r"after (\d+) messages there are still some on their way"),
        Promise("a group to which nothing happens comes to rest", "Paper: Raft, section 5.3"),
        lambda found: ("no message is on its way at last", f"after {found[1]} there are still some"),
    ),
)  # fmt: skip
"""Of what the group itself looks after (`mq.sim.hand.group`): how it says it, the promise, and the two facts."""
_EXPECTED = re.compile(r"((\w+) of node \d+) is (.*), not (.*)", re.DOTALL)
_ENDS_SO = Promise("a schedule comes to what must come of it", "")


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that broke, with the two facts that conflict. section: where it stands, "" where the schedule alone knows."""

    promise: str
    expected: str
    found: str
    section: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a schedule ended.

    sentence: None when every promise was kept, else the command and what broke. number, line: of the command that it ended with.
    story: the commands until then, each with what came of it. is_unsaid: it says nothing about this Raft, see NOT_DONE.
    broken: the promise, when it was one. error: what was raised.
    """

    sentence: str | None
    number: int
    line: str
    story: tuple[str, ...]
    is_unsaid: bool = False
    broken: Broken | None = None
    error: Exception | None = None


class _Slow:
    """Verbs that only schedules need: a host and its disk in the middle of their work.

    Snapshots that are being saved, by node; and whose chunks are not saved yet.
    """

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
        """Raises: WatchError when one is told that its command is done, and it is not."""
        for member, proposed, command in self._waiting:
            for entry in member.log.entries(proposed.index, min(proposed.index, member.applied_index)):
                if proposed == EntryId(entry.term, entry.index) and entry.payload != command:
                    text = f"a client is told that entry {entry.index} is its command, and it is another one"
                    asked = f"a client asked node {member.node_id} for {command!r}, and was named entry {entry.index}"
                    raise WatchError(text, _CLIENT, asked, f"what is applied there is {entry.payload!r}")


class _Player:
    """One schedule, command by command. story: what was done, and what came of it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._watch, self._slow, self._clients = Watch(), _Slow(), _Clients()
        self.story: list[str] = []

    def do(self, number: int, line: str) -> None:
        """Raises: what came of it."""
        self.story.append(f"{number:>3}: {line}")
        told: list[str] = []
        try:
            told = self._done(line)
            self._watch.told(told)
            self._watch.look(self._script.group)
            self._clients.check()
        finally:
            self.story += [f"       {each}" for each in told + self._left()]

    def _done(self, line: str) -> list[str]:
        verb, *words = line.split()
        check(verb, words, TABLE)
        if verb == "read":
            self._watch.asked()
        if verb not in _OWN:
            return self._script.do(line)
        if verb == "read-is-over":
            self._watch.check_told(int(words[0]))
        elif verb == "ask":
            self._clients.ask(self._script.group.member(int(words[0])), words[1].encode())
        else:
            getattr(self._slow, verb.replace("-", "_"))(self._script.group.member(int(words[0])))
        return self._script.group.take_lines()

    def _left(self) -> list[str]:
        """What was told until something was raised."""
        try:
            return self._script.group.take_lines()
        except IllegalArgumentError:
            return []  # there is no group yet


def played(text: str, make: Callable[..., Any] = RaftNode, *, script: Script | None = None) -> Ended:
    """Play a schedule to its end, or to the first promise that is broken. make: what makes the nodes: a class, or `raft_made_by`.

    script: what does the commands instead, one that keeps a trace say. A command that cannot be done, or is not written as it
    should be, says nothing about the Raft: see `Ended.is_unsaid`.
    """
    player = _Player(Script(make) if script is None else script)  # type: ignore[arg-type]  # it makes nodes
    number, line = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        place = f"line {number}, {line!r}"
        try:
            player.do(number, line)
        except IllegalArgumentError as error:
            return Ended(f"{place}{NOT_DONE}{error}", number, line, tuple(player.story), is_unsaid=True, error=error)
        except MqError as error:
            return Ended(f"{place}: {error}", number, line, tuple(player.story), broken=_broken(error), error=error)
        except Exception as error:  # noqa: BLE001 - whatever a wrong Raft comes to is its end
            return Ended(f"{place}: {raised(error)}", number, line, tuple(player.story), error=error)
    return Ended(None, number, line, tuple(player.story))


def play(file: Path, raft_class: Callable[..., Any] = RaftNode) -> str | None:
    """How a schedule ends: None when every promise is kept, else the command and what broke.

    A command that cannot be done, or is not written as it should be, is told with NOT_DONE: it says nothing about the Raft.
    """
    return played(file.read_text(encoding="utf-8"), raft_class).sentence


def _broken(error: MqError) -> Broken | None:
    """The promise, if it was one, and not a rule of what a Raft works with."""
    if isinstance(error, WatchError):
        return Broken(error.promise.text, error.expected, error.found, error.promise.section)
    if not isinstance(error, StateError):
        return None
    for pattern, promise, facts in _OF_THE_GROUP:
        if found := pattern.fullmatch(str(error)):
            expected, seen = facts(found)
            return Broken(promise.text, expected, seen, promise.section)
    if found := _EXPECTED.fullmatch(str(error)):
        return Broken(_ENDS_SO.text, f"{found[1]} is {found[4]}", f"it is {found[3]}", _ENDS_SO.section)
    return None
