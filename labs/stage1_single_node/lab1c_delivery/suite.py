"""The tests of lab 1c: what the delivery table is to the grader, and all that is tried."""

from labs.grader.seams import Seam
from labs.grader.suite import Suite
from labs.stage1_single_node.lab1c_delivery import schedules
from labs.stage1_single_node.lab1c_delivery.schedules import SCHEDULES
from labs.stage1_single_node.lab1c_delivery.search import SEARCHES
from labs.stage1_single_node.lab1c_delivery.sentences_more import SENTENCES
from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received
from mq.broker.delivery.table import DeliveryTable

__all__ = ["SEAM", "SUITE"]

SEAM = Seam(
    DeliveryTable, "DeliveryTable", "table",
    methods=(
        "still_due", "take", "ack", "change", "renew", "give_back", "forget_below", "move", "queues", "next_offset",
        "consumer_offset", "attempt_id", "flights", "expired", "next_deadline_ms", "valid", "is_done", "to_plain",
    ),
    observed=(),
    classes=(QueuePick, DeadPlace, Delivered, InFlight, Received),
    makers=("from_plain",),
)  # fmt: skip

SUITE = Suite((*SENTENCES, *SCHEDULES, *SEARCHES), schedules.__name__)
