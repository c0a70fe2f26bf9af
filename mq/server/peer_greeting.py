"""From a bare connection to one whose other end has proved who it is: `dial` on one side, `AcceptedGreeting` on the other."""

import asyncio
import os
import secrets
from collections.abc import Callable
from typing import NamedTuple

from mq.core.address import Address, show_address
from mq.core.errors import FormatError
from mq.rpc.frames import FrameKind
from mq.rpc.handshake import NONCE_BYTES, Accepting, Dialing, HandshakeError, Identity, Purpose
from mq.server.peer_calling import PeerUnreachableError
from mq.server.peer_connection import PeerConnection, PeerTimes

__all__ = ["AcceptedGreeting", "Target", "dial", "os_reason"]

_REFUSAL_CHARS_MAX = 500


def os_reason(error: OSError | UnicodeError) -> str:
    """What the operating system says, without what asyncio adds."""
    if isinstance(error, UnicodeError):
        return str(error)
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


class Target(NamedTuple):
    """Whom to dial, where, and what for."""

    peer: int
    address: Address
    purpose: Purpose


async def dial(identity: Identity, target: Target, times: PeerTimes, on_made: Callable[[PeerConnection], None]) -> PeerConnection:
    """An established connection to a node. Raises: PeerUnreachableError, HandshakeError.

    on_made: is told of the connection when it stands, whatever comes of it.
    """
    loop = asyncio.get_running_loop()
    peer, address, purpose = target
    try:
        async with asyncio.timeout(times.connect_s):
            _, connection = await loop.create_connection(lambda: PeerConnection(times, on_made), *address)
    except TimeoutError as error:
        raise PeerUnreachableError(f"{show_address(address)} does not answer") from error
    except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
        raise PeerUnreachableError(f"{show_address(address)} cannot be connected to: {os_reason(error)}") from error
    greeting = _DialedGreeting(connection, Dialing(identity, peer, purpose, secrets.token_bytes(NONCE_BYTES)))
    is_welcome = False
    try:
        async with asyncio.timeout(times.greeting_s):
            await greeting.done
        is_welcome = True
    except TimeoutError as error:
        raise PeerUnreachableError(f"{show_address(address)} does not finish the handshake") from error
    finally:
        if not is_welcome:
            connection.drop()
    return connection


class _DialedGreeting:
    """The steps of the side that dialed. done: ends without an error once the other side has proved itself."""

    def __init__(self, connection: PeerConnection, dialing: Dialing) -> None:
        self._connection, self._dialing = connection, dialing
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_welcome = False
        if connection.is_closed:  # between its being made and now
            self._on_closed()
            return
        connection.on_frame, connection.on_closed = self._on_frame, self._on_closed
        connection.send(FrameKind.HELLO, dialing.hello)

    def _on_frame(self, kind: FrameKind, body: memoryview) -> None:
        try:
            match kind:
                case FrameKind.CHALLENGE:
                    self._connection.send(FrameKind.PROOF, self._dialing.on_challenge(bytes(body)))
                case FrameKind.WELCOME if not self.is_welcome:
                    self._dialing.on_welcome(bytes(body))
                    self.is_welcome = True
                    self._connection.establish()
                    self._end(None)
                case FrameKind.REFUSED:
                    text = str(body[:_REFUSAL_CHARS_MAX], "utf-8", "replace")
                    self._end(HandshakeError(f"node {self._dialing.peer} refuses this node: {text}"))
                case _:
                    raise FormatError(f"a {kind.name} frame that has no place in a handshake")
        except HandshakeError as error:
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def _on_closed(self) -> None:
        self._end(PeerUnreachableError(f"{self._connection.remote}: the handshake was broken off: {self._connection.reason}"))


class AcceptedGreeting:
    """The steps of the side that was called, within the time that a stranger gets.

    Either `on_welcome` is called with peer and purpose, once it has proved itself, or `on_end` with what was wrong.
    """

    def __init__(
        self,
        connection: PeerConnection,
        identity: Identity,
        times: PeerTimes,
        *,
        on_welcome: Callable[[PeerConnection, int, Purpose], None],
        on_end: Callable[[PeerConnection, str], None],
    ) -> None:
        self._connection = connection
        self._accepting = Accepting(identity, secrets.token_bytes(NONCE_BYTES))
        self._on_welcome, self._on_end = on_welcome, on_end
        connection.on_frame, connection.on_closed = self._on_frame, self._on_closed
        patience = f"it did not finish the handshake within {times.greeting_s:g} s"
        self._timer = asyncio.get_running_loop().call_later(times.greeting_s, connection.fail, patience)

    def _on_frame(self, kind: FrameKind, body: memoryview) -> None:
        try:
            match kind:
                case FrameKind.HELLO:
                    self._connection.send(FrameKind.CHALLENGE, self._accepting.on_hello(bytes(body)))
                case FrameKind.PROOF:
                    welcome = self._accepting.on_proof(bytes(body))
                    self._timer.cancel()
                    self._connection.send(FrameKind.WELCOME, welcome)
                    self._connection.establish()
                    self._on_welcome(self._connection, self._accepting.peer, self._accepting.purpose)
                case _:
                    raise FormatError(f"a {kind.name} frame that has no place in a handshake")
        except HandshakeError as error:
            self._connection.send(FrameKind.REFUSED, str(error).encode())
            self._connection.finish()
            self._connection.reason = str(error)

    def _on_closed(self) -> None:
        self._timer.cancel()
        self._on_end(self._connection, self._connection.reason)
