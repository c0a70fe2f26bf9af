"""The states that one node can be in, numbered as they are met, and what each input makes of them, carried out once.

A node is a machine of its own: what it does depends on its state and on what arrives, on nothing else. So whatever a group of
them does, only a few thousand different moves of single nodes are ever made; all others are looked up.
"""

from collections.abc import Hashable, Mapping
from enum import IntEnum
from typing import NamedTuple

from mq.core.errors import MqError
from mq.raft.messages import Message
from mq.raft.role import Role
from mq.sim.explore.copying import clone
from mq.sim.explore.freezing import freeze
from mq.sim.explore.host import Host, Setting
from mq.sim.explore.promises import Look
from mq.sim.raised import raised

__all__ = ["FAILURES", "Kind", "Local", "LocalStates", "Moved"]

_ME, _OTHER = -1, -2

FAILURES = (MqError, AssertionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, NameError, RuntimeError)
"""What a node raises when it contradicts itself, or when whoever wrote it made a mistake that Python notices.

A RuntimeError is a method that is not written yet, too, or one that calls itself for ever.
"""


class Kind(IntEnum):
    """What can happen to a node. A step of the model is one of these with a number: of a message, or of a node."""

    DELIVER = 0
    LOSE = 1
    REPEAT = 2
    TIME_OUT = 3
    HEARTBEAT = 4
    PROPOSE = 5
    CRASH = 6
    SAVE = 7


class Moved(NamedTuple):
    """after: the number of the state; sent: numbers of messages; error: how the node contradicted itself, or an empty string."""

    after: int
    sent: tuple[int, ...]
    error: str


class Local(NamedTuple):
    """A state of one node. log, applied: numbers of these contents, to compare quickly."""

    host: Host
    look: Look
    log: int
    applied: int
    is_leader: bool
    is_voter: bool
    has_waiting: bool


class LocalStates:
    """states: by number. messages: by number, in the order in which they were first sent.

    failures: how nodes contradicted themselves, or stumbled, once for each move that came to that.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._shared = (setting.options, setting.configuration, setting.chance, setting.make)
        self._ids = setting.configuration.members
        self.states: list[Local] = []
        self.messages: list[Message] = []
        self.failures: list[str] = []
        self._by_name: dict[Hashable, int] = {}
        self._by_message: dict[Hashable, int] = {}
        self._contents: dict[Hashable, int] = {}
        self._moves: dict[tuple[int, int, int], Moved] = {}

    def first(self, node_id: int) -> int:
        """A node that starts for the first time."""
        return self._number(self.make_host(node_id))

    def make_host(self, node_id: int) -> Host:
        """A new node, with nothing on its disk."""
        return Host(node_id, self._setting)

    def move(self, local: int, kind: int, number: int) -> Moved:
        """What this input makes of a node. number: of the message, or of the proposal, else 0."""
        key = (local, kind, number)
        found = self._moves.get(key)
        if found is None:
            found = self._moves[key] = self._carry_out(local, Kind(kind), number)
        return found

    def _carry_out(self, local: int, kind: Kind, number: int) -> Moved:
        host = clone(self.states[local].host, self._shared)
        try:
            self.do(host, kind, number)
            host.node.check()
        except FAILURES as error:
            self.failures.append(raised(error))
            return Moved(local, (), self.failures[-1])
        sent, host.sent = host.sent, ()
        return Moved(self._number(host), tuple(sorted(map(self.number_message, sent))), "")

    def do(self, host: Host, kind: Kind, number: int) -> None:
        """Carry out an input on this very node."""
        setting = self._setting
        match kind:
            case Kind.DELIVER | Kind.REPEAT:
                host.call(setting, lambda node: node.step(self.messages[number]))
            case Kind.TIME_OUT:
                host.call(setting, lambda node: node.campaign())
            case Kind.HEARTBEAT:
                host.heartbeat(setting)
            case Kind.PROPOSE:
                host.call(setting, lambda node: node.propose([f"c{number}".encode()]))
            case Kind.CRASH:
                host.start(setting)
            case Kind.SAVE:
                host.save(setting)
            case Kind.LOSE:
                pass

    # --- numbers

    def _number(self, host: Host) -> int:
        name = self.frozen(host)
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = len(self.states)
            look = host.look
            self.states.append(
                Local(
                    host, look, self._content(look.entries), self._content(look.applied), look.role is Role.LEADER,
                    host.node.configuration.is_voter(host.node_id), bool(host.log.waiting),
                )
            )  # fmt: skip
        return found

    def _content(self, value: Hashable) -> int:
        return self._contents.setdefault(value, len(self._contents))

    def number_message(self, message: Message) -> int:
        """The same for equal messages."""
        name = (type(message), message)
        found = self._by_message.get(name)
        if found is None:
            found = self._by_message[name] = len(self.messages)
            self.messages.append(message)
        return found

    def frozen(self, host: Host, names: Mapping[int, int] | None = None) -> Hashable:
        """The contents of a node's state, with other names for the nodes if so wanted."""
        return freeze(host, newest_save=host.newest_save, names=names, shared=self._shared)
