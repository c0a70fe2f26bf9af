"""What clients call a queue when a topic's queues are spread over several broker groups."""

from typing import NamedTuple

__all__ = ["QueueName"]


class QueueName(NamedTuple):
    """One queue: of which topic, at which broker group, and its number there. They sort in this order, as RocketMQ's do.

    RocketMQ: MessageQueue, whose broker name is our broker group.
    """

    topic: str
    broker: str
    queue_id: int

    def __str__(self) -> str:
        """As RocketMQ writes it, since its consistent hash is one of these characters."""
        return f"MessageQueue [topic={self.topic}, brokerName={self.broker}, queueId={self.queue_id}]"
