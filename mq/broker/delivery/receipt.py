"""Receipt handles: proof of one delivery, needed to acknowledge it or to change its invisible duration.

A handle describes itself, so that any replica can judge it, also after a failover. It is plain text, opaque
to clients: `r1:<stamp>:<deadline>:<queue>:<offset>:<attempt>:<group>:<topic>`. They carry it behind the name
of the broker group (`mq.rpc.handles`).
"""

from typing import NamedTuple

from mq.core.errors import Code, RefusedError

__all__ = ["ReceiptHandle"]

_PREFIX = "r1"


class ReceiptHandle(NamedTuple):
    """stamp: log index of the command that made it. deadline_ms: log time until which it is in time.

    With `auto_renew` the delivery's own deadline moves on while the handle stays the same.
    """

    stamp: int
    deadline_ms: int
    queue_id: int
    offset: int
    attempt: int
    group: str
    topic: str

    def to_text(self) -> str:
        """The handle as clients carry it."""
        return f"{_PREFIX}:{self.stamp}:{self.deadline_ms}:{self.queue_id}:{self.offset}:{self.attempt}:{self.group}:{self.topic}"

    @classmethod
    def from_text(cls, text: str, *, group: str, topic: str) -> "ReceiptHandle":
        """The handle of a request that names a group and a topic.

        Raises: RefusedError (INVALID_RECEIPT_HANDLE) when it is not one of ours, or another group's or topic's.
        """
        parts = text.split(":")
        if len(parts) != 8 or parts[0] != _PREFIX or not all(p.isascii() and p.isdigit() and len(p) < 20 for p in parts[1:6]):
            raise RefusedError(Code.INVALID_RECEIPT_HANDLE, "receipt_handle is not one that this broker made")
        handle = cls(int(parts[1]), int(parts[2]), int(parts[3]), int(parts[4]), int(parts[5]), parts[6], parts[7])
        if (handle.group, handle.topic) != (group, topic):
            raise RefusedError(
                Code.INVALID_RECEIPT_HANDLE,
                f"receipt_handle belongs to group {handle.group!r} and topic {handle.topic!r}, not to {group!r} and {topic!r}",
            )
        return handle
