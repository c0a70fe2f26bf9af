"""Ports of this machine that nobody listens on, nor is about to."""

import os
import secrets
import socket
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from mq.cluster.errors import ClusterError
from mq.cluster.files import locked, read_json, write_json

__all__ = ["PortPicker"]

_HOST = "127.0.0.1"
_FREE_FROM, _FREE_TO = 12_000, 32_000
"""Below the ports that systems give to outgoing connections: one of those could be taken while its node is down."""
_PORT_MAX = 65535
_CLAIM_S = 600.0
"""So long nobody else is given a port: whom it was given to takes a while to listen on it, and may be down for a moment."""


def _claims_folder() -> Path:
    """Where all clusters of a user of this machine write down which ports they were given."""
    return Path(tempfile.gettempdir()) / f"raftmq-ports-{os.getuid() if hasattr(os, 'getuid') else 'all'}"


class PortPicker:
    """Holds the ports that it gave out until the end of `with`, so that it gives none twice.

    folder: where it is written down which of the *any* ports were given out lately, by whichever process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._held: list[socket.socket] = []
        self._folder = folder or _claims_folder()
        self._claims: dict[str, float] = {}
        self._lock = ExitStack()

    def __enter__(self) -> "PortPicker":
        try:
            self._lock.enter_context(locked(self._folder))
            found = read_json(self._folder / "claims.json") or {}
        except (OSError, ClusterError):
            found = {}  # another user's folder, or a damaged file: claims are a help only
        now_s = time.time()
        in_time = {port: until_s for port, until_s in found.items() if isinstance(until_s, float)}
        self._claims = {port: until_s for port, until_s in in_time.items() if now_s < until_s <= now_s + _CLAIM_S}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for held in self._held:
            held.close()
        with self._lock, suppress(OSError, ClusterError):
            write_json(self._folder / "claims.json", self._claims)

    def take(self, port: int) -> bool:
        """Whether this port is free; it is held then."""
        probe = socket.socket()
        try:
            # As servers do: connections of an earlier one that are about to be forgotten are no hindrance.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((_HOST, port))
            probe.listen()
        except OSError:
            probe.close()
            return False
        self._held.append(probe)
        return True

    def any(self) -> int:
        """A free port."""
        for _ in range(1000):
            port = _FREE_FROM + secrets.randbelow(_FREE_TO - _FREE_FROM)
            if str(port) not in self._claims and self.take(port):
                self._claims[str(port)] = time.time() + _CLAIM_S
                return port
        raise ClusterError(f"no free port between {_FREE_FROM} and {_FREE_TO}")

    def row(self, base: int, count: int, *, is_needed: bool) -> list[int]:
        """`count` ports, ten apart, from base + 10 on. is_needed: those or none; otherwise any where one of them is taken.

        base 0: any. Raises: ClusterError.
        """
        if base and base + 10 * count > _PORT_MAX:
            raise ClusterError(
                f"base port {base}: {count} nodes need ports up to {base + 10 * count}, and {_PORT_MAX} is the last"
            )
        ports = []
        for number in range(1, count + 1):
            wanted = base + 10 * number
            if base and self.take(wanted):
                ports.append(wanted)
            elif is_needed and base:
                raise ClusterError(f"port {wanted} is taken; give another --port, or 0 for any free ones")
            else:
                ports.append(self.any())
        return ports
