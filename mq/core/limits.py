"""Every bound in one place, with the reason where it is not obvious.

Sizes in bytes, times in milliseconds. RocketMQ's own limits are kept where its clients rely on them.
"""

import re

__all__ = [
    "BATCH_MESSAGES_MAX",
    "BODY_BYTES_MAX",
    "BODY_FRAME_BYTES_MAX",
    "CLIENT_ID_CHARS_MAX",
    "CLIENT_LIFETIME_MS",
    "CLIENT_PROPERTIES_BYTES_MAX",
    "CLIENT_PROPERTIES_MAX",
    "CLIENT_PROPERTY_NAME_CHARS_MAX",
    "CLIENT_PROPERTY_VALUE_CHARS_MAX",
    "DEDUPLICATION_WINDOW",
    "DELAY_MS_MAX",
    "FILTER_EXPRESSION_BYTES_MAX",
    "FRAME_BYTES_MAX",
    "GROUP_NAME",
    "GROUP_NAME_CHARS_MAX",
    "INVISIBLE_MS_MAX",
    "INVISIBLE_MS_MIN",
    "IN_FLIGHT_PER_QUEUE_MAX",
    "LONG_POLL_MS_MAX",
    "MESSAGE_GROUP_BYTES_MAX",
    "MESSAGE_ID_BYTES_MAX",
    "MESSAGE_REST_BYTES_MAX",
    "PROPERTIES_BYTES_MAX",
    "PROPERTIES_MAX",
    "QUEUES_PER_TOPIC_MAX",
    "RECEIVE_BATCH_MAX",
    "RENEW_INVISIBLE_MS",
    "RENEW_MS_MAX",
    "RETRY_DELAYS_S",
    "TOPIC_NAME",
    "TOPIC_NAME_CHARS_MAX",
    "TRANSACTION_RECOVERY_MS_MAX",
]

TOPIC_NAME = re.compile(r"[%|a-zA-Z0-9_-]+")
TOPIC_NAME_CHARS_MAX = 127
GROUP_NAME = re.compile(r"[%|a-zA-Z0-9_-]+")
GROUP_NAME_CHARS_MAX = 120
QUEUES_PER_TOPIC_MAX = 1024

BODY_BYTES_MAX = 4 << 20
PROPERTIES_MAX = 128
PROPERTIES_BYTES_MAX = 16384
"""User properties, tag and keys of one message together."""
MESSAGE_GROUP_BYTES_MAX = 63
MESSAGE_ID_BYTES_MAX = 255
"""Official clients use 34; the de-duplication window keeps many ids in memory."""
MESSAGE_REST_BYTES_MAX = 64 << 10
"""All of a sent message but its body: properties, names, host, trace context, and their framing."""
FILTER_EXPRESSION_BYTES_MAX = 64 << 10
BATCH_MESSAGES_MAX = 4096
"""Messages in one stored batch; their number and place within it fit 16 bits each."""
BODY_FRAME_BYTES_MAX = 8 << 20
"""One batch of our own client; also what one fetched frame carries at most (plus one batch)."""
FRAME_BYTES_MAX = 130 << 20
"""One gRPC message. RocketMQ: the proxy's inbound limit, 130 MiB."""

RECEIVE_BATCH_MAX = 32
INVISIBLE_MS_MIN = 10_000
INVISIBLE_MS_MAX = 12 * 3600_000
RENEW_INVISIBLE_MS = 30_000
"""How long an `auto_renew` receive hides a message at a time (RocketMQ: 60 s). Smaller: what a crash lost comes back sooner;
but a client that is silent for so long, which sends a heartbeat every 10 s, counts as gone."""
RENEW_MS_MAX = 3 * 3600_000
"""How long an `auto_renew` receive is renewed in all. RocketMQ: 3 h."""
RETRY_DELAYS_S = (1, 5, 10, 30, *(60 * minutes for minutes in range(1, 11)), 1200, 1800, 3600, 7200)
"""Between the failed attempts of a push consumer, by attempt; the last one repeats. RocketMQ: messageDelayLevel."""
LONG_POLL_MS_MAX = 20_000
IN_FLIGHT_PER_QUEUE_MAX = 100_000
"""Received and not acknowledged, of one group in one queue; beyond it the queue is not handed out."""
CLIENT_ID_CHARS_MAX = 255
"""Of a client id, and of the attempt id that a consumer repeats after a lost reply."""
CLIENT_LIFETIME_MS = 120_000
"""A client that has not been heard of for so long is gone."""

DELAY_MS_MAX = 24 * 3600_000
TRANSACTION_RECOVERY_MS_MAX = 3600_000
DEDUPLICATION_WINDOW = 100_000
"""Message ids remembered per topic."""

CLIENT_PROPERTIES_MAX = 32
"""Free-form pairs that a client may announce in its settings. RocketMQ: Settings.client_properties (v2)."""
CLIENT_PROPERTY_NAME_CHARS_MAX = 64
CLIENT_PROPERTY_VALUE_CHARS_MAX = 256
CLIENT_PROPERTIES_BYTES_MAX = 4096
