"""What can be done to a cluster, whatever its nodes run in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mq.server.faults import Faults

__all__ = ["ClusterBackend", "ClusterStatus", "NodeInfo", "RegistryInfo"]


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node of a cluster.

    name: such as broker-a-1. node: its number in its group. client, peer: HOST:PORT where it listens for clients and for other
    nodes. data: its folder or volume. state: running, paused or stopped. pid or container: what it runs in, if it does. parts:
    where its replaced organs come from; empty when it has none. has_ended_itself: nobody stopped or killed it by a command, as
    far as that is known.
    """

    name: str
    group: str
    node: int
    client: str
    peer: str
    data: str
    state: str
    pid: int | None = None
    container: str | None = None
    parts: str = ""
    has_ended_itself: bool = False


@dataclass(frozen=True, slots=True)
class RegistryInfo:
    """A registry node. listen: HOST:PORT. state, pid, container: as of a node."""

    name: str
    listen: str
    state: str
    pid: int | None = None
    container: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """A cluster at a glance.

    network: what cuts and delays: `running`, `stopped` (then nodes do not reach each other), or `direct` when there is nothing.
    cuts: (who is not heard, by whom). delays: (who says it, who hears it, milliseconds).
    """

    nodes: tuple[NodeInfo, ...]
    network: str
    cuts: tuple[tuple[str, str], ...] = ()
    delays: tuple[tuple[str, str, int], ...] = ()
    registries: tuple[RegistryInfo, ...] = ()

    @property
    def endpoint(self) -> str:
        """All registry nodes, as clients take them; where there are none, all nodes."""
        if self.registries:
            return ",".join(one.listen for one in self.registries)
        return ",".join(node.client for node in self.nodes)


class ClusterBackend(Protocol):
    """Nodes are given by name. Everything blocks until it is done, and raises ClusterError when it cannot be done."""

    folder: Path

    @property
    def runs_in(self) -> str:
        """What its nodes run in, for people."""
        ...

    @property
    def is_under_test(self) -> bool:
        """Whether its nodes write traces, into `traces` of the folder, and do what `play` says."""
        ...

    def down(self) -> int:
        """End all nodes in good order; how many there were. What they stored stays."""
        ...

    def remove(self) -> None:
        """`down`, and delete what is stored outside of the folder."""
        ...

    def start(self, name: str, *, is_awaited: bool = True) -> bool:
        """Start a stopped node; whether it serves. is_awaited: until then, if it is a member and its group can have a leader."""
        ...

    def stop(self, name: str) -> None:
        """End a node in good order: it hands leadership over first."""
        ...

    def kill(self, name: str) -> None:
        """End a node at once; it has no time for anything."""
        ...

    def pause(self, name: str) -> None:
        """Let a node stand still, with all its connections open."""
        ...

    def resume(self, name: str) -> None:
        """Let a paused node go on."""
        ...

    def cut(self, a: str, b: str, *, is_one_way: bool = False) -> None:
        """Nothing that one of the two says reaches the other, and nobody is told. is_one_way: only what `a` says to `b`."""
        ...

    def delay(self, a: str, b: str, delay_ms: int) -> None:
        """What one of the two says reaches the other so much later; 0: at once."""
        ...

    def isolate(self, name: str) -> None:
        """Cut a node off from all others of its group."""
        ...

    def heal(self) -> None:
        """Nothing is cut or slow any more."""
        ...

    def play(self, name: str, faults: Faults) -> None:
        """From now on this, and nothing else, is wrong with a node's machine. Raises: ClusterError when it is not under test."""
        ...

    def wipe(self, name: str) -> None:
        """Delete what a stopped node stored."""
        ...

    def logs(self, name: str, *, is_followed: bool = False) -> Iterator[str]:
        """The lines that a node wrote. is_followed: and those to come, for ever."""
        ...

    def status(self) -> ClusterStatus:
        """How everything is now."""
        ...
