"""Ring 1: candidates and leaders while their own disk is at work; crashes; a disk that is full, and one that failed."""

from labs.stage3_raft.lab3c_persistence.bench import (
    acknowledged,
    answered,
    disk_fails,
    propose,
    save_one,
    saves_fail,
    says_nothing,
    with_slow_disk,
)
from labs.stage3_raft.lab3c_persistence.sentences import LONG, sentence
from labs.stage3_raft.lone import Bench, Lone, command, entry_id, of_kind
from mq.raft.messages import AppendRequest, VoteReply, VoteRequest
from mq.raft.role import Role

__all__ = ["SENTENCES"]

_FIGURE_2, _5_5, _3_8, _10_2_1 = (
    "Paper: Raft, figure 2", "Paper: Raft, section 5.5", "Thesis: section 3.8", "Thesis: section 10.2.1",
)  # fmt: skip


def _is(bench: Bench, node: Lone, *roles: Role, because: str) -> None:
    """One of these roles. Raises: PromiseBrokenError."""
    bench.see(node.role in roles, f"{because}: it is a {' or a '.join(roles)}", f"it is a {node.role}")


def _committed(bench: Bench, node: Lone, index: int, *, because: str) -> None:
    found = node.node.commit_index
    bench.see(found == index, f"{because}: entries up to {index} are committed", f"those up to {found} are")


def _leads(bench: Bench, voters: int = 3) -> Lone:
    """A leader whose first entry is committed, and whose disk is slow from now on."""
    node = bench.lone(voters)
    node.lead()
    node.hear(*(node.matched_by(follower, 1) for follower in node.others))
    return with_slow_disk(node)


# --- candidates


@sentence(_FIGURE_2)
def a_candidate_asks_for_votes_when_its_term_and_its_log_are_on_its_disk(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]))
    asked = of_kind(node.campaign(), VoteRequest)
    bench.see(not asked, "its disk is not done: nobody is asked yet", f"{len(asked)} are")
    asked = of_kind(node.save(), VoteRequest)
    said = {(request.to, request.term, request.last.index) for request in asked}
    bench.see(said == {(2, 2, 2), (3, 2, 2)}, "its disk is done: 2 and 3 are asked, in term 2, with entry 2", said or "none is")


@sentence(_FIGURE_2)
def a_candidate_counts_its_own_vote_when_that_is_on_its_disk(bench: Bench) -> None:
    node = with_slow_disk(bench.lone())
    node.campaign()
    node.hear(node.vote_of(2))
    _is(bench, node, Role.CANDIDATE, because="node 2 voted for it, its own vote is not on its disk")
    node.save()
    _is(bench, node, Role.LEADER, because="its own vote is on its disk")


@sentence(_FIGURE_2)
def a_vote_for_itself_in_an_earlier_term_does_not_count_in_the_next_one(bench: Bench) -> None:
    node = with_slow_disk(bench.lone())
    node.campaign()
    node.campaign()
    save_one(node)
    node.hear(node.vote_of(2))
    if node.member.log.waiting:
        _is(bench, node, Role.CANDIDATE, because="node 2 voted for it in term 2, of its own votes that of term 1 is on its disk")
    node.save()
    _is(bench, node, Role.LEADER, because="that of term 2 is on its disk, too")


@sentence(_3_8, of=("", ", then it took an entry of node 3, which led"))
def a_candidate_remembers_its_vote_for_itself(bench: Bench, then: str) -> None:
    node = bench.lone()
    node.campaign()
    if then:
        node.hear(node.append_of(1, entries=[command(1, 1)], leader=3))
    node.restart()
    reply = answered(bench, node.hear(node.request_of(2, 1, entry_id(5, 1))), 2)
    words = f"it voted for itself in term 1{then}: behind a restart node 2 is refused"
    bench.see(not reply.is_granted, words, "node 2 got its vote")


@sentence(_FIGURE_2)
def a_group_of_one_waits_for_its_disk_as_well(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(1))
    node.campaign()
    _is(bench, node, Role.CANDIDATE, because="its own vote is all that it needs, and that is not on its disk")
    node.save()
    _is(bench, node, Role.LEADER, because="its disk is done")
    before = node.node.commit_index
    propose(node, b"a")
    _committed(bench, node, before, because="a command came, and its disk is not done")
    node.save()
    _committed(bench, node, before + 1, because="its disk is done with the command")


# --- leaders


@sentence(_10_2_1)
def entries_leave_while_the_leaders_own_disk_is_at_work(bench: Bench) -> None:
    node = _leads(bench)
    sent = of_kind(propose(node, b"a"), AppendRequest)
    to = sorted({request.to for request in sent if request.entries})
    bench.see(to == [2, 3], "a command came: it is sent to nodes 2 and 3 at once", f"it is sent to {to or 'nobody'}")


