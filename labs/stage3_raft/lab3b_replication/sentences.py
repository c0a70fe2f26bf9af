"""Ring 1: what a leader counts, sends, and makes of the answers. Heartbeats and quorums: `sentences_reign`."""

from labs.stage3_raft.lab3b_replication.bench import (
    BEAT,
    FIGURE_7,
    FIGURE_7_LEADER,
    PATIENT,
    committed,
    first_to_each,
    holds,
    leading,
    rejected_by,
    repaired,
    requests_to,
    soon,
    under_way,
)
from labs.stage3_raft.lab3b_replication.model import PlayedFollower
from labs.stage3_raft.lone import NOWHERE, Bench, Lone, entry_id, is_in
from labs.stage3_raft.sentences import Sentences
from mq.core.ids import LogIndex, Term
from mq.raft.messages import AppendReply, AppendRequest
from mq.raft.role import Role

__all__ = ["sentence"]

sentence = Sentences()

_5_3, _5_4_2, _FIGURE_2 = "Paper: Raft, section 5.3", "Paper: Raft, section 5.4.2", "Paper: Raft, figure 2"
_10_2 = "Thesis: section 10.2.1"
_QUESTIONS_MAX = 20
"""Until a leader knows where a log of eight entries parts from its own, one entry at a time or faster."""


# --- alone


@sentence(_5_3)
def a_leader_that_is_alone_commits_what_it_appends(bench: Bench) -> None:
    node = bench.lone(1)
    node.lead()
    node.group.propose(1, b"a", b"b")
    node.group.propose(1, b"c")
    committed(bench, node, node.member.log.last_index, because="one of one voters has it all")
    done = node.member.commands
    bench.see(done == [b"a", b"b", b"c"], "the commands are applied in the order of the log: a, b, c", f"applied was {done}")


@sentence(_10_2)
def its_own_copy_counts_when_it_is_durable(bench: Bench) -> None:
    node = bench.lone(1)
    node.lead()
    before = node.node.commit_index
    node.member.is_manual = True
    node.group.propose(1, b"a")
    committed(bench, node, before, because="the command is not on its disk yet")
    node.save()
    committed(bench, node, before + 1, because="its disk is done")


@sentence(_5_4_2)
def what_is_of_an_earlier_term_waits_for_an_entry_of_this_one(bench: Bench) -> None:
    node = bench.lone(1, [1, 2])
    node.member.is_manual = True
    node.campaign()
    node.group.save(1)
    bench.see(node.role is Role.LEADER, "its own vote is on its disk: it leads", f"it is a {node.role}")
    committed(bench, node, 0, because="of term 3 nothing is on its disk, and what has terms 1 and 2 is not counted")
    node.save()
    committed(bench, node, 3, because="entry 3 is of its own term, and commits those before it as well")


# --- what it sends


@sentence(_FIGURE_2)
def a_new_leader_begins_behind_its_own_last_entry(bench: Bench) -> None:
    terms = [1, 1, 3]
    node = bench.lone(3, terms, **PATIENT)
    for follower, requests in first_to_each(node, node.lead(), terms).items():
        bench.see(bool(requests), f"node {follower} gets the new leader's first entry", "it is sent none")
        first = requests[0]
        follows = "the first request with entries names entry 3 of term 3, the last old one"
        bench.see(first.previous == entry_id(3, 3), follows, f"it names {first.previous}")
        is_next = [(entry.index, entry.term) for entry in first.entries][:1] == [(4, 4)]
        bench.see(is_next, "and brings entry 4 of term 4", f"it brings {list(first.entries)}")


@sentence("Paper: Raft, section 5.3, Leader Append-Only")
def a_leader_only_adds_to_its_log(bench: Bench) -> None:
    node = bench.lone(3, [1, 1, 2])
    node.lead()
    node.group.propose(1, b"a", b"b")
    holds(bench, node, [1, 1, 2, 3, 3, 3], because="it was elected in term 3 and got two commands")


@sentence("Paper: Raft, section 5.1")
def an_answer_of_an_earlier_term_does_not_count_and_one_of_a_later_term_ends_the_reign(bench: Bench) -> None:
    node = bench.lone(3, [1])
    node.lead()
    node.hear(node.matched_by(2, 2, term=1), node.matched_by(3, 2, term=1))
    committed(bench, node, 0, because="entry 2 is of term 2, and both answers are of term 1")
    node.hear(AppendReply(2, 1, Term(9), False, LogIndex(0), LogIndex(0), NOWHERE, 0))  # noqa: FBT003
    is_in(bench, node, Role.FOLLOWER, 9, because="it led term 2, and node 2 answers that it is in term 9")


