"""Ring 1: time, terms, and a leader that is well. Then `sentences_voters`, `sentences_candidates`, `sentences_more` (pre-vote).

They stand in the order in which the methods are written: each method makes the next of them pass.
"""

from typing import Any

from labs.stage3_raft.lone import NOWHERE, Bench, Lone, command, entry_id, is_in, of_kind
from labs.stage3_raft.sentences import Sentences
from mq.core.ids import LogIndex, Term
from mq.raft.messages import AppendReply, AppendRequest, Message, VoteReply, VoteRequest
from mq.raft.role import Role

__all__ = ["TICKS", "answer_of", "hears_a_leader", "sentence"]

sentence = Sentences()

_5_1, _5_2, _6 = "Paper: Raft, section 5.1", "Paper: Raft, section 5.2", "Paper: Raft, section 6"
TICKS = 10
"""The shortest time-out of these tests; by hand every time-out is the shortest."""


def answer_of(bench: Bench, sent: list[Message], to: int) -> VoteReply:
    """The one answer to a request for a vote. Raises: PromiseBrokenError."""
    replies = [reply for reply in of_kind(sent, VoteReply) if reply.to == to]
    bench.see(len(replies) == 1, f"the request of node {to} gets one answer", f"{len(replies)} answers were sent to it")
    return replies[0]


def hears_a_leader(bench: Bench, **options: Any) -> Lone:
    """Node 1, which has just heard of node 3 as the leader of term 1."""
    node = bench.lone(**options)
    node.hear(node.append_of(1, leader=3))
    return node


def _are_of_term(told: list[str], term: int) -> bool:
    return bool(told) and all(text.endswith(f" in term {term}") for text in told)


# --- time


@sentence(_5_2)
def before_its_time_out_is_over_a_node_waits(bench: Bench) -> None:
    node = bench.lone()
    sent = node.tick(TICKS - 1)
    what = f"{TICKS - 1} of at least {TICKS} ticks passed"
    bench.see(not sent, f"{what}: it sends nothing", f"it sent {sent}")
    is_in(bench, node, Role.FOLLOWER, 0, because=what)


# --- terms


@sentence(_5_1)
def a_follower_that_hears_of_a_higher_term_enters_it(bench: Bench) -> None:
    heard: tuple[Message, ...] = (
        AppendRequest(2, 1, Term(9), NOWHERE, (), LogIndex(0), 0),
        AppendReply(2, 1, Term(9), True, LogIndex(1), LogIndex(0), NOWHERE, 0),  # noqa: FBT003
    )
    for message in heard:
        node = bench.lone(3, [1], term=3, vote=2)
        node.hear(node.append_of(3, leader=3), message)
        is_in(bench, node, Role.FOLLOWER, 9, because=f"it was in term 3 and heard of term 9 in an {type(message).__name__}")
        told = node.roles_told[-1:]
        bench.see(_are_of_term(told, 9), "its host is told that it is a follower in term 9", f"it is told {told or 'nothing'}")
        bench.see(node.node.vote is None, "its vote in term 9 is free", f"its vote is {node.node.vote}")
        kept = node.member.log.hard_state.term
        bench.see(kept == 9, "term 9 is in its log", f"the log has term {kept}")
        if isinstance(message, AppendReply):
            leader = node.node.leader
            bench.see(leader is None, "node 3 led term 3: no leader of term 9 is known", f"its leader is node {leader}")


@sentence(_5_1)
def what_an_older_term_asks_is_refused_with_the_own_term(bench: Bench) -> None:
    node = bench.lone(3, [1, 1], term=4)
    for is_transfer in (False, True):
        reply = answer_of(bench, node.hear(node.request_of(2, 3, entry_id(9, 3), is_transfer=is_transfer)), 2)
        who = "a candidate of term 3" + (", whose leader asked it to campaign," if is_transfer else "")
        bench.see((reply.is_granted, reply.term) == (False, 4), f"{who} is refused, with term 4", reply)
    answers = of_kind(node.hear(node.append_of(3, entry_id(1, 1), [command(2, 3)])), AppendReply)
    said = [(answer.is_matching, answer.term) for answer in answers]
    bench.see(said == [(False, 4)], "a leader of term 3 is refused, with term 4", f"the answers are {said}")
    bench.see(node.node.leader is None, "and is not taken for the leader", f"its leader is node {node.node.leader}")


@sentence(_5_2)
def a_word_of_the_leader_begins_the_time_out_anew(bench: Bench) -> None:
    node = bench.lone()
    for _ in range(4):
        node.tick(TICKS - 1)
        node.hear(node.append_of(1))
        is_in(bench, node, Role.FOLLOWER, 1, because=f"the leader spoke every {TICKS - 1} ticks")


# --- a leader that is well


@sentence(_6)
def while_its_leader_is_well_the_term_of_a_candidate_is_not_entered(bench: Bench) -> None:
    for learners in ((), (1,)):
        node = hears_a_leader(bench, voters=(2, 3) if learners else 3, learners=learners, has_check_quorum=True)
        node.tick(TICKS - 1)
        node.hear(VoteRequest(2, 1, Term(9), entry_id(9, 8)))
        is_in(bench, node, Role.FOLLOWER, 1, because="a node that does not hear the leader must not end its reign")
