"""How the leader's log becomes everyone's, and when an entry counts for ever. Paper: Raft, sections 5.3 and 5.4.2."""

from collections.abc import Sequence

from mq.core.entry import Entry, EntryKind
from mq.core.errors import IllegalArgumentError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.election import Election
from mq.raft.errors import NotLeaderError
from mq.raft.messages import AppendReply, AppendRequest, Message, SnapshotRequest
from mq.raft.output import EntriesWanted, Output
from mq.raft.progress import PeerState, Progress
from mq.raft.role import Event, Role
from mq.raft.state import Start

__all__ = ["Replication"]

_NO_ENTRY = EntryId(Term(0), LogIndex(0))


class Replication(Election):
    """A node's part in copying the log.

    peers: what a leader knows of each other member. round: of heartbeats, rises with each. heartbeat_elapsed_ticks: since the
    last one.
    """

    __slots__ = ("heartbeat_elapsed_ticks", "peers", "round")

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.peers: dict[int, Progress] = {}
        self.round = 0
        self.heartbeat_elapsed_ticks = 0

    # --- the leader

    def _become_leader(self) -> None:
        """Begin with an entry of the own term: only with it can older ones be committed. Paper: Raft, sections 5.4.2 and 8."""
        super()._become_leader()
        self._meet_peers()
        self._append_own([(EntryKind.NOOP, b"")])

    def _meet_peers(self) -> None:
        """Nothing is known of anyone; that all logs are like ours is tried first. Paper: Raft, figure 2."""
        self.peers = {
            peer: Progress(peer, self.log.last.index + 1) for peer in self.configuration.members if peer != self.node_id
        }
        self.heartbeat_elapsed_ticks = 0

    def _on_reign_ended(self) -> None:
        super()._on_reign_ended()
        self.peers = {}
        self._restart_timer()

    def propose(self, payloads: Sequence[bytes]) -> Output:
        """Put commands into the log, together. `Output.proposed` names the first; the same index of another term is not it.

        Raises: NotLeaderError; IllegalArgumentError when there is nothing to propose.
        """
        self._check_leads()
        if not payloads:
            raise IllegalArgumentError("payloads is empty, it must hold at least 1 command")
        self._proposed = EntryId(self.term, LogIndex(self.log.last.index + 1))
        self._append_own([(EntryKind.COMMAND, payload) for payload in payloads])
        return self._finish()

    def _check_leads(self) -> None:
        """Raises: NotLeaderError with the leader that is known, if one is."""
        if self.role is not Role.LEADER:
            raise NotLeaderError(self.leader)

    def _append_own(self, contents: Sequence[tuple[EntryKind, bytes]]) -> None:
        """The leader never changes what is in its log, it only adds. Paper: Raft, section 5.3, Leader Append-Only."""
        after, term = self.log.last.index, self.term
        entries = [Entry(LogIndex(after + 1 + i), term, kind, payload) for i, (kind, payload) in enumerate(contents)]
        self._save(after, entries)
        # They leave while our own disk is still at work. Thesis: section 10.2.1.
        for peer in self.peers.values():
            self._feed(peer)

    def _feed(self, peer: Progress) -> bool:
        """Send a follower what it lacks, as far as it may be sent unanswered. True when something was sent."""
        raise NotImplementedError("lab 3b: Replication._feed")

    def _entry_before(self, index: int) -> EntryId | None:
        """None when it is not known any more."""
        term = self.log.term_at(index - 1)
        return None if term is None else EntryId(term, LogIndex(index - 1))

    def _send_entries(self, peer: Progress, previous: EntryId, entries: tuple[Entry, ...]) -> None:
        self._tell(AppendRequest(self.node_id, peer.node_id, self.term, previous, entries, self.commit_index, self.round))
        if entries:
            peer.sent(entries)

    def _want_entries(self, peer: Progress) -> None:
        first, last = LogIndex(peer.next_index), self.log.last.index
        last = LogIndex(min(last, first + self.options.entries_max - 1))
        peer.fetching = EntriesWanted(peer.node_id, self.term, first, last, self.options.append_bytes_max)
        self._has_work = True
        self._fetch.append(peer.fetching)

    def fetched(self, wanted: EntriesWanted, entries: Sequence[Entry]) -> Output:
        """Old entries were read for a follower; none when the log does not hold them any more, or they could not be read."""
        peer = self.peers.get(wanted.peer)
        if peer is None or peer.fetching != wanted:
            return self._finish()  # another answer came meanwhile, and other entries are being read
        peer.fetching = None
        previous, is_current = self._entry_before(peer.next_index), peer.next_index == wanted.first
        if entries and previous is not None and is_current:
            self._send_entries(peer, previous, tuple(entries))
        if not entries and previous is not None and is_current:
            peer.again_in_ticks = self.options.heartbeat_ticks  # at once would be for ever
        self._feed(peer)
        return self._finish()

    # --- heartbeats

    def _beat(self) -> None:
        """A round of heartbeats: requests without entries, where none may be sent. Paper: Raft, section 5.2."""
        raise NotImplementedError("lab 3b: Replication._beat")

    def _heartbeat(self, peer: Progress) -> AppendRequest:
        """It stands behind what was sent before: when that was lost, the follower says so.

        When not even that is kept any more, nothing but a snapshot can mend a loss.
        """
        raise NotImplementedError("lab 3b: Replication._heartbeat")

    def _tick_leader(self) -> None:
        for peer in self.peers.values():
            if peer.again_in_ticks > 0:
                peer.again_in_ticks -= 1
                if peer.again_in_ticks == 0:
                    self._ask_again(peer)
        self.heartbeat_elapsed_ticks += 1
        if self.heartbeat_elapsed_ticks >= self.options.heartbeat_ticks:
            self._beat()
        if self.elapsed_ticks >= self.options.election_ticks:
            self.elapsed_ticks = 0
            self._check_quorum()

    def _ask_again(self, peer: Progress) -> None:
        """Time has passed, and not only rounds of heartbeats: reads may ask for thousands of those a second."""
        self._feed(peer)

    def _check_quorum(self) -> None:
        """A leader that hears of no quorum gives up, so that those who wait for it can go elsewhere. Thesis: section 6.2."""
        raise NotImplementedError("lab 3b: Replication._check_quorum")

    def _is_active(self, node_id: int) -> bool:
        peer = self.peers.get(node_id)
        return node_id == self.node_id or (peer is not None and peer.is_active)

    # --- followers

    def _follow(self, leader: int) -> None:
        """A message of this term's leader came. Paper: Raft, section 5.2: a candidate gives way to it."""
        raise NotImplementedError("lab 3b: Replication._follow")

    def on_append_request(self, message: AppendRequest) -> None:
        """Take the entries if they follow what is here. Paper: Raft, figure 2, AppendEntries."""
        raise NotImplementedError("lab 3b: Replication.on_append_request")

    def _match_after(self, message: AppendRequest) -> LogIndex:
        """How far the logs are known to be equal now. What stands behind that here may be superseded yet."""
        return LogIndex(message.previous.index + len(message.entries))

    def _committed_of(self, message: AppendRequest) -> LogIndex:
        """What is committed and equal here. Paper: Raft, figure 2, AppendEntries 5."""
        raise NotImplementedError("lab 3b: Replication._committed_of")

    def _agrees_at(self, previous: EntryId) -> bool:
        """Whether both logs hold this entry; then they are equal up to it. Paper: Raft, section 5.3, Log Matching.

        What the snapshot stands for is committed, so that every later leader has it, too (section 5.4.3).
        """
        raise NotImplementedError("lab 3b: Replication._agrees_at")

    def _take(self, entries: Sequence[Entry]) -> None:
        """Append what is not here yet. Only an entry that contradicts one of ours takes the place of it and of what follows.

        A message that comes late or twice must not take away what came after it. Paper: Raft, figure 2, AppendEntries 3 and 4.
        """
        raise NotImplementedError("lab 3b: Replication._take")

    def _accept(self, after_index: int, entries: Sequence[Entry]) -> None:
        """Into the log, behind that index."""
        self._save(after_index, entries)

    def _refuse_older(self, message: Message) -> None:
        if isinstance(message, AppendRequest | SnapshotRequest):
            nothing = LogIndex(0)
            self._promise(AppendReply(self.node_id, message.sender, self.term, False, nothing, nothing, _NO_ENTRY, 0))  # noqa: FBT003
        else:
            super()._refuse_older(message)

    # --- the leader hears

    def on_append_reply(self, message: AppendReply) -> None:
        """Note how far the follower is, commit what a quorum has, and send more. Paper: Raft, figure 2, "Leaders"."""
        peer = self.peers.get(message.sender)
        if peer is None:
            return
        peer.is_active = True
        peer.acked_round = max(peer.acked_round, message.round)
        if message.is_matching:
            self._note_match(peer, message.match_index)
        elif self._is_current_rejection(peer, message):
            hint = self.log.last_at_most(message.hint.index, message.hint.term)
            peer.probe_from(hint.index + 1)
            self._feed(peer)

    def _is_current_rejection(self, peer: Progress, message: AppendReply) -> bool:
        """A late one must not throw back what was found out since."""
        raise NotImplementedError("lab 3b: Replication._is_current_rejection")

    def _note_match(self, peer: Progress, index: int) -> None:
        """It has entries up to here, and gets more. What is committed by that may end a reign, or the peer's membership."""
        raise NotImplementedError("lab 3b: Replication._note_match")

    def _on_matched(self, peer: Progress) -> None:  # noqa: ARG002  # for the layers above
        """A follower has more than before."""
        self._advance_commit()

    def _advance_commit(self) -> None:
        """Commit what a quorum has on disk, if it is of our own term; what stands before it is committed by that.

        Paper: Raft, section 5.4.2 and figure 8: an entry of an earlier term may be on a majority and still be superseded.
        """
        raise NotImplementedError("lab 3b: Replication._advance_commit")

    def _on_saved(self) -> None:
        if self.role is Role.LEADER:
            self._advance_commit()

    def _may_count(self, index: int) -> bool:
        return self.log.term_at(index) == self.term

    def _durable_index_of(self, node_id: int) -> int:
        """A leader's own copy counts like any other: when it is durable. Thesis: section 10.2.1."""
        if node_id == self.node_id:
            return self.log.storage.durable_index
        peer = self.peers.get(node_id)
        return 0 if peer is None else peer.match_index

    def _send_snapshot(self, peer: Progress) -> None:
        """The follower needs what is not kept any more: see the layer of snapshots."""
