"""Files whose names begin as the queue's folder are removed: with queue 1 go those of queues 10 to 19."""

from collections.abc import Mapping

from mq.broker.store.consume_queue import ConsumeQueue as Reference
from mq.core.ports import Plan, Remove


class ConsumeQueue(Reference):
    """See above."""

    def delete(self, files: Mapping[str, int]) -> Plan:
        return tuple(Remove(file) for file in files if file.startswith(self._folder))
