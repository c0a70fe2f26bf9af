"""Ring 1: whole groups, all of whose nodes are the student's; and a leader that leads again."""

from labs.stage3_raft.lab3b_replication.bench import BEAT, FIGURE_7, FIGURE_7_LEADER, PATIENT, committed, converse
from labs.stage3_raft.lab3b_replication.model import PlayedFollower
from labs.stage3_raft.lab3b_replication.sentences_follow import sentence
from labs.stage3_raft.lone import Bench, entry_id
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup

__all__ = ["sentence"]

_5_3 = "Paper: Raft, section 5.3"


def _rounds(group: HandGroup, count: int) -> None:
    """Of heartbeats of node 1, with all that comes of them."""
    for _ in range(count):
        group.tick(1, BEAT)
        group.stabilize()


def _terms(group: HandGroup, node_id: int) -> list[int]:
    log = group.members[node_id].log
    return [entry.term for entry in log.entries(1, log.last_index)]


@sentence("Paper: Raft, figure 7", of=FIGURE_7)
def in_the_end_all_logs_are_that_of_the_leader(bench: Bench, one: tuple[str, list[int]]) -> None:
    case, terms = one
    group = bench.group(3, {1: FIGURE_7_LEADER, 2: terms, 3: FIGURE_7_LEADER}, **PATIENT)
    group.crash(2)
    group.campaign(1)  # in term 7, which a follower may have, and then in one that no log has
    group.campaign(1)
    group.stabilize()
    bench.see(group.node(1).role is Role.LEADER, "node 3 votes for node 1: it leads", f"it is a {group.node(1).role}")
    group.restart(2)
    _rounds(group, 12)
    wanted = [*FIGURE_7_LEADER, 8]
    found = _terms(group, 2)
    bench.see(found == wanted, f"follower ({case}), which began with {terms}, has terms {wanted}", f"it has {found}")
    index = group.node(2).commit_index
    bench.see(index == 11, "and knows that entry 11 is committed", f"its commit index is {index}")


@sentence(_5_3)
def who_was_away_gets_all_and_every_machine_does_the_same(bench: Bench) -> None:
    group = bench.group(3, entries_max=2, in_flight_max=2, recent_bytes_max=1, **PATIENT)
    group.campaign(1)
    group.stabilize()
    group.isolate(3)
    payloads = [bytes([letter]) for letter in b"abcdefg"]
    for payload in payloads:
        group.propose(1, payload)
        group.stabilize()
        _rounds(group, 1)
    done = group.members[1].commands
    bench.see(done == payloads, "node 3 is away, and the other two commit 7 commands", f"node 1 has applied {done}")
    group.heal()
    _rounds(group, 12)
    for node_id in (2, 3):
        done = group.members[node_id].commands
        bench.see(done == payloads, f"node {node_id} has applied {payloads}, too", f"it has applied {done}")


@sentence("Paper: Raft, figure 2, matchIndex")
def a_new_reign_knows_nothing_of_what_followers_had_in_the_last_one(bench: Bench) -> None:
    node = bench.lone(5, **PATIENT)
    node.lead()
    node.group.propose(1, b"a", b"b", b"c")
    node.hear(node.matched_by(2, 4))
    committed(bench, node, 0, because="2 of 5 have entry 4 of term 1")
    node.hear(node.append_of(2, entry_id(1, 1), leader=3))
    follower = PlayedFollower(2, [1, 2])  # to which the leader of term 2 sent another entry 2
    sent = node.lead()
    node.hear(node.matched_by(4, 5))
    committed(bench, node, 0, because="2 of 5 have entry 5 of term 3; what node 2 had in term 1 is gone")
    converse(node, follower, sent)
    for _ in range(3):
        converse(node, follower, node.tick(BEAT))
    wanted = [1, 1, 1, 1, 3]
    bench.see(follower.terms == wanted, f"node 2, which has terms [1, 2] by now, gets {wanted}", f"it has {follower.terms}")
    committed(bench, node, 5, because="nodes 1, 2 and 4 of 5 have entry 5")


@sentence("Paper: Raft, section 6")
def a_leader_that_leaves_the_group_does_not_count_itself(bench: Bench) -> None:
    group = bench.group(3, **PATIENT)
    group.campaign(1)
    group.stabilize()
    before = group.node(1).commit_index
    group.isolate(3)
    group.change(1, (2, 3))
    group.stabilize()
    _rounds(group, 2)
    last, commit = group.members[1].log.last_index, group.node(1).commit_index
    change = before + 1
    bench.see(last >= change, f"entry {change} of node 1, which leads, names 2 and 3 as the new voters", "it was not written")
    both = "a majority of 2 and 3 is both, and node 3 is cut off; node 1 leads the new voters and is none of them"
    bench.see(commit == before, f"{both}: entry {change} is not committed", f"node 1 says that all up to entry {commit} is")
    group.heal()
    _rounds(group, 6)
    role, commit = group.node(1).role, group.node(1).commit_index
    because = f"node 3 is back: entries {change} and {change + 1}, which make the change, are committed"
    bench.see(commit == change + 1, because, f"commit index of node 1 is {commit}")
    bench.see(role is not Role.LEADER, "with that node 1 leads no more", f"it is a {role}")
