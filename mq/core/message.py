"""What a message is to the broker: its kind, and the permissions of a topic."""

from enum import IntEnum

__all__ = ["MessageKind", "Permission"]


class MessageKind(IntEnum):
    """The type that a topic accepts, in RocketMQ's numbers. RocketMQ: enum MessageType (v2)."""

    NORMAL = 1
    FIFO = 2
    DELAY = 3
    TRANSACTION = 4


class Permission(IntEnum):
    """What clients may do with a topic, in RocketMQ's numbers. RocketMQ: enum Permission (v2)."""

    NONE = 1
    READ = 2
    WRITE = 3
    READ_WRITE = 4

    @property
    def is_readable(self) -> bool:
        """Whether consumers may receive."""
        return self in (Permission.READ, Permission.READ_WRITE)

    @property
    def is_writable(self) -> bool:
        """Whether producers may send."""
        return self in (Permission.WRITE, Permission.READ_WRITE)
