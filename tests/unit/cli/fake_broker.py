"""A broker that keeps everything in memory, behind a real gRPC server in a thread: enough of one for the command line."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from mq.broker.batch import whole_message
from mq.core.errors import Code
from mq.proto import broker_v1_pb2 as b
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc.methods import BROKER, BROKER_SERVICE, MESSAGING, MESSAGING_SERVICE, Cardinality, Method

__all__ = ["FakeBroker"]

OK = int(Code.OK)


class FakeBroker:
    """Answers calls from its lists. `calls` holds (RPC name, request, metadata) of each.

    answers: by RPC name, a function to be used instead of the method here.
    failures: by RPC name, what the next calls do instead: a (code, text) to answer, or a grpc.StatusCode to abort with.
    """

    def __init__(self, port: int = 0) -> None:
        self.calls: list[tuple[str, Any, dict[str, str]]] = []
        self.failures: dict[str, list[Any]] = {}
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.topics: dict[str, b.Topic] = {}
        self.groups: dict[str, b.Group] = {}
        self.stored: list[bytes] = []
        self.acked: list[str] = []
        self.given = 0
        self.health = b"\x08\x01"
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        for service, methods in ((MESSAGING_SERVICE, MESSAGING), (BROKER_SERVICE, BROKER)):
            table = {name: self._handler(method) for name, method in methods.items() if hasattr(self, f"on_{name}")}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, table),))
        check: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(lambda _request, _context: self.health)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check}),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.stop(0).wait()

    def requests(self, name: str) -> list[Any]:
        """The requests of all calls of one RPC."""
        return [request for called, request, _ in self.calls if called == name]

    def _refusal(self, method: Method, request: Any, context: grpc.ServicerContext) -> Any:
        """Note a call; the failure that the test planned for it, or None."""
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        with self._lock:
            self.calls.append((method.name, request, headers))
            failure = self.failures.get(method.name, [])
            planned = failure.pop(0) if failure else None
        if isinstance(planned, grpc.StatusCode):
            context.abort(planned, "as the test wants it")
        if planned is None:
            return None
        code, text = planned
        if "status" in method.response.DESCRIPTOR.fields_by_name:
            return method.response(status=v2.Status(code=code, message=text))
        if isinstance(request, b.BatchSend):
            return b.BatchSent(code=code, message=text, sequence=request.sequence)
        return method.response(code=code, message=text)

    def _handler(self, method: Method) -> "grpc.RpcMethodHandler[Any, Any]":
        def answer(request: Any) -> Any:
            return self.answers.get(method.name, getattr(self, f"on_{method.name}"))(request)

        def unary(request: Any, context: grpc.ServicerContext) -> Any:
            return self._refusal(method, request, context) or answer(request)

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            refusal = self._refusal(method, request, context)
            yield from [refusal] if refusal is not None else answer(request)

        def both(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
            for request in requests:
                for one in stream(request, context):
                    yield b.BatchesSent(answers=[one]) if isinstance(one, b.BatchSent) else one

        more: Any = {"request_deserializer": method.request.FromString, "response_serializer": method.response.SerializeToString}
        match method.cardinality:
            case Cardinality.UNARY:
                return grpc.unary_unary_rpc_method_handler(unary, **more)
            case Cardinality.SERVER_STREAM:
                return grpc.unary_stream_rpc_method_handler(stream, **more)
            case Cardinality.BOTH_STREAMS:
                return grpc.stream_stream_rpc_method_handler(both, **more)

    # --- our own service

    def on_CreateTopic(self, request: b.CreateTopicRequest) -> b.CreateTopicResponse:  # noqa: N802 - as the RPC
        topic = b.Topic(
            name=request.name,
            type=request.type or v2.NORMAL,
            queues=request.queues or 8,
            permission=request.permission or v2.READ_WRITE,
        )
        self.topics[request.name] = topic
        return b.CreateTopicResponse(code=OK, topic=topic)

    def on_ListTopics(self, _request: b.ListTopicsRequest) -> b.ListTopicsResponse:  # noqa: N802
        return b.ListTopicsResponse(code=OK, topics=self.topics.values())

    def on_DeleteTopic(self, request: b.DeleteTopicRequest) -> b.DeleteTopicResponse:  # noqa: N802
        if self.topics.pop(request.name, None) is None:
            return b.DeleteTopicResponse(code=40402, message=f"topic {request.name} does not exist")
        return b.DeleteTopicResponse(code=OK)

    def on_DescribeTopic(self, request: b.DescribeTopicRequest) -> b.DescribeTopicResponse:  # noqa: N802
        response = b.DescribeTopicResponse(code=OK, topic=self.topics[request.name])
        response.queues.add(queue_id=0, min_offset=0, max_offset=len(self.stored))
        response.groups.add(group="g", lag=3, in_flight=1)
        return response

    def on_CreateGroup(self, request: b.CreateGroupRequest) -> b.CreateGroupResponse:  # noqa: N802
        group = b.Group(name=request.name, is_fifo=request.is_fifo, max_attempts=request.max_attempts or 17)
        self.groups[request.name] = group
        return b.CreateGroupResponse(code=OK, group=group)

    def on_ListGroups(self, _request: b.ListGroupsRequest) -> b.ListGroupsResponse:  # noqa: N802
        return b.ListGroupsResponse(code=OK, groups=self.groups.values())

    def on_DeleteGroup(self, request: b.DeleteGroupRequest) -> b.DeleteGroupResponse:  # noqa: N802
        self.groups.pop(request.name)
        return b.DeleteGroupResponse(code=OK)

    def on_DescribeGroup(self, request: b.DescribeGroupRequest) -> b.DescribeGroupResponse:  # noqa: N802
        response = b.DescribeGroupResponse(code=OK, group=self.groups[request.name])
        response.queues.add(topic="t", queue_id=0, consumer_offset=5, max_offset=9, lag=4, in_flight=1)
        response.clients.add(
            client_id="c@1", type=v2.PUSH_CONSUMER, language="PYTHON", version="5", address="ipv4:1", last_heard_ms=1500
        )
        return response

    def on_ResetGroup(self, request: b.ResetGroupRequest) -> b.ResetGroupResponse:  # noqa: N802
        response = b.ResetGroupResponse(code=OK)
        response.queues.add(topic=request.topic, queue_id=0, consumer_offset=request.offset, max_offset=9)
        return response

    def on_DescribeBroker(self, _request: b.DescribeBrokerRequest) -> b.DescribeBrokerResponse:  # noqa: N802
        return b.DescribeBrokerResponse(code=OK, name="broker-f", node_id=1, role="leader", version="9.9", replication="solo")

    def _stored(self, offset: int) -> b.StoredMessage:
        return b.StoredMessage(queue_id=0, offset=offset, store_ms=1_700_000_000_000 + offset, message=self.stored[offset])

    def on_ChangeMembers(self, _request: b.ChangeMembersRequest) -> b.ChangeMembersResponse:  # noqa: N802
        return b.ChangeMembersResponse(code=OK, voters=(1, 2))

    def on_PeekMessages(self, request: b.PeekMessagesRequest) -> b.PeekMessagesResponse:  # noqa: N802
        first = max(0, request.offset)
        last = min(len(self.stored), first + min(request.count, 2))  # small pages on purpose
        found = [self._stored(i) for i in range(first, last) if request.text.encode() in self.stored[i]]
        return b.PeekMessagesResponse(code=OK, messages=found, next_offset=last, min_offset=0, max_offset=len(self.stored))

    def on_GetMessage(self, request: b.GetMessageRequest) -> b.GetMessageResponse:  # noqa: N802
        if request.offset >= len(self.stored):
            return b.GetMessageResponse(code=40401, message=f"no message at offset {request.offset}")
        return b.GetMessageResponse(code=OK, stored=self._stored(request.offset))

    def on_QueryMessages(self, request: b.QueryMessagesRequest) -> b.QueryMessagesResponse:  # noqa: N802
        wanted = (request.message_id or request.key).encode()
        return b.QueryMessagesResponse(code=OK, messages=[self._stored(i) for i, m in enumerate(self.stored) if wanted in m])

    def on_SendBatches(self, frame: b.BatchSend) -> list[b.BatchSent]:  # noqa: N802
        with self._lock:
            base = len(self.stored)
            whole = [whole_message(frame.shared, one, body) for one, body in zip(frame.ids, frame.bodies, strict=True)]
            self.stored.extend(whole or frame.messages)
            count = len(self.stored) - base
        return [b.BatchSent(code=OK, sequence=frame.sequence, base_offset=base, queue_id=0, count=count)]

    def on_FetchBatches(self, request: b.FetchBatchesRequest) -> Iterator[b.BatchFrame]:  # noqa: N802
        at = request.offset - request.offset % 10  # batches of ten begin before the offset asked for
        while at < len(self.stored):
            part = self.stored[at : at + 10]
            frame = b.BatchFrame(code=OK, next_offset=at + len(part), max_offset=len(self.stored))
            frame.batches.add(
                queue_id=request.queue_id,
                base_offset=at,
                count=len(part),
                store_ms=7,
                messages=b"".join(part),
                sizes=map(len, part),
            )
            yield frame
            at += len(part)

    # --- the client protocol

    def on_SendMessage(self, request: v2.SendMessageRequest) -> v2.SendMessageResponse:  # noqa: N802
        response = v2.SendMessageResponse(status=v2.Status(code=v2.OK))
        for message in request.messages:
            response.entries.add(
                status=v2.Status(code=v2.OK), message_id=message.system_properties.message_id, offset=len(self.stored)
            )
            self.stored.append(message.SerializeToString())
        return response

    def on_ReceiveMessage(self, request: v2.ReceiveMessageRequest) -> Iterator[v2.ReceiveMessageResponse]:  # noqa: N802
        end = min(len(self.stored), self.given + request.batch_size)
        if self.given == end:
            yield v2.ReceiveMessageResponse(status=v2.Status(code=v2.MESSAGE_NOT_FOUND, message="no new message"))
            return
        yield v2.ReceiveMessageResponse(status=v2.Status(code=v2.OK))
        for offset in range(self.given, end):
            message = v2.Message.FromString(self.stored[offset])
            message.topic.name = request.message_queue.topic.name
            message.system_properties.receipt_handle = f"handle-{offset}"
            message.system_properties.queue_offset = offset
            message.system_properties.delivery_attempt = 1
            yield v2.ReceiveMessageResponse(message=message)
        self.given = end

    def on_AckMessage(self, request: v2.AckMessageRequest) -> v2.AckMessageResponse:  # noqa: N802
        response = v2.AckMessageResponse(status=v2.Status(code=v2.OK))
        for entry in request.entries:
            self.acked.append(entry.receipt_handle)
            response.entries.add(message_id=entry.message_id, receipt_handle=entry.receipt_handle, status=v2.Status(code=v2.OK))
        return response

    def on_NotifyClientTermination(self, _request: v2.NotifyClientTerminationRequest) -> v2.NotifyClientTerminationResponse:  # noqa: N802
        return v2.NotifyClientTerminationResponse(status=v2.Status(code=v2.OK))
