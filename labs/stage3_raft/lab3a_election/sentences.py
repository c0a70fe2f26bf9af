"""Ring 1: what the paper says of time-outs, campaigns and votes. Pre-vote and terms: `sentences_more`."""

from labs.stage3_raft.lone import NOWHERE, Bench, Lone, entry_id, is_in, of_kind
from labs.stage3_raft.sentences import Sentences
from mq.core.ids import EntryId
from mq.raft.messages import Message, VoteReply, VoteRequest
from mq.raft.role import Role

__all__ = ["answer_of", "sentence"]

sentence = Sentences()

_5_2, _5_4_1 = "Paper: Raft, section 5.2", "Paper: Raft, section 5.4.1"
_TICKS = 10
"""The shortest time-out of these tests; by hand every time-out is the shortest."""


def answer_of(bench: Bench, sent: list[Message], to: int) -> VoteReply:
    """The one answer to a request for a vote. Raises: PromiseBrokenError."""
    replies = [reply for reply in of_kind(sent, VoteReply) if reply.to == to]
    bench.see(len(replies) == 1, f"the request of node {to} gets one answer", f"{len(replies)} answers were sent to it")
    return replies[0]


def _votes(bench: Bench, node: Lone, request: VoteRequest, *, expected: bool, because: str) -> None:
    reply = answer_of(bench, node.hear(request), request.sender)
    words = ("no", "yes")
    bench.see(reply.is_granted == expected, f"{because}: the answer is {words[expected]}", f"it is {words[reply.is_granted]}")


# --- time-outs


@sentence(_5_2)
def a_follower_that_hears_nobody_campaigns_and_not_before_its_time_out(bench: Bench) -> None:
    node = bench.lone()
    sent = node.tick(_TICKS - 1)
    bench.see(
        not sent and node.node.term == 0, f"{_TICKS - 1} ticks of {_TICKS} passed: it waits", f"it is in term {node.node.term}"
    )
    node.tick(_TICKS + 1)
    bench.see(node.role is Role.CANDIDATE, f"it heard nobody for {2 * _TICKS} ticks: it is a candidate", f"it is a {node.role}")


@sentence(_5_2)
def a_word_of_the_leader_begins_the_time_out_anew(bench: Bench) -> None:
    node = bench.lone()
    for _ in range(4):
        node.tick(_TICKS - 1)
        node.hear(node.append_of(1))
        is_in(bench, node, Role.FOLLOWER, 1, because=f"the leader spoke every {_TICKS - 1} ticks")


@sentence(_5_2)
def time_outs_are_drawn_anew_each_time_and_are_not_much_longer_than_the_shortest(bench: Bench) -> None:
    drawn = bench.time_outs(60)
    low, high = min(drawn), max(drawn)
    bench.see(low >= _TICKS, f"no time-out is shorter than {_TICKS} ticks", f"one of 60 has {low}")
    bench.see(
        high <= 4 * _TICKS, f"none is longer than {4 * _TICKS}: it is a few times the shortest at most", f"one of 60 has {high}"
    )
    bench.see(len({*drawn}) >= 5, "they differ, so that votes are seldom split", f"60 of them have {sorted({*drawn})}")


@sentence("Thesis: section 4.2.1")
def a_node_that_is_no_voter_never_campaigns(bench: Bench) -> None:
    node = bench.lone(voters=(2, 3), learners=(1,))
    sent = of_kind(node.tick(4 * _TICKS), VoteRequest)
    bench.see(not sent, "a learner asks for no votes", f"it sent {len(sent)}")
    is_in(bench, node, Role.FOLLOWER, 0, because="a learner's time-out is over")


# --- candidates


@sentence(_5_2)
def a_candidate_is_in_a_new_term_and_voted_for_itself(bench: Bench) -> None:
    node = bench.lone(5, [1, 2])
    node.campaign()
    is_in(bench, node, Role.CANDIDATE, 3, because="it was in term 2 and campaigns")
    bench.see(node.node.vote == 1, "its vote is its own, node 1's", f"its vote is {node.node.vote}")
    kept = node.member.log.hard_state
    bench.see(
        (kept.term, kept.vote) == (3, 1), "term 3 and the vote are in its log", f"the log has term {kept.term}, vote {kept.vote}"
    )


@sentence(_5_2)
def a_candidate_asks_every_other_voter_once(bench: Bench) -> None:
    node = bench.lone(5, [1, 2])
    asked = of_kind(node.campaign(), VoteRequest)
    to = sorted(request.to for request in asked)
    bench.see(to == [2, 3, 4, 5], "it asks nodes 2, 3, 4 and 5", f"it asks {to}")
    said = {(request.term, request.last) for request in asked}
    wanted = {(3, entry_id(2, 2))}
    bench.see(said == wanted, "each request says term 3, and entry 2 of term 2 as the last", f"they say {said}")


@sentence(_5_2, of=((1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)))
def a_majority_of_votes_wins_and_fewer_do_not(bench: Bench, one: tuple[int, int]) -> None:
    voters, needed = one
    node = bench.lone(voters)
    node.campaign()
    for count in range(1, voters + 1):
        if count > 1:
            node.hear(node.vote_of(count, term=1))
        expected = Role.LEADER if count >= needed else Role.CANDIDATE
        is_in(bench, node, expected, 1, because=f"{count} of {voters} voted for it, its own vote among them")


