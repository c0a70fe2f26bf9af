"""The floor of a group: the stripped loop of `bench.floor` as a leader with two followers, and nothing else.

    python -m bench.group_floor [--grouped] [--folder DIR] [--seconds S] [--window N]

The followers are two processes of `bench.floor`. The leader passes each frame on to both over TCP, then writes and syncs it
itself; the answer leaves when the leader and one follower have synced, which is a majority. Once each frame has its own sync on
all three, once (--grouped) all whole frames that have come share one. Nobody looks into a frame, keeps or checks anything.
"""

import argparse
import asyncio
import json
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from bench.common import MIB, announce, data_folder, run_driver, run_in_loop, started
from bench.fsync import prepare

__all__ = ["measure"]

_LENGTH = struct.Struct("<I")
_ACK = struct.Struct("<Q")
_FILE_BYTES = 256 * MIB
_SYNCED_TOGETHER_MAX = 1 << 30


class LeadingFloor(asyncio.Protocol):
    """The client's connection. followers: sockets to them, connected. together_max: frames that share a sync."""

    def __init__(self, descriptor: int, followers: Sequence[socket.socket], together_max: int) -> None:
        self._descriptor, self._sync, self._together_max = descriptor, getattr(os, "fdatasync", os.fsync), together_max
        self._buffer, self._at, self._is_due = bytearray(), 0, False
        self._followers, self._own, self._answered = followers, 0, 0
        self._acked_bytes = [0] * len(followers)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._loop = cast("asyncio.Transport", transport), asyncio.get_running_loop()
        for number, follower in enumerate(self._followers):
            self._loop.add_reader(follower, self._on_acks, number)

    def connection_lost(self, _error: Exception | None) -> None:
        for follower in self._followers:
            self._loop.remove_reader(follower)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._plan()

    def _plan(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Pass on, write and sync what has come: all whole frames, or one."""
        self._is_due, end, frames = False, 0, 0
        while frames < self._together_max and len(self._buffer) - end >= _LENGTH.size:
            after = end + _LENGTH.size + _LENGTH.unpack_from(self._buffer, end)[0]
            if after > len(self._buffer):
                break
            end, frames = after, frames + 1
        if not frames:
            return
        portion = bytes(memoryview(self._buffer)[:end])
        del self._buffer[:end]
        for follower in self._followers:
            follower.sendall(portion)  # at once, so that they sync while this one does; the loop would send it afterwards
        if self._at + end > _FILE_BYTES:
            self._at = 0  # round and round: the space stays allocated, whatever the run's length
        os.pwrite(self._descriptor, portion, self._at)
        self._sync(self._descriptor)
        self._at += end
        self._own += frames
        self._answer()
        self._plan()

    def _on_acks(self, number: int) -> None:
        received = self._followers[number].recv(64 << 10)
        if not received:
            raise ConnectionError("a follower has ended")
        self._acked_bytes[number] += len(received)
        self._answer()

    def _answer(self) -> None:
        """Answer what the leader and one follower have synced."""
        done = min(self._own, max(self._acked_bytes) // _ACK.size)
        if done > self._answered and not self._transport.is_closing():
            self._transport.write(b"".join(map(_ACK.pack, range(self._answered, done))))
            self._answered = done


async def _serve(folder: Path, ports: Sequence[int], *, is_grouped: bool) -> None:
    descriptor = prepare(folder / "leader", is_zero_filled=False, file_bytes=_FILE_BYTES)
    followers = [socket.create_connection(("127.0.0.1", port)) for port in ports]
    for follower in followers:
        follower.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    together_max = _SYNCED_TOGETHER_MAX if is_grouped else 1
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LeadingFloor(descriptor, followers, together_max), "127.0.0.1", 0)
    announce(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


def measure(
    folder: Path, seconds: float, *, window: int = 64, messages: int = 100, message_bytes: int = 256, is_grouped: bool = False
) -> dict[str, float]:
    """Messages per second that leader and followers make durable, in frames of `messages`."""
    flags = ["--grouped"] if is_grouped else []
    with ExitStack() as stack:
        followers = []
        for name in ("follower-1", "follower-2"):
            (folder / name).mkdir(exist_ok=True)
            followers.append(stack.enter_context(started("bench.floor", "--serve", "--folder", str(folder / name), *flags)))
        ports = ",".join(str(follower.ready["port"]) for follower in followers)
        leader = stack.enter_context(started("bench.group_floor", "--serve", ports, "--folder", str(folder), *flags))
        before = [server.cpu_s() for server in (leader, *followers)]
        result = run_driver(
            "bench.floor", "--drive", str(leader.ready["port"]), "--seconds", str(seconds), "--window", str(window),
            "--frame-bytes", str(messages * message_bytes),
        )  # fmt: skip
        used = [server.cpu_s() - begun for server, begun in zip((leader, *followers), before, strict=True)]
    return {
        **result, "messages_per_s": round(result["frames_per_s"] * messages), "server_cores": round(used[0] / seconds, 2),
        "follower_cores": round(sum(used[1:]) / seconds, 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="messages per second of the floor of a group")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--window", type=int, default=64, help="frames on the way")
    parser.add_argument("--messages", type=int, default=100, help="per frame")
    parser.add_argument("--message-bytes", type=int, default=256)
    parser.add_argument("--grouped", action="store_true", help="one sync for all that has come")
    parser.add_argument("--serve", metavar="PORTS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_in_loop(_serve(options.folder, list(map(int, options.serve.split(","))), is_grouped=options.grouped))
        return
    with data_folder(options.folder) as folder:
        print(json.dumps(measure(
            folder, options.seconds, window=options.window, messages=options.messages, message_bytes=options.message_bytes,
            is_grouped=options.grouped,
        )))  # fmt: skip


if __name__ == "__main__":
    main()
