"""The floor within gRPC: the floor's work, with grpc.aio streams instead of bare TCP around it.

    python -m bench.grpc_floor [--folder DIR] [--seconds S] [--window N]

A bidirectional stream of raw bytes, nothing parsed: frames are written and synced in a thread, so that reading goes on,
once for all that has come, and each is answered by a message of 8 bytes. It is no bar, but shows what gRPC in Python
leaves of any work. The client does the same on its side, in its own process.
"""

import argparse
import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import grpc

from bench.common import MIB, StreamEndedError, announce, data_folder, read_bytes, run_driver, run_in_loop, started
from bench.fsync import prepare

__all__ = ["measure"]

_PATH = "/bench.Floor/Send"
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
_ACK = bytes(8)
_FILE_BYTES = 256 * MIB


class Writer:
    """The thread that writes and syncs; each `done` is called in the event loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._descriptor = prepare(path, is_zero_filled=False, file_bytes=_FILE_BYTES)
        self._loop, self._at = loop, 0
        self._jobs: SimpleQueue[tuple[memoryview, Callable[[], None]]] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, data: memoryview, done: Callable[[], None]) -> None:
        self._jobs.put((data, done))

    def _run(self) -> None:
        sync = getattr(os, "fdatasync", os.fsync)
        while True:
            data, done = self._jobs.get()
            if self._at + len(data) > _FILE_BYTES:
                self._at = 0  # round and round: the space stays allocated, whatever the run's length
            while data:
                written = os.pwrite(self._descriptor, data, self._at)
                self._at, data = self._at + written, data[written:]
            sync(self._descriptor)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(done)


class FloorStream:
    """One call: what came since the last write waits in `_frames`."""

    def __init__(self, writer: Writer, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        self._writer, self._context = writer, context
        self._frames: list[bytes] = []
        self._durable: asyncio.Queue[int] = asyncio.Queue()
        self._is_writing = False

    async def run(self) -> None:
        answering = asyncio.ensure_future(self._answer())
        try:
            while True:
                self._frames.append(await read_bytes(self._context))
                if not self._is_writing:
                    self._write()
        except StreamEndedError:
            pass
        finally:
            answering.cancel()

    def _write(self) -> None:
        self._is_writing = bool(self._frames)
        if self._frames:
            frames, self._frames = self._frames, []
            self._writer.submit(memoryview(b"".join(frames)), lambda: self._on_durable(len(frames)))

    def _on_durable(self, count: int) -> None:
        self._write()
        self._durable.put_nowait(count)

    async def _answer(self) -> None:
        while True:
            for _ in range(await self._durable.get()):
                await self._context.write(_ACK)


async def _serve(folder: Path) -> None:
    writer = Writer(folder / "grpc-floor", asyncio.get_running_loop())

    async def send(_requests: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        await FloorStream(writer, context).run()

    server = grpc.aio.server(options=_OPTIONS)
    handler = grpc.method_handlers_generic_handler("bench.Floor", {"Send": grpc.stream_stream_rpc_method_handler(send)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    announce(port=port)
    await server.wait_for_termination()


async def _drive(port: int, *, seconds: float, window: int, frame_bytes: int) -> None:
    """Send frames for `seconds` with `window` of them on the way; prints frames per second that were acknowledged."""
    frame, free, acked = os.urandom(frame_bytes), asyncio.Semaphore(window), 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS) as channel:
        stream: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(_PATH)
        call = stream()

        async def send() -> None:
            while True:
                await free.acquire()
                await call.write(frame)

        sending = asyncio.ensure_future(send())
        await call.read()
        begin = time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            await call.read()
            free.release()
            acked += 1
        sending.cancel()
        call.cancel()
    rate = acked / elapsed
    print(json.dumps({"frames": acked, "frames_per_s": round(rate, 1), "mib_per_s": round(rate * frame_bytes / MIB, 1)}))


def measure(folder: Path, seconds: float, *, window: int = 64, messages: int = 100, message_bytes: int = 256) -> dict[str, float]:
    """Messages per second that the floor within gRPC makes durable, in frames of `messages`."""
    with started("bench.grpc_floor", "--serve", "--folder", str(folder)) as server:
        before = server.cpu_s()
        result = run_driver(
            "bench.grpc_floor", "--drive", str(server.ready["port"]), "--seconds", str(seconds), "--window", str(window),
            "--frame-bytes", str(messages * message_bytes),
        )  # fmt: skip
        used = server.cpu_s() - before
    return {**result, "messages_per_s": round(result["frames_per_s"] * messages), "server_cores": round(used / seconds, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description="messages per second of the floor within gRPC")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--window", type=int, default=64, help="frames on the way")
    parser.add_argument("--messages", type=int, default=100, help="per frame")
    parser.add_argument("--message-bytes", type=int, default=256)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--drive", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--frame-bytes", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_in_loop(_serve(options.folder))
    elif options.drive:
        run_in_loop(_drive(options.drive, seconds=options.seconds, window=options.window, frame_bytes=options.frame_bytes))
    else:
        with data_folder(options.folder) as folder:
            result = measure(
                folder, options.seconds, window=options.window, messages=options.messages, message_bytes=options.message_bytes
            )
            print(json.dumps(result))


if __name__ == "__main__":
    main()
