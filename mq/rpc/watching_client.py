"""A broker's look at all that a registry node knows."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from mq.client.errors import ConnectionLostError, NoAnswerError
from mq.core.address import Address, show_address
from mq.proto import registry_v1_pb2 as pb
from mq.registry.registration import Registration
from mq.rpc.calling import CHANNEL_OPTIONS, error_of_rpc, targets_of
from mq.rpc.methods import REGISTRY
from mq.rpc.registration_codec import registration_of

__all__ = ["watch_registry"]


async def watch_registry(registry: Address, silence_s: float) -> AsyncIterator[tuple[Registration, ...]]:
    """All registrations, each time that they have changed. silence_s: for so long it may say nothing.

    Raises: MqError, when it cannot be reached, ends, or has said nothing for too long.
    """
    where = show_address(registry)
    async with grpc.aio.insecure_channel(targets_of([registry])[0], options=CHANNEL_OPTIONS) as channel:
        ask: Any = channel.unary_stream(REGISTRY["Watch"].path)
        call = ask(pb.WatchRequest().SerializeToString())
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    raw = await call.read()
                if raw is grpc.aio.EOF:
                    raise ConnectionLostError(f"the registry at {where} ended the line")
                yield tuple(map(registration_of, pb.WatchResponse.FromString(raw).registrations))
        except grpc.aio.AioRpcError as error:
            raise error_of_rpc(error, where, None, is_read=True) from None
        except TimeoutError:
            raise NoAnswerError(f"the registry at {where} said nothing for {silence_s:g} s") from None
        finally:
            call.cancel()
