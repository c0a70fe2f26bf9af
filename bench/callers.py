"""The client side of single calls: N callers in one process, over one channel, each waiting for its answer.

    python -m bench.callers send    HOST:PORT --topic T --callers 64 --seconds 3
    python -m bench.callers receive HOST:PORT --topic T --group G --callers 8 --seconds 3

The same program drives the echo and the broker, with ready-made bytes both ways, so what differs is the server.
The answers of the broker are checked after the clock has stopped.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass

import grpc

from bench.common import Latencies, run_in_loop
from bench.messages import METADATA, OK, MessageTemplate, receive_request
from mq.proto import rocketmq_v2_pb2 as v2

__all__ = ["CHANNEL_OPTIONS", "SERVICE"]

SERVICE = "apache.rocketmq.v2.MessagingService"
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_WARM_UP_S = 0.3


@dataclass
class Run:
    """One run of callers. Calls that ended before `begin` warm up; the others count."""

    seconds: float
    begin: float
    latencies: Latencies

    @property
    def end(self) -> float:
        return self.begin + self.seconds

    def note(self, start: float, end: float) -> None:
        if self.begin <= start and end <= self.end:
            self.latencies.seconds.append(end - start)


async def _send(channel: grpc.aio.Channel, topic: str, run: Run, refused: list[str]) -> int:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/SendMessage")
    requests, replies = MessageTemplate.request(topic), []
    while (start := time.perf_counter()) < run.end:
        replies.append(await call(requests.next(), metadata=METADATA))
        run.note(start, time.perf_counter())
    statuses = (v2.SendMessageResponse.FromString(reply).status for reply in replies)
    refused += [f"{status.code} {status.message}" for status in statuses if status.code != OK]
    return len(replies)


async def _receive(channel: grpc.aio.Channel, topic: str, group: str, run: Run, refused: list[str]) -> int:
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"/{SERVICE}/ReceiveMessage")
    request = receive_request(topic, group).SerializeToString()
    messages, first, last = 0, b"", b""
    while (start := time.perf_counter()) < run.end:
        count = 0
        async for part in call(request, metadata=METADATA, timeout=23):
            last = part
            if count == 0:
                first = part
            count += 1
        end = time.perf_counter()
        run.note(start, end)
        if run.begin <= start and end <= run.end:
            messages += count - 2  # the status before, the time after
        if count < 3 or v2.ReceiveMessageResponse.FromString(first).status.code != OK:
            refused.append(str(v2.ReceiveMessageResponse.FromString(last)))
            break
    return messages


async def _drive(what: str, endpoint: str, *, topic: str, group: str, callers: int, seconds: float) -> None:
    """Run the callers; prints calls and messages per second, latencies, and how busy this process was (1 = one core)."""
    refused: list[str] = []
    async with grpc.aio.insecure_channel(endpoint, options=CHANNEL_OPTIONS) as channel:
        await channel.channel_ready()
        run = Run(seconds, time.perf_counter() + _WARM_UP_S, Latencies())
        used = time.process_time()
        if what == "send":
            counts = await asyncio.gather(*(_send(channel, topic, run, refused) for _ in range(callers)))
        else:
            counts = await asyncio.gather(*(_receive(channel, topic, group, run, refused) for _ in range(callers)))
        used = time.process_time() - used
    if refused:
        raise SystemExit(f"{len(refused)} of {sum(counts)} answers were not OK, the first: {refused[0]}")
    result: dict[str, object] = {**run.latencies.summary(seconds), "client_cores": round(used / (seconds + _WARM_UP_S), 2)}
    if what == "receive":
        result["messages_per_s"] = round(sum(counts) / seconds)
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description="N callers of SendMessage or ReceiveMessage")
    parser.add_argument("what", choices=("send", "receive"))
    parser.add_argument("endpoint", metavar="HOST:PORT")
    parser.add_argument("--topic", default="bench")
    parser.add_argument("--group", default="bench-group")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    o = parser.parse_args()
    run_in_loop(_drive(o.what, o.endpoint, topic=o.topic, group=o.group, callers=o.callers, seconds=o.seconds))


if __name__ == "__main__":
    main()
