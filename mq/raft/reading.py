"""Reads that are never stale, without an entry in the log: the read index.

Paper: Raft, section 8; thesis: section 6.4.

A leader may have been replaced without knowing it. So it notes its commit index, asks a quorum whether it still leads, and
answers with a state that has applied at least as much. No leases: nothing here trusts a clock.
"""

from collections import deque

from mq.core.ids import LogIndex
from mq.raft.messages import AppendReply
from mq.raft.output import Output, ReadReady
from mq.raft.replication import Replication
from mq.raft.state import Start

__all__ = ["Reading"]

_LOST = LogIndex(-1)


class Reading(Replication):
    """A node's part in answering reads.

    reads: (context, round): a read is answered when a quorum answered that round, which began after it was
    asked.
    """

    __slots__ = ("reads",)

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.reads: deque[tuple[int, int]] = deque()

    def read(self, context: int) -> Output:
        """Ask for the moment as it is now; `Output.reads` gives it back with an index to be applied first.

        context: any number that the host chose for it. Raises: NotLeaderError.
        """
        self._check_leads()
        is_round_under_way = bool(self.reads) and self.reads[0][1] <= self.round
        self.reads.append((context, self.round + 1))
        if not is_round_under_way:
            self._beat()  # those who ask before it is answered share the next one
        self._answer_reads()
        return self._finish()

    def _answer_reads(self) -> None:
        """Those whose round a quorum has answered."""
        if not self.reads or not self._knows_what_is_committed():
            return
        acked = self.configuration.quorum_value(self._acked_round_of)
        is_answered = False
        while self.reads and self.reads[0][1] <= acked:
            self._reads.append(ReadReady(self.reads.popleft()[0], self.commit_index))
            self._has_work = is_answered = True
        if is_answered and self.reads:
            self._beat()

    def _knows_what_is_committed(self) -> bool:
        """A leader does not know how much is committed before an entry of its own term is. Thesis: section 6.4."""
        return self.log.term_at(self.commit_index) == self.term

    def _acked_round_of(self, node_id: int) -> int:
        if node_id == self.node_id:
            return self.round
        peer = self.peers.get(node_id)
        return 0 if peer is None else peer.acked_round

    def on_append_reply(self, message: AppendReply) -> None:
        """It may be the answer to the round that a read waits for."""
        super().on_append_reply(message)
        self._answer_reads()

    def _on_committed(self, before: LogIndex) -> None:
        super()._on_committed(before)
        self._answer_reads()

    def _on_reign_ended(self) -> None:
        """Nobody here can say any more what is committed: the reads have to be asked again, elsewhere."""
        super()._on_reign_ended()
        self._reads += [ReadReady(context, _LOST) for context, _ in self.reads]
        self.reads.clear()
