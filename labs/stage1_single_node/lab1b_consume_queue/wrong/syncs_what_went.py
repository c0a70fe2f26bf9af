"""A flush with sync begins with what was not synced yet, also when retention has removed that file."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Plan, Sync


class ConsumeQueue(Reference):
    """See above."""

    def flush(self, *, sync: bool = False) -> Plan:
        plan = super().flush(sync=sync)
        gone = range(self._synced_count, self.first_entry, self._entries_per_file)
        return (*plan, *(Sync(self._place(number)[0]) for number in gone)) if sync else plan
