"""A leader that leads again goes on from what it knew of the followers in its last reign.

Breaks: some time a follower is repaired: it may hold something else since. Paper: Raft, figure 2: "Reinitialized after election".
"""

from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ("_known",)

    def _on_reign_ended(self) -> None:
        self._known = {peer.node_id: peer.match_index for peer in self.peers.values()}
        super()._on_reign_ended()

    def _meet_peers(self) -> None:
        super()._meet_peers()
        known = getattr(self, "_known", {})
        for peer in self.peers.values():
            peer.match_index = min(known.get(peer.node_id, 0), self.log.last.index)
