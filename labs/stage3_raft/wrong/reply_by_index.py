"""A client's command is known by its index alone: what another leader put there is taken for it.

Here as a term that says yes when it is compared. Seen in: student guides. Breaks: what a client was told to be done is done.
Paper: Raft, section 5.3: an entry is known by its index and its term.
"""

from collections.abc import Sequence

from mq.core.ids import EntryId, Term
from mq.raft.node import RaftNode
from mq.raft.output import Output

__all__ = ["Raft"]


class _AnyTerm(int):
    """Equal to every term."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, int)

    __hash__ = int.__hash__


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def propose(self, payloads: Sequence[bytes]) -> Output:
        output = super().propose(payloads)
        assert output.proposed is not None
        return output._replace(proposed=EntryId(Term(_AnyTerm(output.proposed.term)), output.proposed.index))
