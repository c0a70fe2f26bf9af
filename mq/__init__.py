"""RaftMQ: a message queue in the shape of Apache RocketMQ, grown in stages by its learners."""

__version__ = "0.1.0"
