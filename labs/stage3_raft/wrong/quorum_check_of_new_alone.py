"""While members change a leader that hears from most of the new voters goes on leading, though the old ones are all silent.

Seen in: hashicorp/raft #308, in another form: its check counted who has no vote. Breaks: who can decide nothing gives up.
Paper: Raft, section 6; thesis: section 6.2.
"""

from mq.raft.node import RaftNode
from mq.raft.quorum import has_majority
from mq.raft.role import Event

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _check_quorum(self) -> None:
        if self.options.has_check_quorum and not has_majority(self.configuration.voters, self._is_active):
            self._turn(Event.LOSES_QUORUM)
        for peer in self.peers.values():
            peer.was_active, peer.is_active = peer.is_active, False
