"""The process between the nodes of a local cluster: `python -m mq.cluster.proxy DIR`.

It listens on one port for each ordered pair of nodes and passes on what comes there, unless that is cut or delayed: so partitions
need no root and no firewall. What it shall do it is told in lines of JSON on a port of its own, by whoever knows the token of
`cluster.json`.
"""

import asyncio
import hmac
import json
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mq.cluster.errors import ClusterError
from mq.cluster.fabric import Fabric
from mq.cluster.files import ClusterFile
from mq.core.address import Address, parse_address

__all__ = ["Proxy", "ask_proxy", "command_of_proxy", "main"]

_HOST = "127.0.0.1"
_ANSWER_S_MAX = 5.0
_LINE_BYTES_MAX = 64 << 10


class Proxy:
    """All that listens. peers: where each node listens, by name. links: pairs (who dials, who is dialled)."""

    def __init__(self, peers: Mapping[str, Address], links: list[tuple[str, str]], token: str) -> None:
        self._peers, self._links, self._token = peers, links, token
        self._servers: list[asyncio.Server] = []
        self.fabric = Fabric(asyncio.get_running_loop())
        self.ports: dict[tuple[str, str], int] = {}
        self.control_port = 0

    async def start(self, ports: Mapping[tuple[str, str], int] | None = None, control_port: int = 0) -> None:
        """Listen. ports: that shall be taken; any free ones otherwise."""
        for link in self._links:
            server = await self.fabric.loop.create_server(
                self.fabric.accept(link, self._peers[link[1]]), _HOST, (ports or {}).get(link, 0)
            )
            self._servers.append(server)
            self.ports[link] = server.sockets[0].getsockname()[1]
        control = await asyncio.start_server(self._serve, _HOST, control_port, limit=_LINE_BYTES_MAX)
        self._servers.append(control)
        self.control_port = control.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more, and close all connections."""
        for server in self._servers:
            server.close()
        await self.fabric.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):  # too long a line, or a caller that is gone
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            token = request.pop("token")
            if not (isinstance(token, str) and hmac.compare_digest(token.encode(), self._token.encode())):
                return {"error": "wrong token"}
            self._do(request)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"not understood: {type(error).__name__}: {error}"}
        return self.fabric.state()

    def _do(self, request: dict[str, Any]) -> None:
        match request:
            case {"verb": "cut", "from": str(source), "to": str(target), "one_way": bool(is_one_way)}:
                self._check(source, target)
                self.fabric.cut(source, target, is_one_way=is_one_way)
            case {"verb": "delay", "from": str(source), "to": str(target), "ms": int(delay_ms)} if delay_ms >= 0:
                self._check(source, target)
                self.fabric.delay(source, target, delay_ms)
            case {"verb": "heal"}:
                self.fabric.heal()
            case {"verb": "state"}:
                pass
            case _:
                raise ValueError(f"there is no such verb, or not all it needs: {request}")

    def _check(self, source: str, target: str) -> None:
        if (source, target) not in self.ports:
            raise ValueError(f"{source} and {target} do not talk to each other")


def ask_proxy(port: int, token: str, request: Mapping[str, object]) -> dict[str, Any]:
    """Tell a proxy what to do; returns its state after that. Raises: ClusterError."""
    try:
        with socket.create_connection((_HOST, port), _ANSWER_S_MAX) as connection:
            connection.sendall(json.dumps({**request, "token": token}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
    except OSError as error:
        raise ClusterError(f"the proxy between the nodes does not answer ({error}); `mq cluster down`, then `up`") from error
    if not line:
        raise ClusterError("the proxy between the nodes hung up; `mq cluster down`, then `up`")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise ClusterError(f"the proxy between the nodes: {answer['error']}")
    return answer


def command_of_proxy(folder: Path) -> list[str]:
    """What starts the proxy of the cluster in this folder."""
    return [sys.executable, "-m", "mq.cluster.proxy", str(folder)]


async def _run(folder: Path) -> int:
    cluster = ClusterFile.read(folder)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    peers = {node.name: parse_address(node.peer, "peer") for node in cluster.nodes}
    proxy = Proxy(peers, cluster.links(), cluster.token)
    try:
        await proxy.start(cluster.proxy_ports(), cluster.control)
        await stop.wait()
    except OSError as error:
        sys.stderr.write(f"the proxy cannot listen: {error}\n")
        return 1
    finally:
        await proxy.close()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM. Where it listens stands in `cluster.json`."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    run: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - optional

        run = uvloop.run
    return run(_run(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
