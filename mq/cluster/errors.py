"""What can go wrong with a cluster as a whole."""

from mq.core.errors import Fault, MqError

__all__ = ["ClusterError"]


class ClusterError(MqError):
    """A cluster, or one of its nodes, is not in a state for what was asked; the text says what to do instead."""

    fault = Fault.CALLER
