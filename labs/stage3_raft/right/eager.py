"""Eager: followers hear of each commit at once, not with the next request; nobody asks before it campaigns.

Right, because hearing earlier that something is committed, or hearing it twice, changes nothing; and pre-vote only saves
disturbance. Paper: Raft, section 5.3: the leader "includes that index in future AppendEntries RPCs (including heartbeats)".
"""

from mq.core.ids import LogIndex
from mq.raft.node import RaftNode
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _on_committed(self, before: LogIndex) -> None:
        super()._on_committed(before)
        for peer in self.peers.values():
            if not self._feed(peer):
                self._tell(self._heartbeat(peer))

    def _restart_timer(self) -> None:
        """Two draws, so that middling spans are the most frequent ones."""
        half = max(self.options.election_ticks // 2, 1)
        self.elapsed_ticks = 0
        self.timeout_ticks = self.options.election_ticks + self.chance.randrange(0, half) + self.chance.randrange(0, half)

    def _time_out(self) -> None:
        if self._may_campaign() and self.role not in {Role.LEADER, Role.MUTE}:
            self._become_candidate(Event.TIMES_OUT_UNASKED)
        else:
            super()._time_out()
