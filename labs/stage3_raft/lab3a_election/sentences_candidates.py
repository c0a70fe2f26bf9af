"""Ring 1: what becomes of a time-out: a candidate, and what it counts."""

from labs.stage3_raft.lab3a_election.sentences import TICKS, answer_of
from labs.stage3_raft.lab3a_election.sentences_voters import sentence
from labs.stage3_raft.lone import NOWHERE, Bench, entry_id, is_in, of_kind
from mq.core.ids import Term
from mq.raft.messages import AppendRequest, Message, TimeoutNow, VoteReply, VoteRequest
from mq.raft.role import Role

__all__ = ["sentence"]

_5_1, _5_2, _3_10 = "Paper: Raft, section 5.1", "Paper: Raft, section 5.2", "Thesis: section 3.10"


# --- time is over


@sentence("Thesis: section 4.2.1")
def a_node_that_is_no_voter_or_is_mute_never_campaigns(bench: Bench) -> None:
    node = bench.lone(voters=(2, 3), learners=(1,))
    sent = of_kind(node.tick(4 * TICKS), VoteRequest)
    bench.see(not sent, "a learner asks for no votes", f"it sent {len(sent)}")
    is_in(bench, node, Role.FOLLOWER, 0, because="a learner's time-out is over")
    node = bench.lone()
    node.group.disk_fails(1)
    sent = of_kind([*node.tick(4 * TICKS), *node.campaign()], VoteRequest)
    bench.see(not sent, "its disk failed, then its host says `campaign()`: it asks for no votes", f"it sent {len(sent)}")
    is_in(bench, node, Role.MUTE, 0, because="its disk failed")


@sentence("Paper: Raft, section 6")
def whoever_waited_in_vain_for_its_leader_protects_it_no_more(bench: Bench) -> None:
    for past in range(1, 2 * TICKS):
        node = bench.lone(voters=(2, 3), learners=(1,), has_check_quorum=True)
        node.hear(node.append_of(1, leader=3))
        node.tick(TICKS + past)
        node.hear(node.request_of(2, 9))
        is_in(bench, node, Role.FOLLOWER, 9, because=f"its leader was silent for {TICKS + past} ticks, and node 2 campaigns")


# --- candidates


@sentence(_5_2)
def a_follower_that_hears_nobody_campaigns(bench: Bench) -> None:
    node = bench.lone()
    node.member.is_manual = True
    node.tick(2 * TICKS - 1)
    is_in(bench, node, Role.CANDIDATE, 1, because=f"it heard nobody for {2 * TICKS - 1} ticks")


@sentence(_5_2)
def a_candidate_is_in_a_new_term_and_voted_for_itself(bench: Bench) -> None:
    node = bench.lone(5, [1, 2])
    node.member.is_manual = True
    node.campaign()
    is_in(bench, node, Role.CANDIDATE, 3, because="it was in term 2 and campaigns")
    told = node.roles_told
    bench.see(told == ["candidate in term 3"], "its host is told once: candidate in term 3", f"it is told {told or 'nothing'}")
    bench.see(node.node.vote == 1, "its vote is its own, node 1's", f"its vote is {node.node.vote}")
    kept = node.member.log.hard_state
    bench.see(
        (kept.term, kept.vote) == (3, 1), "term 3 and the vote are in its log", f"the log has term {kept.term}, vote {kept.vote}"
    )


_NOT_HEARD: tuple[tuple[VoteRequest, str], ...] = (
    (VoteRequest(2, 1, Term(2), entry_id(1, 1)), "a request by a log that lacks something,"),
    (VoteRequest(2, 1, Term(12), entry_id(1, 1)), "requests by a log that lacks something, each in a higher term,"),
    (VoteRequest(2, 1, Term(1), entry_id(2, 1)), "a request in a term in which node 3 has its vote,"),
    (VoteRequest(2, 1, Term(0), entry_id(2, 1)), "a request of an older term,"),
    (VoteRequest(2, 1, Term(2), entry_id(2, 1), is_pre_vote=True), "a question, with a yes,"),
    (VoteRequest(2, 1, Term(2), entry_id(1, 1), is_pre_vote=True), "a question, with a no,"),
)


