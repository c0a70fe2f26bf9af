"""Votes for whoever asks first, whatever the candidate's log lacks.

Seen in: many solutions of courses. Breaks: a leader has all that was committed. Paper: Raft, section 5.4.1.
"""

from mq.core.ids import EntryId
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _is_up_to_date(self, last: EntryId) -> bool:  # noqa: ARG002  # that is the mistake
        return True