@sentence(_5_2)
def a_vote_that_comes_twice_is_one_vote(bench: Bench) -> None:
    node = bench.lone(5)
    node.campaign()
    node.hear(*[node.vote_of(2)] * 3)
    is_in(bench, node, Role.CANDIDATE, 1, because="node 2's vote came three times, and 2 of 5 voted for it")


@sentence(_5_2)
def a_refusal_is_no_vote(bench: Bench) -> None:
    node = bench.lone(5)
    node.campaign()
    node.hear(*(node.vote_of(voter, is_granted=False) for voter in node.others))
    bench.see(node.role is not Role.LEADER, "all others refused: it does not lead", f"it is a {node.role}")


@sentence(_5_2)
def a_vote_of_who_is_no_voter_does_not_count(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    node.hear(*(VoteReply(stranger, 1, node.node.term, is_granted=True) for stranger in (8, 9)))
    is_in(bench, node, Role.CANDIDATE, 1, because="nodes 8 and 9 are no members, and voted for it")


@sentence(_5_2)
def votes_of_the_last_campaign_are_gone(bench: Bench) -> None:
    node = bench.lone(5)
    node.campaign()
    node.hear(node.vote_of(2))
    node.campaign()
    node.hear(node.vote_of(3))
    is_in(bench, node, Role.CANDIDATE, 2, because="in term 2 only node 3 and itself voted for it")


@sentence("Paper: Raft, section 5.1")
def a_vote_of_an_older_term_does_not_count(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    node.campaign()
    node.hear(node.vote_of(2, term=1), node.vote_of(3, term=1))
    is_in(bench, node, Role.CANDIDATE, 2, because="both votes are of term 1")


# --- voters


_LOGS: tuple[tuple[list[int], EntryId, bool, str], ...] = (
    ([1, 2], entry_id(2, 2), True, "the same log"),
    ([1, 2], entry_id(3, 2), True, "a longer log that ends in the same term"),
    ([1, 1, 1], entry_id(1, 2), True, "a shorter log that ends in a later term"),
    ([1, 3], entry_id(9, 2), False, "a longer log that ends in an earlier term"),
    ([1, 1, 1], entry_id(2, 1), False, "a shorter log that ends in the same term"),
    ([1], NOWHERE, False, "no log"),
)


@sentence(_5_4_1, of=_LOGS)
def a_vote_is_given_only_to_a_log_that_lacks_nothing(bench: Bench, one: tuple[list[int], EntryId, bool, str]) -> None:
    terms, last, expected, what = one
    node = bench.lone(3, terms)
    _votes(
        bench,
        node,
        node.request_of(2, 9, last),
        expected=expected,
        because=f"its log has terms {terms}, the candidate has {what}",
    )


@sentence(_5_4_1)
def what_counts_is_the_last_entrys_term_and_not_the_current_one(bench: Bench) -> None:
    node = bench.lone(3, [1], term=7)
    _votes(bench, node, node.request_of(2, 9, entry_id(1, 1)), expected=True, because="both logs end with entry 1 of term 1")


@sentence(_5_2)
def one_vote_a_term_first_come_first_served(bench: Bench) -> None:
    node = bench.lone()
    _votes(bench, node, node.request_of(3, 1), expected=True, because="node 3 asks first")
    _votes(bench, node, node.request_of(2, 1), expected=False, because="node 3 has its vote in term 1")
    _votes(bench, node, node.request_of(2, 2), expected=True, because="in term 2 its vote is free again")


@sentence(_5_2)
def the_same_candidate_gets_the_same_answer_again(bench: Bench) -> None:
    node = bench.lone()
    _votes(bench, node, node.request_of(3, 1), expected=True, because="node 3 asks first")
    _votes(bench, node, node.request_of(3, 1), expected=True, because="node 3 asks again: the answer may have been lost")


@sentence(_5_2)
def a_candidate_gives_its_vote_to_nobody_else(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    _votes(bench, node, node.request_of(2, 1, entry_id(4, 1)), expected=False, because="it voted for itself in term 1")


@sentence("Paper: Raft, figure 2")
def a_vote_is_in_the_log_before_it_is_given(bench: Bench) -> None:
    node = bench.lone()
    node.member.is_manual = True
    sent = node.hear(node.request_of(3, 1))
    bench.see(not of_kind(sent, VoteReply), "its disk is not done: no answer left", f"{len(sent)} left")
    answer_of(bench, node.save(), 3)
    node.restart()
    _votes(bench, node, node.request_of(2, 1), expected=False, because="behind a restart it still knows that node 3 has its vote")


@sentence(_5_2)
def a_vote_that_it_gave_begins_the_time_out_anew_and_a_refusal_does_not(bench: Bench) -> None:
    node = bench.lone(3, [1, 1])
    node.tick(_TICKS - 1)
    node.hear(node.request_of(2, 2, entry_id(2, 1)))
    node.tick(_TICKS - 1)
    is_in(bench, node, Role.FOLLOWER, 2, because=f"it gave its vote {_TICKS - 1} ticks ago")
    node = bench.lone(3, [1, 1])
    node.tick(_TICKS - 1)
    node.hear(node.request_of(2, 2, entry_id(1, 1)))
    node.tick(_TICKS + 1)
    expected = f"it heard of no leader for {2 * _TICKS} ticks, and what it refused does not count: it is a candidate"
    bench.see(node.role is Role.CANDIDATE, expected, f"it is a {node.role}")
