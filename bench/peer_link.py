"""What a message between two nodes costs: as a frame of ours, and in a bidirectional stream of grpc.aio.

    python -m bench.peer_link [--seconds S]

Both ends are in one process and one event loop, so its CPU time is what both pay together. A message is an AppendRequest with
four entries of 256 bytes, its answer an AppendReply; both are encoded and decoded by the same code. "lone" sends the next one
when the answer is there, "many" keeps 64 on the way. Printed: microseconds of CPU and of time for each request with its answer.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import grpc

from bench.common import run_in_loop
from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendReply, AppendRequest, Message
from mq.rpc.peer_codec import decode_message, encode_message
from mq.server.peer_network import PeerNetwork

__all__ = ["measure"]

_HOST = "127.0.0.1"
_AT = EntryId(Term(1), LogIndex(1))
_ENTRIES = tuple(Entry(LogIndex(at), Term(1), EntryKind.COMMAND, bytes(256)) for at in range(2, 6))
_REQUEST = AppendRequest(1, 2, Term(1), _AT, _ENTRIES, LogIndex(1), 1)
_REPLY = AppendReply(2, 1, Term(1), is_matching=True, match_index=LogIndex(5), rejected_index=LogIndex(0), hint=_AT, round=1)


class Rally:
    """Keeps requests on the way for some time and counts what comes back."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send, self._answered, self._end_s = send, 0, 0.0
        self._done = asyncio.Event()

    def on_reply(self, _reply: Message) -> None:
        self._answered += 1
        if time.perf_counter() < self._end_s:
            self._send(_REQUEST)
        else:
            self._done.set()

    async def run(self, seconds: float, window: int) -> dict[str, float]:
        begin_s, begin_cpu_s, before = time.perf_counter(), time.process_time(), self._answered
        self._end_s = begin_s + seconds
        self._done.clear()
        for _ in range(window):
            self._send(_REQUEST)
        await self._done.wait()
        count, spent_s = self._answered - before, time.perf_counter() - begin_s
        cpu_us = (time.process_time() - begin_cpu_s) / count * 1e6
        return {"messages": count, "cpu_us": round(cpu_us, 1), "time_us": round(spent_s / count * 1e6, 1)}


async def _with_frames(body: Callable[[Rally], Awaitable[None]]) -> None:
    reached = asyncio.Event()

    def network(node: int, on_message: Callable[[Message], None]) -> PeerNetwork:
        return PeerNetwork(
            "bench", node, secret=b"", on_message=on_message, on_lost=lambda _: None, on_reached=lambda _: reached.set()
        )

    rallies: list[Rally] = []

    def on_reply(message: Message) -> None:
        rallies[0].on_reply(message)

    one = network(1, on_reply)
    two = network(2, lambda _: two.send(_REPLY))
    rallies.append(Rally(one.send))
    ports = {node: (_HOST, await each.listen(_HOST, 0)) for node, each in ((1, one), (2, two))}
    for each in (one, two):
        reached.clear()
        each.set_peers(ports)
        await reached.wait()
    await body(rallies[0])
    await one.close()
    await two.close()


async def _with_grpc(body: Callable[[Rally], Awaitable[None]]) -> None:
    async def serve(_requests: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        while isinstance(raw := await context.read(), bytes):
            decode_message(raw)
            await context.write(encode_message(_REPLY))

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("bench.Link", {"Send": grpc.stream_stream_rpc_method_handler(serve)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port(f"{_HOST}:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"{_HOST}:{port}") as channel:
        stream: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/bench.Link/Send")
        call = stream()
        waiting: asyncio.Queue[Message] = asyncio.Queue()
        rally = Rally(waiting.put_nowait)

        async def write() -> None:
            while True:
                await call.write(encode_message(await waiting.get()))

        async def read() -> None:
            while isinstance(raw := await call.read(), bytes):
                rally.on_reply(decode_message(raw))

        tasks = [asyncio.ensure_future(write()), asyncio.ensure_future(read())]
        await body(rally)
        for task in tasks:
            task.cancel()
        call.cancel()
    await server.stop(None)


def _codec_alone() -> dict[str, float]:
    count, begin_s = 10_000, time.process_time()
    for _ in range(count):
        decode_message(encode_message(_REQUEST))
        decode_message(encode_message(_REPLY))
    return {"messages": count, "cpu_us": round((time.process_time() - begin_s) / count * 1e6, 1)}


def measure(seconds: float) -> dict[str, dict[str, float]]:
    """By kind of link and number on the way: CPU and time of a request with its answer, in microseconds."""
    found: dict[str, dict[str, float]] = {}

    async def both() -> None:
        for name, link in (("frames", _with_frames), ("grpc", _with_grpc)):

            async def body(rally: Rally, name: str = name) -> None:
                await rally.run(0.2, 1)
                for label, window in (("lone", 1), ("many", 64)):
                    found[f"{name} {label}"] = await rally.run(seconds, window)

            await link(body)
        found["codec alone"] = _codec_alone()

    run_in_loop(both())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="what a message between two nodes costs")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S")
    print(json.dumps(measure(parser.parse_args().seconds), indent=1))


if __name__ == "__main__":
    main()
