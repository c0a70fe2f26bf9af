"""A node that stands in for a broker: it takes the same flags, dials its peers, and says whatever a test tells it to.

On its client port it answers lines of JSON: {"do": "describe"}, {"do": "say", "to": 2, "text": "x"}, {"do": "heard"}.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


class Node:
    """One node: what it heard, and its connections to the others."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.heard: list[str] = []
        self.peers = {int(text.split("=")[0]): text.split("=")[1] for text in options.peers.split(",")}
        self.connections: dict[int, asyncio.StreamWriter] = {}

    async def run(self) -> None:
        for place, serve in ((self.options.peer_listen, self.hear), (self.options.listen, self.answer)):
            host, port = place.split(":")
            await asyncio.start_server(serve, host, int(port))
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set if not self.options.stubborn else lambda: None)
        sys.stdout.write(f"node {self.options.node} serves\n")
        sys.stdout.flush()
        await stop.wait()
        sys.stdout.write("stopped\n")

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.heard.append(line.decode().strip())
        writer.close()

    async def say(self, node: int, text: str) -> None:
        """On the connection that there is; a new one if there is none or it was closed."""
        found = self.connections.get(node)
        if found is None or found.is_closing():
            host, port = self.peers[node].split(":")
            reader, found = await asyncio.open_connection(host, int(port))
            self.connections[node] = found
            task = asyncio.ensure_future(reader.read())
            task.add_done_callback(lambda _: found.close())
        found.write(f"{self.options.node}: {text}\n".encode())

    def describe(self) -> dict[str, Any]:
        """The first node leads, unless `role` in the data folder says another one."""
        role = Path(self.options.data, "role")
        leads = role.read_text() if role.exists() else str(min(self.peers))
        return {
            "node": self.options.node, "role": "leader" if leads == str(self.options.node) else "follower",
            "flags": sys.argv[1:], "settings": {k: v for k, v in os.environ.items() if k.startswith(("MQ_BROKER_", "MQ_PARTS"))},
        }  # fmt: skip

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request: dict[str, Any] = json.loads(line)
            answer: Any = None
            if request["do"] == "say":
                await self.say(request["to"], request["text"])
            elif request["do"] == "heard":
                answer = self.heard
            else:
                answer = self.describe()
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    settings = (
        "data",
        "listen",
        "advertise",
        "name",
        "peers",
        "peer-listen",
        "replication",
        "cluster-secret-file",
        "metrics",
        "parts",
    )
    for name in settings:
        parser.add_argument(f"--{name}")
    parser.add_argument("--node", type=int)
    parser.add_argument("--dies", type=int, help="the node that ends at once")
    parser.add_argument("--stubborn", action="store_true", help="SIGTERM does not impress it")
    options = parser.parse_args()
    Path(options.data).mkdir(parents=True, exist_ok=True)
    if options.dies == options.node:
        sys.exit("no flour left")
    asyncio.run(Node(options).run())


if __name__ == "__main__":
    main()
