"""From protobuf messages of a broker's answers to plain data."""

import zlib
from typing import Any

from google.protobuf.message import DecodeError

from mq.client.raft_views import AddressView, PeerView, RaftView
from mq.client.views import (
    BrokerView,
    ClientView,
    GroupView,
    MessageView,
    OrganView,
    ProgressView,
    TopicView,
)
from mq.core.errors import FormatError
from mq.proto import broker_v1_pb2 as broker
from mq.proto import rocketmq_v2_pb2 as v2

__all__ = ["to_broker", "to_client", "to_group", "to_message", "to_progress", "to_raft", "to_stored", "to_topic"]

_UNPACKED_BYTES_MAX = 64 << 20


def _name(enum: Any, number: int) -> str:
    """The lower-case name of an enum's number, or the number itself where it is unknown."""
    return enum.Name(number).lower() if number in enum.values() else str(number)


def to_topic(topic: broker.Topic) -> TopicView:
    """A topic's definition."""
    return TopicView(topic.name, _name(v2.MessageType, topic.type), topic.queues, _name(v2.Permission, topic.permission))


def to_group(group: broker.Group) -> GroupView:
    """A group's settings."""
    return GroupView(group.name, group.is_fifo, group.max_attempts)


def to_progress(row: broker.QueueProgress) -> ProgressView:
    """A group's progress in one queue."""
    return ProgressView(row.topic, row.queue_id, row.consumer_offset, row.max_offset, row.lag, row.in_flight, row.broker)


def to_client(client: broker.GroupClient) -> ClientView:
    """A client of a group."""
    return ClientView(
        client.client_id, _name(v2.ClientType, client.type), client.language, client.version, client.address, client.last_heard_ms
    )


def to_broker(response: broker.DescribeBrokerResponse) -> BrokerView:
    """A broker at a glance."""
    r = response
    organs = tuple(OrganView(organ.name, organ.class_name, organ.calls) for organ in r.organs)
    return BrokerView(
        r.name, r.node_id, r.role, r.version, r.replication, r.first_index, r.last_index, r.applied_index, r.durable_end,
        r.segments, r.uptime_ms, organs,
    )  # fmt: skip


def to_raft(response: broker.DescribeRaftResponse) -> RaftView:
    """A node of a group at a glance."""
    r = response
    return RaftView(
        r.name, r.node_id, r.role, r.part, r.term, r.vote if r.HasField("vote") else None,
        r.leader if r.HasField("leader") else None, r.commit_index, r.applied_index, r.first_index, r.last_index, r.last_term,
        r.durable_index, r.snapshot_index, tuple(r.voters), tuple(r.old_voters), tuple(r.learners), r.is_changing,
        r.is_transferring,
        tuple(PeerView(p.node_id, p.state, p.match_index, p.next_index, p.in_flight, p.is_active, p.lag) for p in r.peers),
        tuple(AddressView(a.node_id, a.peer_address, a.client_address) for a in r.addresses),
        r.state_hash if r.HasField("state_hash") else None, r.state_index,
        tuple(OrganView(organ.name, organ.class_name, organ.calls) for organ in r.organs), r.copy, r.is_stalled,
    )  # fmt: skip


def to_message(message: v2.Message, topic: str, queue_id: int, offset: int, store_ms: int) -> MessageView:
    """A message, its body unpacked."""
    system = message.system_properties
    origin = (
        (system.dead_letter_queue.topic, system.dead_letter_queue.message_id) if system.HasField("dead_letter_queue") else None
    )
    return MessageView(
        topic=topic,
        queue_id=queue_id,
        offset=offset,
        message_id=system.message_id,
        tag=system.tag,
        keys=tuple(system.keys),
        message_group=system.message_group,
        type=_name(v2.MessageType, system.message_type),
        properties=dict(message.user_properties),
        born_ms=_ms(system.born_timestamp),
        store_ms=store_ms or _ms(system.store_timestamp),
        delivery_ms=_ms(system.delivery_timestamp),
        attempt=system.delivery_attempt,
        origin=origin,
        body=_unpack(message.body) if system.body_encoding == v2.GZIP else message.body,
    )


def to_stored(stored: broker.StoredMessage, topic: str) -> MessageView:
    """A stored message. Raises: FormatError when its bytes are no message."""
    try:
        message = v2.Message.FromString(stored.message)
    except DecodeError as error:
        raise FormatError(f"the message at queue {stored.queue_id}, offset {stored.offset} cannot be read: {error}") from error
    return to_message(message, topic, stored.queue_id, stored.offset, stored.store_ms)


def _ms(stamp: Any) -> int:
    return int(stamp.seconds) * 1000 + int(stamp.nanos) // 1_000_000


def _unpack(body: bytes) -> bytes:
    """Undo gzip; a body that is none, or unpacks to more than 64 MiB, stays as it is."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, _UNPACKED_BYTES_MAX)
    except zlib.error:
        return body
    return unpacked if unpacker.eof else body
