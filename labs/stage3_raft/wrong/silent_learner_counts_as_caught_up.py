"""A learner has caught up when it lacks few entries: in a short log also one that never answered, or is gone since.

Breaks: the group goes on while a member is added. Paper: Raft, section 6, first issue; thesis: section 4.2.1.
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _has_caught_up(self, node_id: int) -> bool:
        peer = self.peers.get(node_id)
        return peer is not None and peer.match_index + self.options.learner_lag_max >= self.log.last.index
