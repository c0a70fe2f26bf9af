"""Changing who belongs to the group while it serves. Paper: Raft, section 6; thesis: section 4.3 (joint consensus).

    C_old  --(C_old,new in the log)-->  both decide  --(committed; C_new in the log)-->  C_new  --(committed)-->  done

A configuration is in force as soon as it stands in a node's log; when that entry is superseded, the one before it is again.
"""

from collections import deque
from collections.abc import Sequence

from mq.core.entry import Entry, EntryKind
from mq.core.errors import IllegalArgumentError
from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError
from mq.raft.messages import Snapshot
from mq.raft.output import Output
from mq.raft.progress import PeerState, Progress
from mq.raft.role import Event, Role
from mq.raft.snapshotting import Snapshotting
from mq.raft.state import Start

__all__ = ["Membership"]


class Membership(Snapshotting):
    """A node's part in changes of members.

    configurations: (index, configuration) of those in the log, the oldest first; before them the snapshot's.
    replaced: (sequence, configurations) as they were before a save that changed them and is not durable yet.
    """

    __slots__ = ("configurations", "replaced")

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.configurations: tuple[tuple[int, Configuration], ...] = ((self.snapshot.last.index, self.configuration),)
        self.replaced: deque[tuple[int, tuple[tuple[int, Configuration], ...]]] = deque()

    # --- the log says what is in force

    def _append_own(self, contents: Sequence[tuple[EntryKind, bytes]]) -> None:
        before, first = self.configurations, self.log.last.index + 1
        self._learn([(first + i, payload) for i, (kind, payload) in enumerate(contents) if kind is EntryKind.CONFIGURATION])
        super()._append_own(contents)
        self._note_replaced(before)

    def _accept(self, after_index: int, entries: Sequence[Entry]) -> None:
        before = self.configurations
        self._unlearn(after_index)
        super()._accept(after_index, entries)
        self._learn([(entry.index, entry.payload) for entry in entries if entry.kind == EntryKind.CONFIGURATION])
        self._note_replaced(before)

    def _learn(self, found: Sequence[tuple[int, bytes]]) -> None:
        if found:
            self.configurations += tuple((index, Configuration.from_bytes(payload)) for index, payload in found)
            self._put_in_force()

    def _unlearn(self, after_index: int) -> None:
        """What stood behind this index is superseded."""
        if self.configurations[-1][0] > after_index:
            self.configurations = tuple(found for found in self.configurations if found[0] <= after_index)
            self._put_in_force()

    def _note_replaced(self, before: tuple[tuple[int, Configuration], ...]) -> None:
        if before is not self.configurations:
            self.replaced.append((self._last_sequence, before))

    def saved(self, sequence: int) -> Output:
        """What it changed stays changed, as far as this disk is concerned."""
        while self.replaced and self.replaced[0][0] <= sequence:
            self.replaced.popleft()
        return super().saved(sequence)

    def save_failed(self, sequence: int) -> Output:
        """The configurations are again those of the log as it was."""
        if self.replaced and self.replaced[-1][0] == sequence:
            self.configurations = self.replaced.pop()[1]
            self._put_in_force()
        return super().save_failed(sequence)

    def _put_in_force(self) -> None:
        """The newest. Paper: Raft, section 6: "a server always uses the latest configuration in its log"."""
        self.configuration = self.configurations[-1][1]
        if self.role is Role.LEADER:
            members = [peer for peer in self.configuration.members if peer != self.node_id]
            next_index = self.log.last.index + 1
            self.peers = {peer: self.peers.get(peer) or Progress(peer, next_index) for peer in members}

    def _configuration_at(self, index: LogIndex) -> Configuration:
        return next(found for at, found in reversed(self.configurations) if at <= index)

    def snapshot_saved(self, snapshot: Snapshot, *, keep_from: LogIndex | None = None) -> Output:
        """The snapshot holds the configuration that was in force there: older ones may go with their entries."""
        if self.role is Role.MUTE:
            return self._finish()
        kept = tuple(found for found in self.configurations if found[0] > snapshot.last.index)
        self.configurations = ((snapshot.last.index, snapshot.configuration), *kept)
        return super().snapshot_saved(snapshot, keep_from=keep_from)

    def _take_snapshot_over(self, snapshot: Snapshot) -> None:
        super()._take_snapshot_over(snapshot)
        kept = tuple(found for found in self.configurations if snapshot.last.index < found[0] <= self.log.last.index)
        self.configurations = ((snapshot.last.index, snapshot.configuration), *kept)
        self._put_in_force()

    # --- changes

    def change_members(self, voters: Sequence[int], learners: Sequence[int] = ()) -> Output:
        """Begin the way to other members; done when `configuration` says so and is committed.

        A new voter must have been a learner that has caught up and answers: else the group could stand still until it has.
        Raises: NotLeaderError; ChangeRefusedError; IllegalArgumentError.
        """
        self._check_leads()
        wanted = Configuration(tuple(sorted(set(voters))), (), tuple(sorted(set(learners) - set(voters))))
        self._check_change(wanted)
        now = self.configuration
        # Learners have no vote: where only they change, no majority does.
        change = wanted if wanted.voters == now.voters else now.joined_with(wanted.voters, wanted.learners)
        self._append_own([(EntryKind.CONFIGURATION, change.to_bytes())])
        return self._finish()

    def _check_change(self, wanted: Configuration) -> None:
        now = self.configuration
        if not wanted.voters:
            raise IllegalArgumentError("voters is empty, it must name at least 1 node")
        if self._is_changing():
            raise ChangeRefusedError("another change of members is not done yet")
        if not self._knows_what_is_committed():  # else two leaders could be changing members from different sets
            raise ChangeRefusedError("the leader has not committed an entry of its own term yet")
        if wanted == now:
            raise ChangeRefusedError("these are the members already")
        for voter in wanted.voters:
            if not now.is_voter(voter) and not self._has_caught_up(voter):
                raise ChangeRefusedError(f"node {voter} is no learner that has caught up and answers: add it as one first")

    def _is_changing(self) -> bool:
        """Only one change at a time, and it is done when it is committed. Thesis: section 4.1."""
        return self.configuration.is_joint or self.configurations[-1][0] > self.commit_index

    def _has_caught_up(self, node_id: int) -> bool:
        """And goes on to: one that is gone would be a vote that the group waits for in vain. Thesis: section 4.2.1."""
        peer = self.peers.get(node_id)
        if peer is None or peer.state is not PeerState.REPLICATE or not (peer.is_active or peer.was_active):
            return False
        return peer.match_index + self.options.learner_lag_max >= self.log.last.index

    def _may_campaign(self) -> bool:
        """Also one that a change leaves out, until that is committed: nobody else may have a log that is as complete.

        Its own vote does not count then. Thesis: section 4.2.2.
        """
        configurations, commit_index = self.configurations, self.commit_index
        while len(configurations) > 1 and configurations[-1][0] > commit_index:
            if configurations[-1][1].is_voter(self.node_id):
                return True
            configurations = configurations[:-1]
        return configurations[-1][1].is_voter(self.node_id)

    def _on_committed(self, before: LogIndex) -> None:
        super()._on_committed(before)
        index, newest = self.configurations[-1]
        if self.role is not Role.LEADER or index > self.commit_index:
            return
        if newest.is_joint:
            self._append_own([(EntryKind.CONFIGURATION, newest.left().to_bytes())])
        elif not newest.is_voter(self.node_id):
            self._leave()

    def _leave(self) -> None:
        """A leader that is no voter any more has done its last work. Paper: Raft, section 6."""
        self._beat()  # the others learn that it is committed
        self._turn(Event.IS_REMOVED)
