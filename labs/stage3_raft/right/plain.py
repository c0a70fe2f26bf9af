"""Plain: one request at a time for each follower, no hints, no sorting of indexes.

Where logs do not agree the leader looks halfway between what it knows and what was refused. What is committed is found as figure
2 says it: is there an N that a majority has? Votes are counted as sets. Right, and slower.
Paper: Raft, section 5.3 (a decrement "can be optimized") and figure 2.
"""

from collections.abc import Sequence

from mq.core.entry import Entry
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode
from mq.raft.progress import PeerState, Progress
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class _OneAtATime(Progress):
    """Remembers the end of the one request that is on its way, if there is one."""

    __slots__ = ()

    def may_send(self, in_flight_max: int) -> bool:  # noqa: ARG002  # one is enough
        return self.state is not PeerState.SNAPSHOT and not self.in_flight and not self.is_waiting and self.fetching is None

    def sent(self, entries: Sequence[Entry]) -> None:
        if self.state is PeerState.REPLICATE:
            self.next_index = entries[-1].index + 1
            self.in_flight.append(entries[-1].index)
        else:
            self.is_waiting = True


def _who_said(voters: Sequence[int], votes: dict[int, bool], *, what: bool) -> set[int]:
    return {voter for voter in voters if votes.get(voter) is what}


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _meet_peers(self) -> None:
        super()._meet_peers()
        self._make_plain()

    def _put_in_force(self) -> None:
        super()._put_in_force()
        self._make_plain()

    def _make_plain(self) -> None:
        for node_id, peer in self.peers.items():
            if not isinstance(peer, _OneAtATime):
                self.peers[node_id] = _OneAtATime(node_id, peer.next_index)

    def on_append_reply(self, message: AppendReply) -> None:
        """Instead of the follower's hint: halfway."""
        peer = self.peers.get(message.sender)
        if peer is not None and not message.is_matching and message.rejected_index:
            halfway = peer.match_index + (message.rejected_index - peer.match_index) // 2
            term = self.log.term_at(halfway)
            if term is None:  # only a snapshot holds it
                halfway, term = 0, self.log.term_at(0)
            message = message._replace(hint=EntryId(term or Term(0), LogIndex(halfway)))
        super().on_append_reply(message)

    def _advance_commit(self) -> None:
        index: int = self.log.last.index
        while index > self.commit_index and self._may_count(index):
            if self._has_all(self.configuration, index):
                self._commit_to(index)
                return
            index -= 1

    def _has_all(self, configuration: Configuration, index: int) -> bool:
        groups = [configuration.voters, *([configuration.old_voters] if configuration.old_voters else [])]
        return all(2 * len([node for node in group if self._durable_index_of(node) >= index]) > len(group) for group in groups)

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        self.votes[voter] = is_granted or self.votes.get(voter, False)
        now = self.configuration
        groups = [group for group in (now.voters, now.old_voters) if group]
        if any(2 * len(_who_said(group, self.votes, what=False)) >= len(group) for group in groups):
            self._turn(Event.LOSES)
        elif all(2 * len(_who_said(group, self.votes, what=True)) > len(group) for group in groups):
            if self.role is Role.PRE_CANDIDATE:
                self._become_candidate(Event.WOULD_WIN)
            else:
                self._become_leader()
