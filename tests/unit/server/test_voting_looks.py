"""What a replaced Raft may not do with its vote, and that it may not lead unelected. Right ones: `test_applied_looks.py`."""

import random
from collections.abc import Callable, Iterator

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.parts import Parts
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendRequest, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.raft.role import Role
from mq.server.organs import OrganError, Organs

NONE = EntryId(Term(0), LogIndex(0))
Make = Callable[..., RaftNode]


class Own(RaftNode):
    """Somebody's own, and right."""

    __slots__ = ()


@pytest.fixture
def made() -> Iterator[Make]:
    """A guarded node 1 of so many."""
    organs: list[Organs] = []

    def make(raft_class: type[RaftNode], voters: int = 3) -> RaftNode:
        organs.append(Organs(Parts(raft=raft_class)))
        log, options = FreshLog(CommitLog(segment_bytes=64 << 10)), RaftOptions(has_pre_vote=False, has_check_quorum=False)
        configuration = Configuration.of(*range(1, voters + 1))
        return organs[-1].raft(1, log, random.Random(1), options=options, configuration=configuration)

    yield make
    for one in organs:
        one.stop()


def save(node: RaftNode, output: Output) -> None:
    while output.saves:
        output = node.saved(output.saves[-1].sequence)


def asked(candidate: int, term: int, last: EntryId = NONE, *, is_pre_vote: bool = False) -> VoteRequest:
    return VoteRequest(candidate, 1, Term(term), last, is_pre_vote)


def yes(voter: int, term: int, *, is_pre_vote: bool = False) -> VoteReply:
    return VoteReply(voter, 1, Term(term), is_granted=True, is_pre_vote=is_pre_vote)


def give(node: RaftNode, *terms: int) -> None:
    """A leader's entries."""
    entries = tuple(Entry(LogIndex(at), Term(term), EntryKind.COMMAND, b"a loaf") for at, term in enumerate(terms, 1))
    save(node, node.step(AppendRequest(2, 1, Term(terms[-1]), NONE, entries, LogIndex(0), 1)))


# --- votes that are given


class VotesForAll(RaftNode):
    __slots__ = ()

    def _may_vote_for(self, candidate: int) -> bool:
        return True


class NoLogCheck(RaftNode):
    __slots__ = ()

    def _is_up_to_date(self, last: EntryId) -> bool:
        return True


class Forgets(RaftNode):
    __slots__ = ()

    def on_vote_request(self, message: VoteRequest) -> None:
        super().on_vote_request(message)
        self.vote = None


def test_one_vote_a_term(made: Make) -> None:
    node = made(VotesForAll)
    save(node, node.step(asked(2, 1)))
    with pytest.raises(OrganError, match="raft: `step` gives node 3 its vote in term 1, and node 2 has it"):
        node.step(asked(3, 1))


def test_a_candidate_has_given_its_vote_to_itself(made: Make) -> None:
    node = made(VotesForAll)
    save(node, node.campaign())
    with pytest.raises(OrganError, match="raft: `step` gives node 2 its vote in term 1, and node 1 has it"):
        node.step(asked(2, 1))


@pytest.mark.parametrize("last", [(1, 1), (1, 9), (0, 0)])
def test_no_vote_for_a_log_that_lacks_something(made: Make, last: tuple[int, int]) -> None:
    node = made(NoLogCheck)
    give(node, 1, 2)
    with pytest.raises(
        OrganError, match=r"`step` gives node 3 its vote, whose log ends with entry \d of term \d; its own ends with 2 of term 2"
    ):
        node.step(asked(3, 3, EntryId(Term(last[0]), LogIndex(last[1]))))


def test_a_vote_is_kept(made: Make) -> None:
    node = made(Forgets)
    with pytest.raises(OrganError, match="`step` gives node 2 its vote in term 1, and its log was not told to keep that"):
        node.step(asked(2, 1))


def test_a_right_one_is_let_be(made: Make) -> None:
    node = made(Own)
    give(node, 1, 2)
    better, same = EntryId(Term(3), LogIndex(1)), EntryId(Term(2), LogIndex(2))
    save(node, node.step(asked(3, 3, better)))
    save(node, node.step(asked(3, 3, better)))  # its answer was lost
    save(node, node.step(asked(2, 3, better)))  # is refused
    save(node, node.step(asked(2, 4, same)))
    save(node, node.step(asked(2, 5, same, is_pre_vote=True)))
    save(node, node.step(asked(3, 5, same, is_pre_vote=True)))
    assert (node.view().term, node.view().vote) == (4, 2)


# --- leading


class WinsAlone(RaftNode):
    """Counts off by one."""

    __slots__ = ()

    def _count_vote(self, voter: int, *, is_granted: bool) -> None:
        super()._count_vote(voter, is_granted=is_granted)
        if self.role is Role.CANDIDATE and len(self.votes) >= len(self.configuration.voters) // 2:
            self._become_leader()


class LeadsInSilence(WinsAlone):
    __slots__ = ()

    def _finish(self) -> Output:
        return super()._finish()._replace(changes=())


class CountsQuestions(RaftNode):
    """A yes to the question is taken for a vote."""

    __slots__ = ()

    def on_vote_reply(self, message: VoteReply) -> None:
        super().on_vote_reply(message._replace(is_pre_vote=False))


@pytest.mark.parametrize("raft_class", [WinsAlone, LeadsInSilence])
def test_nobody_leads_with_its_own_vote_alone(made: Make, raft_class: type[RaftNode]) -> None:
    node = made(raft_class)
    with pytest.raises(OrganError, match=r"raft: `saved` leads term 1, and of the voters \[1, 2, 3\] it has the votes of node 1"):
        save(node, node.campaign())


def test_answers_to_the_question_are_no_votes(made: Make) -> None:
    node = made(CountsQuestions)
    save(node, node.campaign())
    with pytest.raises(OrganError, match=r"`step` leads term 1, and of the voters \[1, 2, 3\] it has the votes of node 1"):
        save(node, node.step(yes(2, 1, is_pre_vote=True)))


def test_votes_of_an_earlier_term_do_not_count(made: Make) -> None:
    class OldVotes(RaftNode):
        __slots__ = ()

        def _meet_term(self, message: object) -> bool:
            return isinstance(message, VoteReply) or super()._meet_term(message)  # type: ignore[arg-type]

        def on_vote_reply(self, message: VoteReply) -> None:
            super().on_vote_reply(message._replace(term=self.term))

    node = made(OldVotes)
    save(node, node.campaign())
    save(node, node.campaign())
    with pytest.raises(OrganError, match=r"leads term 2, and of the voters \[1, 2, 3\] it has the votes of node 1"):
        save(node, node.step(yes(2, 1)))


@pytest.mark.parametrize(("voters", "helpers"), [(1, ()), (2, (2,)), (3, (3,)), (5, (2, 4))])
def test_who_was_voted_for_leads(made: Make, voters: int, helpers: tuple[int, ...]) -> None:
    node = made(Own, voters)
    save(node, node.campaign())
    for voter in helpers:
        save(node, node.step(yes(voter, 1)))
    assert node.view().role is Role.LEADER
