"""Our own client, from one place: definitions and look-ups, producers and consumers, and many messages per frame."""

from mq.client.consuming import RetryPolicy
from mq.rpc.admin_client import AdminClient
from mq.rpc.batch_client import BatchFetcher, BatchProducer
from mq.rpc.batch_reader import AsyncBatchReader
from mq.rpc.blocking import BroadcastConsumer, Producer, PullConsumer, PushConsumer, SimpleConsumer
from mq.rpc.broadcast_consumer import AsyncBroadcastConsumer
from mq.rpc.calling import Connection
from mq.rpc.message_client import MessageClient, new_message_ids
from mq.rpc.producer import AsyncProducer
from mq.rpc.pull_consumer import AsyncPullConsumer
from mq.rpc.push_consumer import AsyncPushConsumer
from mq.rpc.queue_reading import ReadingOptions
from mq.rpc.simple_consumer import AsyncSimpleConsumer

__all__ = [
    "AdminClient",
    "AsyncBatchReader",
    "AsyncBroadcastConsumer",
    "AsyncProducer",
    "AsyncPullConsumer",
    "AsyncPushConsumer",
    "AsyncSimpleConsumer",
    "BatchFetcher",
    "BatchProducer",
    "BroadcastConsumer",
    "Connection",
    "MessageClient",
    "Producer",
    "PullConsumer",
    "PushConsumer",
    "ReadingOptions",
    "RetryPolicy",
    "SimpleConsumer",
    "new_message_ids",
]
