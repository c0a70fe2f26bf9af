"""The floor: a stripped asyncio loop that reads frames, writes them, syncs once per batch and answers, nothing else.

    python -m bench.floor [--grouped] [--folder DIR] [--seconds S] [--window N]

A frame is a batch: length-prefixed bytes, as large as its messages' bodies together. Each is written behind the one before
it to a preallocated file, synced, and answered with 8 bytes. With --grouped, all whole frames that have come share one write
and one sync, as the broker's do. It looks into nothing, keeps nothing and checks nothing.

The client is a plain blocking loop in its own process, with `window` frames on the way.
"""

import argparse
import asyncio
import json
import os
import socket
import struct
import time
from pathlib import Path
from typing import cast

from bench.common import MIB, announce, data_folder, run_driver, run_in_loop, started
from bench.fsync import prepare

__all__ = ["measure"]

_LENGTH = struct.Struct("<I")
_ACK = struct.Struct("<Q")
_FILE_BYTES = 256 * MIB
_READ_AHEAD_BYTES = 16 * MIB


class GroupedFloor(asyncio.Protocol):
    """One connection of the floor that syncs once for all whole frames that have come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._sync = descriptor, getattr(os, "fdatasync", os.fsync)
        self._buffer, self._at, self._number = bytearray(), 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        asyncio.get_running_loop().call_soon(self._work)

    def data_received(self, data: bytes) -> None:
        self._buffer += data

    def _work(self) -> None:
        """Once in a turn of the loop, when all that was readable has been read."""
        end = answers = 0
        while len(self._buffer) - end >= _LENGTH.size:
            after = end + _LENGTH.size + _LENGTH.unpack_from(self._buffer, end)[0]
            if after > len(self._buffer):
                break
            end, answers = after, answers + 1
        if answers:
            if self._at + end > _FILE_BYTES:
                self._at = 0
            os.pwrite(self._descriptor, memoryview(self._buffer)[:end], self._at)
            self._sync(self._descriptor)
            del self._buffer[:end]
            self._at += end
            self._transport.write(b"".join(_ACK.pack(self._number + n) for n in range(answers)))
            self._number += answers
        if not self._transport.is_closing():
            asyncio.get_running_loop().call_later(0 if answers else 0.0001, self._work)


async def _serve(folder: Path, *, is_grouped: bool) -> None:
    descriptor = prepare(folder / "floor", is_zero_filled=False, file_bytes=_FILE_BYTES)
    sync = getattr(os, "fdatasync", os.fsync)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = number = 0
        try:
            while True:
                (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                frame = await reader.readexactly(size)
                if at + size > _FILE_BYTES:
                    at = 0  # round and round: the space stays allocated, whatever the run's length
                os.pwrite(descriptor, frame, at)
                sync(descriptor)
                at, number = at + size, number + 1
                writer.write(_ACK.pack(number))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    loop = asyncio.get_running_loop()
    if is_grouped:
        server = await loop.create_server(lambda: GroupedFloor(descriptor), "127.0.0.1", 0)
    else:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_READ_AHEAD_BYTES)
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


def measure(
    folder: Path, seconds: float, *, window: int = 64, messages: int = 100, message_bytes: int = 256, is_grouped: bool = False
) -> dict[str, float]:
    """Messages per second that the floor makes durable, in frames of `messages`."""
    with started("bench.floor", "--serve", "--folder", str(folder), *(["--grouped"] if is_grouped else [])) as server:
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
    parser.add_argument("--grouped", action="store_true", help="one sync for all that has come")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--drive", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--frame-bytes", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_in_loop(_serve(options.folder, is_grouped=options.grouped))
    elif options.drive:
        print(json.dumps(drive(options.drive, seconds=options.seconds, window=options.window, frame_bytes=options.frame_bytes)))
    else:
        with data_folder(options.folder) as folder:
            print(json.dumps(measure(
                folder, options.seconds, window=options.window, messages=options.messages, message_bytes=options.message_bytes,
                is_grouped=options.grouped,
            )))  # fmt: skip


if __name__ == "__main__":
    main()
