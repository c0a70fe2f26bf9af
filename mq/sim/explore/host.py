"""One node of an explored group with all that a restart does not take from it, and the host that carries out what it asks.

The host keeps the order of `mq.raft.output`. The disk is ready at once, or when the search says so.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from mq.core.entry import Entry
from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendRequest, Message
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import EntriesWanted, Output
from mq.raft.port import Chance, LogStorage
from mq.sim.explore.memory_log import MemoryLog
from mq.sim.explore.promises import Look

__all__ = ["Host", "MakeNode", "NoChance", "Setting"]


class MakeNode(Protocol):
    """A class such as `RaftNode`."""

    def __call__(
        self, node_id: int, log: LogStorage, chance: Chance, /, *, options: RaftOptions, configuration: Configuration
    ) -> RaftNode:
        """A node that starts with what is in this log."""


class NoChance:
    """Always the smallest number: time-outs are steps of the search, not lengths of time."""

    __slots__ = ()

    def randrange(self, start: int, _stop: int, /) -> int:
        """A whole number from `start` to `stop` - 1."""
        return start


class Setting(NamedTuple):
    """What is the same for all nodes in all states. is_disk_ready: saves are durable at once."""

    make: MakeNode
    options: RaftOptions
    configuration: Configuration
    chance: Chance
    is_disk_ready: bool


class Host:
    """promised: messages that wait for the disk. applied: entries given to the state machine since the last start."""

    __slots__ = ("applied", "log", "node", "node_id", "promised", "sent")

    def __init__(self, node_id: int, setting: Setting) -> None:
        self.node_id = node_id
        self.log = MemoryLog()
        self.start(setting)

    def start(self, setting: Setting) -> None:
        """The node starts, or starts again after the power was lost."""
        self.log.lose_power()
        self.promised: tuple[tuple[int, Message], ...] = ()
        self.applied: tuple[Entry, ...] = ()
        self.sent: tuple[Message, ...] = ()
        self.node = setting.make(
            self.node_id, self.log, setting.chance, options=setting.options, configuration=setting.configuration
        )

    def call(self, setting: Setting, do: Callable[[RaftNode], Output]) -> None:
        """Have the node do something, and carry out what it asks for. What it sent is in `sent` afterwards."""
        self.sent = ()
        self._carry_out(do(self.node), setting)
        _stop_clocks(self.node)

    def heartbeat(self, setting: Setting) -> None:
        """Ticks pass until the leader's next heartbeat."""
        self.sent = ()
        for _ in range(setting.options.heartbeat_ticks):
            if AppendRequest in map(type, self.sent):
                break
            self._carry_out(self.node.tick(), setting)
        _stop_clocks(self.node)

    def _carry_out(self, output: Output, setting: Setting) -> None:
        todo = [output]
        while todo:
            output = todo.pop(0)
            self.sent += output.send
            self.promised += output.send_after
            todo += [
                self.node.fetched(wanted, self._read(wanted)) for wanted in output.fetch if isinstance(wanted, EntriesWanted)
            ]
            if setting.is_disk_ready and output.saves:
                todo.append(self._saved(output.saves[-1].sequence))
            if output.apply_to > len(self.applied):
                todo.append(self._apply(output.apply_to))

    def _read(self, wanted: EntriesWanted) -> tuple[Entry, ...]:
        first = self.log.first_index
        return self.log.entries[wanted.first - first : wanted.last + 1 - first]

    def save(self, setting: Setting) -> None:
        """The oldest append that waits is durable now."""
        self.sent = ()
        self._carry_out(self._saved(self.log.waiting[0][0]), setting)

    def _saved(self, sequence: int) -> Output:
        output = self.node.saved(sequence)
        self.log.synced(sequence)  # a node that forgets to say so is wrong about its log, not about the disk
        self.sent += tuple(message for waits_for, message in self.promised if waits_for <= sequence)
        self.promised = tuple(promise for promise in self.promised if promise[0] > sequence)
        return output

    def _apply(self, index: int) -> Output:
        self.applied += self.log.entries[len(self.applied) : index]
        return self.node.applied(LogIndex(index))

    @property
    def look(self) -> Look:
        """What others may see of it now."""
        return Look.of(self.node.view(), self.log.entries, self.applied)

    @property
    def newest_save(self) -> int:
        """The number of the newest append."""
        return self.log.newest_save


def _stop_clocks(node: RaftNode) -> None:
    """In an explored group time does not pass: a time-out may come at any moment, so that none is nearer than another."""
    for name in ("elapsed_ticks", "heartbeat_elapsed_ticks"):
        if hasattr(node, name):
            setattr(node, name, 0)
