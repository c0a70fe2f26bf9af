"""Wrong Rafts, each the right one with one rule taken out: a search that does not find what they break is not to be believed.

More of them are among the labs; those can be explored, too, by file and class.
"""

from mq.core.entry import HardState
from mq.core.ids import EntryId
from mq.raft.node import RaftNode

__all__ = ["LEFT_OUT", "SMALL_SCOPE_CORES", "CommitsWithoutQuorum", "CountsAnyTerm", "ForgetsItsVote", "VotesForAnyLog"]


class CountsAnyTerm(RaftNode):
    """Commits what a quorum has, of whatever term. Paper: Raft, section 5.4.2 says why not."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        self._commit_to(self.configuration.quorum_value(self._durable_index_of))


class VotesForAnyLog(RaftNode):
    """Votes for whoever asks first, whatever the candidate's log lacks. Paper: Raft, section 5.4.1."""

    __slots__ = ()

    def _is_up_to_date(self, last: EntryId) -> bool:  # noqa: ARG002  # that is the mistake
        return True


class ForgetsItsVote(RaftNode):
    """The vote stays in memory: after a restart the node votes again. Paper: Raft, figure 2, "Persistent state"."""

    __slots__ = ()

    def _hard_state(self) -> HardState:
        return HardState(self.term, None)


class CommitsWithoutQuorum(RaftNode):
    """A leader commits what it has on its own disk, without waiting for anybody. Paper: Raft, section 5.3."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        if self.log.last.term == self.term:
            self._commit_to(self.log.storage.durable_index)


SMALL_SCOPE_CORES: dict[str, type[RaftNode]] = {
    "votes-for-any-log": VotesForAnyLog,
    "forgets-its-vote": ForgetsItsVote,
    "commits-without-quorum": CommitsWithoutQuorum,
}
"""Those whose mistake shows in a small scope, by the name that the search prints."""

LEFT_OUT: dict[type[RaftNode], str] = {
    CountsAnyTerm: "a leader counts who has an entry, to commit it, only of entries of its own term. What earlier terms left is "
    "committed along with the first of those (Paper: Raft, section 5.4.2). This leader counts for any entry",
    VotesForAnyLog: "a node votes for no candidate whose log lacks what its own has (Paper: Raft, section 5.4.1)",
    ForgetsItsVote: "a vote is on the disk before it is given (Paper: Raft, figure 2, persistent state)",
    CommitsWithoutQuorum: "an entry is committed when a majority has it (Paper: Raft, section 5.3)",
}
"""The rule that each lacks, in words."""