@sentence(_5_2, of=_NOT_HEARD)
def a_refused_request_does_not_begin_the_time_out_anew(bench: Bench, one: tuple[VoteRequest, str]) -> None:
    message, what = one
    node = bench.lone(3, [1, 1], term=1, vote=3)
    node.member.is_manual = True
    for times in range(5):
        node.tick(TICKS - 1)
        node.hear(message if message.term <= 2 else message._replace(term=Term(message.term + 10 * times)))
    told = node.roles_told
    expected = f"for {5 * (TICKS - 1)} ticks it heard of no leader, but answered {what} which does not count: it campaigned"
    bench.see(any(role.startswith("candidate") for role in told), expected, f"its host is told {told or 'nothing'}")


@sentence(_5_2)
def who_does_not_campaign_counts_no_votes(bench: Bench) -> None:
    node = bench.lone(term=3, has_pre_vote=True)
    late: list[Message] = [VoteReply(voter, 1, Term(3), is_granted=True) for voter in (2, 3)]
    late += [VoteReply(voter, 1, Term(4), is_granted=True, is_pre_vote=True) for voter in (2, 3)]
    sent = node.hear(*late)
    is_in(bench, node, Role.FOLLOWER, 3, because="votes came, and a yes to a question; it asks for nothing")
    bench.see(not sent, "it sends nothing", f"it sent {sent}")


@sentence(_5_2)
def a_candidate_asks_every_other_voter_once(bench: Bench) -> None:
    node = bench.lone(5, [1, 2])
    asked = of_kind(node.campaign(), VoteRequest)
    to = sorted(request.to for request in asked)
    bench.see(to == [2, 3, 4, 5], "it asks nodes 2, 3, 4 and 5", f"it asks {to}")
    said = {(request.term, request.last) for request in asked}
    wanted = {(3, entry_id(2, 2))}
    bench.see(said == wanted, "each request says term 3, and entry 2 of term 2 as the last", f"they say {said}")


@sentence(_3_10)
def a_campaign_that_the_leader_asked_for_says_so_and_no_other_does(bench: Bench) -> None:
    for is_asked in (True, False):
        node = bench.lone(has_check_quorum=True)
        node.hear(node.append_of(1, leader=3))
        asked = of_kind(node.hear(TimeoutNow(3, 1, Term(1))) if is_asked else node.campaign(), VoteRequest)
        is_in(bench, node, Role.CANDIDATE, 2, because="its leader asks it to take over" if is_asked else "its time-out is over")
        to, say_so = (sorted(request.to for request in asked if request.is_transfer or more) for more in (True, False))
        wanted, whose = ([2, 3] if is_asked else [], "to nodes 2 and 3 say" if is_asked else "to none say")
        expected = f"its requests {whose} that the leader asked for it (`is_transfer`)"
        bench.see((to, say_so) == ([2, 3], wanted), expected, f"it asks {to}, and those to {say_so or 'nobody'} say so")


@sentence("Paper: Raft, figure 2")
def its_own_vote_counts_when_it_is_on_the_disk(bench: Bench) -> None:
    node = bench.lone(1)
    node.member.is_manual = True
    node.campaign()
    is_in(bench, node, Role.CANDIDATE, 1, because="it is alone, and its vote for itself is not on its disk yet")
    node.save()
    is_in(bench, node, Role.LEADER, 1, because="it is alone, and its vote for itself is on its disk")


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
def each_voter_has_one_vote_and_who_is_no_voter_has_none(bench: Bench) -> None:
    node = bench.lone(5)
    node.campaign()
    node.hear(*[node.vote_of(2)] * 3)
    is_in(bench, node, Role.CANDIDATE, 1, because="node 2's vote came three times, and 2 of 5 voted for it")
    node.hear(*(VoteReply(stranger, 1, node.node.term, is_granted=True) for stranger in (8, 9)))
    is_in(bench, node, Role.CANDIDATE, 1, because="nodes 8 and 9 are no members, and voted for it")


@sentence(_5_2)
def a_leader_that_is_told_to_campaign_goes_on_leading(bench: Bench) -> None:
    node = bench.lone(1)
    node.campaign()
    is_in(bench, node, Role.LEADER, 1, because="it is alone and campaigned")
    node.campaign()
    is_in(bench, node, Role.LEADER, 1, because="it leads, and its host says `campaign()`")


