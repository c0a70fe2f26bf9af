"""Commits whatever a quorum has on disk, of whatever term.

Seen in: NATS before 2026-03 (#7955). Breaks: what is committed stays. Paper: Raft, section 5.4.2 and figure 8.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        self._commit_to(self.configuration.quorum_value(self._durable_index_of))
