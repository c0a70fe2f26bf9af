"""Ring 1: what the given layers make of these methods: reads, members, learners, and who is to take over."""

from labs.stage3_raft.lab3b_replication.bench import BEAT, PATIENT, TICKS
from labs.stage3_raft.lab3b_replication.sentences_groups import sentence
from labs.stage3_raft.lone import Bench, entry_id
from labs.stage3_raft.recorded import RecordedGroup
from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.role import Role

__all__ = ["SENTENCES"]


@sentence("Thesis: section 3.10")
def who_is_to_take_over_gets_what_it_lacks_and_then_leads(bench: Bench) -> None:
    group = bench.group(3, **PATIENT)
    group.campaign(1)
    group.stabilize()
    group.isolate(2)
    group.propose(1, b"a")
    group.stabilize()
    group.heal()
    group.transfer(1, 2)
    for _ in range(4):
        group.tick(1, BEAT)
        group.stabilize()
    because = "node 1 hands over to node 2, which lacks the command and is sent it"
    done = group.members[2].commands
    bench.see(done == [b"a"], f"{because}: node 2 has applied it", f"it has applied {done}")
    role = group.node(2).role
    bench.see(role is Role.LEADER, f"{because}; when it has all it is told to campaign, and leads", f"it is a {role}")


def _with_a_learner(bench: Bench, *, has_check_quorum: bool) -> RecordedGroup:
    group = bench.group(3, learners=(4,), has_check_quorum=has_check_quorum)
    group.campaign(1)
    group.stabilize()
    return group


def _tick(group: RecordedGroup, count: int) -> None:
    for _ in range(count):
        group.tick(1)
        group.stabilize()


_LEARNER = [("is silent", False), ("is silent", True), *((ticks, False) for ticks in range(TICKS, 2 * TICKS))]


@sentence("Thesis: section 4.2.1", of=_LEARNER)
def a_learner_becomes_a_voter_only_when_it_was_heard_of_lately(bench: Bench, one: tuple[str | int, bool]) -> None:
    what, has_check_quorum = one
    group = _with_a_learner(bench, has_check_quorum=has_check_quorum)
    if isinstance(what, int):
        _tick(group, what)
        group.tick(1)  # when it has just looked whom it heard, everyone is heard of before that look
        because = f"learner 4 answered each heartbeat, {what} ticks long, and is to be a voter"
    else:
        _tick(group, TICKS)
        group.isolate(4)
        _tick(group, 3 * TICKS)
        because = f"learner 4 has said nothing for {3 * TICKS} ticks, and is to be a voter"
    group.change(1, (1, 2, 3, 4))
    is_voter = 4 in group.node(1).configuration.voters
    found = "node 1 makes it a voter" if is_voter else "node 1 refuses"
    expected = "it becomes one" if isinstance(what, int) else "node 1 refuses, as the group might wait for its vote in vain"
    bench.see(is_voter == isinstance(what, int), f"{because}: {expected}", found)


@sentence("Paper: Raft, section 6")
def members_count_from_the_moment_in_which_their_entry_stands_in_the_log(bench: Bench) -> None:
    node = bench.lone(3, [1])
    before, after = Configuration.of(1, 2, 3), Configuration.of(1, 2, 3, 4)
    node.member.is_manual = True
    change = Entry(LogIndex(2), Term(1), EntryKind.CONFIGURATION, after.to_bytes())
    node.hear(node.append_of(1, entry_id(1, 1), [change]))
    voters = node.node.configuration.voters
    bench.see(voters == after.voters, f"entry 2, which it took, names voters {after.voters}: they count", f"{voters} do")
    other = Entry(LogIndex(2), Term(2), EntryKind.COMMAND, b"x")
    node.hear(node.append_of(2, entry_id(1, 1), [other], leader=3))
    voters = node.node.configuration.voters
    bench.see(voters == before.voters, f"another entry 2 took its place: voters are {before.voters} again", f"{voters} are")


@sentence("Thesis: section 6.4")
def a_read_is_answered_when_a_majority_has_answered_the_round_that_it_begins(bench: Bench) -> None:
    group = bench.group(3, **PATIENT)
    group.campaign(1)
    group.stabilize()
    for number in (1, 2):
        group.tick(1, BEAT)
        group.stabilize()
        group.read(1)
        group.stabilize()
        because = f"read {number} began a round of heartbeats, and both followers answered all that they were sent"
        is_told = bool(group.told_of(1, f"answers read {number}"))
        bench.see(is_told, f"{because}: the read is answered", "it waits for a later round")


SENTENCES = tuple(sentence.checks)
