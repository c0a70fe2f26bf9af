"""What a plan is made for counts as written: a plan that fails is never made again."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Plan


class ConsumeQueue(Reference):
    """See above."""

    def flush(self, *, sync: bool = False) -> Plan:
        plan = super().flush(sync=sync)
        self._flushed_count = self._entry_count
        return plan