@sentence(_5_2)
def a_refusal_is_no_vote(bench: Bench) -> None:
    node = bench.lone(5)
    node.campaign()
    node.hear(*(node.vote_of(voter, is_granted=False) for voter in node.others))
    bench.see(node.role is not Role.LEADER, "all others refused: it does not lead", f"it is a {node.role}")
    again = of_kind(node.tick(TICKS - 1), VoteRequest)
    bench.see(not again, f"all others refused {TICKS - 1} ticks ago: it asks nobody again so soon", f"it asks {len(again)}")
    node = bench.lone(5)
    node.campaign()
    node.hear(node.vote_of(5, is_granted=False, term=1), node.vote_of(2, term=1), node.vote_of(3, term=1))
    is_in(bench, node, Role.LEADER, 1, because="node 5 refused, and then it had 3 votes of 5")


@sentence(_5_2)
def votes_of_the_last_campaign_are_gone(bench: Bench) -> None:
    node = bench.lone(5)
    node.campaign()
    node.hear(node.vote_of(2))
    node.campaign()
    node.hear(node.vote_of(3))
    is_in(bench, node, Role.CANDIDATE, 2, because="in term 2 only node 3 and itself voted for it")


@sentence(_5_1)
def a_vote_of_an_older_term_does_not_count(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    node.campaign()
    node.hear(node.vote_of(2, term=1), node.vote_of(3, term=1))
    is_in(bench, node, Role.CANDIDATE, 2, because="both votes are of term 1")


@sentence(_5_2)
def a_candidate_has_given_its_vote_also_when_it_hears_the_leader_of_its_term(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    for is_following in (False, True):
        if is_following:
            node.hear(node.append_of(1, leader=3))
            is_in(bench, node, Role.FOLLOWER, 1, because="node 3 leads term 1")
        reply = answer_of(bench, node.hear(node.request_of(2, 1, entry_id(4, 1))), 2)
        bench.see(not reply.is_granted, "it voted for itself in term 1, so node 2 gets no vote", "it got one")


@sentence(_5_1, of=(Role.CANDIDATE, Role.LEADER))
def a_higher_term_makes_a_follower_of_that_term(bench: Bench, role: Role) -> None:
    for message in (AppendRequest(2, 1, Term(9), NOWHERE, (), 0, 0), VoteRequest(2, 1, Term(9), entry_id(9, 9))):  # type: ignore[arg-type]
        node = bench.lone(3, [1])
        if role is Role.CANDIDATE:
            node.campaign()
        else:
            node.lead()
        node.hear(message)
        is_in(bench, node, Role.FOLLOWER, 9, because=f"it was a {role} and heard of term 9 in a {type(message).__name__}")
    if role is Role.LEADER:
        node = bench.lone(3, [1], has_check_quorum=True)
        node.lead()
        node.hear(node.request_of(2, 9, entry_id(9, 9), is_transfer=True))
        is_in(bench, node, Role.FOLLOWER, 9, because="it was a leader and asked node 2 to campaign, which it does in term 9")


@sentence(_5_1)
def an_answer_of_a_higher_term_makes_a_follower_too(bench: Bench) -> None:
    node = bench.lone()
    node.campaign()
    node.hear(node.vote_of(2, is_granted=False, term=7))
    is_in(bench, node, Role.FOLLOWER, 7, because="node 2 refuses and is in term 7")
    bench.see(node.node.vote is None, "its vote in term 7 is free", f"its vote is {node.node.vote}")


@sentence(_5_2)
def time_outs_are_drawn_anew_each_time_and_are_not_much_longer_than_the_shortest(bench: Bench) -> None:
    drawn = bench.time_outs(60)
    low, high = min(drawn), max(drawn)
    bench.see(low >= TICKS, f"no time-out is shorter than {TICKS} ticks", f"one of 60 has {low}")
    bench.see(
        high <= 4 * TICKS, f"none is longer than {4 * TICKS}: it is a few times the shortest at most", f"one of 60 has {high}"
    )
    bench.see(len({*drawn}) >= 5, "they differ, so that votes are seldom split", f"60 of them have {sorted({*drawn})}")
