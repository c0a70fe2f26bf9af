"""States on their way between nodes: as much of them as is in memory, and only while somebody needs it.

A state is sent chunk by chunk, and may be large. One that broke off would otherwise be kept for the rest of a process's life, at
the leader and at the follower.
"""

from mq.raft.messages import Snapshot
from mq.raft.output import Chunk
from mq.raft.progress import PeerState
from mq.raft.view import NodeView

__all__ = ["StatesInTransit"]


class StatesInTransit:
    """sent: what followers are given now, and of which snapshot it is. held_bytes: of both ways."""

    def __init__(self) -> None:
        self.sent: tuple[Snapshot, bytes] | None = None
        self._coming: Snapshot | None = None
        self._chunks: list[bytes] = []

    @property
    def held_bytes(self) -> int:
        """In memory."""
        return sum(map(len, self._chunks)) + (0 if self.sent is None else len(self.sent[1]))

    def add(self, chunk: Chunk) -> bytes | None:
        """A chunk came. The whole state with the last one, else None."""
        if chunk.at == 0:
            self._chunks = []
        self._coming = chunk.snapshot
        self._chunks.append(chunk.data)
        if not chunk.is_last:
            return None
        whole = b"".join(self._chunks)
        self._drop_coming()
        return whole

    def _drop_coming(self) -> None:
        self._coming, self._chunks = None, []

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to let go of."""
        return self.sent is None and self._coming is None

    def let_go(self, view: NodeView) -> None:
        """Of what nobody needs any more. view: of this node's core.

        What comes is dropped when it is no news any more, and not before: a leader may go on with it after others have led, and
        the core has told it how much is here.
        """
        if self.sent is not None and not any(peer.state == PeerState.SNAPSHOT for peer in view.peers):
            self.sent = None
        if self._coming is not None and self._coming.last.index <= view.commit_index:
            self._drop_coming()
