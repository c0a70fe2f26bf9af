"""The answer to a client's settings: what the broker decides for it.

Each official client misses something else when a field is absent (docs: a push consumer that does not start,
a producer that refuses every body), so the answer is always whole. RocketMQ: Telemetry, Settings.
"""

from mq.core.limits import BODY_BYTES_MAX, LONG_POLL_MS_MAX, RECEIVE_BATCH_MAX, RETRY_DELAYS_S
from mq.proto import rocketmq_v2_pb2 as pb

__all__ = ["CONSUMERS", "answer_settings"]

CONSUMERS = frozenset((pb.PUSH_CONSUMER, pb.SIMPLE_CONSUMER, pb.PULL_CONSUMER, pb.LITE_PUSH_CONSUMER, pb.LITE_SIMPLE_CONSUMER))

_PRODUCER_ATTEMPTS = 3
# The Node.js client, the only one that gets it, reads seconds as milliseconds: whatever it asks for is then less than the
# second below which the broker takes its own delay (`mq.server.delivering`).
_NODE_DELAY_MS_MAX = 512_000


def answer_settings(asked: pb.Settings, *, is_fifo: bool, max_attempts: int, language: str) -> pb.Settings:
    """What the client asked for, with our own decisions in it.

    is_fifo, max_attempts: of the consumer group. language: metadata `x-mq-language`; the Node.js client
    understands only an exponential back-off, the Python one only a customized one.
    """
    reply = pb.Settings()
    reply.CopyFrom(asked)
    reply.metric.CopyFrom(pb.Metric(on=False))
    reply.ClearField("backoff_policy")
    backoff = reply.backoff_policy
    if asked.WhichOneof("pub_sub") == "publishing":
        reply.publishing.max_body_size = BODY_BYTES_MAX
        reply.publishing.validate_message_type = True
        backoff.max_attempts = _PRODUCER_ATTEMPTS
        _fill_exponential(backoff.exponential_backoff, 10, 1000)
        return reply
    subscription = reply.subscription
    subscription.fifo = is_fifo
    subscription.receive_batch_size = RECEIVE_BATCH_MAX
    subscription.long_polling_timeout.FromMilliseconds(LONG_POLL_MS_MAX)
    subscription.lite_subscription_quota = 2000
    subscription.max_lite_topic_size = 64
    backoff.max_attempts = max_attempts
    if language.upper() == "HTTP":
        _fill_exponential(backoff.exponential_backoff, 1000, _NODE_DELAY_MS_MAX)
    else:
        for delay_s in RETRY_DELAYS_S:
            backoff.customized_backoff.next.add(seconds=delay_s)
    return reply


def _fill_exponential(backoff: pb.ExponentialBackoff, initial_ms: int, max_ms: int) -> None:
    backoff.initial.FromMilliseconds(initial_ms)
    backoff.max.FromMilliseconds(max_ms)
    backoff.multiplier = 2
