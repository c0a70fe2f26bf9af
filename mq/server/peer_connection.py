"""One TCP connection between two nodes: frames in, frames out, and the news at once when it breaks.

What is sent within one turn of the event loop is written together. Both ends ping, so a connection on which nothing arrives
for a few pings leads to nobody and is given up.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, cast

from mq.core.errors import FormatError, StateError
from mq.rpc.frames import BODY_BYTES_MAX, GREETING_BYTES_MAX, FrameKind, FrameReader, encode_head

__all__ = ["PeerConnection", "PeerTimes"]

_CHOKED_BYTES = 1 << 20
"""So much unwritten makes those wait who are ready to."""
_FINISH_S = 1.0


class PeerTimes(NamedTuple):
    """How patient a node is with others, in seconds.

    retry_s_min, retry_s_max: between attempts to connect, doubling. silent_pings_max: intervals of `ping_s` without a byte after
    which a connection is given up; they are counted and not timed, so a process that was paused does not blame its peers.
    """

    connect_s: float = 1.0
    greeting_s: float = 2.0
    ping_s: float = 0.75
    silent_pings_max: int = 3
    retry_s_min: float = 0.02
    retry_s_max: float = 0.5


def _on_unexpected(kind: FrameKind, _body: memoryview) -> None:
    raise FormatError(f"a {kind.name} frame that has no place here")


def _nothing() -> None:
    """What happens at an end that nobody waits for."""


class PeerConnection(asyncio.Protocol):
    """A connection in either direction; whoever owns it sets `on_frame` and `on_closed`.

    on_frame may raise FormatError, which ends the connection. on_closed is called once, in the turn in which the end is known.
    heard_at_s: when the last bytes came, in the loop's time. is_closed: nothing can be sent any more. is_ended_by_us: because
    this side wanted it so. reason: of the end, for people.
    """

    def __init__(self, times: PeerTimes, on_made: Callable[["PeerConnection"], None] | None = None) -> None:
        self._times, self._on_made = times, on_made
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(GREETING_BYTES_MAX)
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._open: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._timer: asyncio.TimerHandle | None = None
        self._has_heard, self._silent_pings = True, 0
        self.heard_at_s = self._loop.time()
        self.on_frame: Callable[[FrameKind, memoryview], None] = _on_unexpected
        self.on_closed: Callable[[], None] = _nothing
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.is_closed = self.is_ended_by_us = False
        self.reason, self.remote = "", "?"

    @property
    def _transport(self) -> asyncio.Transport:
        if self._open is None:
            raise StateError("a connection that is not made yet was used")
        return self._open

    # --- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._open = cast("asyncio.Transport", transport)
        self._open.set_write_buffer_limits(high=_CHOKED_BYTES)
        if (name := transport.get_extra_info("peername")) is not None:
            self.remote = f"{name[0]}:{name[1]}"
        if (its_socket := transport.get_extra_info("socket")) is not None:
            with suppress(OSError):  # it is gone already, which is told in a moment
                its_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._has_heard, self.heard_at_s = True, self._loop.time()
        reader = self._reader
        try:
            reader.feed(data)
            while not self.is_closed and (frame := reader.next()) is not None:
                if frame.kind is not FrameKind.PING:
                    self.on_frame(frame.kind, frame.body)
        except FormatError as error:
            self.fail(f"it sent {error}")

    def eof_received(self) -> None:
        """The other side is gone: what is unwritten has no reader."""
        self.fail("it was closed by the other side")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever ended it."""
        self.is_closed = True
        self.reason = self.reason or (str(exc) if exc else "it was closed by the other side")
        if self._timer is not None:
            self._timer.cancel()
        self._out, self._out_bytes = [], 0
        self._writable.set()
        if not self.closed.done():
            self.closed.set_result(None)
        # Callbacks hold the connection's users, which hold the connection: let go.
        on_closed, self.on_closed, self.on_frame, self._on_made = self.on_closed, _nothing, _on_unexpected, None
        on_closed()

    def pause_writing(self) -> None:
        """Much is unwritten."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Little is unwritten again."""
        self._writable.set()

    # --- sending

    def send(self, kind: FrameKind, *parts: bytes) -> None:
        """A frame whose body is these parts; nothing happens when the connection is closed.

        Raises: FormatError when they are longer than a frame may be.
        """
        body_bytes = sum(map(len, parts))
        head = encode_head(kind, body_bytes)
        if self.is_closed:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(head)
        self._out += parts
        self._out_bytes += len(head) + body_bytes

    def _flush(self) -> None:
        if self._out:
            out, self._out, self._out_bytes = self._out, [], 0
            self._transport.writelines(out)

    @property
    def unwritten_bytes(self) -> int:
        """What the operating system has not taken yet."""
        return self._out_bytes + (self._open.get_write_buffer_size() if self._open else 0)

    async def wait_writable(self) -> None:
        """Until not much is unwritten, or the connection is closed."""
        if self._out_bytes >= _CHOKED_BYTES:
            self._flush()
        await self._writable.wait()

    # --- living and ending

    def establish(self) -> None:
        """The other side proved who it is: from now on long frames are taken, and pings go out and are asked for."""
        self._reader.body_bytes_max = BODY_BYTES_MAX
        self._timer = self._loop.call_later(self._times.ping_s, self._ping)

    def _ping(self) -> None:
        self._silent_pings = 0 if self._has_heard else self._silent_pings + 1
        self._has_heard = False
        if self._silent_pings >= self._times.silent_pings_max:
            self.fail(f"nothing was heard for {self._silent_pings * self._times.ping_s:g} s")
            return
        self.send(FrameKind.PING)
        self._timer = self._loop.call_later(self._times.ping_s, self._ping)

    def fail(self, reason: str) -> None:
        """End it at once, by the other side's fault."""
        if not self.is_closed:
            self.reason = reason
            self._abort()

    def drop(self) -> None:
        """End it at once, because this side has no more use for it."""
        if not self.is_closed:
            self.is_ended_by_us = True
            self.reason = "it was given up by this side"
            self._abort()

    def _abort(self) -> None:
        self.is_closed = True
        self._out, self._out_bytes = [], 0
        self._transport.abort()

    def finish(self) -> None:
        """End it when what was sent is written, or after a second."""
        if self.is_closed:
            return
        self._flush()
        self.is_closed = self.is_ended_by_us = True
        self.reason = "it was ended by this side"
        self._transport.close()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_FINISH_S, self._transport.abort)
