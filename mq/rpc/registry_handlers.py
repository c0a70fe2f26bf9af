"""The registry's own service: brokers register, and people look. RocketMQ: RegisterBroker, GetBrokerClusterInfo."""

import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any, Protocol

from mq.core.errors import Code, MqError
from mq.proto import registry_v1_pb2 as pb
from mq.registry.registration import NodeKey, Registration
from mq.registry.table import Registered
from mq.registry.view import RegistryView
from mq.rpc.handling import Context, Handler
from mq.rpc.methods import REGISTRY
from mq.rpc.registration_codec import cluster_to, registration_of, registration_to
from mq.rpc.wire import parse

__all__ = ["RegistryHandlers", "RegistryPort"]

_OK = int(Code.OK)
_log = logging.getLogger(__name__)


class RegistryPort(Protocol):
    """The registry behind the handlers."""

    def register(self, said: Registration, connection: int) -> Registered:
        """A node says that it is there."""

    def unregister(self, key: NodeKey) -> bool:
        """A node says goodbye."""

    def closed(self, connection: int) -> tuple[NodeKey, ...]:
        """A connection is gone."""

    def view(self) -> RegistryView:
        """All of it at a glance."""

    def snapshots(self) -> AsyncIterator[tuple[Registration, ...]]:
        """All of it in full, now and each time that it has changed; and again from time to time."""


class RegistryHandlers:
    """One handler for each RPC of the service; `by_name` is the table to register."""

    def __init__(self, registry: RegistryPort) -> None:
        self._registry = registry
        self._connections = itertools.count(1)
        self.by_name: dict[str, Handler] = {
            "Register": self.register,
            "DescribeCluster": self.describe_cluster,
            "Watch": self.watch,
        }

    @staticmethod
    def refuse(name: str, code: int, text: str) -> Any:
        """The response message of an RPC that reports an error."""
        return REGISTRY[name].response(code=code, message=text)

    async def register(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """A node's line: each registration is answered, and when the line is cut the node is given up."""
        await context.send_initial_metadata(())
        connection = next(self._connections)
        try:
            async for raw in requests:
                try:
                    reason = self._taken(parse(pb.RegisterRequest, raw), connection)
                    code = Code.BAD_REQUEST if reason else Code.OK
                except MqError as error:
                    code, reason = error.code, str(error)
                yield pb.RegisterResponse(code=int(code), message=reason).SerializeToString()
        finally:
            for key in self._registry.closed(connection):
                _log.warning("%s is gone: its connection broke", key)

    def _taken(self, request: pb.RegisterRequest, connection: int) -> str:
        """Why it was not taken; empty when it was."""
        if request.WhichOneof("what") == "goodbye":
            key = NodeKey(request.goodbye.broker, request.goodbye.node_id)
            if self._registry.unregister(key):
                _log.info("%s said goodbye", key)
            return ""
        return self._registry.register(registration_of(request.registration), connection).reason

    async def describe_cluster(self, _raw: bytes, _context: Context) -> bytes:
        """All broker groups."""
        return pb.DescribeClusterResponse(code=_OK, groups=cluster_to(self._registry.view())).SerializeToString()

    async def watch(self, _raw: bytes, _context: Context) -> AsyncIterator[bytes]:
        """All registrations, for brokers, which answer for all groups with it."""
        async for found in self._registry.snapshots():
            yield pb.WatchResponse(code=_OK, registrations=map(registration_to, found)).SerializeToString()
