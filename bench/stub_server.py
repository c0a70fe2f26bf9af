"""A RocketMQ server that answers at once and keeps nothing: the limit of what the official client can reach.

    python -m bench.stub_server [--topic T]

It knows every RPC that the official Python client uses. What can be is serialized beforehand; a send is
acknowledged without being looked at, a receive hands out 32 ready-made messages at once, for ever. Runs as a process
of its own: it uses the generated modules of the official client.
"""

import argparse
import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import grpc
from rocketmq.grpc_protocol import definition_pb2 as d
from rocketmq.grpc_protocol import service_pb2 as s

from bench.callers import CHANNEL_OPTIONS, SERVICE
from bench.common import StreamEndedError, announce, read_bytes, run_in_loop
from bench.messages import BODY_BYTES

__all__: list[str] = []

_OK = d.Status(code=d.OK, message="OK")
_QUEUES = 8
_BATCH = 32
_BATCHES = 64
_BACKOFF_S = (1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200)


def _queue(topic: str, queue_id: int, port: int) -> d.MessageQueue:
    queue = d.MessageQueue(id=queue_id, permission=d.READ_WRITE, accept_message_types=[d.NORMAL])
    queue.topic.name = topic
    queue.broker.name = "broker-a"
    queue.broker.endpoints.scheme = d.IPv4
    queue.broker.endpoints.addresses.add(host="127.0.0.1", port=port)
    return queue


def _settings(asked: d.Settings) -> s.TelemetryCommand:
    """The client's settings, completed as Apache RocketMQ does."""
    settings = d.Settings()
    settings.CopyFrom(asked)
    settings.metric.on = False
    if settings.HasField("publishing"):
        settings.publishing.max_body_size, settings.publishing.validate_message_type = 4 << 20, True
        settings.backoff_policy.max_attempts = 3
        backoff = settings.backoff_policy.exponential_backoff
        backoff.initial.nanos, backoff.max.seconds, backoff.multiplier = 10_000_000, 1, 2.0
    else:
        settings.subscription.fifo, settings.subscription.receive_batch_size = False, _BATCH
        settings.subscription.long_polling_timeout.seconds = 20
        settings.backoff_policy.max_attempts = 17
        for seconds in _BACKOFF_S:
            settings.backoff_policy.customized_backoff.next.add(seconds=seconds)
    return s.TelemetryCommand(status=_OK, settings=settings)


def _batch(topic: str, number: int) -> list[bytes]:
    """One answer of ReceiveMessage: status, messages, delivery time."""
    parts = [s.ReceiveMessageResponse(status=_OK)]
    for place in range(_BATCH):
        body = os.urandom(BODY_BYTES)
        message = d.Message(body=body)
        message.topic.name = topic
        offset = number * _BATCH + place
        properties = message.system_properties
        properties.message_id = f"01{offset:032X}"
        properties.message_type, properties.body_encoding = d.NORMAL, d.IDENTITY
        properties.body_digest.type, properties.body_digest.checksum = (
            d.MD5,
            hashlib.md5(body, usedforsecurity=False).hexdigest().upper(),
        )
        properties.born_timestamp.seconds = properties.store_timestamp.seconds = int(time.time())
        properties.born_host, properties.store_host = "192.168.100.100", "127.0.0.1:8081"
        properties.receipt_handle = f"1 3 123456789 {offset} 1 1795456208217 bench-group {topic}"
        properties.queue_id, properties.queue_offset, properties.delivery_attempt = 3, offset, 1
        properties.invisible_duration.seconds = 60
        parts.append(s.ReceiveMessageResponse(message=message))
    delivered = s.ReceiveMessageResponse()
    delivered.delivery_timestamp.seconds = int(time.time())
    return [part.SerializeToString() for part in [*parts, delivered]]


def _always(reply: bytes) -> Callable[[bytes, object], Awaitable[bytes]]:
    async def answer(_request: bytes, _context: object) -> bytes:
        return reply

    return answer


def _route_reply(request: bytes, port: int) -> bytes:
    topic = s.QueryRouteRequest.FromString(request).topic.name
    reply = s.QueryRouteResponse(status=_OK, message_queues=[_queue(topic, number, port) for number in range(_QUEUES)])
    return bytes(reply.SerializeToString())


def _assignment_reply(request: bytes, port: int) -> bytes:
    topic = s.QueryAssignmentRequest.FromString(request).topic.name
    reply = s.QueryAssignmentResponse(status=_OK, assignments=[d.Assignment(message_queue=_queue(topic, -1, port))])
    return bytes(reply.SerializeToString())


def _handlers(topic: str, port: Callable[[], int]) -> dict[str, "grpc.RpcMethodHandler[bytes, bytes]"]:
    """port: where the server listens, known once it does."""
    entry = s.SendResultEntry(status=_OK, message_id="01" + "0" * 32, transaction_id="01" + "0" * 32, offset=123456)
    acked = s.AckMessageResponse(status=_OK, entries=[s.AckMessageResultEntry(status=_OK, message_id="01" + "0" * 32)])
    batches = [_batch(topic, number) for number in range(_BATCHES)]
    turn = 0

    async def route(request: bytes, _context: object) -> bytes:
        return _route_reply(request, port())

    async def assignment(request: bytes, _context: object) -> bytes:
        return _assignment_reply(request, port())

    async def receive(_request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        nonlocal turn
        turn = (turn + 1) % _BATCHES
        for part in batches[turn]:
            await context.write(part)

    async def telemetry(_requests: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        with suppress(StreamEndedError):
            while True:
                command = s.TelemetryCommand.FromString(await read_bytes(context))
                if command.HasField("settings"):
                    await context.write(_settings(command.settings).SerializeToString())

    changed = s.ChangeInvisibleDurationResponse(status=_OK, receipt_handle="1 3 123456789 0 1 1795456208217 bench-group bench")
    unary = {
        "QueryRoute": route,
        "QueryAssignment": assignment,
        "SendMessage": _always(s.SendMessageResponse(status=_OK, entries=[entry]).SerializeToString()),
        "AckMessage": _always(acked.SerializeToString()),
        "ChangeInvisibleDuration": _always(changed.SerializeToString()),
        "Heartbeat": _always(s.HeartbeatResponse(status=_OK).SerializeToString()),
        "NotifyClientTermination": _always(s.NotifyClientTerminationResponse(status=_OK).SerializeToString()),
    }
    return {
        **{name: grpc.unary_unary_rpc_method_handler(handler) for name, handler in unary.items()},
        "ReceiveMessage": grpc.unary_stream_rpc_method_handler(receive),
        "Telemetry": grpc.stream_stream_rpc_method_handler(telemetry),
    }


async def _serve(topic: str) -> None:
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    listening: list[int] = []
    handlers = _handlers(topic, lambda: listening[0])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    listening.append(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    announce(port=listening[0])
    await server.wait_for_termination()


def main() -> None:
    parser = argparse.ArgumentParser(description="a RocketMQ server that answers at once")
    parser.add_argument("--topic", default="bench", help="of the messages that it hands out")
    run_in_loop(_serve(parser.parse_args().topic))


if __name__ == "__main__":
    main()
