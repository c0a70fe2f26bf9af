"""A broker node's line to one registry node."""

import asyncio
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from mq.client.errors import ConnectionLostError, NoAnswerError, check_answer
from mq.core.address import Address, show_address
from mq.proto import registry_v1_pb2 as pb
from mq.registry.registration import NodeKey, Registration
from mq.rpc.calling import CHANNEL_OPTIONS, error_of_rpc, targets_of
from mq.rpc.methods import REGISTRY
from mq.rpc.registration_codec import registration_to

__all__ = ["RegistryLine"]

_ANSWER_S = 5.0


class RegistryLine:
    """To be used with `async with`. Each call raises MqError when the registry is out of reach, or the line has broken."""

    def __init__(self, registry: Address) -> None:
        self._where = show_address(registry)
        self._channel = grpc.aio.insecure_channel(targets_of([registry])[0], options=CHANNEL_OPTIONS)
        self._call: Any = None

    async def __aenter__(self) -> "RegistryLine":
        open_line: Any = self._channel.stream_stream(REGISTRY["Register"].path)
        self._call = open_line()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._call.cancel()
        await self._channel.close()

    async def register(self, said: Registration) -> None:
        """Raises: RefusedError, when the registry does not take it."""
        await self._ask(pb.RegisterRequest(registration=registration_to(said)))

    async def goodbye(self, key: NodeKey) -> None:
        """This node ends."""
        await self._ask(pb.RegisterRequest(goodbye=pb.Goodbye(broker=key.broker, node_id=key.node)))

    async def ended(self) -> None:
        """Come back when the line has broken."""
        await self._call.code()

    async def _ask(self, request: pb.RegisterRequest) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._call.write(request.SerializeToString())
                raw = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise error_of_rpc(error, self._where, None, is_read=True) from None
        except (TimeoutError, asyncio.InvalidStateError):
            raise NoAnswerError(f"{self._where} did not answer within {_ANSWER_S:g} s") from None
        if raw is grpc.aio.EOF:
            raise ConnectionLostError(f"the registry at {self._where} ended the line")
        check_answer(pb.RegisterResponse.FromString(raw))