@sentence(_10_2_1)
def a_leader_whose_disk_is_at_work_goes_on_saying_that_it_leads(bench: Bench) -> None:
    node = _leads(bench)
    propose(node, b"a")
    to = sorted({request.to for request in of_kind(node.tick(9), AppendRequest)})
    bench.see(to == [2, 3], "nodes 2 and 3 hear of it within 9 ticks", f"those that hear of it are {to or 'none'}")


@sentence(_10_2_1)
def a_leader_counts_its_own_copy_when_it_is_on_its_disk(bench: Bench) -> None:
    node = _leads(bench)
    propose(node, b"a")
    node.hear(node.matched_by(2, 2))
    _committed(bench, node, 1, because="of entry 2 only node 2 has a copy on its disk")
    node.save()
    _committed(bench, node, 2, because="the leader's own copy is on its disk, too")
    propose(node, b"b")
    node.save()
    propose(node, b"c")
    node.hear(node.matched_by(2, 3))
    because = "node 2 and the leader have entry 3 on their disks, and the leader's is at work on entry 4"
    _committed(bench, node, 3, because=because)


@sentence(_10_2_1)
def a_majority_of_followers_commits_before_the_leaders_disk_is_done(bench: Bench) -> None:
    node = _leads(bench)
    propose(node, b"a")
    node.hear(node.matched_by(2, 2), node.matched_by(3, 2))
    _committed(bench, node, 2, because="nodes 2 and 3 have entry 2 on their disks")
    commands = node.member.commands
    bench.see(not commands, "it is not applied here before it is on the own disk", f"{commands} is")
    node.save()
    commands = node.member.commands
    bench.see(commands == [b"a"], "the own disk is done: it is applied", f"{commands or 'nothing'} is")


@sentence(_10_2_1)
def a_follower_counts_with_what_it_acknowledged_and_not_with_what_it_was_sent(bench: Bench) -> None:
    node = _leads(bench, 5)
    propose(node, b"a")
    propose(node, b"b")
    node.save()
    node.hear(node.matched_by(2, 3), node.matched_by(3, 2))
    _committed(bench, node, 2, because="the leader and node 2 have entry 3, node 3 has entry 2, nodes 4 and 5 have entry 1")


# --- crashes


@sentence(_5_5)
def what_it_acknowledged_is_there_behind_a_restart(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    sent = node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1), command(3, 1)]))
    sent += node.save()
    sent += node.hear(node.append_of(1, entry_id(3, 1), [command(4, 1)]))
    node.restart()
    got, terms = acknowledged(sent), node.terms
    bench.see(got == 3, "two entries are written, a third one is not: it acknowledges entry 3", f"it acknowledges {got}")
    bench.see(terms == [1, 1, 1], "the power failed: it has what it acknowledged", f"its log has terms {terms}")


@sentence(_3_8)
def what_was_committed_is_there_when_the_power_failed_everywhere(bench: Bench) -> None:
    group = bench.group()
    group.campaign(1)
    group.stabilize()
    group.propose(1, b"a")
    group.stabilize()
    for node_id in (1, 2, 3):
        group.crash(node_id, loses_unsaved=True)
    for node_id in (1, 2, 3):
        group.restart(node_id)
    group.campaign(2)
    group.stabilize()
    commands = group.members[2].commands
    bench.see(commands == [b"a"], "a was committed, then node 2 leads: it applied a", commands or "nothing")


# --- a disk that is full


@sentence(_FIGURE_2)
def for_what_could_not_be_written_nothing_is_promised_and_the_log_is_as_it_was(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1, 1]))
    request = node.append_of(2, entry_id(1, 1), [command(2, 2)], commit=2)
    got = acknowledged([*node.hear(request), *saves_fail(node)])
    bench.see(got < 2, "there was no room for entry 2 of term 2: it is not acknowledged", f"it acknowledges {got}")
    bench.see(node.terms == [1, 1], "the log is as it was", f"it has terms {node.terms}")
    applied = node.member.applied_index
    bench.see(applied < 2, "the entry 2 that is there is not the committed one: it is not applied", "it is")
    got = acknowledged([*node.hear(request), *node.save()])
    bench.see((got, node.terms) == (2, [1, 2]), "there is room again: it is written and acknowledged", (got, node.terms))


@sentence(_FIGURE_2, of=(False, True))
def a_vote_that_could_not_be_saved_is_saved_before_it_is_given_after_all(bench: Bench, leads: bool) -> None:  # noqa: FBT001
    node = with_slow_disk(bench.lone())
    sent = [*node.hear(node.request_of(2, 1)), *saves_fail(node)]
    if leads:
        node.hear(node.append_of(1, leader=2))
    sent += node.hear(node.request_of(2, 1))
    given = [reply for reply in of_kind(sent, VoteReply) if reply.is_granted]
    bench.see(not given, "its disk was full, and is at work now: no vote left", f"{len(given)} left")
    sent = node.save()
    if leads and not any(reply.is_granted for reply in of_kind(sent, VoteReply)):
        return  # who leads needs no vote any more, and one that never left binds nobody
    reply = answered(bench, sent, 2)
    bench.see(reply.is_granted, "there is room again: node 2 gets the vote", "node 2 is refused")
    node.restart()
    kept = (node.node.term, node.node.vote)
    bench.see(kept == (1, 2), "behind a restart it knows term 1 and its vote for node 2", f"it knows {kept}")


