"""The configuration of a broker process.

Sources in rising order: the defaults, a YAML file, the environment (`MQ_BROKER_<FIELD>`, and `MQ_PARTS`), the flags of
`mq broker`. Everything is checked before anything starts; each error names the field, the limit, and where the
value came from.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from mq.core.address import Address, check_advertised, parse_address
from mq.core.errors import IllegalArgumentError
from mq.core.limits import TOPIC_NAME
from mq.core.quantity import parse_duration_ms, parse_size_bytes, show_bytes
from mq.raft.options import RaftOptions
from mq.registry.registration import times_of
from mq.server.config_sources import ENVIRONMENT_PREFIX, from_environment, from_file
from mq.server.core import GroupSettings
from mq.server.group_settings import (
    all_addresses_of,
    check_secret,
    copy_of,
    is_loopback,
    parse_peers,
    read_secret,
    replication_of,
    told_addresses,
)
from mq.server.logs import LOG_LEVELS

__all__ = ["DEFAULT_METRICS_LISTEN", "BrokerConfig", "load_config"]

DEFAULT_METRICS_LISTEN = "127.0.0.1:5557"
"""Where `mq broker` serves metrics unless it is told otherwise."""

_NAME_CHARS_MAX = 64
_NODE_MAX = 255
_SEGMENT_BYTES_MIN, _SEGMENT_BYTES_MAX = 64 << 10, 1 << 30
_SNAPSHOT_EVERY_BYTES_MIN, _SNAPSHOT_EVERY_BYTES_MAX = 64 << 10, 1 << 40
_RETENTION_MAX = 1 << 62
_TICK_MS_MIN, _TICK_MS_MAX = 10, 1000
_TICKS_MAX = 1000

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, kw_only=True)
class BrokerConfig:
    """What one broker process is told. Raises: IllegalArgumentError naming field and limit."""

    data: Path
    """Folder of everything that is stored; one process at a time. A slow disk here is a slow broker: each
    acknowledgement waits for its sync."""

    listen: str = "127.0.0.1:8081"
    """HOST:PORT or [IPv6]:PORT for clients. 0.0.0.0 takes clients of other machines, with no access control yet; port 0
    takes any free one."""

    advertise: tuple[str, ...] = ()
    """HOST:PORT as clients reach this broker, told to them in routes: one host name, or IP addresses of one version.
    Empty: `listen`, and for 0.0.0.0 this machine's first address. A wrong one lets clients connect and then fail. One address
    for each of the `peers`, in the order of their numbers, also says which is this node's own."""

    listen_outside: str = ""
    """HOST:PORT of a second listener, for clients that reach this broker by other addresses, such as the published ports of a
    container. Empty: there is none. Whoever comes in by it is told `advertise_outside` and never `advertise`."""

    advertise_outside: tuple[str, ...] = ()
    """As `advertise`, for those that come in by `listen_outside`. Nodes that join the group later are not in it by themselves."""

    name: str = "broker-a"
    """Name of the broker group, in routes and metrics. At most 64 of the characters of a topic name."""

    node: int = 1
    """This node's number within its broker group, from 1 to 255."""

    peers: tuple[str, ...] = ()
    """NUMBER=HOST:PORT of each node of the group when it starts for the first time, this one included: 1 to 7 nodes, the
    same ones on all of them. HOST:PORT is where this node reaches the other; without a port it is 10921. Later the group itself
    knows who belongs to it. Empty: a node alone."""

    peer_listen: str = ""
    """HOST:PORT for the other nodes of the group. Empty: the port of this node's own entry in `peers`, on all addresses of this
    machine, or on the loopback address if that is what the entry says."""

    replication: str = ""
    """How the log is copied: `solo` (not at all), `master_slave` (to slaves, see `copy`) or `raft` (to a majority before anything
    is acknowledged). Empty: raft when there are peers, else solo; the field then says which. raft without peers is a group of one
    node. With master_slave the `peers` are to be the same ones for good; the lowest number begins as the master."""

    copy: str = ""
    """Of master_slave, when a message is acknowledged: `async` (durable at the master) or `sync` (at one slave, too). Empty:
    async. async loses acknowledged messages with the master's disk; sync takes no messages while there is no slave."""

    cluster_secret: str = field(default="", repr=False)
    """What the nodes of a group prove to each other that they know. Needed as soon as one of them can be reached from another
    machine. Never shown; on a command line everybody could read it, so there is no flag for it."""

    cluster_secret_file: Path | None = None
    """The secret is what stands in this file, without blanks at its ends; it wins over `cluster_secret`."""

    tick_ms: int = 50
    """How often a node of a group looks at its clock, 10 to 1000. Less finds a silent leader sooner, and needs more of the
    processor when nothing happens. The same on all nodes, like the two below."""

    election_ticks: int = 12
    """Ticks of silence after which a follower asks to be elected: from this to twice this (0.6 s to 1.2 s by default). Less ends
    a silent failure sooner, but takes a leader that is only busy, or a slow disk, for a dead one. A leader whose process died
    is not waited for: its connections break, and that is noticed at once."""

    heartbeat_ticks: int = 2
    """Ticks between two signs of life of a leader, fewer than `election_ticks`. More saves messages in an idle group, and
    leaves fewer of them to be lost before a follower asks to be elected."""

    parts: str = ""
    """A folder, file or module with organs of your own in the place of ours: classes `Raft` and `CommitLog`. Each of their calls
    is looked at and timed; one that does what it must not ends this node, and the others of its group go on. In the environment
    also MQ_PARTS."""

    segment_bytes: int = 64 << 20
    """Size of one file of the commit log, 64 KiB to 1 GiB. Smaller: retention frees space in finer steps, but more
    files and more snapshots. Larger: fewer, but space comes back late and a whole segment is reserved at a time.
    While less than three of them are free on the disk, messages are refused and only consumers go on."""

    snapshot_every_bytes: int = 256 << 20
    """A snapshot of the state after so many bytes of what was applied, 64 KiB to 1 TiB; one is taken where a segment begins,
    too. In a group all nodes take it of the same entry, and compare their states. Smaller: a restart replays less, and nodes
    compare more often, but more is written. Larger: the other way round (replay handles very roughly 20 MiB/s)."""

    retention_bytes: int = 0
    """Whole segments are dropped, oldest first, while the log is larger than this; 0 keeps all. Smaller: less disk, but
    slow consumers lose what they have not read."""

    retention_ms: int = 0
    """Segments are dropped when all in them is older than this; 0 keeps all. Smaller: as for `retention_bytes`."""

    auto_create_topics: bool = False
    """Whether a send to an unknown topic makes it, with 8 queues, for messages of the type that came first. Convenient, but each
    typing error becomes a topic."""

    registry: tuple[str, ...] = ()
    """HOST:PORT of each registry node; this node registers with all of them. Empty: with none."""

    registry_times: str = "usual"
    """How often this node registers: `usual` (each 30 s, as RocketMQ) or `fast` (each second; for lessons and tests). Changes are
    told at once. The same for the registry nodes."""

    metrics_listen: str = ""
    """HOST:PORT of /metrics, /healthz and /readyz; empty: none. Other machines can read them when it is 0.0.0.0."""

    trace: str = ""
    """A file to which a node of a group adds what it does, a line each, for `mq chaos judge` and `python -m mq.sim.spacetime`;
    `{name}` and `{node}` in it stand for the group's name and the node's number. Empty: none. Costs speed, and grows for ever."""

    log_level: str = "info"
    """debug, info, warning or error. debug adds tracebacks, and costs speed."""

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is None and name == "cluster_secret_file":
                continue
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                shown = "what is given" if name == "cluster_secret" else repr(value)
                raise IllegalArgumentError(f"{name}: {shown} is not of type {kind.__name__}")
        if self.data.exists() and not self.data.is_dir():
            raise IllegalArgumentError(f"data: {self.data} is not a folder")
        parse_address(self.listen, "listen", is_zero_port_allowed=True)
        check_advertised([parse_address(one, "advertise") for one in self.advertise])
        self._check_outside()
        if not self.name or len(self.name) > _NAME_CHARS_MAX or not TOPIC_NAME.fullmatch(self.name):
            raise IllegalArgumentError(
                f"name: {self.name[:80]!r} must have 1 to {_NAME_CHARS_MAX} characters of {TOPIC_NAME.pattern}"
            )
        self._check_range("node", 1, _NODE_MAX)
        self._check_range("segment_bytes", _SEGMENT_BYTES_MIN, _SEGMENT_BYTES_MAX)
        self._check_range("snapshot_every_bytes", _SNAPSHOT_EVERY_BYTES_MIN, _SNAPSHOT_EVERY_BYTES_MAX)
        self._check_range("retention_bytes", 0, _RETENTION_MAX)
        self._check_range("retention_ms", 0, _RETENTION_MAX)
        if self.metrics_listen:
            parse_address(self.metrics_listen, "metrics_listen", is_zero_port_allowed=True)
        if self.log_level.lower() not in LOG_LEVELS:
            raise IllegalArgumentError(f"log_level: {self.log_level!r} is not one of {', '.join(LOG_LEVELS)}")
        for one in self.registry:
            parse_address(one, "registry")
        times_of(self.registry_times)
        self._check_group()

    def _check_outside(self) -> None:
        if self.listen_outside:
            outside = parse_address(self.listen_outside, "listen_outside", is_zero_port_allowed=True)
            if outside == self.listen_address and outside[1]:
                raise IllegalArgumentError(f"listen_outside: {self.listen_outside} is `listen` already; give another port")
        elif self.advertise_outside:
            raise IllegalArgumentError("advertise_outside: nobody is told it without a `listen_outside`")
        check_advertised([parse_address(one, "advertise_outside") for one in self.advertise_outside], "advertise_outside")

    def _check_group(self) -> None:
        """What concerns the group; also fills in the fields whose value follows from others."""
        peers = self.peer_addresses
        if peers and self.node not in peers:
            raise IllegalArgumentError(f"peers: node {self.node} itself must be among them; there are {sorted(peers)}")
        if self.peer_listen:
            parse_address(self.peer_listen, "peer_listen", is_zero_port_allowed=True)
        object.__setattr__(self, "replication", replication_of(self.replication, has_peers=bool(peers)))
        copy_of(self.copy, replication=self.replication)
        if self.cluster_secret_file is not None:
            object.__setattr__(self, "cluster_secret", read_secret(self.cluster_secret_file))
        check_secret(self.cluster_secret, [*peers.values(), *filter(None, [self.peer_listen_address])])
        self._check_range("tick_ms", _TICK_MS_MIN, _TICK_MS_MAX)
        self._check_range("heartbeat_ticks", 1, _TICKS_MAX - 1)
        self._check_range("election_ticks", self.heartbeat_ticks + 1, _TICKS_MAX)

    def _check_range(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise IllegalArgumentError(f"{name}: {value} is outside of {low} to {high}{_shown_range(name, low, high)}")

    @property
    def listen_address(self) -> Address:
        """(host, port) to listen on."""
        return parse_address(self.listen, "listen", is_zero_port_allowed=True)

    @property
    def peer_addresses(self) -> dict[int, Address]:
        """Where the nodes of the group reach each other, by node, this one included; none when there are no `peers`."""
        return parse_peers(self.peers)

    @property
    def peer_listen_address(self) -> Address | None:
        """(host, port) to listen on for the other nodes, or None when neither `peer_listen` nor `peers` says one."""
        if self.peer_listen:
            return parse_address(self.peer_listen, "peer_listen", is_zero_port_allowed=True)
        if not self.peers:
            return None
        host, port = self.peer_addresses[self.node]
        return (host if is_loopback(host) else all_addresses_of(host)), port

    @property
    def registry_addresses(self) -> tuple[Address, ...]:
        """(host, port) of each registry node."""
        return tuple(parse_address(one, "registry") for one in self.registry)

    @property
    def trace_file(self) -> Path | None:
        """Where this node's trace goes, if anywhere; a node by itself has none."""
        text = self.trace.replace("{name}", self.name).replace("{node}", str(self.node))
        return Path(text).expanduser() if text and self.replication == "raft" else None

    @property
    def group_settings(self) -> GroupSettings | None:
        """This node's part in its group; None for a node by itself."""
        if self.replication == "solo":
            return None
        raft = RaftOptions(election_ticks=self.election_ticks, heartbeat_ticks=self.heartbeat_ticks)
        voters = tuple(sorted(self.peer_addresses)) or (self.node,)
        copy = copy_of(self.copy, replication=self.replication)
        return GroupSettings(node_id=self.node, voters=voters, tick_ms=self.tick_ms, raft=raft, copy=copy)

    @property
    def listen_outside_address(self) -> Address | None:
        """(host, port) of the second listener for clients, if there is one."""
        return parse_address(self.listen_outside, "listen_outside", is_zero_port_allowed=True) if self.listen_outside else None

    def advertised(self, port: int) -> list[Address]:
        """What routes tell clients. port: the one that is really listened on."""
        return told_addresses(self.advertise, (self.listen_address[0], port))

    def advertised_outside(self, port: int) -> list[Address]:
        """What routes tell clients that came in by the second listener."""
        return told_addresses(self.advertise_outside, ((self.listen_outside_address or self.listen_address)[0], port))

    def outside_by_node(self, port: int) -> dict[int, Address]:
        """Which of `advertised_outside` is whose; empty when there is not one for each node."""
        told, numbers = self.advertised_outside(port), sorted(self.peer_addresses) or [self.node]
        return dict(zip(numbers, told, strict=True)) if len(numbers) == len(told) else {}

    def own_of(self, told: list[Address], listens: Address) -> Address | None:
        """Which of these addresses is this node's own; None where that cannot be known. listens: really listened on."""
        if listens in told or len(told) == 1:
            return listens if listens in told else told[0]
        numbers = sorted(self.peer_addresses)
        return told[numbers.index(self.node)] if len(numbers) == len(told) else None


def _shown_range(name: str, low: int, high: int) -> str:
    """A range of bytes once more, in units."""
    return f" ({show_bytes(low)} to {show_bytes(high)})" if name in ("segment_bytes", "snapshot_every_bytes") else ""


def _size(text: str, field: str) -> int:
    # A negative size is a number out of range, not a text that nobody understands.
    return int(text) if re.fullmatch(r"\s*-\d+\s*", text) else parse_size_bytes(text, field)


def _bool(text: str, field: str) -> bool:
    if text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    raise IllegalArgumentError(f"{field}: {text!r} is not true or false")


def _int(text: str, field: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise IllegalArgumentError(f"{field}: {text!r} is not a whole number") from None


def _parts(text: str, _field: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _milliseconds(text: str, field: str) -> int:
    return int(text) if text.strip().isdecimal() else parse_duration_ms(text, field)


_KINDS: dict[str, type] = {
    one.name: {Path: Path, Path | None: Path, str: str, int: int, bool: bool}.get(one.type, tuple)  # type: ignore[arg-type]
    for one in fields(BrokerConfig)
}
_FROM_TEXT: dict[str, Callable[[str, str], object]] = {
    "data": lambda text, _field: Path(text).expanduser(),
    "advertise": _parts,
    "advertise_outside": _parts,
    "peers": _parts,
    "registry": _parts,
    "cluster_secret_file": lambda text, _field: Path(text).expanduser() if text.strip() else None,
    "tick_ms": _milliseconds,
    "election_ticks": _int,
    "heartbeat_ticks": _int,
    "node": _int,
    "segment_bytes": _size,
    "snapshot_every_bytes": _size,
    "retention_bytes": _size,
    "retention_ms": _milliseconds,
    "auto_create_topics": _bool,
}


def load_config(
    file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> BrokerConfig:
    """The configuration from all its sources.

    file: YAML, one value for each field. environment: all of it; names that do not begin with MQ_BROKER_ are passed
    over, but for MQ_PARTS, which is `parts`, too. flags: by field name; None means that the flag was not given. Sizes may be
    texts such as `64MiB`, durations such as `5s`. Raises: IllegalArgumentError.
    """
    values: dict[str, object] = {"metrics_listen": DEFAULT_METRICS_LISTEN}
    sources: dict[str, str] = {}

    def take(found: Mapping[str, object], source: Callable[[str], str]) -> None:
        for name, value in found.items():
            sources[name] = source(name)
            try:
                values[name] = _value(name, value)
            except IllegalArgumentError as error:
                raise IllegalArgumentError(f"{error} ({sources[name]})") from None

    if file is not None:
        take(from_file(file), lambda name: f"`{name}` in {file}")
    take(from_environment(environment or {}), lambda name: f"environment {ENVIRONMENT_PREFIX}{name.upper()}")
    take({name: value for name, value in (flags or {}).items() if value is not None}, _flag)
    if "data" not in values:
        raise IllegalArgumentError(f"data: a folder is needed: --data DIR, {ENVIRONMENT_PREFIX}DATA, or `data` in the file")
    try:
        return BrokerConfig(**values)  # type: ignore[arg-type]
    except IllegalArgumentError as error:
        source = sources.get(str(error).partition(":")[0])
        raise IllegalArgumentError(f"{error} ({source})" if source else str(error)) from None


def _flag(name: str) -> str:
    return {"metrics_listen": "--metrics"}.get(name, f"--{name.replace('_', '-')}")


def _value(name: str, value: object) -> object:
    """A value of any source in the field's own type, as far as it can be had; `BrokerConfig` checks the rest."""
    if name not in _KINDS:
        near = difflib.get_close_matches(name, _KINDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KINDS)}"
        raise IllegalArgumentError(f"{name}: there is no such field; {hint}")
    if isinstance(value, list) and _KINDS[name] is tuple:
        return tuple(str(item) for item in value)
    if isinstance(value, str) and name in _FROM_TEXT:
        return _FROM_TEXT[name](value, name)
    return value
