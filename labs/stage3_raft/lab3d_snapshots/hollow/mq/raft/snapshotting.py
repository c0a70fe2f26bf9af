"""A state in place of the entries that made it: taken, sent in chunks, installed. Paper: Raft, section 7.

The core never holds the state: it says when the host is to save one, to read a chunk of it, and to load it.
"""

from typing import NamedTuple

from mq.core.errors import StateError
from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot, SnapshotReply, SnapshotRequest
from mq.raft.output import Chunk, ChunkWanted, Output
from mq.raft.progress import PeerState, Progress
from mq.raft.reading import Reading
from mq.raft.role import Role
from mq.raft.state import Start

__all__ = ["Incoming", "Snapshotting"]


class Incoming(NamedTuple):
    """A snapshot that is on its way here. Of another leader its bytes may differ, so it would begin anew."""

    leader: int
    snapshot: Snapshot
    received_bytes: int
    is_complete: bool


class Snapshotting(Reading):
    """A node's part in passing on state. incoming: the snapshot that a leader is sending, if any."""

    __slots__ = ("incoming",)

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.incoming: Incoming | None = None
        if self.role is not Role.MUTE and not self.log.has(self.snapshot.last):
            first = self.log.storage.first_index
            if first > self.snapshot.last.index + 1:
                raise StateError(f"the log begins at {first}, and the newest snapshot stands for {self.snapshot.last.index}")
            # The crash came between a snapshot from a leader and the log that begins behind it.
            self._restart_log(self.snapshot)

    def _restart_log(self, snapshot: Snapshot) -> None:
        raise NotImplementedError("lab 3d: Snapshotting._restart_log")

    # --- taken here

    def take_snapshot(self) -> Snapshot | None:
        """What a snapshot of the state machine as it is now stands for; None when nothing was applied since the last one.

        The host saves it together with the state, and calls `snapshot_saved` when that is durable.
        """
        raise NotImplementedError("lab 3d: Snapshotting.take_snapshot")

    def _configuration_at(self, index: LogIndex) -> Configuration:  # noqa: ARG002  # see the layer of membership
        return self.configuration

    def snapshot_saved(self, snapshot: Snapshot, *, keep_from: LogIndex | None = None) -> Output:
        """A snapshot is durable: what it stands for may go from the log.

        keep_from: the host wants to keep entries from here on, if they are older than that.
        """
        if snapshot.last.index > self.snapshot.last.index:
            self.snapshot = snapshot
        self._compact(keep_from)
        return self._finish()

    def _compact(self, keep_from: LogIndex | None) -> None:
        """Never more than a durable snapshot stands for. Paper: Raft, section 7."""
        raise NotImplementedError("lab 3d: Snapshotting._compact")

    # --- sent

    def _send_snapshot(self, peer: Progress) -> None:
        peer.needs(self.snapshot)
        self._want_chunk(peer)

    def _want_chunk(self, peer: Progress) -> None:
        """The next one; one at a time is on its way. If nobody answers it, it is sent again some time later."""
        raise NotImplementedError("lab 3d: Snapshotting._want_chunk")

    def chunk_fetched(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> Output:
        """A chunk was read. data: None when that snapshot is not there any more: the newest is sent from its start.

        If it is the newest, it is asked for again some time later: at once would be for ever.
        """
        raise NotImplementedError("lab 3d: Snapshotting.chunk_fetched")

    def _ask_again(self, peer: Progress) -> None:
        """The chunk or its answer was lost, or the follower's disk is at work."""
        if peer.state is PeerState.SNAPSHOT:
            self._want_chunk(peer)
        else:
            super()._ask_again(peer)

    def on_snapshot_reply(self, message: SnapshotReply) -> None:
        """Send the next chunk, or entries again when the follower has it all."""
        raise NotImplementedError("lab 3d: Snapshotting.on_snapshot_reply")

    # --- received

    def on_snapshot_request(self, message: SnapshotRequest) -> None:
        """Collect the chunks in order; say how far we are. Paper: Raft, figure 13, InstallSnapshot."""
        raise NotImplementedError("lab 3d: Snapshotting.on_snapshot_request")

    def _is_news(self, snapshot: Snapshot) -> bool:
        """A late one must not take the place of newer state."""
        return snapshot.last.index > self.commit_index

    def _incoming_for(self, message: SnapshotRequest) -> Incoming | None:
        """The one that is under way, or a new one. None for a chunk that is late, or comes while a whole snapshot is being saved.

        A leader's snapshots only get newer; another leader's newest may well be older than what is under way.
        """
        raise NotImplementedError("lab 3d: Snapshotting._incoming_for")

    def _answer_chunk(self, message: SnapshotRequest, received_bytes: int, *, is_installed: bool = False) -> None:
        last = message.snapshot.last
        self._promise(SnapshotReply(self.node_id, message.sender, self.term, last, received_bytes, is_installed))

    def snapshot_received(self, snapshot: Snapshot) -> Output:
        """All of an incoming snapshot is durable: it takes the place of the state, and of the log if that does not hold its end.

        Paper: Raft, figure 13, rules 6 to 8.
        """
        raise NotImplementedError("lab 3d: Snapshotting.snapshot_received")

    def snapshot_failed(self, snapshot: Snapshot) -> Output:
        """There was no room for a chunk: what came is dropped. The answer to the next one says so, and the leader begins anew."""
        raise NotImplementedError("lab 3d: Snapshotting.snapshot_failed")

    def _take_snapshot_over(self, snapshot: Snapshot) -> None:
        self.snapshot = self._install = snapshot
        self._has_work = True
        if not self.log.has(snapshot.last):
            self._restart_log(snapshot)
        self.commit_index = snapshot.last.index
