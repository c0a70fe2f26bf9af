"""Ring 1: a reign goes on: heartbeats, what was lost on the way, and whether anyone still hears the leader."""

from collections.abc import Sequence
from typing import Any

from labs.stage3_raft.lab3b_replication.bench import (
    BEAT,
    PATIENT,
    TICKS,
    committed,
    converse,
    leading,
    rejected_by,
    requests_to,
)
from labs.stage3_raft.lab3b_replication.model import PlayedFollower
from labs.stage3_raft.lab3b_replication.sentences import sentence
from labs.stage3_raft.lone import Bench, Lone, entry_id, is_in, of_kind
from mq.raft.messages import SnapshotReply, SnapshotRequest
from mq.raft.output import EntriesWanted, Output
from mq.raft.role import Role

__all__ = ["sentence"]

_5_2, _5_3, _6_2 = "Paper: Raft, section 5.2", "Paper: Raft, section 5.3", "Thesis: section 6.2"
_QUORUM: dict[str, Any] = {"has_check_quorum": True}


# --- heartbeats


@sentence(_5_2)
def a_leader_that_is_alone_has_nobody_to_say_anything_to(bench: Bench) -> None:
    node = bench.lone(1, **PATIENT)
    node.lead()
    sent = node.tick(4 * BEAT)
    bench.see(not sent, f"{4 * BEAT} ticks passed, and there is nobody else: nothing is sent", f"it sent {sent}")
    is_in(bench, node, Role.LEADER, 1, because="it leads itself")


@sentence(_5_2)
def in_quiet_times_everyone_hears_from_the_leader(bench: Bench) -> None:
    beat, learner = 5, 8
    node = leading(bench, 5, learners=(learner,), heartbeat_ticks=beat, **PATIENT)
    node.tick(beat)
    rounds = list[int]()
    for _ in range(4):
        sent = node.tick(beat)
        for follower in (*node.others, learner):
            who = f"node {follower}" if follower != learner else f"learner {follower}"
            found = requests_to(sent, follower)
            bench.see(bool(found), f"in {beat} ticks, from one round to the next, {who} hears of it", "it is sent nothing")
            bench.see(len(found) <= 2, f"{who} hears of it about once a round", f"it is sent {len(found)} requests")
            rounds.append(found[-1].round)
    bench.see(rounds[-1] > rounds[0], "each round of heartbeats has a higher number", f"the rounds were {rounds}")


@sentence(_5_3)
def followers_hear_with_a_later_request_what_is_committed(bench: Bench) -> None:
    node = leading(bench, **PATIENT)
    node.group.propose(1, b"a")
    node.hear(node.matched_by(2, 2))
    committed(bench, node, 2, because="nodes 1 and 2 have entry 2")
    node.tick(BEAT)
    found = {request.commit_index for request in requests_to(node.tick(BEAT), 2)}
    bench.see(found == {2}, "two rounds later node 2 knows that entry 2 is committed", f"the requests say {sorted(found)}")


def _rounds(node: Lone, follower: PlayedFollower, count: int) -> None:
    for _ in range(count):
        converse(node, follower, node.tick(BEAT))


@sentence(_5_3, of=("the first one", "a later one"))
def a_request_that_is_lost_is_sent_again_until_it_is_answered(bench: Bench, which: str) -> None:
    node = bench.lone(3, [1, 1], **PATIENT)
    follower = PlayedFollower(2, [1, 1])
    sent = node.lead()
    if which == "a later one":
        converse(node, follower, sent)
        node.group.propose(1, b"a")
    node.hear()  # what is on its way goes nowhere
    for _ in range(2):
        node.tick(BEAT)  # and so do the next rounds
    _rounds(node, follower, 4)
    wanted = node.terms
    bench.see(
        follower.terms == wanted, f"{which} was lost; some rounds later node 2 has terms {wanted}", f"it has {follower.terms}"
    )


