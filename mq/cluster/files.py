"""The files of a cluster's folder.

cluster.json      what the cluster is: nodes, addresses, settings, and the proxy's token; for its owner only
cluster.secret    what the nodes prove to each other; for its owner only
cuts.json         of containers: which of them do not hear each other
lock              held by a command that starts or ends processes
pids/NAME.json    the process of a node, or of `proxy`, while there is one
logs/NAME.log     what a process says
data/NAME         the data folder of a node
traces            of a cluster under test: a file for each node
faults            of a cluster under test: what is wrong with a node's machine, see `mq.server.faults`
"""

import json
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from mq.cluster.errors import ClusterError
from mq.cluster.polling import poll_until
from mq.server.faults import Faults

__all__ = [
    "CLUSTER",
    "CUTS",
    "DATA",
    "FAULTS",
    "LOGS",
    "PIDS",
    "PROXY",
    "SECRET",
    "TRACES",
    "ClusterFile",
    "NodeEntry",
    "RegistryEntry",
    "full_name",
    "locked",
    "read_json",
    "write_json",
]

PROXY = "proxy"
"""Name of the proxy's own process."""
FAULTS, TRACES = "faults", "traces"
"""The folders of a cluster under test."""
CLUSTER, SECRET, CUTS, PIDS, DATA, LOGS = "cluster.json", "cluster.secret", "cuts.json", "pids", "data", "logs"

_FORMAT = 1
_LOCK_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """A node as it was planned. client, peer: HOST:PORT where it listens for clients and for the other nodes."""

    name: str
    group: str
    node: int
    client: str
    peer: str


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """A registry node as it was planned. listen: HOST:PORT for brokers and clients."""

    name: str
    listen: str


