"""Our own client's figures: at a broker's address, as in the earlier benches, and through a registry that it knows alone.

    .venv/bin/python -m bench.through_registry                 three rounds of 2 s each
    .venv/bin/python -m bench.through_registry --rounds 5 --seconds 4

One broker and a registry. The two ways take turns within each round, each client is a process of its own, and shown are the
medians of the rounds and of the rounds' ratios. Ends with 1 when a figure through the registry is less than 0.8 of the other.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.common import data_folder, end_at_signals, free_port, machine, run_driver, run_in_loop
from bench.messages import BODY_BYTES
from bench.registered import registered
from mq.client.message_ids import MessageIds
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.client import AsyncBatchReader, AsyncProducer, AsyncSimpleConsumer, new_message_ids
from mq.rpc.message_calls import MessageCalls

__all__ = ["main"]

_BODIES = [os.urandom(BODY_BYTES) for _ in range(100)]
_WINDOW, _SENDERS, _RECEIVERS, _QUEUES = 64, 64, 8, 8
_WARM_UP_S, _LEAST = 0.3, 0.8
_STORED = 400_000
FIGURES = ("batches", "fetch", "single", "receive")
_SHOWN = {
    "batches": "batch send, 100 a frame, 64 on the way", "fetch": f"batch fetch, {_QUEUES} streams",
    "single": f"single sends, {_SENDERS} callers", "receive": f"receive, 32 at a time, {_RECEIVERS} callers",
}  # fmt: skip

Call = Callable[[], Awaitable[int]]
"""One call; how many messages it moved."""


async def rate(call: Call, callers: int, seconds: float) -> float:
    """Messages/s of so many callers, each one call after the other; what ends within the time counts."""
    begin = time.perf_counter() + _WARM_UP_S
    count = 0

    async def one() -> None:
        nonlocal count
        while (now := time.perf_counter()) < begin + seconds:
            moved = await call()
            if now >= begin and time.perf_counter() <= begin + seconds:
                count += moved

    await asyncio.gather(*(one() for _ in range(callers)))
    return count / seconds


# --- at a broker's address


async def _single_direct(endpoint: str, topic: str, seconds: float) -> float:
    ids: MessageIds = new_message_ids()
    async with MessageCalls(endpoint) as calls:

        async def send() -> int:
            await calls.send(topic, ids.next(), _BODIES[0])
            return 1

        return await rate(send, _SENDERS, seconds)


async def _receive_direct(endpoint: str, topic: str, seconds: float) -> float:
    group = f"direct-{time.time_ns()}"
    async with MessageCalls(endpoint) as calls:

        async def receive() -> int:
            received = await calls.receive(topic, group, count=32, wait_s=1, invisible_s=60)
            if received.error is not None:
                raise received.error
            return len(received.messages)

        return await rate(receive, _RECEIVERS, seconds)


# --- by a registry


async def _batches(endpoint: str, topic: str, seconds: float) -> float:
    async with AsyncProducer(endpoint) as producer:

        async def send() -> int:
            return (await producer.send_batch(topic, _BODIES)).count

        return await rate(send, _WINDOW, seconds)


async def _single(endpoint: str, topic: str, seconds: float) -> float:
    async with AsyncProducer(endpoint) as producer:

        async def send() -> int:
            await producer.send(topic, _BODIES[0])
            return 1

        return await rate(send, _SENDERS, seconds)


async def _receive(endpoint: str, topic: str, seconds: float) -> float:
    async with AsyncSimpleConsumer(endpoint, f"routed-{time.time_ns()}", {topic: "*"}) as consumer:

        async def receive() -> int:
            return len(await consumer.receive(32, wait_s=1, invisible_ms=60_000))

        return await rate(receive, _RECEIVERS, seconds)


async def _fetch(endpoint: str, topic: str, seconds: float) -> float:
    begin, counts = time.perf_counter(), dict[object, int]()
    async with AsyncBatchReader(endpoint) as reader:
        queues = await reader.queues(topic)

        async def one(queue: object) -> None:
            counts[queue] = 0
            while time.perf_counter() < begin + seconds:
                async for batch in reader.fetch(queue, offset=0):  # type: ignore[arg-type]
                    for message in batch.messages:
                        v2.Message.FromString(message)
                    counts[queue] += len(batch.messages)
                    if time.perf_counter() >= begin + seconds:
                        break

        await asyncio.gather(*map(one, queues))
        return sum(counts.values()) / (time.perf_counter() - begin)


_CLIENTS = {
    "direct": {"single": _single_direct, "receive": _receive_direct},
    "registry": {"batches": _batches, "fetch": _fetch, "single": _single, "receive": _receive},
}


def measure(way: str, figure: str, endpoint: str, topic: str, seconds: float) -> float:
    """Messages/s, by a client in a process of its own."""
    if way == "direct" and figure in ("batches", "fetch"):
        what = "send" if figure == "batches" else "fetch"
        more = ["--window", str(_WINDOW)] if figure == "batches" else ["--queues", str(_QUEUES)]
        arguments = [what, endpoint, "--topic", topic, "--seconds", str(seconds), *more]
        return float(run_driver("bench.batches", *arguments)["messages_per_s"])
    arguments = ["--client", way, figure, endpoint, topic, "--seconds", str(seconds)]
    return float(run_driver("bench.through_registry", *arguments)["messages_per_s"])


@contextmanager
def servers(folder: Path) -> Iterator[tuple[str, str]]:
    """A registry and a broker; the endpoints of both."""
    registry, broker = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with registered(registry, ["--data", str(folder), "--listen", broker]):
        yield registry, broker


def run(options: argparse.Namespace) -> int:
    """Prints the table; how many figures are less than they may be."""
    missed = 0
    print("| messages/s | at the broker's address | through a registry | ratio |\n|---|---:|---:|---:|")
    with data_folder(options.folder) as folder, servers(folder) as (registry, broker):
        with Connection(registry) as connection:
            for topic in ("stored", *FIGURES):
                AdminClient(connection).create_topic(topic, queues=_QUEUES)
        run_driver("bench.batches", "send", broker, "--topic", "stored", "--total", str(_STORED))
        for figure in FIGURES:
            topic = "stored" if figure in ("fetch", "receive") else figure
            pairs = []
            for number in range(options.rounds):
                ways = [("direct", broker), ("registry", registry)]
                found = {
                    way: measure(way, figure, endpoint, topic, options.seconds)
                    for way, endpoint in (ways if number % 2 == 0 else ways[::-1])
                }
                pairs.append((found["direct"], found["registry"]))
            ratios = sorted(through / direct for direct, through in pairs)
            direct, through = (median(column) for column in zip(*pairs, strict=True))
            ratio = f"{median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
            print(f"| {_SHOWN[figure]} | {direct:,.0f} | {through:,.0f} | {ratio} |", flush=True)
            missed += median(ratios) < _LEAST
    return missed


def main() -> int:
    """The table, or one client's figure as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.through_registry", description="Our client, by a registry and without."
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure, way and round")
    parser.add_argument("--folder", type=Path, help="where the broker stores; a folder is made there and removed")
    parser.add_argument(
        "--client", nargs=4, metavar=("WAY", "FIGURE", "ENDPOINT", "TOPIC"), help="one client, for the run itself"
    )
    options = parser.parse_args()
    if options.client:
        way, figure, endpoint, topic = options.client

        async def client() -> None:
            print(json.dumps({"messages_per_s": await _CLIENTS[way][figure](endpoint, topic, options.seconds)}))

        run_in_loop(client())
        return 0
    end_at_signals()
    print(f"{options.rounds} rounds of {options.seconds:g} s, {machine()}\n")
    return int(run(options) > 0)


if __name__ == "__main__":
    sys.exit(main())
