"""The serving end of forwarded calls: a task for each, which ends when its caller does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from mq.core.errors import Code, FormatError, MqError, StateError
from mq.rpc.call_codec import (
    Call,
    Failed,
    decode_call,
    decode_cancel,
    decode_taken,
    encode_answer_head,
    encode_failed,
)
from mq.rpc.frames import FrameKind
from mq.server.peer_calling import PeerLostError
from mq.server.peer_connection import PeerConnection

__all__ = ["IncomingCall", "Serve", "ServingEnd"]

_WINDOW_BYTES = 4 << 20
"""Of one call's answers that its caller has not read. One larger answer may go out, and then no more."""

_log = logging.getLogger("mq.peers")


class IncomingCall:
    """A call that another node passed on. deadline_s: in the event loop's time, or None. peer: the node that passes it on.

    A serving coroutine that returns without a last answer ends the answers without one more.
    """

    def __init__(self, connection: PeerConnection, peer: int, call: Call) -> None:
        self._connection, self._id = connection, call.id
        self.peer = peer
        self.name, self.headers, self.request = call.name, call.headers, call.request
        self.deadline_s = None if call.timeout_s is None else asyncio.get_running_loop().time() + call.timeout_s
        self._unread_bytes = 0
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._is_gone = False
        self.is_answered = False

    async def answer(self, data: bytes, *, is_last: bool) -> None:
        """Send an answer, when its caller and the connection can take it.

        Raises: PeerLostError when the caller has gone, FormatError when it is too large, StateError behind the last one.
        """
        if self.is_answered:
            raise StateError(f"an answer to {self.name} behind the last one")
        await self._may_go_on.wait()
        await self._connection.wait_writable()
        if self._is_gone or self._connection.is_closed:
            raise PeerLostError(f"node {self.peer} does not wait for {self.name} any more")
        self._connection.send(FrameKind.ANSWER, encode_answer_head(self._id, is_last=is_last), data)
        self.is_answered = is_last
        self._unread_bytes += len(data)
        if self._unread_bytes >= _WINDOW_BYTES:
            self._may_go_on.clear()

    def on_taken(self, taken_bytes: int) -> None:
        """The caller has read so much more."""
        self._unread_bytes -= taken_bytes
        if self._unread_bytes < _WINDOW_BYTES:
            self._may_go_on.set()

    def on_gone(self) -> None:
        """Nobody waits for answers any more."""
        self._is_gone = True
        self._may_go_on.set()

    def finish(self, failed: MqError | None) -> None:
        """The serving coroutine has ended."""
        if self.is_answered or self._is_gone:
            return
        self.is_answered = True
        if failed is None:
            self._connection.send(FrameKind.ANSWER, encode_answer_head(self._id, is_last=True, has_part=False))
        else:
            said = Failed(self._id, failed.code, failed.definite, str(failed))
            self._connection.send(FrameKind.FAILED, encode_failed(said))


Serve: TypeAlias = Callable[[IncomingCall], Awaitable[None]]


class _NotServedError(MqError):
    """This node takes no calls."""

    code = Code.NOT_IMPLEMENTED


async def _serve_nothing(call: IncomingCall) -> None:
    raise _NotServedError(f"node {call.peer} passed on {call.name}, and this node takes no calls")


class _ServingError(MqError):
    """A bug on the serving side."""

    definite = False


class ServingEnd:
    """The calls under way on a connection that another node dialed; takes over its frames.

    tasks: where the serving tasks are noted while they run, so that whoever closes can wait for them.
    """

    def __init__(self, connection: PeerConnection, peer: int, serve: Serve | None, tasks: set[asyncio.Task[None]]) -> None:
        self._connection, self._peer, self._serve, self._tasks = connection, peer, serve or _serve_nothing, tasks
        self._calls: dict[int, tuple[IncomingCall, asyncio.Task[None]]] = {}
        connection.on_frame, connection.on_closed = self._on_frame, self._on_closed

    def _on_frame(self, kind: FrameKind, body: memoryview) -> None:
        match kind:
            case FrameKind.CALL:
                self._begin(decode_call(body))
            case FrameKind.CANCEL:
                self._end(decode_cancel(body))
            case FrameKind.TAKEN:
                call_id, taken_bytes = decode_taken(body)
                if call_id in self._calls:
                    self._calls[call_id][0].on_taken(taken_bytes)
            case _:
                raise FormatError(f"a {kind.name} frame where calls are expected")

    def _begin(self, call: Call) -> None:
        if call.id in self._calls:
            raise FormatError(f"a second call {call.id}")
        incoming = IncomingCall(self._connection, self._peer, call)
        task = asyncio.get_running_loop().create_task(self._run(incoming))
        self._calls[call.id] = incoming, task
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._on_done(call.id, incoming, task))

    async def _run(self, call: IncomingCall) -> None:
        failed: MqError | None = None
        try:
            await self._serve(call)
        except MqError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - a bug in one call must not end the others
            _log.exception("%s, passed on by node %d, failed", call.name, call.peer)
            failed = _ServingError(f"{call.name} failed: {type(error).__name__}: {error}")
        call.finish(failed)

    def _on_done(self, call_id: int, call: IncomingCall, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._calls.get(call_id, (None, None))[1] is task:
            del self._calls[call_id]
        if task.cancelled():  # by its caller, who is gone then, or by itself
            call.finish(_ServingError(f"{call.name} was cancelled"))

    def _end(self, call_id: int) -> None:
        call, task = self._calls.pop(call_id, (None, None))
        if call is not None and task is not None:
            call.on_gone()
            task.cancel()

    def _on_closed(self) -> None:
        for call_id in tuple(self._calls):
            self._end(call_id)
