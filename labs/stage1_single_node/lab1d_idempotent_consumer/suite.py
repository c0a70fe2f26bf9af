"""The tests of lab 1d: what the consumer is to the grader, and all that is tried."""

from labs.grader.seams import Seam
from labs.grader.suite import Suite
from labs.stage1_single_node.lab1d_idempotent_consumer import schedules
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Consumer, Delivery, GiveBack, Save
from labs.stage1_single_node.lab1d_idempotent_consumer.schedules import SCHEDULES
from labs.stage1_single_node.lab1d_idempotent_consumer.search import SEARCHES
from labs.stage1_single_node.lab1d_idempotent_consumer.sentences import SENTENCES

__all__ = ["SEAM", "SUITE"]

SEAM = Seam(
    Consumer, "OrderConsumer", "consumer", methods=("handle",), observed=(), classes=(Delivery, Save, Ack, GiveBack)
)  # fmt: skip

SUITE = Suite((*SENTENCES, *SCHEDULES, *SEARCHES), schedules.__name__)
