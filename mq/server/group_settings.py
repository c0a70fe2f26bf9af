"""The settings that concern a broker's group: who is in it, how the log is copied, their secret, and what clients are told."""

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

from mq.broker.replication.master_slave import Copy
from mq.core.address import Address, is_ip, parse_address, show_address
from mq.core.errors import IllegalArgumentError

__all__ = [
    "PEER_PORT",
    "all_addresses_of",
    "check_secret",
    "copy_of",
    "is_loopback",
    "parse_peers",
    "read_secret",
    "replication_of",
    "told_addresses",
]

PEER_PORT = 10921
"""Where a node listens for the others of its group unless it is told otherwise."""

_NODE_MAX = 255
_NODES_MAX = 7
_SECRET_BYTES_MAX = 4096
_REPLICATIONS = ("solo", "master_slave", "raft")


def parse_peers(texts: Sequence[str]) -> dict[int, Address]:
    """Addresses by node, of texts such as `1=127.0.0.1:10921`. Raises: IllegalArgumentError naming `peers`."""
    peers: dict[int, Address] = {}
    for text in texts:
        number, equals, place = str(text).partition("=")
        if not equals or not number.strip().isascii() or not number.strip().isdecimal():
            raise IllegalArgumentError(f"peers: {str(text)[:80]!r} is not NUMBER=HOST:PORT, such as 1=127.0.0.1:{PEER_PORT}")
        node = int(number)
        if not 1 <= node <= _NODE_MAX:
            raise IllegalArgumentError(f"peers: node {node} is outside of 1 to {_NODE_MAX}")
        if node in peers:
            raise IllegalArgumentError(f"peers: node {node} stands there twice")
        has_port = ":" in place.rpartition("]")[2]
        address = parse_address(place if has_port else f"{place.strip()}:{PEER_PORT}", "peers")
        if address in peers.values():
            raise IllegalArgumentError(f"peers: two nodes cannot both be at {show_address(address)}")
        peers[node] = address
    if len(peers) > _NODES_MAX:
        raise IllegalArgumentError(f"peers: {len(peers)} nodes are outside of 1 to {_NODES_MAX}")
    return peers


def replication_of(text: str, *, has_peers: bool) -> str:
    """What the setting says; where it says nothing, `raft` with peers, else `solo`. Raises: IllegalArgumentError."""
    wanted = text.strip().lower() or ("raft" if has_peers else "solo")
    if wanted not in _REPLICATIONS:
        raise IllegalArgumentError(f"replication: {text[:80]!r} is not one of {', '.join(_REPLICATIONS)}")
    if wanted == "solo" and has_peers:
        raise IllegalArgumentError("replication: solo copies nothing to anyone; leave the peers away, or take raft")
    if wanted == "master_slave" and not has_peers:
        raise IllegalArgumentError(
            "replication: master_slave needs --peers, the same on each node: the master and all its slaves"
        )
    return wanted


def copy_of(text: str, *, replication: str) -> Copy | None:
    """What a master waits for; None where there is none. Raises: IllegalArgumentError."""
    wanted = text.strip().lower()
    if replication != "master_slave":
        if wanted:
            raise IllegalArgumentError("copy: only a master and its slaves copy so; add --replication master_slave")
        return None
    try:
        return Copy(wanted or Copy.ASYNC)
    except ValueError:
        raise IllegalArgumentError(f"copy: {text[:80]!r} is neither async nor sync") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def all_addresses_of(host: str) -> str:
    """What to listen on for all addresses of the same kind as this one."""
    return "::" if is_ip(host, 6) else "0.0.0.0"  # noqa: S104 - nodes of other machines are to connect; they prove the secret


def read_secret(file: Path) -> str:
    """The secret in a file, without blanks at its ends. Raises: IllegalArgumentError, which never shows any of it."""
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise IllegalArgumentError(f"cluster_secret_file: {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise IllegalArgumentError(f"cluster_secret_file: {file} is not text in UTF-8") from None
    if not secret:
        raise IllegalArgumentError(f"cluster_secret_file: {file} is empty")
    return secret


def check_secret(secret: str, addresses: Sequence[Address]) -> None:
    """Whether these addresses may be used with this secret. Raises: IllegalArgumentError, which never shows any of it."""
    size = len(secret.encode(errors="surrogatepass"))
    if size > _SECRET_BYTES_MAX:
        raise IllegalArgumentError(f"cluster_secret: {size} bytes are more than {_SECRET_BYTES_MAX}")
    reachable = [address for address in addresses if not is_loopback(address[0])]
    if reachable and not secret:
        raise IllegalArgumentError(
            f"cluster_secret: {show_address(reachable[0])} can be reached from other machines, so the nodes of the group need a "
            "secret: --cluster-secret-file FILE, or MQ_BROKER_CLUSTER_SECRET"
        )


def told_addresses(advertise: tuple[str, ...], listens: Address) -> list[Address]:
    """What clients are told to connect to. listens: (host, port) that is listened on, where nothing else is advertised."""
    return [parse_address(one, "advertise") for one in advertise] or [(_own_address(listens[0]), listens[1])]


def _own_address(listen_host: str) -> str:
    """How clients reach a listener: its own host, or for one on all addresses the first that leads outside."""
    if listen_host not in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not listened on
        return listen_host
    family, outside = (socket.AF_INET6, "2001:db8::1") if ":" in listen_host else (socket.AF_INET, "192.0.2.1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Sends nothing: it only asks which of our addresses would be used.
            probe.connect((outside, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
