"""Calls that are carried out elsewhere: the bytes of a request go to a broker group, and those of its answers come back."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, TypeAlias

import grpc
import grpc.aio

from mq.core.errors import NotServingError
from mq.rpc import methods
from mq.rpc.calling import error_of_rpc
from mq.rpc.channels import Channels
from mq.rpc.handling import Context

__all__ = ["Relay", "passed_headers", "registered"]

Headers: TypeAlias = tuple[tuple[str, str], ...]


def passed_headers(context: Context) -> Headers:
    """What a client says of itself; gRPC's own headers are made anew for each call."""
    return tuple(
        (key, value)
        for key, value in context.invocation_metadata() or ()
        if isinstance(value, str) and key.startswith(("x-mq-", "authorization"))
    )


class Relay:
    """Hands calls on. addresses: HOST:PORT of all nodes of a broker group; any will do."""

    def __init__(self) -> None:
        self._channels = Channels()

    async def call(self, addresses: Sequence[str], name: str, raw: bytes, context: Context) -> bytes:
        """A unary call. Raises: MqError, when the broker group cannot be reached or was lost."""
        left_s = context.time_remaining()
        ask: Any = self._channels.to(addresses).unary_unary(methods.method(name).path)
        try:
            answer: bytes = await ask(raw, timeout=left_s, metadata=passed_headers(context))
        except grpc.aio.AioRpcError as error:
            raise error_of_rpc(error, _where(addresses), left_s) from None
        return answer

    async def stream(self, addresses: Sequence[str], name: str, raw: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """The answers of a server stream; whoever stops iterating ends it there, too. Raises: as `call`, while iterating."""
        left_s = context.time_remaining()
        ask: Any = self._channels.to(addresses).unary_stream(methods.method(name).path)
        call = ask(raw, timeout=left_s, metadata=passed_headers(context))
        try:
            async for part in call:
                yield part
        except grpc.aio.AioRpcError as error:
            raise error_of_rpc(error, _where(addresses), left_s) from None
        finally:
            call.cancel()

    async def both(
        self, addresses: Sequence[str], name: str, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncGenerator[bytes, None]:
        """A stream both ways. A gRPC status that ends it there ends it here."""
        ask: Any = self._channels.to(addresses).stream_stream(methods.method(name).path)
        call = ask(requests, metadata=passed_headers(context))
        try:
            async for part in call:
                yield part
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")
        finally:
            call.cancel()

    async def close(self) -> None:
        """End all connections."""
        await self._channels.close()


def _where(addresses: Sequence[str]) -> str:
    return ", ".join(sorted(addresses))


def registered(brokers: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """The broker groups to hand calls on to. Raises: NotServingError when there is none."""
    if not brokers:
        raise NotServingError("no broker has registered here yet: `mq broker --registry` with this registry's address does")
    return brokers
