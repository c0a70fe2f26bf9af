"""How a producer spreads its messages over two broker groups: shares where both are equal, latencies where one is slow.

    .venv/bin/python -m bench.strategies                       500 sends/s offered, 20 s for each strategy
    .venv/bin/python -m bench.strategies --rate 800 --seconds 40

Two brokers by themselves and a registry, which the producer knows alone. Each send is begun at its time, whether or not earlier
ones are answered, and its latency counts from then. Clients reach the second broker by a relay, which in the first round hands
its answers on at once, and in the second 800 ms later. Strategies take turns within each round. Ends with 1 when a bar is missed.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.common import data_folder, end_at_signals, free_port, machine, percentile
from bench.registered import registered
from mq.client.choice import CHOICES
from mq.core.errors import MqError
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.producer import AsyncProducer

__all__ = ["main"]

_QUEUES, _SLOW_MS = 8, 800
_FAIR, _FASTER = 0.10, 3.0
_EVEN = ("round_robin", "random", "consistent_hash")
"""What the bars of even shares are for: the other two go by what brokers do."""
_BODY = b"x" * 256


class Relay:
    """Stands before a broker. delay_ms: how much later its answers come."""

    def __init__(self, port: int, target: int) -> None:
        self.delay_ms = 0
        self._port, self._target = port, target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def stop(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, onward = await asyncio.open_connection("127.0.0.1", self._target)
        for copying in (
            self._copy(reader, onward.write, onward),
            self._copy(answers, lambda data: self._later(writer, data), writer),
        ):
            self._tasks.add(asyncio.create_task(copying))

    @staticmethod
    async def _copy(source: asyncio.StreamReader, write: Callable[[bytes], object], target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            write(data)
        target.close()

    def _later(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """In order: all answers are as late."""
        if self.delay_ms:
            asyncio.get_running_loop().call_later(self.delay_ms / 1000, writer.write, data)
        else:
            writer.write(data)


@contextmanager
def cluster(folder: Path, relay_port: int, second_port: int) -> Iterator[str]:
    """A registry and two brokers; its endpoint. The second is told to clients by the relay's port."""
    registry = f"127.0.0.1:{free_port()}"
    first = ["--data", str(folder / "a"), "--name", "broker-a", "--listen", f"127.0.0.1:{free_port()}"]
    second = ["--data", str(folder / "b"), "--name", "broker-b", "--listen", f"127.0.0.1:{second_port}"]
    with registered(registry, first, [*second, "--advertise", f"127.0.0.1:{relay_port}"]):
        yield registry


async def offered(registry: str, topic: str, choice: str, rate: float, seconds: float) -> tuple[list[float], int]:
    """Sends begun at their times; latencies in s, and how many failed."""
    latencies: list[float] = []
    failed = 0
    async with AsyncProducer(registry, choice=choice) as producer:

        async def one(number: int, due_s: float) -> None:
            nonlocal failed
            try:
                await producer.send(topic, _BODY, routing_key=f"order {number}")
            except MqError:
                failed += 1
            latencies.append(time.monotonic() - due_s)

        began_s, under_way = time.monotonic(), set[asyncio.Task[None]]()
        for number in range(int(rate * seconds)):
            due_s = began_s + number / rate
            if (left_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(left_s)
            task = asyncio.create_task(one(number, due_s))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
    return latencies, failed


def shares(registry: str, topic: str) -> dict[str, int]:
    """Messages of a topic at each broker group."""
    with Connection(registry) as connection:
        queues = AdminClient(connection).describe_topic(topic).queues
    return {name: sum(one.max_offset for one in queues if one.broker == name) for name in ("broker-a", "broker-b")}


async def measured(registry: str, relay: Relay, options: argparse.Namespace) -> int:
    """Both rounds, told as a table; how many bars were missed."""
    p99: dict[tuple[int, str], float] = {}
    missed = 0
    print("| answers of the second broker | strategy | sends/s | p50 ms | p99 ms | failed | share of the second |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for delay_ms in (0, _SLOW_MS):
        for choice in CHOICES:
            topic = f"{choice}-{delay_ms}"
            relay.delay_ms = 0
            with Connection(registry) as connection:
                await asyncio.to_thread(AdminClient(connection).create_topic, topic, queues=_QUEUES)
            relay.delay_ms = delay_ms
            began_s = time.monotonic()
            latencies, failed = await offered(registry, topic, choice, options.rate, options.seconds)
            took_s = time.monotonic() - began_s
            relay.delay_ms = 0
            count = await asyncio.to_thread(shares, registry, topic)
            share = count["broker-b"] / max(1, sum(count.values()))
            p99[delay_ms, choice] = percentile(latencies, 0.99)
            print(
                f"| {f'{delay_ms} ms later' if delay_ms else 'at once'} | {choice} | {len(latencies) / took_s:.0f} "
                f"| {percentile(latencies, 0.5) * 1000:.1f} | {p99[delay_ms, choice] * 1000:.1f} | {failed} | {share:.1%} |",
                flush=True,
            )
            missed += failed > 0
            if not delay_ms and choice in _EVEN and abs(share - 0.5) > _FAIR / 2:
                missed += 1
                print(f"\n{choice}: a share of {share:.1%} is not within {_FAIR:.0%} of fair\n")
    ratio = p99[_SLOW_MS, "round_robin"] / p99[_SLOW_MS, "lowest_latency_first"]
    print(f"\np99 with one slow broker, round robin to lowest latency first: {ratio:.1f} (wanted: {_FASTER:g})")
    return missed + (ratio < _FASTER)


async def _run(options: argparse.Namespace) -> int:
    relay_port, second_port = free_port(), free_port()
    relay = Relay(relay_port, second_port)
    await relay.start()
    try:
        with data_folder(options.folder) as folder, cluster(folder, relay_port, second_port) as registry:
            return await measured(registry, relay, options)
    finally:
        await relay.stop()


def main() -> int:
    """Prints the table; 1 when a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.strategies", description="Strategies of a producer, compared.")
    parser.add_argument("--rate", type=float, default=500.0, help="sends offered per second")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each strategy")
    parser.add_argument("--folder", type=Path, help="where the brokers store; a folder is made there and removed")
    options = parser.parse_args()
    end_at_signals()
    print(f"{options.rate:g} sends/s offered for {options.seconds:g} s, {machine()}\n")
    return int(asyncio.run(_run(options)) > 0)


if __name__ == "__main__":
    sys.exit(main())
