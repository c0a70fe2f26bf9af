"""Reports damage when retention removes what a read that is under way wants next."""

from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import StoredEntry
from mq.core.errors import DamageError, StateError
from mq.core.ids import LogIndex
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def entries(self, first: LogIndex, last: LogIndex, bytes_max: int) -> Steps[tuple[StoredEntry, ...]]:
        before, file = self.first_index, self.segments()[0].file if self.segments() else ""
        try:
            return (yield from super().entries(first, last, bytes_max))
        except StateError:
            if self.first_index == before:
                raise
            raise DamageError(file, 0, "no whole group stands here") from None
