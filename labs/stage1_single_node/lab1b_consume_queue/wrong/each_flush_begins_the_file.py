"""A flush writes to the beginning of the file, over what is there."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Plan, Write


class ConsumeQueue(Reference):
    """See above."""

    def flush(self, *, sync: bool = False) -> Plan:
        plan = super().flush(sync=sync)
        return tuple(Write(each.file, 0, each.data) if isinstance(each, Write) else each for each in plan)
