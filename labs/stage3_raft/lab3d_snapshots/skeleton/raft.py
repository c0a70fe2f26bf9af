"""Your Raft, the methods of lab 3d. What is not written here is inherited from `mq.raft.node.RaftNode`, which is given."""

from mq.core.ids import LogIndex
from mq.raft.messages import Snapshot, SnapshotReply, SnapshotRequest
from mq.raft.node import RaftNode
from mq.raft.output import Chunk, ChunkWanted, Output
from mq.raft.progress import Progress
from mq.raft.role import Role
from mq.raft.snapshotting import Incoming

__all__ = ["Raft"]


class Raft(RaftNode):
    """See `mq.raft.node`."""

    __slots__ = ()

    def take_snapshot(self) -> Snapshot | None:
        """What a snapshot of the state machine as it is now stands for; None when nothing was applied since the last one.

        The host saves it together with the state, and calls `snapshot_saved` when that is durable.
        """
        raise NotImplementedError("lab 3d: Raft.take_snapshot")

    def _compact(self, keep_from: LogIndex | None) -> None:
        """Never more than a durable snapshot stands for. Paper: Raft, section 7."""
        raise NotImplementedError("lab 3d: Raft._compact")

    def _want_chunk(self, peer: Progress) -> None:
        """The next one; one at a time is on its way. If nobody answers it, it is sent again some time later."""
        raise NotImplementedError("lab 3d: Raft._want_chunk")

    def chunk_fetched(self, wanted: ChunkWanted, data: bytes | None, *, is_last: bool) -> Output:
        """A chunk was read. data: None when that snapshot is not there any more: the newest is sent from its start.

        If it is the newest, it is asked for again some time later: at once would be for ever.
        """
        raise NotImplementedError("lab 3d: Raft.chunk_fetched")

    def on_snapshot_reply(self, message: SnapshotReply) -> None:
        """Send the next chunk, or entries again when the follower has it all."""
        raise NotImplementedError("lab 3d: Raft.on_snapshot_reply")

    def on_snapshot_request(self, message: SnapshotRequest) -> None:
        """Collect the chunks in order; say how far we are. Paper: Raft, figure 13, InstallSnapshot."""
        raise NotImplementedError("lab 3d: Raft.on_snapshot_request")

    def _incoming_for(self, message: SnapshotRequest) -> Incoming | None:
        """The one that is under way, or a new one. None for a chunk that is late, or comes while a whole snapshot is being saved.

        A leader's snapshots only get newer; another leader's newest may well be older than what is under way.
        """
        raise NotImplementedError("lab 3d: Raft._incoming_for")

    def snapshot_received(self, snapshot: Snapshot) -> Output:
        """All of an incoming snapshot is durable: it takes the place of the state, and of the log if that does not hold its end.

        Paper: Raft, figure 13, rules 6 to 8.
        """
        raise NotImplementedError("lab 3d: Raft.snapshot_received")

    def _restart_log(self, snapshot: Snapshot) -> None:
        raise NotImplementedError("lab 3d: Raft._restart_log")

    def snapshot_failed(self, snapshot: Snapshot) -> Output:
        """There was no room for a chunk: what came is dropped. The answer to the next one says so, and the leader begins anew."""
        raise NotImplementedError("lab 3d: Raft.snapshot_failed")