@dataclass(slots=True)
class ClusterFile:
    """What `cluster.json` says.

    command: starts a node, together with the flags of `mq broker`. settings: of `mq broker`, by field name, as text.
    token: for the proxy; empty when there is none and the nodes reach each other directly. control: the proxy's port for
    commands. proxied: [who dials, who is dialled, the proxy's port]. parts: replaced organs (a folder or module), by node.
    backend: what nodes run in, local or docker. docker: the image, network and subnet of containers. is_under_test: see
    `ClusterBackend`.
    """

    folder: Path
    nodes: list[NodeEntry]
    command: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    token: str = ""
    control: int = 0
    proxied: list[tuple[str, str, int]] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    backend: str = "local"
    docker: dict[str, str] = field(default_factory=dict)
    is_under_test: bool = False
    registries: list[RegistryEntry] = field(default_factory=list)

    @classmethod
    def exists(cls, folder: Path) -> bool:
        """Whether there is, or was, a cluster in this folder."""
        return (folder / CLUSTER).exists()

    @classmethod
    def read(cls, folder: Path) -> "ClusterFile":
        """The cluster of a folder. Raises: ClusterError."""
        found = read_json(folder / CLUSTER)
        if found is None:
            left = (
                f"; what an `up` that failed left: `mq cluster logs NODE --dir {folder}`"
                if any((folder / LOGS).glob("*"))
                else ""
            )
            raise ClusterError(f"there is no cluster in {folder}; `mq cluster up --dir {folder}` makes one{left}")
        try:
            if found.pop("format") != _FORMAT:
                raise ClusterError(f"{folder / CLUSTER} is of another version of mq")
            nodes = [NodeEntry(**node) for node in found.pop("nodes")]
            proxied = [(str(a), str(b), int(port)) for a, b, port in found.pop("proxied")]
            registries = [RegistryEntry(**one) for one in found.pop("registries", [])]
            return cls(folder=folder, nodes=nodes, proxied=proxied, registries=registries, **found)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ClusterError(f"{folder / CLUSTER} is not what it should be: {error!r}") from error

    def write(self) -> None:
        """Save it."""
        content = {"format": _FORMAT, **asdict(self)}
        del content["folder"]
        write_json(self.folder / CLUSTER, content)

    def check_backend(self, backend: str) -> None:
        """Raises: ClusterError when this is a cluster of another kind."""
        if self.backend != backend:
            raise ClusterError(
                f"--backend {backend}: {self.folder} holds a cluster of the {self.backend} backend; give another --dir"
            )

    def links(self) -> list[tuple[str, str]]:
        """Who dials whom: every ordered pair of nodes of one group."""
        return [(a.name, b.name) for a in self.nodes for b in self.nodes if a.group == b.group and a != b]

    def proxy_ports(self) -> dict[tuple[str, str], int]:
        """The proxy's port for each link, (who dials, who is dialled)."""
        return {(source, target): port for source, target, port in self.proxied}

    def node(self, name: str) -> NodeEntry:
        """A node by its name. Raises: ClusterError naming those that there are."""
        for node in self.nodes:
            if node.name == name:
                return node
        if self.registry(name) is not None:
            raise ClusterError(f"{name} is a registry node; this is for brokers: {', '.join(node.name for node in self.nodes)}")
        names = [*(node.name for node in self.nodes), *(one.name for one in self.registries)]
        raise ClusterError(f"there is no node {name!r}; there are {', '.join(names)}")

    def registry(self, name: str) -> RegistryEntry | None:
        """A registry node by its name; None when it is none's."""
        return next((one for one in self.registries if one.name == name), None)

    def processes(self) -> list[str]:
        """The names of all that runs, in the order in which it is started."""
        proxy = [PROXY] if self.token else []
        return [*proxy, *(one.name for one in self.registries), *(node.name for node in self.nodes)]

    def places(self, name: str) -> tuple[str, ...]:
        """Where a node or a registry node listens. Raises: ClusterError for another name."""
        registry = self.registry(name)
        if registry is not None:
            return (registry.listen,)
        node = self.node(name)
        return node.client, node.peer

    def check_name(self, name: str) -> None:
        """Raises: ClusterError for a name that is neither a node's nor a registry node's."""
        if self.registry(name) is None:
            self.node(name)

    def log_file(self, name: str) -> Path:
        """Where a process says what it does."""
        return self.folder / LOGS / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Where the process of a node, or of the proxy, is written down."""
        return self.folder / PIDS / f"{name}.json"

    def data_folder(self, name: str) -> Path:
        """Where a node keeps what it stores."""
        return self.folder / DATA / name

    def make_test_folders(self) -> None:
        """Where nodes under test write, and look for faults: there are none yet."""
        if self.is_under_test:
            for name in (FAULTS, TRACES):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            for left in (self.folder / FAULTS).iterdir():
                left.unlink()

    def play(self, name: str, faults: Faults) -> None:
        """See `ClusterBackend`."""
        own = self.node(name)
        if not self.is_under_test:
            raise ClusterError(f"{name} was started without a place for faults")
        file = self.folder / FAULTS / f"{own.group}-{own.node}.json"
        made = file.with_suffix(".new")
        made.write_text(json.dumps(asdict(faults)), encoding="utf-8")
        made.chmod(0o644)  # whoever the node runs as
        made.replace(file)

    def secret_file(self) -> Path:
        """The secret of the cluster; made on first use, once, also when several ask at the same moment."""
        file = self.folder / SECRET
        if not file.exists():
            _write_private(file, secrets.token_hex(32) + "\n", keeps_earlier=True)
        return file


def full_name(text: str, groups: Iterable[str]) -> str:
    """A node's name for its number, where only one group can be meant; anything else as it is."""
    found = set(groups)
    return f"{found.pop()}-{int(text)}" if text.isdecimal() and len(found) == 1 else text


@contextmanager
def locked(
    folder: Path, *, name: str = "lock", holder: str = "`mq cluster` command", limit_s: float = _LOCK_S_MAX
) -> Iterator[None]:
    """Only one command at a time starts or ends processes of a cluster. It is let go when its process ends, however that ends.

    name: of the file. holder: who else may have it, for people. Raises: ClusterError when another one takes longer than limit_s.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("a+") as handle:
        if not poll_until(lambda: _try_lock(handle), limit_s):
            raise ClusterError(f"another {holder} is at work in {folder}")
        yield


def _try_lock(handle: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists on Windows only

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - does not exist on Windows

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read_json(file: Path) -> dict[str, Any] | None:
    """The object in a file, or None when there is no such file. Raises: ClusterError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ClusterError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ClusterError(f"{file} is not what it should be")
    return found


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Put an object into a file, whole or not at all; only its owner can read it. Raises: ClusterError."""
    _write_private(file, json.dumps(content, indent=2) + "\n")


def _write_private(file: Path, text: str, *, keeps_earlier: bool = False) -> None:
    made = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
            handle.write(text)
        if keeps_earlier:
            with suppress(FileExistsError):
                os.link(made, file)
        else:
            made.replace(file)
    except OSError as error:
        raise ClusterError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            made.unlink()
