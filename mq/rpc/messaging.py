"""The RocketMQ 5 client protocol on top of a broker. RocketMQ: service MessagingService in service.proto (v2).

Handlers get the request as bytes and answer with bytes. Application errors ride in a `Status` inside an
otherwise good answer; only a broken Telemetry stream ends with a gRPC status.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from mq.broker.exchange import Outgoing, ReceiveWish
from mq.core.errors import Code, MqError, RefusedError
from mq.core.limits import LONG_POLL_MS_MAX
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.raft.errors import NotLeaderError
from mq.rpc import validate
from mq.rpc.backend import AdminPort, ClientsPort, DeliveryPort, SendingPort
from mq.rpc.endings import delivered_now, nothing_new
from mq.rpc.handles import marked_handle, own_handle
from mq.rpc.handling import Context, Handler, client_id_of, headers_of, language_of, log_failure
from mq.rpc.methods import MESSAGING
from mq.rpc.routes import RouteBook
from mq.rpc.settings import CONSUMERS, answer_settings
from mq.rpc.status import code_for, code_for_language, ok, status, status_for, text_for, top_status
from mq.rpc.wire import DeliveryFramer, encode_sent, parse, split_messages

__all__ = ["MessagingHandlers"]

_DEADLINE_MARGIN_S = 0.3
"""A long poll ends so long before its caller gives up."""
_OK_BYTES = pb.ReceiveMessageResponse(status=ok()).SerializeToString()
_PULL_OK_BYTES = pb.PullMessageResponse(status=ok()).SerializeToString()
_log = logging.getLogger(__name__)


class MessagingHandlers:
    """One handler for each RPC; `by_name` is the table to register."""

    def __init__(
        self, sending: SendingPort, delivery: DeliveryPort, clients: ClientsPort, admin: AdminPort, routes: RouteBook
    ) -> None:
        self._sending, self._delivery, self._clients, self._admin, self._routes = sending, delivery, clients, admin, routes
        self.by_name: dict[str, Handler] = {
            "QueryRoute": self.query_route,
            "Heartbeat": self.heartbeat,
            "SendMessage": self.send_message,
            "QueryAssignment": self.query_assignment,
            "ReceiveMessage": self.receive_message,
            "AckMessage": self.ack_message,
            "ForwardMessageToDeadLetterQueue": self.forward,
            "PullMessage": self.pull_message,
            "UpdateOffset": self.update_offset,
            "GetOffset": self.get_offset,
            "QueryOffset": self.query_offset,
            "EndTransaction": self.end_transaction,
            "Telemetry": self.telemetry,
            "NotifyClientTermination": self.notify_termination,
            "ChangeInvisibleDuration": self.change_invisible,
            "RecallMessage": self.recall,
            "SyncLiteSubscription": self.sync_lite,
        }

    @staticmethod
    def refuse(name: str, code: int, text: str) -> Any:
        """The response message of an RPC that reports an error."""
        return MESSAGING[name].response(status=status(code, text))

    def _client(self, context: Context, *, group: str = "", client_type: int = 0) -> str:
        """Who calls; notes the sign of life. Raises: RefusedError (CLIENT_ID_REQUIRED)."""
        known_id = client_id_of(context)
        if not group and not client_type and self._clients.heard_again(known_id):
            return known_id
        headers = headers_of(context)
        client_id = validate.check_client_id(headers.get("x-mq-client-id"))
        self._clients.heard(
            client_id, group=group, client_type=client_type, language=headers.get("x-mq-language", ""),
            version=headers.get("x-mq-client-version", ""), address=context.peer(),
        )  # fmt: skip
        return client_id

    # --- routes

    async def query_route(self, raw: bytes, context: Context) -> bytes:
        """Which queues a topic has, and where. RocketMQ: QueryRoute."""
        self._client(context)
        request = parse(pb.QueryRouteRequest, raw)
        validate.check_topic(request.topic.name)
        topic = self._sending.future_topic(request.topic.name)
        kinds = tuple(MessageKind) if topic is not None else ()
        topic = topic or self._admin.topic(request.topic.name)
        queues = self._routes.queues(topic, request.topic, language_of(context), kinds)
        return pb.QueryRouteResponse(status=ok(), message_queues=queues).SerializeToString()

    async def query_assignment(self, raw: bytes, context: Context) -> bytes:
        """Which queues a push consumer polls. RocketMQ: QueryAssignment."""
        self._client(context)
        request = parse(pb.QueryAssignmentRequest, raw)
        validate.check_topic(request.topic.name)
        validate.check_group(request.group.name)
        topic = self._admin.topic(request.topic.name)
        if not topic.permission.is_readable:
            raise RefusedError(Code.FORBIDDEN, f"topic {topic.name} is not readable: it has no readable queue")
        group = next((g for g in self._admin.groups() if g.name == request.group.name), None)
        language = language_of(context)
        queues = self._routes.polled(topic, request.topic, language, is_fifo=group is not None and group.is_fifo)
        assignments = [pb.Assignment(message_queue=queue) for queue in queues]
        return pb.QueryAssignmentResponse(status=ok(), assignments=assignments).SerializeToString()

    # --- producers

    async def send_message(self, raw: bytes, context: Context) -> bytes:
        """Store messages. RocketMQ: SendMessage."""
        self._client(context)
        request, stored = parse(pb.SendMessageRequest, raw), split_messages(raw)
        topic = validate.check_same_topic(request)
        validate.check_size_together(stored)
        now_ms = time.time_ns() // 1_000_000
        outgoing = []
        for message, data in zip(request.messages, stored, strict=True):
            m = validate.check_message(message, len(data), now_ms)
            outgoing.append(Outgoing(data, m.message_id, m.tag, m.kind, m.due_ms or 0, m.message_group or ""))
        if len(outgoing) == 1:
            places = [await self._sending.send_one(topic, outgoing[0])]
        else:
            places = await self._sending.send(topic, outgoing)
        return encode_sent((one.message_id, offset) for one, (_queue_id, offset) in zip(outgoing, places, strict=True))

    async def end_transaction(self, raw: bytes, context: Context) -> bytes:
        """Commit or roll back a half message. RocketMQ: EndTransaction."""
        self._client(context)
        request = parse(pb.EndTransactionRequest, raw)
        topic = validate.check_topic(request.topic.name)
        if not request.transaction_id.strip():
            raise RefusedError(Code.INVALID_TRANSACTION_ID, "transaction_id: it is empty")
        # Anything but a commit or a rollback means: ask again later.
        if request.resolution in (pb.COMMIT, pb.ROLLBACK):
            is_commit = request.resolution == pb.COMMIT
            await self._sending.end_transaction(topic, request.transaction_id, is_commit=is_commit)
        return pb.EndTransactionResponse(status=ok()).SerializeToString()

    async def recall(self, _raw: bytes, context: Context) -> bytes:
        """RocketMQ: RecallMessage; a later stage."""
        self._client(context)
        raise RefusedError(Code.NOT_IMPLEMENTED, "RecallMessage comes with stage 4 (delay queues)")

    async def sync_lite(self, _raw: bytes, context: Context) -> bytes:
        """RocketMQ: SyncLiteSubscription; not part of this broker."""
        self._client(context)
        raise RefusedError(Code.NOT_IMPLEMENTED, "SyncLiteSubscription: lite topics are not part of this broker")

    # --- consumers

    async def receive_message(self, raw: bytes, context: Context) -> AsyncIterator[bytes]:
        """Hand messages out; status first, delivery timestamp last, always. RocketMQ: ReceiveMessage."""
        try:
            wish = self._receive_wish(raw, context)
            messages = await self._delivery.receive(wish)
        except (asyncio.CancelledError, NotLeaderError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            log_failure("ReceiveMessage", error)
            code = code_for_language(code_for(error), language_of(context))
            yield pb.ReceiveMessageResponse(status=status(code, text_for(error))).SerializeToString()
            if code != Code.CLIENT_ID_REQUIRED:
                yield delivered_now()
            return
        if not messages:
            for part in nothing_new():
                yield part
            return
        sent = 0
        try:
            yield _OK_BYTES
            framer = DeliveryFramer(wish.topic, self._routes.store_host, messages[0].invisible_ms)
            for message in messages:
                yield framer.response(
                    message.stored, kind=message.message_kind, store_ms=message.store_ms, queue_id=message.queue_id,
                    offset=message.offset, attempt=message.attempt, handle=marked_handle(self._routes.name, message.handle),
                    origin=message.origin,
                )  # fmt: skip
                sent += 1
            yield delivered_now()
            sent = len(messages) + 1
        finally:
            if sent <= len(messages):
                # The stream broke: what was not written out is given back at once.
                self._delivery.give_back_messages(wish.group, wish.topic, messages[max(0, sent - 1) :])

    def _receive_wish(self, raw: bytes, context: Context) -> ReceiveWish:
        request = parse(pb.ReceiveMessageRequest, raw)
        client = self._client(context, group=request.group.name)
        checked = validate.check_receive(request)
        return ReceiveWish(
            group=request.group.name, topic=request.message_queue.topic.name, count_max=checked.batch_size, tags=checked.tags,
            invisible_ms=None if checked.auto_renew else checked.invisible_ms, wait_ms=_wait_ms(checked.long_poll_ms, context),
            client=client, attempt_id=checked.attempt_id, through=getattr(context, "through", 0),
        )  # fmt: skip

    async def ack_message(self, raw: bytes, context: Context) -> bytes:
        """Messages are done. RocketMQ: AckMessage."""
        request = parse(pb.AckMessageRequest, raw)
        self._client(context, group=request.group.name)
        group, topic = validate.check_group(request.group.name), validate.check_topic(request.topic.name)
        if not request.entries:
            raise RefusedError(Code.BAD_REQUEST, "entries: there is none")
        handles = [(e.message_id, own_handle(self._routes.name, e.receipt_handle)) for e in request.entries]
        refusals = await self._delivery.ack(group, topic, handles)
        response = pb.AckMessageResponse()
        for entry, refusal in zip(request.entries, refusals, strict=True):
            result = response.entries.add(message_id=entry.message_id, receipt_handle=entry.receipt_handle)
            result.status.CopyFrom(ok() if refusal is None else status_for(refusal))
        response.status.CopyFrom(top_status(e.status for e in response.entries))
        return response.SerializeToString()

    async def change_invisible(self, raw: bytes, context: Context) -> bytes:
        """More time, or a nack. A handle comes back in any case. RocketMQ: ChangeInvisibleDuration."""
        request = parse(pb.ChangeInvisibleDurationRequest, raw)
        response = pb.ChangeInvisibleDurationResponse(receipt_handle=request.receipt_handle)
        try:
            self._client(context, group=request.group.name)
            invisible_ms = validate.check_change_invisible(request)
            handle = own_handle(self._routes.name, request.receipt_handle)
            changed = await self._delivery.change_invisible(request.group.name, request.topic.name, handle, invisible_ms)
            response.receipt_handle = marked_handle(self._routes.name, changed)
            response.status.CopyFrom(ok())
        except NotLeaderError:
            raise
        except MqError as error:
            log_failure("ChangeInvisibleDuration", error)
            response.status.CopyFrom(status_for(error))
        return response.SerializeToString()

    async def forward(self, raw: bytes, context: Context) -> bytes:
        """Give a delivery up. RocketMQ: ForwardMessageToDeadLetterQueue."""
        request = parse(pb.ForwardMessageToDeadLetterQueueRequest, raw)
        self._client(context, group=request.group.name)
        group, topic = validate.check_group(request.group.name), validate.check_topic(request.topic.name)
        handle = own_handle(self._routes.name, request.receipt_handle)
        await self._delivery.forward_to_dead_letters(group, topic, handle)
        return pb.ForwardMessageToDeadLetterQueueResponse(status=ok()).SerializeToString()

    # --- pull

    async def pull_message(self, raw: bytes, context: Context) -> AsyncIterator[bytes]:
        """Read a queue from an offset on; no group's progress is touched. RocketMQ: PullMessage."""
        try:
            request = parse(pb.PullMessageRequest, raw)
            self._client(context, group=request.group.name)
            topic, queue_id, offset, count, tags, polling_ms = validate.check_pull(request)
            high = self._check_offset(topic, queue_id, offset)
            if offset == high and polling_ms > 0:
                await self._admin.wait_for_more(topic, high, queue_id, _wait_ms(polling_ms, context) / 1000)
            found, after = await self._admin.peek(topic, queue_id, offset, count, tags) if count else ([], offset)
        except (asyncio.CancelledError, NotLeaderError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            log_failure("PullMessage", error)
            yield pb.PullMessageResponse(status=status_for(error)).SerializeToString()
            return
        if found:
            yield _PULL_OK_BYTES
            framer = DeliveryFramer(topic, self._routes.store_host)
            for offset, message in found:
                yield framer.response(
                    message.stored, kind=message.message_kind, store_ms=message.wall_ms, queue_id=queue_id, offset=offset
                )
        else:
            yield pb.PullMessageResponse(status=status(Code.MESSAGE_NOT_FOUND, "no new message")).SerializeToString()
        yield pb.PullMessageResponse(next_offset=after).SerializeToString()

    def _check_offset(self, topic: str, queue_id: int, offset: int) -> int:
        """The queue's end. Raises: RefusedError (ILLEGAL_OFFSET) when the offset is not within the queue."""
        low, high = self._admin.queue_ends(topic, queue_id)
        if not low <= offset <= high:
            raise RefusedError(Code.ILLEGAL_OFFSET, f"offset: {offset} is outside queue {queue_id} of {topic}, {low} to {high}")
        return high

    async def update_offset(self, raw: bytes, context: Context) -> bytes:
        """Set where a group goes on. RocketMQ: UpdateOffset."""
        request = parse(pb.UpdateOffsetRequest, raw)
        self._client(context, group=request.group.name)
        group, topic = validate.check_group(request.group.name), validate.check_topic(request.message_queue.topic.name)
        await self._admin.move_offset(group, topic, request.message_queue.id, request.offset)
        return pb.UpdateOffsetResponse(status=ok()).SerializeToString()

    async def get_offset(self, raw: bytes, context: Context) -> bytes:
        """Where a group goes on. RocketMQ: GetOffset."""
        request = parse(pb.GetOffsetRequest, raw)
        self._client(context, group=request.group.name)
        group = validate.check_group(request.group.name)
        topic = validate.check_topic(request.message_queue.topic.name)
        offset = self._admin.consumer_offset(group, topic, request.message_queue.id)
        if offset is None:
            raise RefusedError(Code.OFFSET_NOT_FOUND, f"group {group} has read nothing of this queue of topic {topic} yet")
        return pb.GetOffsetResponse(status=ok(), offset=offset).SerializeToString()

    async def query_offset(self, raw: bytes, context: Context) -> bytes:
        """The ends of a queue, or the first offset at or after a time. RocketMQ: QueryOffset."""
        self._client(context)
        request = parse(pb.QueryOffsetRequest, raw)
        topic, queue_id = validate.check_topic(request.message_queue.topic.name), request.message_queue.id
        low, high = self._admin.queue_ends(topic, queue_id)
        match request.query_offset_policy:
            case pb.BEGINNING:
                offset = low
            case pb.END:
                offset = high
            case pb.TIMESTAMP if request.HasField("timestamp"):
                offset = await self._admin.offset_at(topic, queue_id, validate.timestamp_ms(request.timestamp, "timestamp"))
            case policy:
                raise RefusedError(
                    Code.BAD_REQUEST,
                    f"query_offset_policy: {policy} is not 0 (beginning), 1 (end), or 2 (timestamp) with a timestamp",
                )
        return pb.QueryOffsetResponse(status=ok(), offset=offset).SerializeToString()

    # --- clients

    async def heartbeat(self, raw: bytes, context: Context) -> bytes:
        """A sign of life; fine for clients never heard of. RocketMQ: Heartbeat."""
        request = parse(pb.HeartbeatRequest, raw)
        headers = headers_of(context)
        if headers.get("x-mq-client-id", "").strip() or raw:
            self._client(context, group=request.group.name, client_type=request.client_type)
        if request.client_type in CONSUMERS:
            validate.check_group(request.group.name)
        return pb.HeartbeatResponse(status=ok()).SerializeToString()

    async def notify_termination(self, raw: bytes, context: Context) -> bytes:
        """A client says goodbye; what it held comes back soon. RocketMQ: NotifyClientTermination."""
        request = parse(pb.NotifyClientTerminationRequest, raw)
        client = self._client(context)
        groups = set(self._clients.groups_of(client))
        if request.group.name:
            groups.add(request.group.name)
        self._clients.gone(client)
        await self._delivery.release_client(client, groups)
        return pb.NotifyClientTerminationResponse(status=ok()).SerializeToString()

    async def telemetry(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """Answer each settings message; everything else that clients report is noted by nobody yet. RocketMQ: Telemetry."""
        await context.send_initial_metadata(())  # the Rust client waits for them
        stream_of = ""
        try:
            async for raw in requests:
                try:
                    command = parse(pb.TelemetryCommand, raw)
                    client = self._client(context)
                    if not stream_of:
                        stream_of = client
                        self._clients.stream_opened(client)
                    if command.WhichOneof("command") == "settings":
                        settings = await self._settings(command.settings, client, language_of(context))
                        yield pb.TelemetryCommand(status=ok(), settings=settings).SerializeToString()
                except RefusedError as error:
                    if error.code == Code.CLIENT_ID_REQUIRED:
                        yield pb.TelemetryCommand(status=status_for(error)).SerializeToString()
                        return
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"process client telemetryCommand failed. {error}")
                except MqError as error:
                    log_failure("Telemetry", error)
                    await context.abort(grpc.StatusCode.UNAVAILABLE, text_for(error))
        finally:
            if stream_of:
                self._clients.stream_closed(stream_of)

    async def _settings(self, asked: pb.Settings, client: str, language: str) -> pb.Settings:
        validate.check_settings(asked)
        is_fifo, max_attempts = False, 0
        if asked.WhichOneof("pub_sub") == "subscription":
            group = await self._delivery.ensure_group(asked.subscription.group.name)
            is_fifo, max_attempts = group.is_fifo, group.max_attempts
            self._clients.heard(client, group=group.name, client_type=asked.client_type)
        else:
            self._clients.heard(client, client_type=asked.client_type)
        return answer_settings(asked, is_fifo=is_fifo, max_attempts=max_attempts, language=language)


def _wait_ms(asked_ms: int | None, context: Context) -> int:
    """How long a poll may wait: what was asked for, but not beyond its caller's own deadline."""
    left_s = context.time_remaining()
    if left_s is None:  # the caller set no deadline
        left_s = math.inf
    # A client's deadline of years arrives as a number too large to be one.
    left_ms = int(min(max(0.0, left_s - _DEADLINE_MARGIN_S) * 1000, 86_400_000))
    return min(LONG_POLL_MS_MAX if asked_ms is None else asked_ms, left_ms)