@sentence(_5_3)
def a_command_is_sent_to_all_and_says_what_it_follows(bench: Bench) -> None:
    node = leading(bench, 3, [1, 1], **PATIENT)
    node.group.propose(1, b"a")
    log = node.member.log
    for follower, requests in soon(node, under_way(node)).items():
        is_there = any(entry.index == 4 for request in requests for entry in request.entries)
        bench.see(is_there, f"node {follower} gets entry 4, the command", f"it gets {requests}")
        for previous, entries in ((request.previous, request.entries) for request in requests):
            is_so = log.term_at(previous.index) == previous.term
            bench.see(is_so, "a request names an entry of the leader's log, which its own follow", f"it names {previous}")
            wanted = log.entries(previous.index + 1, previous.index + len(entries))
            bench.see(entries == wanted, f"behind {previous} come {wanted}", f"it brings {entries}")


# --- what it counts


@sentence(_5_3, of=((2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)))
def an_entry_is_committed_when_a_majority_has_it(bench: Bench, one: tuple[int, int]) -> None:
    voters, needed = one
    node = bench.lone(voters)
    node.lead()
    for copies in range(1, voters + 1):
        if copies > 1:
            node.hear(node.matched_by(copies, 1))
        committed(bench, node, int(copies >= needed), because=f"{copies} of {voters} voters have entry 1, itself among them")


@sentence(_5_3)
def an_acknowledgement_counts_once_and_for_the_voter_that_sent_it(bench: Bench) -> None:
    node = bench.lone(5)
    node.lead()
    node.hear(*[node.matched_by(4, 1)] * 3)
    committed(bench, node, 0, because="node 4 said three times that it has entry 1: that is 2 of 5")
    node.hear(node.matched_by(2, 1))
    committed(bench, node, 1, because="node 2 has it, too: that is 3 of 5")
    node = bench.lone((1, 2, 3), learners=(4,))
    node.lead()
    node.hear(node.matched_by(4, 1), node.matched_by(9, 1))
    committed(bench, node, 0, because="node 4 is a learner, node 9 no member, and only they said that they have entry 1")


@sentence(_5_3)
def what_a_follower_has_is_what_it_said_and_not_what_it_was_sent(bench: Bench) -> None:
    node = leading(bench, 5)
    node.group.propose(1, b"a")
    node.group.propose(1, b"b")
    node.hear(node.matched_by(2, 1), node.matched_by(3, 2))
    committed(bench, node, 1, because="node 2 has 1 entry, node 3 has 2 of the 3 that were sent")
    node.hear(node.matched_by(2, 2))
    committed(bench, node, 2, because="now both have 2")


@sentence(_5_3)
def a_late_acknowledgement_takes_nothing_back(bench: Bench) -> None:
    node = leading(bench, 5)
    node.group.propose(1, b"a", b"b")
    node.hear(node.matched_by(2, 3), node.matched_by(2, 1), node.matched_by(3, 3))
    committed(bench, node, 3, because="node 2 said 3 and then, late, 1; node 3 said 3")


@sentence("Paper: Raft, figure 8")
def an_entry_of_an_earlier_term_is_not_committed_by_counting(bench: Bench) -> None:
    node = bench.lone(3, [1, 2])
    node.lead()
    node.hear(node.matched_by(2, 2), node.matched_by(3, 2))
    committed(bench, node, 0, because="all have entry 2, but it is of term 2 and this is term 3")
    node.hear(node.matched_by(2, 3))
    committed(bench, node, 3, because="a majority has entry 3, of this term: with it those before it are committed")


@sentence(_10_2)
def followers_may_be_faster_than_the_disk_of_the_leader_which_counts_when_it_is_done(bench: Bench) -> None:
    node = leading(bench, 5)
    node.member.is_manual = True
    node.group.propose(1, b"a")
    node.hear(node.matched_by(2, 2), node.matched_by(3, 2))
    committed(bench, node, 1, because="nodes 2 and 3 have entry 2 on their disks, it does not yet: that is 2 of 5")
    node.save()
    committed(bench, node, 2, because="its disk is done")


@sentence(_10_2, of=((1, 1000), (3, 1000), (3, 10)))
def so_many_requests_wait_for_an_answer_as_may_and_each_answer_makes_room(bench: Bench, one: tuple[int, int]) -> None:
    in_flight_max, bytes_max = one
    node = leading(bench, in_flight_max=in_flight_max, entries_max=2, append_bytes_max=bytes_max, **PATIENT)
    follower = PlayedFollower(2, [1])
    for payload in (b"a" * 6, b"b" * 6, b"c" * 6, b"d" * 6, b"e" * 6):
        node.group.propose(1, payload, payload, payload)
    at_once = under_way(node)
    unanswered = len([request for request in requests_to(at_once, 2) if request.entries])
    bench.see(unanswered <= in_flight_max, f"at most {in_flight_max} requests with entries wait for node 2", f"{unanswered} do")
    requests = repaired(node, follower, at_once)
    most = max((len(request.entries) for request in requests), default=0)
    bench.see(follower.terms == node.terms, "node 2 answers each one and has all 16 in the end", f"it has {follower.terms}")
    bench.see(most <= 2, "no request holds more than 2 entries, as entries_max says", f"one held {most}")
    sizes = [sum(len(entry.payload) for entry in request.entries) for request in requests if len(request.entries) > 1]
    least = f"no request of several entries holds more than {bytes_max} bytes, as append_bytes_max says"
    bench.see(max(sizes, default=0) <= bytes_max, least, f"one held {max(sizes, default=0)}")


