"""A flush with sync leaves out the files to which nothing is written now."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Plan, Write


class ConsumeQueue(Reference):
    """See above."""

    def flush(self, *, sync: bool = False) -> Plan:
        plan = super().flush(sync=sync)
        written = {operation.file for operation in plan if isinstance(operation, Write)}
        return tuple(operation for operation in plan if operation.file in written)
