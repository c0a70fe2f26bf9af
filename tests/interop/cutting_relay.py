"""A relay between official clients and one broker that hands on every call, and can end the Telemetry streams alone."""

from collections.abc import Iterator
from typing import Any

import grpc

from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import both_streams
from tests.cluster.mute_relay import MuteRelay

__all__ = ["CuttingRelay"]


class CuttingRelay(MuteRelay):
    """Use `with`. node: HOST:PORT of the broker for clients. streams: how many are open now."""

    def __init__(self, node: str) -> None:
        super().__init__(node, max_attempts=0, fifo_groups=())
        self._streams: list[Any] = []

    @property
    def streams(self) -> int:
        return sum(stream.is_active() for stream in self._streams)

    def cut(self) -> None:
        """End all Telemetry streams, towards both ends; whatever else is under way goes on."""
        for stream in self._streams:
            stream.cancel()

    def _answer_settings(self, commands: Iterator[pb.TelemetryCommand], context: Any) -> Iterator[pb.TelemetryCommand]:
        metadata = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-mq-")]
        stream = both_streams(self._channel, "Telemetry")(commands, metadata=metadata)
        self._streams.append(stream)
        context.add_callback(stream.cancel)
        try:
            yield from stream
        except grpc.RpcError:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the stream was cut")
