"""A group of a student's nodes as a model to be explored: `mq.sim.explore.group_model` with nodes across the border.

What a call makes of a node's state is asked for once; all that a group of them does is looked up from then on.
"""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, TypeAlias

from labs.grader.seams import Make
from labs.stage3_raft.kept_node import JudgingLog, KeptNode
from labs.stage3_raft.shelf import Keeper
from mq.raft.node import RaftNode
from mq.sim.explore.cells import Cells
from mq.sim.explore.group_model import GroupModel
from mq.sim.explore.history import History
from mq.sim.explore.host import Host, NoChance, Setting
from mq.sim.explore.local import FAILURES, Kind, LocalStates, Moved
from mq.sim.explore.scope import Scope
from mq.sim.raised import raised

__all__ = ["MakeHost", "SearchedGroup", "SearchedHost", "SearchedStates"]


class SearchedHost(Host):
    """One node with all that a restart does not take from it. It starts again as it was made, kept over there or not."""

    __slots__ = ("_setting",)
    node: KeptNode  # type: ignore[assignment]  # it stands for one

    def __init__(self, node_id: int, setting: Setting) -> None:
        self.node_id, self._setting = node_id, setting
        self.log = JudgingLog()
        self.start(setting)

    def start(self, _setting: Setting) -> None:
        """See `Host`."""
        setting = self._setting
        super().start(setting._replace(make=partial(setting.make, **self._more())))

    def _more(self) -> dict[str, Any]:
        """What else a node starts with."""
        return {}

    def copied(self) -> "SearchedHost":
        """Another one, that can change without this one noticing."""
        other: SearchedHost = object.__new__(type(self))
        log = JudgingLog()
        for name in JudgingLog.__mro__[1].__slots__:  # type: ignore[attr-defined]  # those of the log that it is derived from
            setattr(log, name, getattr(self.log, name))
        for name in (*Host.__slots__, "_setting"):
            setattr(other, name, getattr(self, name))
        other.log, other.node = log, self.node.copied(log)
        return other

    def name(self) -> Hashable:
        """What is to be known of its state: equal ones are one to the search."""
        log = self.log
        newest = log.newest_save
        waiting = tuple((newest - number, contents) for number, contents in log.waiting)
        promised = tuple((newest - number, type(message), message) for number, message in self.promised)
        now = (log.base, log.entries, log.hard_state)
        durable = None if log.durable == now else log.durable
        return self.node_id, now, durable, waiting, promised, self.applied, self.node.name()


MakeHost: TypeAlias = Callable[[int, Setting], SearchedHost]
"""Of a node's id, and of what is the same for all."""


class SearchedStates(LocalStates):
    """Its nodes are kept over there; those of `make_host` are not: they live through all that is done to them."""

    def __init__(self, kept: Setting, living: Setting, host: "MakeHost") -> None:
        super().__init__(living)
        self._kept, self._host = kept, host

    def first(self, node_id: int) -> int:
        """A node that starts for the first time."""
        return self._number(self._host(node_id, self._kept))

    def make_host(self, node_id: int) -> Host:
        """A new node, of which no copy is made."""
        return self._host(node_id, self._setting)

    def _carry_out(self, local: int, kind: Kind, number: int) -> Moved:
        host = self.host(local).copied()
        try:
            self.do(host, kind, number)
            host.node.check()
        except FAILURES as error:
            self.failures.append(raised(error))
            return Moved(local, (), self.failures[-1])
        sent, host.sent = host.sent, ()
        return Moved(self._number(host), tuple(sorted(map(self.number_message, sent))), "")

    def host(self, local: int) -> SearchedHost:
        """Of a state."""
        host = self.states[local].host
        assert isinstance(host, SearchedHost)
        return host

    def frozen(self, host: Host, names: Mapping[int, int] | None = None) -> Hashable:
        """See `SearchedHost.name`. names: there are none."""
        assert isinstance(host, SearchedHost)
        assert names is None
        return host.name()


class SearchedGroup(GroupModel):
    """keeper: what crossed. is_lived_again: see `Keeper`. host: makes hosts of the nodes."""

    local: SearchedStates

    def __init__(self, scope: Scope, make: Make, *, is_lived_again: bool = False, host: MakeHost = SearchedHost) -> None:
        super().__init__(scope)
        self.keeper = Keeper(make, is_disk_ready=scope.is_disk_ready, is_lived_again=is_lived_again)
        living = Keeper(make, is_disk_ready=scope.is_disk_ready, is_living=True)
        setting = Setting(RaftNode, scope.options, scope.configuration, NoChance(), scope.is_disk_ready)
        kept, lives = (setting._replace(make=partial(KeptNode, one)) for one in (self.keeper, living))  # type: ignore[arg-type]
        self.local = SearchedStates(kept, lives, host)
        self.history = History(self.local, scope.promises)
        self._cells = Cells(self.local)
