"""Marks until the segment is full, and leaves no room for the group that ends it."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.record import encode_group
from mq.core.ports import Plan, Write

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def note_durable(self) -> Plan:
        state = self._state
        if self._unsynced or not state.segments or self._must_roll or state.damage:
            return ()
        if state.noted_end >= state.durable_end and not self._must_mark:
            return ()
        segment = state.segments[-1]
        data, _ = encode_group(segment.end_position, state.durable_end, ())
        write = Write(segment.file, segment.end_position - segment.base_position, data)
        segment.end_position += len(data)
        state.noted_end = state.durable_end
        self._must_mark = False
        return (write,)
