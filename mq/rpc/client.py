"""Our own client, from one place: definitions and look-ups, single messages, and many messages per frame."""

from mq.rpc.admin_client import AdminClient
from mq.rpc.batch_client import BatchFetcher, BatchProducer
from mq.rpc.calling import Connection
from mq.rpc.message_client import MessageClient, new_message_ids

__all__ = ["AdminClient", "BatchFetcher", "BatchProducer", "Connection", "MessageClient", "new_message_ids"]
