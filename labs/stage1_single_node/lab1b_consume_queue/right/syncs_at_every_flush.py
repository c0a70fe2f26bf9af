"""A flush without `sync` syncs as well, whatever is not known to be synced: more than is asked for, and nothing wrong."""

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Plan


class ConsumeQueue(Reference):
    """See above."""

    def flush(self, *, sync: bool = False) -> Plan:  # noqa: ARG002 - it is done anyway
        return super().flush(sync=True)