# --- what it makes of a refusal


@sentence("Paper: Raft, figure 7", of=FIGURE_7)
def a_leader_finds_where_a_log_parts_from_its_own_and_repairs_it(bench: Bench, one: tuple[str, list[int]]) -> None:
    case, terms = one
    node = bench.lone(3, FIGURE_7_LEADER, term=7, **PATIENT)
    follower = PlayedFollower(2, terms)
    repaired(node, follower, node.lead())
    wanted = [*FIGURE_7_LEADER, 8]
    bench.see(follower.terms == wanted, f"follower ({case}) ends with terms {wanted}", f"it has {follower.terms}")
    holds(bench, node, wanted, because="it leads, and repairs its followers")
    committed(bench, node, 11, because="2 of 3 have entry 11")


@sentence(_5_3)
def a_refusal_says_nothing_of_what_agrees(bench: Bench) -> None:
    node = leading(bench, 5)
    node.group.propose(1, b"a")
    node.group.propose(1, b"b")
    node.hear(node.matched_by(3, 2), rejected_by(node, 2, 3, entry_id(2, 1)))
    committed(bench, node, 1, because="nodes 1 and 3 have entry 2; node 2 refused, and only hinted at entry 2")
    node.hear(node.matched_by(2, 2))
    committed(bench, node, 2, because="now node 2 said that it has it")


@sentence(_5_3, of=(3, 4, 5, None))
def a_late_refusal_throws_nothing_back(bench: Bench, rejected: int | None) -> None:
    if rejected is None:
        _while_it_asks_where_the_logs_agree(bench)
        return
    node = leading(bench, 3, [1, 1, 1, 1], **PATIENT)
    late = AppendReply(2, 1, Term(2), False, LogIndex(0), LogIndex(rejected), entry_id(1, 1), 0)  # noqa: FBT003
    again = [request for request in requests_to(node.hear(late), 2) if request.entries]
    bench.see(not again, f"node 2 has all 5 entries since it refused entry {rejected}: none is sent again", f"it gets {again}")
    node.group.propose(1, b"a")
    behind = [request.previous for request in soon(node, under_way(node))[2]][:1]
    bench.see(behind == [entry_id(5, 2)], "the next command goes behind entry 5 of term 2", f"it goes behind {behind}")
    more = [entry.index for request in requests_to(node.hear(late), 2) for entry in request.entries]
    because = f"entry 6 is on its way, and the refusal of entry {rejected} comes once more, though node 2 has it since"
    bench.see(not more, f"{because}: nothing is sent again", f"it is sent entries {more} again")


def _while_it_asks_where_the_logs_agree(bench: Bench) -> None:
    node = bench.lone(3, [1, 1, 1, 4, 4, 6, 6, 6], **PATIENT)
    follower = PlayedFollower(2, [1, 1, 2, 2, 3, 3, 5, 5])
    asked = _until_they_agree(node, follower)
    *refused, at = [int(question.previous.index) for question, _ in asked] or [0]
    refusals = f"node 2 refused what stands behind entries {', '.join(map(str, refused))}"
    is_found = bool(asked) and asked[-1][1].is_matching
    bench.see(is_found, f"{refusals}: then it is asked about one that it has", f"the last one was behind entry {at}")
    late, yes = asked[0][1], asked[-1][1]
    back = [request.previous.index for request in requests_to(node.hear(late), 2) if request.previous.index > at]
    now = f"{refusals}, and is asked about entry {at} now; the first refusal comes once more"
    bench.see(not back, f"{now}: it is not asked about a later one again", f"it is asked about entry {back and back[0]}")
    repaired(node, follower, node.hear(yes))
    bench.see(follower.terms == node.terms, f"node 2 ends with terms {node.terms}", f"it has {follower.terms}")


def _until_they_agree(node: Lone, follower: PlayedFollower) -> list[tuple[AppendRequest, AppendReply]]:
    """What a new leader asks the follower, with its answers; the first yes is the last one, and is still on its way."""
    asked, sent = list[tuple[AppendRequest, AppendReply]](), node.lead()
    while len(asked) < _QUESTIONS_MAX:
        requests = requests_to(sent, follower.node_id) or requests_to(node.tick(BEAT), follower.node_id)
        if not requests:
            break
        asked.append((requests[-1], follower.answer(requests[-1])))
        if asked[-1][1].is_matching:
            break
        sent = node.hear(asked[-1][1])
    return asked