@sentence(_5_3)
def old_entries_that_could_not_be_read_are_asked_for_again_some_ticks_later(bench: Bench) -> None:
    node = bench.lone(3, [1, 1, 1, 1], **PATIENT)
    node.lead()
    wanted = _wanted(node.node.step(rejected_by(node, 2, 4, entry_id(3, 1))))
    for _ in range(2 * BEAT):
        wanted = wanted or _wanted(node.node.tick())
    bench.see(len(wanted) == 1, "node 2 needs old entries, which are read from the disk", f"{len(wanted)} reads were asked for")
    again = _wanted(node.node.fetched(wanted[0], ()))
    because = f"entries {wanted[0].first} to {wanted[0].last} could not be read"
    expected = f"{because}: `_feed` does not ask again until `again_in_ticks` is 0"
    bench.see(not again, expected, "it asks at once")
    later = [want for _ in range(4 * BEAT) for want in _wanted(node.node.tick())]
    bench.see(bool(later), f"within {4 * BEAT} ticks it is tried again", "it never is")
    is_it = (later[0].peer, later[0].first) == (2, wanted[0].first)
    bench.see(is_it, f"from entry {wanted[0].first} on, for node 2", f"what is asked for is {later[0]}")


def _wanted(output: Output) -> list[EntriesWanted]:
    return [want for want in output.fetch if isinstance(want, EntriesWanted)]


@sentence("Paper: Raft, section 7", of=("refuses", "is silent", "refused earlier"))
def who_lacks_what_is_not_kept_any_more_is_sent_a_snapshot(bench: Bench, what: str) -> None:
    if what == "refused earlier":
        _while_a_snapshot_is_sent(bench)
        return
    node = bench.lone(3, [1, 1, 1, 1], **PATIENT)
    node.lead()
    node.hear(node.matched_by(2, 5))
    node.group.propose(1, b"a")
    node.hear(node.matched_by(2, 6))
    node.group.snapshot(1)
    bench.see(node.member.log.first_index > 5, "a snapshot stands for all that is committed", "the log was not cut")
    sent = node.hear(rejected_by(node, 3, 4, entry_id(1, 1))) if what == "refuses" else []
    for _ in range(3):
        sent += node.tick(BEAT)
    parts = [part for part in of_kind(sent, SnapshotRequest) if part.to == 3]
    bench.see(bool(parts), f"node 3 {what}, and the log begins behind entry 5: it is sent a snapshot", "it is sent none")
    bench.see(parts[0].snapshot.last.index == 6, "of the entries up to 6", f"it stands for {parts[0].snapshot.last.index}")


def _while_a_snapshot_is_sent(bench: Bench) -> None:
    """All refusals that were due before come late."""
    node = bench.lone(3, [1, 1, 1, 1], chunk_bytes_max=8, **PATIENT)
    sent = [*node.lead(), *node.tick(2 * BEAT)]
    sent += node.hear(rejected_by(node, 3, 4, entry_id(3, 1)))
    node.hear(node.matched_by(2, 5))
    node.group.propose(1, b"a" * 40)
    node.hear(node.matched_by(2, 6))
    node.group.snapshot(1)
    refused = sorted({4, *(int(request.previous.index) for request in requests_to(sent, 3))} - {0})
    parts = of_kind(node.tick(4 * BEAT), SnapshotRequest)
    bench.see(bool(parts), "node 3 lacks what is not kept any more: it is sent a snapshot", "it is sent none")
    bench.see(parts[0].at == 0, "the snapshot is sent from its start", f"the first part begins at byte {parts[0].at}")
    snapshot, has = parts[0].snapshot, len(parts[0].data)
    node.hear(SnapshotReply(3, 1, node.node.term, snapshot.last, has, is_installed=False))
    for rejected in refused:
        late = node.hear(rejected_by(node, 3, rejected, entry_id(1, 1)))
        again = [part.at for part in of_kind([*late, *node.tick(4 * BEAT)], SnapshotRequest) if part.at < has]
        because = f"node 3 has {has} bytes of its snapshot; its refusal of entry {rejected} comes late"
        bench.see(not again, f"{because}: the snapshot is not begun anew", f"it is sent byte {again and again[0]} again")


