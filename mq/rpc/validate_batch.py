"""Checks of one frame of many messages: per frame what can be, per message only what must be.

RocketMQ has no such call; the limits of each message are those of SendMessage (`mq.rpc.validate_message`).
"""

from typing import NamedTuple

from mq.broker.exchange import OutgoingBatch
from mq.core.errors import Code, RefusedError
from mq.core.limits import BATCH_MESSAGES_MAX, BODY_BYTES_MAX, BODY_FRAME_BYTES_MAX, MESSAGE_ID_BYTES_MAX
from mq.core.message import MessageKind
from mq.proto import broker_v1_pb2 as pb
from mq.proto import rocketmq_v2_pb2 as v2
from mq.rpc.validate_field import check_own_topic, refuse
from mq.rpc.validate_message import CheckedMessage, check_message
from mq.rpc.wire import parse

__all__ = ["BatchChecker"]

_KINDS = (MessageKind.NORMAL, MessageKind.FIFO)
_UTF8_BYTES_MAX = 4  # of one character


class _Shared(NamedTuple):
    """What the last frame's messages had in common, checked. A sender's frames mostly have the same."""

    raw: bytes
    checked: CheckedMessage


class BatchChecker:
    """Checks the frames of one stream."""

    def __init__(self) -> None:
        self._shared: _Shared | None = None

    def check(self, frame: pb.BatchSend, now_ms: int) -> OutgoingBatch:
        """What the frame asks to store. now_ms: Unix time. Raises: RefusedError."""
        check_own_topic(frame.topic)
        batch = self._check_whole(frame, now_ms) if frame.messages else self._check_columns(frame, now_ms)
        if batch.kind not in _KINDS:
            refuse(Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, "messages: a frame holds messages of one type, NORMAL or FIFO")
        return batch

    def _check_columns(self, frame: pb.BatchSend, now_ms: int) -> OutgoingBatch:
        shared, ids, bodies = frame.shared, tuple(frame.ids[:]), tuple(frame.bodies[:])
        _check_count(len(ids))
        if len(bodies) != len(ids):
            refuse(Code.MESSAGE_CORRUPTED, f"bodies: {len(bodies)} for {len(ids)} ids")
        sizes = list(map(len, bodies))
        if not min(sizes):
            refuse(Code.MESSAGE_BODY_EMPTY, f"bodies[{sizes.index(0)}]: it is empty")
        if max(sizes) > BODY_BYTES_MAX:
            refuse(
                Code.MESSAGE_BODY_TOO_LARGE,
                f"bodies[{sizes.index(max(sizes))}]: {max(sizes)} bytes, at most {BODY_BYTES_MAX}",
            )
        _check_frame_bytes(sum(sizes) + len(shared))
        _check_ids(ids)
        common = self._check_shared(shared, now_ms)
        return OutgoingBatch(
            frame.topic, frame.queue_id, common.kind, common.message_group or "", ids, common.tag, bodies, shared
        )

    def _check_shared(self, raw: bytes, now_ms: int) -> CheckedMessage:
        if self._shared is None or self._shared.raw != raw:
            message = parse(v2.Message, raw)
            if message.body or message.system_properties.message_id or message.HasField("topic"):
                refuse(Code.MESSAGE_CORRUPTED, "shared: topic, message_id and body belong to each message or to the frame")
            message.body, message.system_properties.message_id = b"-", "-"
            self._shared = _Shared(raw, check_message(message, len(raw) + 1, now_ms))
        return self._shared.checked

    @staticmethod
    def _check_whole(frame: pb.BatchSend, now_ms: int) -> OutgoingBatch:
        if frame.shared or frame.ids or frame.bodies:
            refuse(Code.MESSAGE_CORRUPTED, "messages: they are whole, so there can be no shared, ids and bodies beside them")
        messages = tuple(frame.messages[:])
        _check_count(len(messages))
        _check_frame_bytes(sum(map(len, messages)))
        checked: list[CheckedMessage] = []
        try:
            for raw in messages:
                # One by one: how many are checked tells the number of the one refused.
                checked.append(check_message(parse(v2.Message, raw), len(raw), now_ms))  # noqa: PERF401
        except RefusedError as error:
            raise RefusedError(error.code, f"messages[{len(checked)}]: {error}") from error
        if len({(m.kind, m.message_group) for m in checked}) > 1:
            refuse(Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, "messages: those of a frame are of one type and message group")
        tags = [m.tag for m in checked]
        shared_tag = tags[0] if tags.count(tags[0]) == len(tags) else tuple(tags)
        ids = tuple([m.message_id for m in checked])
        first = checked[0]
        return OutgoingBatch(frame.topic, frame.queue_id, first.kind, first.message_group or "", ids, shared_tag, messages)


def _check_count(count: int) -> None:
    if not 1 <= count <= BATCH_MESSAGES_MAX:
        refuse(Code.MESSAGE_CORRUPTED, f"messages: {count} in one frame, 1 to {BATCH_MESSAGES_MAX} are allowed")


def _check_frame_bytes(size_bytes: int) -> None:
    if size_bytes > BODY_FRAME_BYTES_MAX:
        refuse(Code.PAYLOAD_TOO_LARGE, f"messages: {size_bytes} bytes in one frame, at most {BODY_FRAME_BYTES_MAX}")


def _check_ids(ids: tuple[str, ...]) -> None:
    if not all(ids) or any(map(str.isspace, ids)):
        refuse(Code.ILLEGAL_MESSAGE_ID, "ids: one is empty")
    if max(map(len, ids)) * _UTF8_BYTES_MAX > MESSAGE_ID_BYTES_MAX:
        longest = max(len(one.encode()) for one in ids)
        if longest > MESSAGE_ID_BYTES_MAX:
            refuse(Code.ILLEGAL_MESSAGE_ID, f"ids: one has {longest} bytes in UTF-8, at most {MESSAGE_ID_BYTES_MAX}")
