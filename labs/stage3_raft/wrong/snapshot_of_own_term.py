"""A snapshot names the term in which it is taken as that of its last entry, so that a poor log looks good.

Breaks: a leader has all that was committed. Paper: Raft, section 7: lastIncludedTerm is the *entry's* term.
"""

from mq.core.ids import EntryId
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def take_snapshot(self) -> Snapshot | None:
        snapshot = super().take_snapshot()
        return snapshot and snapshot._replace(last=EntryId(self.term, snapshot.last.index))
