"""What a consume queue promises, by number, and how its values are told."""

from collections.abc import Sequence

from labs.grader.suite import PromiseBrokenError, rule
from mq.broker.store.queue_entry import NO_POSITION, QueueEntry

__all__ = ["SOURCES", "broken", "rule", "shown", "span"]

_PROMISES = {
    1: "The next entry begins where the queue ends; any other is refused and changes nothing",
    2: "A message's offset leads to the record that holds it, and to its number in there",
    3: "A read begins with the entry that holds the offset, goes on in order, and ends at the queue's end",
    4: "Store times never fall, and the first message at or after a time is found",
    5: "What was put can be read at once, wherever it lies by then",
    6: "A flush writes what is in no file yet, and with `sync` all that is in files is durable afterwards",
    7: "Finding halves, and what is in files leaves the memory, but for the newest",
    8: "What is read from a file is verified: wrong is worse than missing",
    9: "Retention moves the beginning on, never back; files that hold only older entries go, and no others",
    10: "What is made of a snapshot goes on as the old queue would have, and replicas make equal snapshots",
    11: "After a crash, snapshot and log make the queue that there was; what else is in files does not count",
    12: "A file that is needed and not there is named; then the log makes the queue anew",
    13: "A queue that was given another node's snapshot says what it does not have",
}
"""The README of the lab says each of them at length."""
SOURCES = {
    1: "RocketMQ: ConsumeQueue.putMessagePositionInfo",
    2: "RocketMQ: ConsumeQueue.getIndexBuffer",
    3: "RocketMQ: ConsumeQueue.iterateFrom",
    4: "RocketMQ: ConsumeQueue.getOffsetInQueueByTime",
    5: "RocketMQ: ReputMessageService",
    6: "RocketMQ: FlushConsumeQueueService",
    7: "RocketMQ: MappedFileQueue.findMappedFileByOffset",
    8: "RaftMQ: QueueEntry",
    9: "RocketMQ: CleanConsumeQueueService",
    10: "Paper: Raft, section 7",
    11: "RocketMQ: DefaultMessageStore.recover",
    12: "RocketMQ: CommitLogDispatcherBuildConsumeQueue",
    13: "Paper: Raft, section 7",
}


def broken(number: int, *, expected: str, found: str, method: str = "") -> PromiseBrokenError:
    """A rule does not hold. method: such as "method 1", where it is known which one is to blame."""
    section = f"{rule(number)}, and {method}" if method else rule(number)
    return PromiseBrokenError(_PROMISES[number], expected=expected, found=found, section=section)


def span(first: int, count: int) -> str:
    """Messages, for people."""
    return f"message {first}" if count == 1 else f"messages {first} to {first + count - 1}"


def shown(entries: Sequence[QueueEntry]) -> str:
    """Entries, for people."""
    return "; ".join(map(_one, entries[:4])) + ("; ..." if len(entries) > 4 else "") or "nothing"


def _one(entry: QueueEntry) -> str:
    where = "no position" if entry.position == NO_POSITION else f"position {entry.position}"
    part = f" from its message {entry.first}" if entry.first else ""
    return f"{span(entry.base_offset, entry.count)}: {where}, log index {entry.log_index}{part}"