@sentence(_FIGURE_2)
def a_term_that_could_not_be_saved_is_tried_again(bench: Bench) -> None:
    node = with_slow_disk(bench.lone())
    node.hear(node.append_of(4))
    saves_fail(node)
    node.tick(2)
    node.save()
    node.restart()
    bench.see(
        node.node.term == 4, "there was room two ticks later: behind a restart it is in term 4", f"it is in {node.node.term}"
    )


@sentence(_10_2_1)
def a_leader_that_cannot_write_leads_no_more(bench: Bench) -> None:
    node = _leads(bench)
    propose(node, b"a")
    saves_fail(node)
    _is(bench, node, Role.FOLLOWER, because="its followers may have an entry 2 that it lost itself")
    sent = of_kind(propose(node, b"b"), AppendRequest)
    bench.see(not sent, "it gives that place to no other command", f"it sent {len(sent)} requests with another one")


@sentence(_FIGURE_2)
def a_candidate_that_cannot_save_its_vote_asks_for_none(bench: Bench) -> None:
    node = with_slow_disk(bench.lone())
    sent = [*node.campaign(), *saves_fail(node)]
    asked = of_kind(sent, VoteRequest)
    bench.see(not asked, "there was no room for its term and vote: nobody is asked", f"{len(asked)} are")
    node.hear(node.vote_of(2, term=1), node.vote_of(3, term=1))
    _is(bench, node, Role.FOLLOWER, because="two votes come that it never asked for")


@sentence(_FIGURE_2)
def what_is_tried_again_is_handed_to_its_host_again(bench: Bench) -> None:
    node = with_slow_disk(bench.lone())
    node.hear(node.append_of(4))
    saves_fail(node)
    told = [save.sequence for _ in range(2) for save in node.node.tick().saves]
    begun = [write.sequence for write in node.member.log.waiting]
    bench.see(begun == told != [], "its disk was full, two ticks passed: `Output.saves` held its term", f"{told} of {begun}")


# --- a disk that failed, and one that lost something


@sentence(_FIGURE_2)
def to_a_disk_that_failed_nothing_more_is_written(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    node.hear(node.request_of(2, 2, entry_id(1, 1)))
    saves_fail(node)
    disk_fails(node)
    disk_fails(node)
    node.hear(node.append_of(3, entry_id(1, 1), [command(2, 3)]))
    node.tick(LONG)
    writes = len(node.member.log.waiting)
    bench.see(not writes, "its disk was full, then it failed, twice: nothing is written any more", f"{writes} writes wait")
    bench.see(node.role is Role.MUTE, "it is mute", f"it is a {node.role}")


@sentence(_FIGURE_2)
def what_waited_for_a_disk_that_failed_is_never_said(bench: Bench) -> None:
    node = with_slow_disk(bench.lone(3, [1]))
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]))
    says_nothing(bench, [*disk_fails(node), *node.save()], because="entry 2 was on its way to a disk that failed")
    sent = node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]), node.append_of(1, entry_id(1, 1)))
    says_nothing(bench, sent, because="entry 2 comes again, and a heartbeat")


@sentence(_FIGURE_2)
def a_leader_whose_disk_failed_leads_no_more(bench: Bench) -> None:
    node = _leads(bench)
    node.node.read(7)
    reads = [(read.context, read.index) for read in node.node.disk_failed().reads]
    bench.see(reads == [(7, -1)], "read 7 waits and its disk fails: the read is given back, as (7, -1)", reads or "it is not")
    _is(bench, node, Role.MUTE, because="its disk failed")
    says_nothing(bench, [*propose(node, b"a"), *node.tick(LONG)], because="a command came, and time passed")


@sentence(_3_8)
def a_node_whose_disk_failed_goes_on_with_what_is_on_it_when_it_is_started_anew(bench: Bench) -> None:
    node = bench.lone(3, [1])
    node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)]))
    disk_fails(node)
    node.restart()
    got = acknowledged(node.hear(node.append_of(1, entry_id(2, 1))))
    bench.see(got == 2, "its disk is well again, and holds entry 2: it acknowledges it", f"it acknowledges {got}")


@sentence(_FIGURE_2)
def a_node_that_lost_what_was_on_its_disk_promises_nothing(bench: Bench) -> None:
    node = bench.lone(3, [1])
    got = acknowledged(node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)])))
    bench.see(got == 2, "it acknowledges entry 2", f"it acknowledges {got}")
    node.member.log.is_damaged = True
    node.restart()
    sent = node.hear(node.append_of(1, entry_id(1, 1)), node.request_of(3, 9, entry_id(9, 8)))
    says_nothing(bench, [*sent, *node.tick(LONG)], because="its log is damaged, and a leader and a candidate spoke to it")


SENTENCES = tuple(sentence.checks)
