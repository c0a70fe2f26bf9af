"""Your Raft, the methods of lab 3c. What is not written here is inherited from `mq.raft.node.RaftNode`, which is given."""

from collections.abc import Sequence

from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex, Term
from mq.raft.messages import Message
from mq.raft.node import RaftNode
from mq.raft.output import Output
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See `mq.raft.node`."""

    __slots__ = ()

    @property
    def apply_to(self) -> LogIndex:
        """What is committed and durable here, too: so no snapshot that is taken here is ever ahead of the log."""
        raise NotImplementedError("lab 3c: Raft.apply_to")

    def _tell(self, message: Message) -> None:
        """It may leave at once."""
        raise NotImplementedError("lab 3c: Raft._tell")

    def disk_failed(self) -> Output:
        """The disk cannot be trusted any more: nothing is promised from now on. What was not durable may be there or not."""
        raise NotImplementedError("lab 3c: Raft.disk_failed")

    def _promise(self, message: Message) -> None:
        """It may leave only when everything that this node decided so far is durable.

        Requests for votes wait as well: a candidate that forgot its term and campaigned in it again could otherwise collect
        votes for two different logs.
        """
        raise NotImplementedError("lab 3c: Raft._promise")

    def _hand_out_promises(self) -> None:
        """A promise to oneself waits like all others, but does not travel."""
        raise NotImplementedError("lab 3c: Raft._hand_out_promises")

    def _note_save(self, appended: Appended) -> None:
        raise NotImplementedError("lab 3c: Raft._note_save")

    def _save(self, after_index: int, entries: Sequence[Entry]) -> None:
        """Entries for the log, and with them, in the same durable step, term and vote if they changed."""
        raise NotImplementedError("lab 3c: Raft._save")

    def _hard_state(self) -> HardState:
        """What a restart must not forget."""
        raise NotImplementedError("lab 3c: Raft._hard_state")

    def _enter_term(self, term: Term, vote: int | None = None) -> None:
        """Terms only rise, and in a new one the vote is free again. Paper: Raft, section 5.1."""
        raise NotImplementedError("lab 3c: Raft._enter_term")

    def _durable_index_of(self, node_id: int) -> int:
        """A leader's own copy counts like any other: when it is durable. Thesis: section 10.2.1."""
        raise NotImplementedError("lab 3c: Raft._durable_index_of")
