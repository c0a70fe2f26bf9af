"""The RPCs of both services as tables, read from the service descriptions themselves.

Servers register handlers from these tables; our own client and the tests make callables from them. There
are no generated stubs: the official path of the client protocol differs from the package of our own
description of it (`mq/proto/rocketmq_v2.proto`).
"""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mq.proto import broker_v1_pb2, registry_v1_pb2, rocketmq_v2_pb2

__all__ = [
    "BROKER",
    "BROKER_SERVICE",
    "MESSAGING",
    "MESSAGING_SERVICE",
    "OLD_HEADER",
    "REGISTRY",
    "REGISTRY_SERVICE",
    "AnyChannel",
    "Cardinality",
    "Method",
    "both_streams",
    "method",
    "server_stream",
    "unary",
]

MESSAGING_SERVICE = "apache.rocketmq.v2.MessagingService"
"""The client protocol, under its official name."""

BROKER_SERVICE = "raftmq.broker.v1.Broker"
"""Our own service (`mq/proto/broker_v1.proto`)."""

REGISTRY_SERVICE = "raftmq.registry.v1.Registry"
"""The registry's own (`mq/proto/registry_v1.proto`)."""

AnyChannel = grpc.Channel | grpc.aio.Channel


class Cardinality(Enum):
    """How many messages go each way."""

    UNARY = "one request, one response"
    SERVER_STREAM = "one request, many responses"
    BOTH_STREAMS = "many requests, many responses"


class Method(NamedTuple):
    """One RPC. path: what gRPC calls it, such as `/raftmq.broker.v1.Broker/ListTopics`."""

    name: str
    path: str
    request: type[Message]
    response: type[Message]
    cardinality: Cardinality


def _table(service: ServiceDescriptor, served_as: str) -> Mapping[str, Method]:
    methods = {}
    for each in service.methods:
        if each.client_streaming:
            cardinality = Cardinality.BOTH_STREAMS
        else:
            cardinality = Cardinality.SERVER_STREAM if each.server_streaming else Cardinality.UNARY
        classes = GetMessageClass(each.input_type), GetMessageClass(each.output_type)
        methods[each.name] = Method(each.name, f"/{served_as}/{each.name}", *classes, cardinality)
    return MappingProxyType(methods)


OLD_HEADER = "x-raftmq-old"
"""Trailing metadata of an answer that may be older than what was answered before: why, in words."""

MESSAGING: Mapping[str, Method] = _table(rocketmq_v2_pb2.DESCRIPTOR.services_by_name["MessagingService"], MESSAGING_SERVICE)
"""The 17 RPCs of the client protocol by name."""

BROKER: Mapping[str, Method] = _table(broker_v1_pb2.DESCRIPTOR.services_by_name["Broker"], BROKER_SERVICE)
"""The RPCs of our own service by name."""

REGISTRY: Mapping[str, Method] = _table(registry_v1_pb2.DESCRIPTOR.services_by_name["Registry"], REGISTRY_SERVICE)
"""The RPCs of the registry by name. No name stands in two of these tables."""


def method(name: str) -> Method:
    """The RPC of that name, of any service. Raises: KeyError."""
    return next((table[name] for table in (MESSAGING, BROKER) if name in table), None) or REGISTRY[name]


def unary(channel: AnyChannel, name: str) -> Callable[..., Any]:
    """A callable for a unary RPC: `call(request, timeout=..., metadata=...)`; awaitable on a grpc.aio channel."""
    return _callable(channel.unary_unary, name, Cardinality.UNARY)


def server_stream(channel: AnyChannel, name: str) -> Callable[..., Any]:
    """A callable for an RPC whose responses are iterated over."""
    return _callable(channel.unary_stream, name, Cardinality.SERVER_STREAM)


def both_streams(channel: AnyChannel, name: str) -> Callable[..., Any]:
    """A callable for an RPC that streams both ways."""
    return _callable(channel.stream_stream, name, Cardinality.BOTH_STREAMS)


def _callable(factory: Callable[..., Callable[..., Any]], name: str, cardinality: Cardinality) -> Callable[..., Any]:
    found = method(name)
    if found.cardinality is not cardinality:
        raise ValueError(f"{name} has {found.cardinality.value}, not {cardinality.value}")
    serialize = found.request.SerializeToString
    return factory(found.path, request_serializer=serialize, response_deserializer=found.response.FromString)
