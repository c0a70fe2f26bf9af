"""Opens a log by the rule that the higher term wins, where the later record wins. Paper: Raft, figure 8, breaks it."""

from collections.abc import Mapping, Sequence

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_state import LogState
from mq.broker.store.log_view import Recovery
from mq.broker.store.segment import Segment
from mq.broker.store.unsynced import UnsyncedAppends
from mq.core.ids import EntryId
from mq.core.ports import Steps

__all__ = ["CommitLog"]


class _State(LogState):
    is_opening = False

    def enter(
        self, entries: Sequence[tuple[int, int]], position: int, segment: Segment, before: EntryId | None = None
    ) -> Mapping[int, int]:
        index, term = entries[0]
        if self.is_opening and index <= self.last_index and term < (self.term_at(index) or 0):
            return {}
        return super().enter(entries, position, segment, before)


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        self._state = state = _State()
        self._unsynced = UnsyncedAppends(state)
        state.is_opening = True
        found = yield from super().recover(files, checkpoint)
        state.is_opening = False
        return found
