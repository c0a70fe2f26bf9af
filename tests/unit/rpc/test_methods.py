"""The tables of RPCs, and callables made from them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from mq.proto import broker_v1_pb2 as broker_pb
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import BROKER, MESSAGING, Cardinality, both_streams, method, server_stream, unary


class RecordingChannel:
    """Takes the place of a channel and notes what it was asked for."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, Callable[..., bytes], Callable[..., Any]]] = []

    def _note(self, shape: str) -> Callable[..., str]:
        def factory(path: str, request_serializer: Callable[..., bytes], response_deserializer: Callable[..., Any]) -> str:
            self.made.append((shape, path, request_serializer, response_deserializer))
            return shape

        return factory

    def __getattr__(self, name: str) -> Callable[..., str]:
        return self._note(name)


def test_the_client_protocol_is_served_under_its_official_path() -> None:
    assert len(MESSAGING) == 17
    assert MESSAGING["QueryRoute"].path == "/apache.rocketmq.v2.MessagingService/QueryRoute"
    assert {each.path for each in MESSAGING.values()} == {f"/apache.rocketmq.v2.MessagingService/{name}" for name in MESSAGING}


def test_our_own_service_has_a_path_of_its_own() -> None:
    assert BROKER["SendBatches"].path == "/raftmq.broker.v1.Broker/SendBatches"
    assert len(BROKER) == 20


def test_cardinalities_are_those_of_the_protocol() -> None:
    streaming = {name: each.cardinality for name, each in MESSAGING.items() if each.cardinality is not Cardinality.UNARY}
    assert streaming == {
        "ReceiveMessage": Cardinality.SERVER_STREAM,
        "PullMessage": Cardinality.SERVER_STREAM,
        "Telemetry": Cardinality.BOTH_STREAMS,
    }
    assert BROKER["FetchBatches"].cardinality is Cardinality.SERVER_STREAM
    assert BROKER["SendBatches"].cardinality is Cardinality.BOTH_STREAMS


def test_classes_are_the_generated_ones() -> None:
    assert (MESSAGING["Telemetry"].request, MESSAGING["Telemetry"].response) == (pb.TelemetryCommand, pb.TelemetryCommand)
    assert (BROKER["ListTopics"].request, BROKER["ListTopics"].response) == (
        broker_pb.ListTopicsRequest,
        broker_pb.ListTopicsResponse,
    )


def test_no_name_stands_in_both_tables() -> None:
    assert not set(MESSAGING) & set(BROKER)


def test_an_rpc_is_found_by_its_name_alone() -> None:
    assert method("SendMessage") is MESSAGING["SendMessage"]
    assert method("PeekMessages") is BROKER["PeekMessages"]
    with pytest.raises(KeyError):
        method("NoSuchRpc")


@pytest.mark.parametrize(
    ("make", "name", "shape"),
    [
        (unary, "SendMessage", "unary_unary"),
        (server_stream, "FetchBatches", "unary_stream"),
        (both_streams, "Telemetry", "stream_stream"),
    ],
)
def test_a_callable_has_the_shape_and_the_classes_of_its_rpc(make: Any, name: str, shape: str) -> None:
    channel = RecordingChannel()
    assert make(channel, name) == shape
    ((_, path, serialize, deserialize),) = channel.made
    each = method(name)
    assert path == each.path
    assert serialize(each.request()) == b""
    assert isinstance(deserialize(b""), each.response)


@pytest.mark.parametrize(
    ("make", "name"), [(unary, "Telemetry"), (server_stream, "SendMessage"), (both_streams, "ReceiveMessage")]
)
def test_a_callable_of_the_wrong_shape_is_refused(make: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has"):
        make(RecordingChannel(), name)


def test_a_call_reaches_a_generic_handler() -> None:
    def answer(request: pb.QueryRouteRequest, _context: object) -> pb.QueryRouteResponse:
        return pb.QueryRouteResponse(status=pb.Status(code=pb.OK, message=request.topic.name))

    def count(request: broker_pb.FetchBatchesRequest, _context: object) -> Iterator[broker_pb.BatchFrame]:
        yield from (broker_pb.BatchFrame(next_offset=request.offset + n) for n in range(3))

    def handlers(table: Any, name: str, wrap: Any, behaviour: Any) -> grpc.GenericRpcHandler:
        each = table[name]
        handler = wrap(behaviour, each.request.FromString, each.response.SerializeToString)
        return grpc.method_handlers_generic_handler(each.path.split("/")[1], {name: handler})

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (
            handlers(MESSAGING, "QueryRoute", grpc.unary_unary_rpc_method_handler, answer),
            handlers(BROKER, "FetchBatches", grpc.unary_stream_rpc_method_handler, count),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            route = unary(channel, "QueryRoute")(pb.QueryRouteRequest(topic=pb.Resource(name="orders")), timeout=10)
            frames = list(server_stream(channel, "FetchBatches")(broker_pb.FetchBatchesRequest(offset=7), timeout=10))
    finally:
        server.stop(None)
    assert route.status.message == "orders"
    assert [frame.next_offset for frame in frames] == [7, 8, 9]
