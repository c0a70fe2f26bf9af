"""Calls that are carried out elsewhere: the bytes of a request go to a broker group, and those of its answers come back."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import grpc
import grpc.aio

from mq.client.errors import UnreachableError
from mq.core.errors import NotServingError
from mq.rpc import methods
from mq.rpc.calling import error_of_rpc
from mq.rpc.channels import Channels
from mq.rpc.handling import Context

__all__ = ["RELAYED", "Relay", "passed_headers", "registered"]

_BACK_S = 1.2
"""A little more than gRPC's longest pause, see `CHANNEL_OPTIONS`."""
RELAYED = "x-raftmq-relayed"
"""The header of a call that was brought to the group that is to carry it out, which relays it no further."""
Headers: TypeAlias = tuple[tuple[str, str], ...]


def passed_headers(context: Context) -> Headers:
    """What a client says of itself, and that the call was relayed; gRPC's own headers are made anew for each call."""
    said = tuple(
        (key, value)
        for key, value in context.invocation_metadata() or ()
        if isinstance(value, str) and key.startswith(("x-mq-", "authorization"))
    )
    return (*said, (RELAYED, "1"))


class Relay:
    """Hands calls on. addresses: HOST:PORT of all nodes of a broker group; any will do."""

    def __init__(self) -> None:
        self._channels = Channels()

    async def call(self, addresses: Sequence[str], name: str, raw: bytes, context: Context) -> bytes:
        """A unary call. Raises: MqError, when the broker group cannot be reached or was lost."""
        channel = self._channels.to(addresses)
        ask: Any = channel.unary_unary(methods.method(name).path)
        for is_last in (False, True):
            left_s = context.time_remaining()
            try:
                answer: bytes = await ask(raw, timeout=left_s, metadata=passed_headers(context))
            except grpc.aio.AioRpcError as error:
                found = error_of_rpc(error, _where(addresses), left_s)
                if is_last or not isinstance(found, UnreachableError) or not await _is_back(channel):
                    raise found from None
            else:
                return answer
        raise AssertionError("the last attempt returns or raises")

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


async def _is_back(channel: grpc.aio.Channel) -> bool:
    """Whether a broker group comes to be in reach: gRPC pauses between its tries, also when it is there again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_BACK_S):
            await channel.channel_ready()
            return True
    return False


def _where(addresses: Sequence[str]) -> str:
    return ", ".join(sorted(addresses))


def registered(brokers: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """The broker groups to hand calls on to. Raises: NotServingError when there is none."""
    if not brokers:
        raise NotServingError("no broker has registered here yet: `mq broker --registry` with this registry's address does")
    return brokers
