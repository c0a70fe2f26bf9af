"""The calling end of forwarded calls: many at a time on one connection, each with its answers, its end, and its patience."""

import asyncio
from collections import deque
from typing import NamedTuple

from mq.core.errors import Code, Fault, FormatError, IllegalArgumentError, MqError
from mq.rpc.call_codec import Headers, decode_answer, decode_failed, encode_call_head, encode_cancel, encode_taken
from mq.rpc.frames import FrameKind
from mq.server.peer_connection import PeerConnection

__all__ = [
    "CallFailedError",
    "CallRefusedError",
    "CallTimeoutError",
    "CallingEnd",
    "OutgoingCall",
    "PeerLostError",
    "PeerUnreachableError",
    "PendingCall",
]

_TAKEN_BYTES_MIN = 256 << 10
"""Reading is told to the other side in steps of so many bytes, far smaller than what may be on the way."""


class PeerUnreachableError(MqError):
    """There is no connection with that node; nothing was sent to it."""

    code = Code.PROXY_TIMEOUT
    fault = Fault.PEER


class PeerLostError(MqError):
    """The connection broke while the call was under way: it may have been carried out, or may still be."""

    code = Code.MASTER_PERSISTENCE_TIMEOUT
    fault = Fault.PEER
    definite = False


class CallTimeoutError(MqError):
    """No answer came in time: the call may have been carried out."""

    code = Code.MASTER_PERSISTENCE_TIMEOUT
    fault = Fault.PEER
    definite = False


class CallFailedError(MqError):
    """The serving node failed instead of answering; it may have carried out the call. `code` and text are its own."""

    fault = Fault.PEER
    definite = False

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class CallRefusedError(CallFailedError):
    """The serving node failed, and says that nothing was done."""

    definite = True


class OutgoingCall(NamedTuple):
    """timeout_s: for the whole call, None for as long as the connection lasts."""

    name: str
    headers: Headers
    request: bytes
    timeout_s: float | None


class CallingEnd:
    """The calls under way on a connection that this node dialed; takes over its frames."""

    def __init__(self, connection: PeerConnection, peer: int) -> None:
        self._connection, self._peer = connection, peer
        self._pending: dict[int, PendingCall] = {}
        self._last_id = 0
        connection.on_frame, connection.on_closed = self._on_frame, self._on_closed

    async def begin(self, call: OutgoingCall) -> "PendingCall":
        """Send a call. Raises: PeerUnreachableError when it was not sent, IllegalArgumentError."""
        loop, connection = asyncio.get_running_loop(), self._connection
        deadline_s = None if call.timeout_s is None else loop.time() + call.timeout_s
        try:
            async with asyncio.timeout_at(deadline_s):
                await connection.wait_writable()
        except TimeoutError as error:
            raise PeerUnreachableError(f"node {self._peer} took in nothing for {call.timeout_s} s; nothing was sent") from error
        if connection.is_closed:
            raise PeerUnreachableError(f"the connection with node {self._peer} broke before {call.name} was sent")
        self._last_id = call_id = self._last_id + 1
        timeout_s = None if deadline_s is None else deadline_s - loop.time()
        try:
            connection.send(FrameKind.CALL, encode_call_head(call_id, timeout_s, call.name, call.headers), call.request)
        except FormatError as error:
            raise IllegalArgumentError(f"request: {call.name} is too large to be passed on: {error}") from error
        pending = self._pending[call_id] = PendingCall(self, call_id, f"{call.name} on node {self._peer}", deadline_s)
        return pending

    def forget(self, call_id: int) -> None:
        """A call whose caller has gone: what still comes for it is thrown away."""
        if self._pending.pop(call_id, None) is not None:
            self._connection.send(FrameKind.CANCEL, encode_cancel(call_id))

    def taken(self, call_id: int, taken_bytes: int) -> None:
        """So many bytes of answers were read."""
        if call_id in self._pending:
            self._connection.send(FrameKind.TAKEN, encode_taken(call_id, taken_bytes))

    @property
    def last_id(self) -> int:
        """Of the call that was sent last; ids only grow."""
        return self._last_id

    def give_up(self, last_id: int, why: str, *, overdue_s: float = 0.0) -> None:
        """Wait no longer for the answers to calls up to this one: they end with PeerLostError, and are cancelled over there.

        overdue_s: only calls with one answer, for which it has been waited so long already.
        """
        before_s = asyncio.get_running_loop().time() - overdue_s
        for call_id, pending in list(self._pending.items()):
            if call_id <= last_id and (not overdue_s or (pending.begun_s <= before_s and not pending.has_many)):
                pending.fail(PeerLostError(f"{pending.what}: {why}"))

    def _on_frame(self, kind: FrameKind, body: memoryview) -> None:
        match kind:
            case FrameKind.ANSWER:
                answer = decode_answer(body)
                if (pending := self._pending.get(answer.id)) is not None:
                    pending.add(answer.part, is_last=answer.is_last)
                    if answer.is_last:
                        del self._pending[answer.id]
            case FrameKind.FAILED:
                failed = decode_failed(body)
                if (pending := self._pending.pop(failed.id, None)) is not None:
                    kind_of_error = CallRefusedError if failed.is_definite else CallFailedError
                    pending.fail(kind_of_error(failed.code, failed.text))
            case _:
                raise FormatError(f"a {kind.name} frame where answers are expected")

    def _on_closed(self) -> None:
        pending, self._pending = self._pending, {}
        for each in pending.values():
            each.fail(PeerLostError(f"{each.what}: the connection broke during the call: {self._connection.reason}"))


class PendingCall:
    """One call that was sent: its answers, until `next` returns None or raises. `end` must be called, whatever came."""

    def __init__(self, end: CallingEnd, call_id: int, what: str, deadline_s: float | None) -> None:
        self._end, self._id, self.what, self._deadline_s = end, call_id, what, deadline_s
        self.begun_s, self.has_many = asyncio.get_running_loop().time(), False
        self._parts: deque[bytes] = deque()
        self._error: MqError | None = None
        self._is_complete = False
        self._taken_bytes = 0
        self._waiter: asyncio.Future[None] | None = None

    def add(self, part: bytes | None, *, is_last: bool) -> None:
        """An answer came; part is None when the answers end without one more."""
        if part is not None:
            self._parts.append(part)
        self._is_complete = self._is_complete or is_last
        self._wake()

    def fail(self, error: MqError) -> None:
        """No more answers will come, and this is why."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> bytes | None:
        """The next answer, or None behind the last one.

        Raises: PeerLostError, CallTimeoutError, CallFailedError, when the answers that came before are read.
        """
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self._is_complete:
                return None
            await self._wait()
        part = self._parts.popleft()
        self._taken_bytes += len(part)
        if self._taken_bytes >= _TAKEN_BYTES_MIN:
            self._end.taken(self._id, self._taken_bytes)
            self._taken_bytes = 0
        return part

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(self._deadline_s):
                await self._waiter
        except TimeoutError as error:
            raise CallTimeoutError(f"{self.what}: no answer came in time; it may have been carried out") from error
        finally:
            self._waiter = None

    def end(self) -> None:
        """The caller has what it wants: what is still under way is cancelled."""
        self._end.forget(self._id)
