"""A leader gives up when it does not hear from all the others, not from a quorum.

Breaks: a minority may fail. Paper: Raft, section 2: available as long as a majority is.
"""

from mq.raft.node import RaftNode
from mq.raft.role import Event

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _check_quorum(self) -> None:
        if self.options.has_check_quorum and not all(peer.is_active for peer in self.peers.values()):
            self._turn(Event.LOSES_QUORUM)
        for peer in self.peers.values():
            peer.was_active, peer.is_active = peer.is_active, False
