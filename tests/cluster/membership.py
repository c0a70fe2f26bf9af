"""A broker group whose members change: nodes are wiped, come, and go."""

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from mq.broker.store.record import GROUP_HEADER_BYTES, GROUP_MAGIC, RECORD_HEADER_BYTES
from mq.client.raft_views import RaftView
from mq.cluster.files import ClusterFile
from mq.cluster.local import LocalCluster
from mq.cluster.plan import BROKER_COMMAND, ClusterPlan, flags_of
from mq.core.errors import MqError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import Ran, free_port, run_mq, wait_until

__all__ = ["Members", "middle_of"]

_WHOLE_S_MAX = 40.0


class Members:
    """Three nodes, and at most one more that is no part of the cluster's folder. Use `with`: nothing outlives it.

    clients: HOST:PORT of each node by number. settings: of `mq broker`, by field name.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self.cluster = LocalCluster.up(folder, ClusterPlan(base_port=0, is_direct=True, settings=settings))
        self._file = ClusterFile.read(folder)
        self.clients = {node.node: node.client for node in self._file.nodes}
        self._newcomer: subprocess.Popen[bytes] | None = None
        self._settings = settings

    def __enter__(self) -> "Members":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._newcomer is not None:
            self._newcomer.kill()
            self._newcomer.wait()
        self.cluster.down()

    @property
    def endpoint(self) -> str:
        """All nodes, as the official client takes them."""
        return ";".join(self.clients.values())

    def mq(self, *arguments: str) -> Ran:
        """An `mq` command that knows all nodes."""
        return run_mq(*arguments, "--endpoint", ",".join(self.clients.values()))

    def name(self, node: int) -> str:
        """The cluster's name for a node."""
        return self._file.nodes[node - 1].name

    def data_folder(self, node: int) -> Path:
        """Where a node of the cluster keeps its data."""
        return self._file.data_folder(self.name(node))

    def log_of(self, node: int) -> str:
        """What a node said."""
        if node <= len(self._file.nodes):
            return "".join(self.cluster.logs(self.name(node)))
        return (self._folder / "newcomer.log").read_text(encoding="utf-8")

    # --- who is what

    def view(self, node: int, *, with_state_hash: bool = False) -> RaftView | None:
        """What a node says of itself; None when it does not answer."""
        try:
            with Connection(self.clients[node], timeout_s=5.0) as connection:
                return AdminClient(connection).describe_raft(with_state_hash=with_state_hash)
        except MqError:
            return None

    def views(self) -> dict[int, RaftView]:
        """Of all that answer."""
        return {node: view for node in self.clients if (view := self.view(node)) is not None}

    def leader(self) -> int:
        """Who leads; waits for one that the most know."""

        def found() -> int:
            leaders = [view for view in self.views().values() if view.role == "leader"]
            return max(leaders, key=lambda view: view.term).node if leaders else 0

        return int(wait_until(found, "the group has a leader", limit_s=_WHOLE_S_MAX))

    def await_voters(self, *voters: int) -> None:
        """Until these nodes are the voters, each of them knows, and no change is under way."""

        def are_so() -> bool:
            views = [self.view(voter) for voter in voters]
            return all(view and view.voters == voters and not view.is_changing and view.part == "full" for view in views)

        wait_until(are_so, f"the voters are {voters}", limit_s=_WHOLE_S_MAX)

    def state_hashes(self, *nodes: int) -> set[int | None]:
        """Of the states of these nodes behind one and the same entry."""
        found: list[RaftView] = []

        def are_level() -> bool:
            found[:] = [view for node in nodes if (view := self.view(node, with_state_hash=True)) is not None]
            return len(found) == len(nodes) and len({view.state_index for view in found}) == 1

        wait_until(are_level, f"nodes {nodes} have applied equally much", limit_s=_WHOLE_S_MAX)
        return {view.state_hash for view in found}

    # --- coming and going

    def wipe(self, node: int) -> None:
        """SIGKILL, and the disk is lost; the node is started again with an empty folder."""
        self.cluster.kill(self.name(node))
        self.wipe_dead(node)

    def wipe_dead(self, node: int) -> None:
        """The disk of a node that does not run is lost, and it is started again."""
        shutil.rmtree(self._file.data_folder(self.name(node)))
        self.cluster.start(self.name(node), is_awaited=False)

    def start_newcomer(self, node: int) -> str:
        """A node that no one knows yet, with an empty folder; its address for the others."""
        peer, client = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        flags = flags_of(self._file, self.name(1))
        own: dict[str, str] = {
            "--data": str(self._folder / "newcomer"), "--listen": client, "--advertise": client, "--node": str(node),
            "--peer-listen": peer, "--peers": flags[flags.index("--peers") + 1] + f",{node}={peer}",
        }  # fmt: skip
        for flag, value in own.items():
            flags[flags.index(flag) + 1] = value
        more: list[Any] = [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        with (self._folder / "newcomer.log").open("ab") as log:
            self._newcomer = subprocess.Popen([*BROKER_COMMAND, *flags, *more], stdout=log, stderr=log)
        self.clients[node] = client
        wait_until(lambda: self.view(node) is not None, f"node {node} answers")
        return peer


def middle_of(log: bytes | bytearray) -> int:
    """Where a payload begins, in the middle of a segment: a byte that matters, as those do not that fill up between groups."""
    return log.index(GROUP_MAGIC, len(log.rstrip(b"\0")) // 2) + GROUP_HEADER_BYTES + RECORD_HEADER_BYTES