@sentence(_5_2, of=[(what, ticks) for what in ("entries", "a snapshot") for ticks in range(BEAT)])
def whoever_waits_for_what_must_be_read_hears_of_its_leader_meanwhile(bench: Bench, one: tuple[str, int]) -> None:
    what, ticks = one
    node = bench.lone(3, [1, 1, 1, 1], **PATIENT)
    node.lead()
    node.tick(2 * BEAT + ticks)
    wanted = _wanted(node.node.step(rejected_by(node, 2, 4, entry_id(3, 1))))
    reads = len(wanted)
    for want in wanted:
        node.node.fetched(want, ())
    if what == "a snapshot":
        node.hear(node.matched_by(3, 5))
        node.group.snapshot(1)
    silent = 0
    for number in range(4 * BEAT):
        output = node.node.tick()
        is_heard = any(message.to == 2 for message in output.send)
        silent = 0 if is_heard else silent + 1
        because = f"node 2 needs {what}, which could not be sent yet: it hears of the leader in each {BEAT} ticks"
        bench.see(silent < BEAT, because, f"{number + 1} ticks later it had heard nothing for {silent}")
        for want in _wanted(output):
            node.node.fetched(want, ())
        reads += len(_wanted(output))
    bench.see(reads > 0, "node 2 needs old entries, which are read from the disk", "no read was asked for")


# --- whether anyone hears it


def _hearing(node: Lone, followers: Sequence[int], ticks: int) -> None:
    """So many ticks pass, and after each these followers say that they have what they had."""
    for _ in range(ticks):
        node.tick()
        if node.role is Role.LEADER:
            node.hear(*(node.matched_by(follower, 1) for follower in followers))


@sentence(_6_2)
def a_leader_that_hears_of_no_majority_gives_up(bench: Bench) -> None:
    for voters, heard in ((3, ()), (4, (2,)), (5, (2,)), (3, (8, 9))):
        node = leading(bench, range(1, voters + 1), learners=(8, 9), **_QUORUM)
        _hearing(node, heard, 2 * TICKS + 1)
        others = [f"node {one}" for one in heard if one <= voters] + [f"learner {one}" for one in heard if one > voters]
        because = f"of {voters} voters; for {2 * TICKS + 1} ticks it heard of {' and '.join(others) or 'nobody'} alone"
        is_in(bench, node, Role.FOLLOWER, 1, because=because)
        bench.see(node.node.leader is None, "and knows no leader", f"it takes node {node.node.leader} for the leader")


@sentence(_6_2)
def a_leader_that_hears_of_a_majority_goes_on(bench: Bench) -> None:
    for voters, followers in ((3, (3,)), (4, (2, 4)), (5, (2, 5))):
        node = leading(bench, voters, **_QUORUM)
        _hearing(node, followers, 5 * TICKS)
        is_in(bench, node, Role.LEADER, 1, because=f"it heard of {len(followers)} of {voters - 1} followers all the time")


@sentence(_6_2)
def who_was_heard_of_once_does_not_count_for_ever(bench: Bench) -> None:
    node = leading(bench, **_QUORUM)
    _hearing(node, (2, 3), 3 * TICKS)
    is_in(bench, node, Role.LEADER, 1, because="both followers answered all the time")
    _hearing(node, (), 2 * TICKS + 1)
    is_in(bench, node, Role.FOLLOWER, 1, because=f"then both were silent for {2 * TICKS + 1} ticks")


@sentence("`RaftOptions.has_check_quorum`")
def without_the_look_at_the_quorum_a_leader_goes_on(bench: Bench) -> None:
    node = leading(bench)
    node.tick(5 * TICKS)
    is_in(bench, node, Role.LEADER, 1, because="it heard of nobody, and was not asked to look")
