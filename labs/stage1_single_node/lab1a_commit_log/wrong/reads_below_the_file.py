"""Says what to read for the place of a record whose segment was removed: bytes before the beginning of the oldest file."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.core.entry import RecordPlace
from mq.core.ports import Read

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def read(self, place: RecordPlace) -> Read:
        segments = self.segments()
        if segments and place.position < segments[0].base_position:
            return Read(segments[0].file, place.position - segments[0].base_position, place.size_bytes)
        return super().read(place)
