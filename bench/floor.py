"""The floor: how fast frames can be made durable over TCP when nothing else is done.

    python -m bench.floor [--folder DIR] [--seconds S] [--window N]

The server reads length-prefixed frames, writes them one after another to a preallocated file, syncs once for
all that has come, and answers each frame with 8 bytes. It looks into nothing, keeps nothing and checks nothing.
The write and the sync run in a thread, so that reading goes on. Frames come in one connection and are received
straight into one of two buffers: while one is being written, the other fills; no byte is copied in Python.

The client is a plain blocking loop in its own process, with `window` frames on the way.
"""

import argparse
import asyncio
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import cast

from bench.common import MIB, announce, data_folder, run_driver, run_in_loop, started
from bench.fsync import prepare

__all__ = ["measure"]

_LENGTH = struct.Struct("<I")
_ACK = struct.Struct("<Q")
_BUFFER_BYTES = 16 * MIB
_FILE_BYTES = 256 * MIB


class Writer:
    """The thread that writes and syncs; each `done` is called in the event loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._descriptor = prepare(path, is_zero_filled=False, file_bytes=_FILE_BYTES)
        self._loop, self._at = loop, 0
        self._jobs: SimpleQueue[tuple[memoryview, Callable[[], None]]] = SimpleQueue()
        self.sync_count = 0
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
            self.sync_count += 1
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(done)


class FloorProtocol(asyncio.BufferedProtocol):
    """One connection. `_begin`: start of the first frame not yet written; `_end`: end of what has come."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._filling, self._spare = memoryview(bytearray(_BUFFER_BYTES)), memoryview(bytearray(_BUFFER_BYTES))
        self._begin = self._whole = self._end = 0
        self._frames = self._acked = 0
        self._is_writing = self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self._filling[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        self._end += nbytes
        while self._end - self._whole >= 4:
            after = self._whole + 4 + _LENGTH.unpack_from(self._filling, self._whole)[0]
            if after > self._end:
                break
            self._whole = after
            self._frames += 1
        if not self._is_writing:
            self._write()
        if self._end == _BUFFER_BYTES:
            self._is_paused = True
            self._transport.pause_reading()

    def _write(self) -> None:
        if self._whole == self._begin:
            return
        self._is_writing = True
        batch, rest, frames = self._filling[self._begin : self._whole], self._filling[self._whole : self._end], self._frames
        self._spare[: len(rest)] = rest  # the beginning of a frame whose end has not come yet
        self._filling, self._spare = self._spare, self._filling
        self._begin = self._whole = 0
        self._end, self._frames = len(rest), 0
        self._writer.submit(batch, lambda: self._on_durable(frames))

    def _on_durable(self, frames: int) -> None:
        self._is_writing = False
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        self._write()
        if not self._transport.is_closing():
            self._transport.write(b"".join(_ACK.pack(self._acked + n) for n in range(frames)))
        self._acked += frames


async def _serve(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    writer = Writer(folder / "floor", loop)
    server = await loop.create_server(lambda: FloorProtocol(writer), "127.0.0.1", 0)
    announce(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


def drive(port: int, *, seconds: float, window: int, frame_bytes: int) -> dict[str, float]:
    """Send frames for `seconds` with `window` of them on the way; frames per second that were acknowledged."""
    frame = _LENGTH.pack(frame_bytes) + os.urandom(frame_bytes)
    frames = memoryview(frame * window)
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    acked, partial = 0, 0
    connection.sendall(frames)
    begin = time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        got = partial + len(connection.recv(64 << 10))
        count, partial = divmod(got, _ACK.size)
        acked += count
        connection.sendall(frames[: count * len(frame)])
    connection.close()
    return {
        "frames": acked,
        "frames_per_s": round(acked / elapsed, 1),
        "mib_per_s": round(acked * frame_bytes / elapsed / MIB, 1),
    }


def measure(folder: Path, seconds: float, *, window: int = 64, messages: int = 100, message_bytes: int = 256) -> dict[str, float]:
    """Messages per second that the floor makes durable, in frames of `messages`."""
    with started("bench.floor", "--serve", "--folder", str(folder)) as server:
        before = server.cpu_s()
        result = run_driver(
            "bench.floor", "--drive", str(server.ready["port"]), "--seconds", str(seconds), "--window", str(window),
            "--frame-bytes", str(messages * message_bytes),
        )  # fmt: skip
        used = server.cpu_s() - before
    return {**result, "messages_per_s": round(result["frames_per_s"] * messages), "server_cores": round(used / seconds, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description="messages per second of the floor")
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
        print(json.dumps(drive(options.drive, seconds=options.seconds, window=options.window, frame_bytes=options.frame_bytes)))
    else:
        with data_folder(options.folder) as folder:
            print(json.dumps(measure(
                folder, options.seconds, window=options.window, messages=options.messages, message_bytes=options.message_bytes
            )))  # fmt: skip


if __name__ == "__main__":
    main()
