"""The client side of the batch figures: many messages per frame, by our own client (`mq.rpc.batch_client`).

    python -m bench.batches send  HOST:PORT [--topic T] [--window N] [--messages 100] (--seconds S | --total N)
    python -m bench.batches fetch HOST:PORT [--topic T] [--queues 8] --seconds S

send: frames of 100 messages, each message with an id of its own, with `window` frames on the way; a frame counts when its
answer says that all its messages are durable. fetch: one stream per queue, all messages split and parsed, offsets checked.
"""

import argparse
import asyncio
import json
import os
import time

from bench.common import Latencies, percentile, run_in_loop
from bench.messages import BODY_BYTES
from mq.client.batch import Columns
from mq.client.encoding import MessageEncoder
from mq.client.views import BatchResult
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc.client import BatchFetcher, BatchProducer

__all__ = ["BROKER_SERVICE"]

BROKER_SERVICE = "raftmq.broker.v1.Broker"
_WARM_UP_S = 0.3


class Tally:
    """The answers to one stream of frames."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self.answered = 0
        self.latencies = Latencies()

    def count(self, started_s: float, done: "asyncio.Future[BatchResult]") -> None:
        """Note one answer. Raises: RuntimeError when it is not that all messages are stored."""
        result = done.result()
        if result.count != self._messages or result.duplicates:
            raise RuntimeError(f"a frame was not stored as it was sent: {result}")
        self.latencies.seconds.append(time.perf_counter() - started_s)
        self.answered += 1


async def _send(endpoint: str, o: argparse.Namespace) -> None:
    run, tally, encoder = os.urandom(4).hex(), Tally(o.messages), MessageEncoder(born_host="192.168.100.100")
    bodies = [os.urandom(o.body_bytes) for _ in range(o.messages)]
    frames = None if o.total is None else -(-o.total // o.messages)
    number, begin, used, before = 0, time.perf_counter(), time.process_time(), 0
    is_warm = False
    async with BatchProducer(endpoint, window_batches=o.window) as producer:
        while frames is None or number < frames:
            now = time.perf_counter()
            if not is_warm and now - begin > _WARM_UP_S:
                is_warm, begin, used, before = True, now, time.process_time(), tally.answered
                tally.latencies.seconds.clear()
            if frames is None and is_warm and now - begin > o.seconds:
                break
            number += 1
            prefix = f"01{run}{number:016X}"
            ids = [f"{prefix}{place:08X}" for place in range(o.messages)]
            shared = encoder.encode_shared(born_ms=time.time_ns() // 1_000_000)
            done = await producer.send(o.topic, Columns(shared, ids, bodies))
            done.add_done_callback(lambda done, started_s=now: tally.count(started_s, done))  # type: ignore[misc]
        if frames is not None:
            await producer.flush()
        answered, elapsed, used = tally.answered - before, time.perf_counter() - begin, time.process_time() - used
    if frames is not None and tally.answered != frames:
        raise RuntimeError(f"{tally.answered} of {frames} frames were stored")
    latencies = tally.latencies.seconds
    print(json.dumps({
        "messages": answered * o.messages, "messages_per_s": round(answered * o.messages / elapsed),
        "p50_us": round(percentile(latencies, 0.5) * 1e6), "p99_us": round(percentile(latencies, 0.99) * 1e6),
        "client_cores": round(used / elapsed, 2),
    }))  # fmt: skip


async def _fetch_queue(fetcher: BatchFetcher, topic: str, queue_id: int, end_s: float) -> int:
    """Read one queue again and again from its start until `end_s`; how many messages came."""
    count = 0
    while time.perf_counter() < end_s:
        expected = 0
        batches = fetcher.fetch(topic, queue_id, offset=0)
        async for batch in batches:
            if batch.base_offset != expected:
                raise RuntimeError(f"queue {queue_id}: offset {batch.base_offset} came instead of {expected}")
            for message in batch.messages:
                v2.Message.FromString(message)
            expected += len(batch.messages)
            if time.perf_counter() >= end_s:
                break
        await batches.aclose()
        if expected == 0:
            raise RuntimeError(f"queue {queue_id} of {topic} is empty")
        count += expected
    return count


async def _fetch(endpoint: str, o: argparse.Namespace) -> None:
    async with BatchFetcher(endpoint) as fetcher:
        begin, used = time.perf_counter(), time.process_time()
        counts = await asyncio.gather(*(_fetch_queue(fetcher, o.topic, number, begin + o.seconds) for number in range(o.queues)))
        elapsed, used = time.perf_counter() - begin, time.process_time() - used
    figures = {"messages": sum(counts), "messages_per_s": round(sum(counts) / elapsed), "client_cores": round(used / elapsed, 2)}
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description="batch send and batch fetch against a broker")
    parser.add_argument("what", choices=("send", "fetch"))
    parser.add_argument("endpoint", metavar="HOST:PORT")
    parser.add_argument("--topic", default="bench")
    parser.add_argument("--window", type=int, default=64, help="frames on the way")
    parser.add_argument("--messages", type=int, default=100, help="per frame")
    parser.add_argument("--body-bytes", type=int, default=BODY_BYTES)
    parser.add_argument("--queues", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--total", type=int, help="messages to send, instead of --seconds")
    options = parser.parse_args()
    run_in_loop((_send if options.what == "send" else _fetch)(options.endpoint, options))


if __name__ == "__main__":
    main()
