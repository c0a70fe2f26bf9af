"""A plan writes all entries into one file, also those that belong into the next one."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Plan, Write


class ConsumeQueue(Reference):
    """See above."""

    def flush(self, *, sync: bool = False) -> Plan:
        plan = super().flush(sync=sync)
        writes = [operation for operation in plan if isinstance(operation, Write)]
        if len(writes) < 2:
            return plan
        first = Write(writes[0].file, writes[0].at, b"".join(operation.data for operation in writes))
        return (first, *(operation for operation in plan if operation.file == first.file and not isinstance(operation, Write)))
