"""A relay between official clients and one node that hands on every call but Telemetry.

It answers Telemetry by itself, as an official push consumer does not start without; the node never hears of it. It puts its own
address into every route, so that the clients find no way around it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc

from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import MESSAGING, Cardinality, Method
from mq.rpc.settings import answer_settings

__all__ = ["MuteRelay"]

_THREADS = 128
"""Each long poll and each Telemetry stream holds one."""
_LONGEST_S = 60.0


class MuteRelay(grpc.GenericRpcHandler):
    """Use `with`. node: HOST:PORT of the node for clients. fifo_groups: those whose consumers are told that they are ordered.

    max_attempts: what all of them are told. codes: of all answers of the node, by the RPC's name. telemetry: how many settings
    clients tried to tell.
    """

    def __init__(self, node: str, *, max_attempts: int, fifo_groups: Collection[str]) -> None:
        self.codes: defaultdict[str, set[int]] = defaultdict(set)
        self.telemetry = 0
        self._max_attempts, self._fifo_groups = max_attempts, fifo_groups
        self._channel = grpc.insecure_channel(node)
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), handlers=[self])
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self.endpoint = f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.stop(0).wait()
        self._channel.close()

    def service(self, handler_call_details: Any) -> Any:
        """How a call is carried out."""
        method = MESSAGING[handler_call_details.method.rpartition("/")[2]]
        read, write = method.request.FromString, method.response.SerializeToString
        if method.cardinality is Cardinality.BOTH_STREAMS:
            return grpc.stream_stream_rpc_method_handler(self._answer_settings, read, write)
        if method.cardinality is Cardinality.SERVER_STREAM:
            return grpc.unary_stream_rpc_method_handler(partial(self._stream, method), read, write)
        return grpc.unary_unary_rpc_method_handler(partial(self._unary, method), read, write)

    def _answer_settings(self, commands: Iterator[pb.TelemetryCommand], _context: Any) -> Iterator[pb.TelemetryCommand]:
        for command in commands:
            if command.HasField("settings"):
                self.telemetry += 1
                is_fifo = command.settings.subscription.group.name in self._fifo_groups
                told = answer_settings(command.settings, is_fifo=is_fifo, max_attempts=self._max_attempts, language="PYTHON")
                yield pb.TelemetryCommand(status=pb.Status(code=pb.OK), settings=told)

    def _unary(self, method: Method, request: Any, context: Any) -> Any:
        response = self._call(self._channel.unary_unary, method, request, context)
        self.codes[method.name].add(response.status.code)
        queues = [*getattr(response, "message_queues", ()), *(one.message_queue for one in getattr(response, "assignments", ()))]
        for queue in queues:
            addresses = queue.broker.endpoints.addresses
            del addresses[:]
            addresses.add(host="127.0.0.1", port=self._port)
        return response

    def _stream(self, method: Method, request: Any, context: Any) -> Iterator[Any]:
        call = self._call(self._channel.unary_stream, method, request, context)
        context.add_callback(call.cancel)
        try:
            for response in call:
                if response.HasField("status"):
                    self.codes[method.name].add(response.status.code)
                yield response
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    @staticmethod
    def _call(factory: Callable[..., Any], method: Method, request: Any, context: Any) -> Any:
        metadata = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-mq-")]
        write, read = method.request.SerializeToString, method.response.FromString
        timeout_s = min(context.time_remaining() or _LONGEST_S, _LONGEST_S)
        return factory(method.path, request_serializer=write, response_deserializer=read)(request, timeout_s, metadata)
