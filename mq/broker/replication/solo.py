"""Replication with a single node: what is durable here is committed.

It answers to the host loop as a Raft core does (`mq.raft.hosting`), so that one takes the place of the other without a change
around it: a call returns work, the host saves it, says so, and is told what is committed.
"""

from collections.abc import Sequence

from mq.core.entry import Entry, EntryKind
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.output import NOTHING, Output
from mq.raft.port import LogStorage

__all__ = ["Solo"]

_TERM = Term(0)


class Solo:
    """A group of one, without elections and without terms. commit_index never passes what is durable.

    All that the log holds when it begins counts as committed: there is nobody who could have another opinion.

    applied_index: what the state machine has applied already, where it was loaded from a snapshot.
    """

    def __init__(self, log: LogStorage, node_id: int = 1, *, applied_index: int = 0) -> None:
        self.log, self.node_id = log, node_id
        self.commit_index: LogIndex = log.last_index
        self.applied_index = LogIndex(applied_index)
        self.configuration = Configuration.of(node_id)

    def propose(self, payloads: Sequence[bytes]) -> Output:
        """Append commands to the log as one group."""
        after = self.log.last_index
        entries = [Entry(LogIndex(after + 1 + i), _TERM, EntryKind.COMMAND, payload) for i, payload in enumerate(payloads)]
        return Output(saves=(self.log.append(after, entries),), proposed=EntryId(_TERM, LogIndex(after + 1)))

    def saved(self, sequence: int) -> Output:
        """Everything up to this append is durable, and so committed."""
        self.log.synced(sequence)
        self.commit_index = max(self.commit_index, self.log.durable_index)
        return Output(apply_to=self.commit_index)

    def save_failed(self, sequence: int) -> Output:
        """The disk could not even begin with this append (it is full): the log is as before it."""
        self.log.abandon(sequence)
        return NOTHING

    def disk_failed(self) -> Output:
        """Nobody else can go on: the host ends the node."""
        return NOTHING

    def applied(self, index: LogIndex) -> Output:
        """The state machine has applied everything up to here."""
        self.applied_index = index
        return NOTHING

    def take_snapshot(self) -> Snapshot | None:
        """What a snapshot of the state machine as it is now stands for."""
        term = self.log.term_at(self.applied_index)
        return None if term is None else Snapshot(EntryId(term, self.applied_index), self.configuration)

    def snapshot_saved(self, snapshot: Snapshot, *, keep_from: LogIndex) -> Output:
        """What the snapshot stands for may go from the log, but for entries from `keep_from` on."""
        if keep_from > snapshot.last.index + 1:
            raise StateError(f"entries up to {keep_from - 1} would go, the snapshot stands for {snapshot.last.index}")
        return Output(forget=self.log.drop_before(keep_from))
