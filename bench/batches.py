"""The client side of the batch figures: many messages per frame, over our own service.

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

import grpc

from bench.callers import CHANNEL_OPTIONS
from bench.common import Latencies, percentile, read_bytes, run_in_loop
from bench.messages import BODY_BYTES, OK, MessageTemplate
from mq.proto import broker_v1_pb2 as pb
from mq.proto import rocketmq_v2_pb2 as v2

__all__ = ["BROKER_SERVICE"]

Call = grpc.aio.StreamStreamCall[bytes, bytes]

BROKER_SERVICE = "raftmq.broker.v1.Broker"
_WARM_UP_S = 0.3


class FrameTemplate:
    """Serialized BatchSend frames. All but the ids is made once: an id ends in the frame's number and the place in it."""

    def __init__(self, topic: str, messages: int, body_bytes: int) -> None:
        run, mark = os.urandom(4).hex(), "#" * 16
        batch = [MessageTemplate.with_id(f"01{run}{mark}{place:08X}", body_bytes) for place in range(messages)]
        self._frame = pb.BatchSend(topic=topic, queue_id=-1, messages=batch).SerializeToString()
        self._mark = mark.encode()

    def make(self, sequence: int) -> bytes:
        """The frame of this number."""
        return pb.BatchSend(sequence=sequence).SerializeToString() + self._frame.replace(self._mark, b"%016X" % sequence)


class BatchSender:
    """One SendBatches stream."""

    def __init__(self, template: FrameTemplate, messages: int, window: int) -> None:
        self._template, self._messages, self._free = template, messages, asyncio.Semaphore(window)
        self._starts: dict[int, float] = {}
        self.answered = 0
        self.latencies = Latencies()

    async def send(self, call: "Call", frames: int | None) -> None:
        """Write frames, for ever or so many."""
        number = 0
        while frames is None or number < frames:
            number += 1
            await self._free.acquire()
            frame = self._template.make(number)
            self._starts[number] = time.perf_counter()
            await call.write(frame)

    def on_answer(self, raw: bytes) -> None:
        """Note one answer. Raises: RuntimeError when it is not that all messages are stored."""
        answer = pb.BatchSent.FromString(raw)
        if answer.code != OK or answer.count != self._messages or answer.duplicates:
            raise RuntimeError(f"a frame was not stored as it was sent: {answer}")
        self.latencies.seconds.append(time.perf_counter() - self._starts.pop(answer.sequence))
        self.answered += 1
        self._free.release()


async def _send(endpoint: str, o: argparse.Namespace) -> None:
    sender = BatchSender(FrameTemplate(o.topic, o.messages, o.body_bytes), o.messages, o.window)
    frames = None if o.total is None else -(-o.total // o.messages)
    async with grpc.aio.insecure_channel(endpoint, options=CHANNEL_OPTIONS) as channel:
        stream: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(f"/{BROKER_SERVICE}/SendBatches")
        call = stream()
        sending = asyncio.ensure_future(sender.send(call, frames))
        launched = time.perf_counter()
        while frames is None and time.perf_counter() - launched < _WARM_UP_S:
            sender.on_answer(await read_bytes(call))
        sender.latencies.seconds.clear()
        before, begin, used = sender.answered, time.perf_counter(), time.process_time()
        while sender.answered != frames and (frames is not None or time.perf_counter() - begin < o.seconds):
            sender.on_answer(await read_bytes(call))
            if sending.done() and sending.exception() is not None:
                break
        elapsed, used = time.perf_counter() - begin, time.process_time() - used
        sending.cancel()
        call.cancel()
    rate = (sender.answered - before) * o.messages / elapsed
    latencies = sender.latencies.seconds
    print(json.dumps({
        "messages": (sender.answered - before) * o.messages, "messages_per_s": round(rate),
        "p50_us": round(percentile(latencies, 0.5) * 1e6), "p99_us": round(percentile(latencies, 0.99) * 1e6),
        "client_cores": round(used / elapsed, 2),
    }))  # fmt: skip


def split(batch: pb.StoredBatch) -> list[v2.Message]:
    """The messages of a stored batch, each parsed."""
    messages, at, raw = [], 0, batch.messages
    for size in batch.sizes:
        messages.append(v2.Message.FromString(raw[at : at + size]))
        at += size
    if len(messages) != batch.count or at != len(raw):
        raise RuntimeError(f"a batch of {batch.count} messages and {len(raw)} bytes has {len(messages)} in {at} bytes")
    return messages


async def _fetch_queue(channel: grpc.aio.Channel, topic: str, queue_id: int, end: float) -> int:
    """Read one queue again and again from its start until `end`; how many messages came."""
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(f"/{BROKER_SERVICE}/FetchBatches")
    request = pb.FetchBatchesRequest(topic=topic, queue_id=queue_id, offset=0).SerializeToString()
    count = 0
    while time.perf_counter() < end:
        expected, stream = 0, call(request)
        async for raw in stream:
            frame = pb.BatchFrame.FromString(raw)
            if frame.code != OK:
                raise RuntimeError(f"queue {queue_id}: {frame.code} {frame.message}")
            for batch in frame.batches:
                if batch.base_offset != expected:
                    raise RuntimeError(f"queue {queue_id}: offset {batch.base_offset} came instead of {expected}")
                expected += len(split(batch))
            if time.perf_counter() >= end:
                stream.cancel()
                break
        if expected == 0:
            raise RuntimeError(f"queue {queue_id} of {topic} is empty")
        count += expected
    return count


async def _fetch(endpoint: str, o: argparse.Namespace) -> None:
    async with grpc.aio.insecure_channel(endpoint, options=CHANNEL_OPTIONS) as channel:
        await channel.channel_ready()
        begin, used = time.perf_counter(), time.process_time()
        counts = await asyncio.gather(*(_fetch_queue(channel, o.topic, number, begin + o.seconds) for number in range(o.queues)))
        elapsed, used = time.perf_counter() - begin, time.process_time() - used
    print(
        json.dumps(
            {"messages": sum(counts), "messages_per_s": round(sum(counts) / elapsed), "client_cores": round(used / elapsed, 2)}
        )
    )


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
