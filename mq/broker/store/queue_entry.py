"""An entry of a consume queue, and where a queue's files lie: what is there whichever consume queue is in use."""

from typing import NamedTuple

from mq.core.entry import RecordPlace
from mq.core.ids import CommitLogPosition

__all__ = ["NO_POSITION", "QueueEntry", "queue_folder"]

NO_POSITION = 0
"""Never the place of a record: every segment begins with a header."""


class QueueEntry(NamedTuple):
    """One batch, or a part of one, in the queue.

    base_offset: queue offset of its first message. log_index: of the log entry that holds it, the same on every replica.
    position: of its record in this node's commit log, or `NO_POSITION`: it must be found by its log index. That is so for
    delayed and half messages and for dead letters: all that the state and the commands know of them is their index.
    size_bytes: of the record. store_ms: wall time. count: messages. first: number within the stored batch of the message
    at `base_offset`. tag_code: see `mq.broker.filters.tag`; opaque here.
    """

    base_offset: int
    position: int
    log_index: int
    store_ms: int
    size_bytes: int
    count: int  # type: ignore[assignment] # nobody counts values in an entry, as tuple.count does
    first: int
    tag_code: int

    @property
    def place(self) -> RecordPlace | None:
        """Where the record lies that holds the batch; None when only its log index is known."""
        return None if self.position == NO_POSITION else RecordPlace(CommitLogPosition(self.position), self.size_bytes)

    def number_of(self, offset: int) -> int:
        """The number within the stored batch of the message at a queue offset."""
        return self.first + offset - self.base_offset


def queue_folder(topic: str, queue_id: int) -> str:
    """The folder of a queue's files.

    Upper-case letters and special characters are escaped, so that no file system confuses two topics.
    """
    escaped = "".join(ch if ch.islower() or ch.isdigit() or ch in "-_" else f"={ord(ch):x}=" for ch in topic)
    return f"queues/{escaped}/{queue_id}"
