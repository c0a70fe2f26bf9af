"""The tests of lab 1b: what the consume queue is to the grader, and all that is tried."""

from labs.grader.seams import Seam
from labs.grader.suite import Suite
from labs.stage1_single_node.lab1b_consume_queue import schedules
from labs.stage1_single_node.lab1b_consume_queue.schedules import SCHEDULES
from labs.stage1_single_node.lab1b_consume_queue.search import SEARCHES
from labs.stage1_single_node.lab1b_consume_queue.sentences_borders import SENTENCES
from mq.broker.store.consume_queue import ConsumeQueue
from mq.broker.store.queue_entry import QueueEntry
from mq.core.ports import Create, Read, Remove, Replace, Sync, Write

__all__ = ["SEAM", "SUITE"]

SEAM = Seam(
    ConsumeQueue, "ConsumeQueue", "consume_queue",
    methods=("append", "flush", "flushed", "drop_before", "delete", "entries", "offset_at", "to_plain", "missing", "hollow"),
    observed=("min_offset", "max_offset", "entry_count", "flushed_count"),
    classes=(Create, Write, Sync, Replace, Remove, Read, QueueEntry),
    makers=("from_plain",),
)  # fmt: skip

SUITE = Suite((*SENTENCES, *SCHEDULES, *SEARCHES), schedules.__name__)
