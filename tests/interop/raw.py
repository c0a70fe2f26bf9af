"""A client made of bare calls, with none of the official client's habits: for what that one cannot ask, or hides."""

import contextlib
import hashlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.methods import both_streams, server_stream, unary

OK, MULTIPLE_RESULTS, NOTHING_NEW, BAD_HANDLE = 20000, 30000, 40401, 40013
_CALL_S = 10.0
_numbers = count(1)


def span(seconds: float | None) -> Duration | None:
    """Seconds as the wire has them."""
    if seconds is None:
        return None
    ms = round(seconds * 1000)
    return Duration(seconds=int(ms / 1000), nanos=(ms - int(ms / 1000) * 1000) * 1_000_000)


def md5_of(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest().upper()


def new_id() -> str:
    """A message id in the official form. RocketMQ: MessageIdCodec."""
    return f"01{'AC' * 6}{'00' * 2}{int(time.time()) & 0xFFFFFFFF:08X}{next(_numbers):08X}"


class Received:
    """All of one ReceiveMessage call. order: of the kinds of its responses; took_s: until its end."""

    def __init__(self, call: Iterator[Any]) -> None:
        began_s = time.monotonic()
        self.order: list[str] = []
        self.messages: list[Any] = []
        self.status = pb.Status()
        self.delivered_s = 0.0
        for response in call:
            kind = response.WhichOneof("content")
            self.order.append(kind)
            if kind == "status":
                self.status = response.status
            elif kind == "message":
                self.messages.append(response.message)
            else:
                self.delivered_s = response.delivery_timestamp.ToNanoseconds() / 1e9
        self.took_s = time.monotonic() - began_s

    @property
    def bodies(self) -> list[bytes]:
        return [message.body for message in self.messages]


class Stream:
    """A Telemetry call. `broken` says how the server ended it."""

    def __init__(self, call: Any, outbox: "queue.Queue[pb.TelemetryCommand | None]") -> None:
        self._call, self._outbox = call, outbox
        self._inbox: queue.Queue[pb.TelemetryCommand | None] = queue.Queue()
        self.broken = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for command in self._call:
                self._inbox.put(command)
            self.broken = "ended"
        except grpc.RpcError as error:
            self.broken = f"{error.code().name}: {error.details()}"
        self._inbox.put(None)

    def tell(self, settings: pb.Settings) -> None:
        self._outbox.put(pb.TelemetryCommand(settings=settings))

    def hear(self, limit_s: float = _CALL_S) -> Any:
        """The next command, or None when the stream ended."""
        return self._inbox.get(timeout=limit_s)

    def close(self) -> None:
        self._outbox.put(None)
        self._call.cancel()
        self._reader.join()


class RawClient:
    """One client id, one topic and one group, and a call for each RPC. Use `with`."""

    def __init__(
        self,
        endpoint: str,
        topic: str,
        group: str,
        *,
        language: str = "PYTHON",
        client_id: str | None = None,
        expression: str = "*",
    ) -> None:
        self.topic, self.group = topic, group
        self.client_id = f"raw@{next(_numbers)}" if client_id is None else client_id
        self.filter = pb.FilterExpression(type=pb.TAG, expression=expression)
        self._language = language
        self._channel = grpc.insecure_channel(
            endpoint, [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        )
        self._streams: list[Stream] = []
        self.called: set[str] = set()
        """The RPCs that were called, by name."""

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.close()
        self._channel.close()

    def break_connection(self) -> None:
        """As when the network does: nothing is said on it any more."""
        self._channel.close()

    @property
    def metadata(self) -> list[tuple[str, str]]:
        found = [("x-mq-language", self._language), ("x-mq-client-version", "5.1.2"), ("x-mq-protocol", "GRPC_V2")]
        return [*found, ("x-mq-client-id", self.client_id)] if self.client_id else found

    def call(self, name: str, request: Any) -> Any:
        """One unary RPC; the response, whatever its status says."""
        self.called.add(name)
        return unary(self._channel, name)(request, timeout=_CALL_S, metadata=self.metadata)

    # --- routes and settings

    def route(self, topic: str | None = None) -> Any:
        return self.call("QueryRoute", pb.QueryRouteRequest(topic=pb.Resource(name=self.topic if topic is None else topic)))

    def assignments(self, topic: str = "", group: str = "") -> Any:
        request = pb.QueryAssignmentRequest(
            topic=pb.Resource(name=topic or self.topic), group=pb.Resource(name=group or self.group)
        )
        return self.call("QueryAssignment", request)

    def settings(
        self, client_type: "pb.ClientType.ValueType", *, topic: str | None = None, group: str | None = None
    ) -> pb.Settings:
        """What an official client of this type says first."""
        named = pb.Resource(name=self.topic if topic is None else topic)
        settings = pb.Settings(client_type=client_type, request_timeout=span(3), metric=pb.Metric(on=False))
        if client_type == pb.PRODUCER:
            settings.publishing.topics.append(named)
            settings.publishing.max_body_size = 1 << 27
        else:
            settings.subscription.group.name = self.group if group is None else group
            settings.subscription.subscriptions.add(topic=named, expression=self.filter)
        return settings

    def telemetry(self, settings: pb.Settings) -> Stream:
        """Open a stream with these settings; it is closed with the client."""
        outbox: queue.Queue[pb.TelemetryCommand | None] = queue.Queue()
        outbox.put(pb.TelemetryCommand(settings=settings))
        stream = Stream(both_streams(self._channel, "Telemetry")(iter(outbox.get, None), metadata=self.metadata), outbox)
        self._streams.append(stream)
        return stream

    def heartbeat(self, client_type: "pb.ClientType.ValueType", group: str | None = None) -> int:
        request = pb.HeartbeatRequest(client_type=client_type)
        if group is not None:
            request.group.name = group
        return int(self.call("Heartbeat", request).status.code)

    def say_goodbye(self) -> int:
        request = pb.NotifyClientTerminationRequest(group=pb.Resource(name=self.group))
        return int(self.call("NotifyClientTermination", request).status.code)

    # --- sending

    def message(
        self,
        body: bytes = b"x",
        *,
        kind: "pb.MessageType.ValueType" = pb.NORMAL,
        topic: str | None = None,
        properties: dict[str, str] | None = None,
        due_s: float | None = None,
        **system: Any,
    ) -> pb.Message:
        """A message; further keywords are fields of its SystemProperties."""
        fields: dict[str, Any] = {
            "message_id": new_id(),
            "body_encoding": pb.IDENTITY,
            "born_host": "raw",
            "message_type": kind,
            **system,
        }
        message = pb.Message(
            topic=pb.Resource(name=self.topic if topic is None else topic), body=body, user_properties=properties or {}
        )
        message.system_properties.CopyFrom(pb.SystemProperties(**fields))
        message.system_properties.born_timestamp.seconds = int(time.time())
        if due_s is not None:
            message.system_properties.delivery_timestamp.CopyFrom(Timestamp(seconds=int(due_s)))
        return message

    def send_all(self, messages: Sequence[pb.Message]) -> Any:
        return self.call("SendMessage", pb.SendMessageRequest(messages=messages))

    def try_send(self, body: bytes = b"x", **fields: Any) -> int:
        """The code of the answer."""
        return int(self.send_all([self.message(body, **fields)]).status.code)

    def send(self, body: bytes = b"x", **fields: Any) -> Any:
        """Send one message that must be taken; its entry of the answer."""
        response = self.send_all([self.message(body, **fields)])
        assert response.status.code == OK, response.status
        return response.entries[0]

    def end_transaction(self, sent: Any, resolution: "pb.TransactionResolution.ValueType") -> int:
        """sent: the entry of a half message's answer."""
        request = pb.EndTransactionRequest(
            topic=pb.Resource(name=self.topic), message_id=sent.message_id, transaction_id=sent.transaction_id,
            resolution=resolution, source=pb.SOURCE_CLIENT,
        )  # fmt: skip
        return int(self.call("EndTransaction", request).status.code)

    # --- receiving

    def receive_request(
        self,
        *,
        count: int = 32,
        invisible_s: float | None = 30,
        wait_s: float | None = 5,
        queue_id: int = 0,
        auto_renew: bool = False,
        attempt_id: str = "",
    ) -> pb.ReceiveMessageRequest:
        return pb.ReceiveMessageRequest(
            group=pb.Resource(name=self.group), batch_size=count, filter_expression=self.filter, auto_renew=auto_renew,
            message_queue=pb.MessageQueue(topic=pb.Resource(name=self.topic), id=queue_id),
            invisible_duration=span(invisible_s), long_polling_timeout=span(wait_s), attempt_id=attempt_id or None,
        )  # fmt: skip

    def start_receive(self, *, deadline_s: float = 30.0, **wish: Any) -> Any:
        """A call in progress: iterate over it, or cancel it."""
        self.called.add("ReceiveMessage")
        call = server_stream(self._channel, "ReceiveMessage")
        return call(self.receive_request(**wish), timeout=deadline_s, metadata=self.metadata)

    def receive(self, *, deadline_s: float = 30.0, **wish: Any) -> Received:
        return Received(self.start_receive(deadline_s=deadline_s, **wish))

    def take(self, wanted: int, *, limit_s: float = 20.0, acks: bool = False, **wish: Any) -> list[Any]:
        """Receive until so many messages came, and fail when it takes too long or more come."""
        got: list[Any] = []
        end_s = time.monotonic() + limit_s
        while len(got) < wanted:
            left_s = end_s - time.monotonic()
            assert left_s > 0, f"{len(got)} of {wanted} messages within {limit_s:g} s: {[m.body[:20] for m in got]}"
            found = self.receive(**{"wait_s": min(5.0, left_s), **wish})
            assert found.status.code in (OK, NOTHING_NEW), found.status
            got += found.messages
            if acks and found.messages:
                assert self.ack(*found.messages) == OK
        assert len(got) == wanted, [m.body[:20] for m in got]
        return got

    def expect_nothing(self, for_s: float) -> None:
        """Fail when a message comes within this time."""
        end_s = time.monotonic() + for_s
        while (left_s := end_s - time.monotonic()) > 0:
            found = self.receive(wait_s=min(left_s, 20))
            assert (found.status.code, found.bodies) == (NOTHING_NEW, [])

    def ack_entries(self, *handles: str) -> Any:
        entries = [pb.AckMessageEntry(message_id="x", receipt_handle=handle) for handle in handles]
        return self.call(
            "AckMessage",
            pb.AckMessageRequest(group=pb.Resource(name=self.group), topic=pb.Resource(name=self.topic), entries=entries),
        )

    def ack(self, *messages: Any) -> int:
        """The code of the whole answer."""
        return int(self.ack_entries(*(m.system_properties.receipt_handle for m in messages)).status.code)

    def change(self, handle: str, invisible_s: float) -> Any:
        request = pb.ChangeInvisibleDurationRequest(
            group=pb.Resource(name=self.group), topic=pb.Resource(name=self.topic), receipt_handle=handle,
            invisible_duration=span(invisible_s),
        )  # fmt: skip
        return self.call("ChangeInvisibleDuration", request)

    def forward(self, handle: str) -> int:
        request = pb.ForwardMessageToDeadLetterQueueRequest(
            group=pb.Resource(name=self.group), topic=pb.Resource(name=self.topic), receipt_handle=handle, message_id="x",
            delivery_attempt=1, max_delivery_attempts=1,
        )  # fmt: skip
        return int(self.call("ForwardMessageToDeadLetterQueue", request).status.code)


@contextlib.contextmanager
def in_background(work: Any) -> Iterator[list[Any]]:
    """Run `work` in a thread; the list holds its result when the block is over."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    yield results
    thread.join(30)
    assert results, "it did not end, or failed"
