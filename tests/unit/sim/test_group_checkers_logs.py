"""Checkers of logs and leaders, clause by clause: each is shown the one wrong thing, and what is right beside it."""

from types import SimpleNamespace
from typing import Any

import pytest

from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.role import Role
from mq.sim.group.checkers import (
    CommittedForEver,
    CommittedIsDurable,
    ElectionSafety,
    LeaderAppendOnly,
    LeaderCompleteness,
    LogMatching,
    OwnTermCounts,
    SnapshotsNameMembers,
    StateMachineSafety,
)
from mq.sim.group.host import Host
from tests.unit.sim.checker_hosts import appends, command, compacted, entry_id, fails, host

# ---------------------------------------------------------------- Election Safety


def new_leader(node_id: int, term: int, **others: Any) -> Host:
    return host(node_id, Role.LEADER, term, was_role=Role.CANDIDATE, **others)


@pytest.mark.parametrize("term", [1, 2, 3, 4, 50])
def test_a_term_has_one_leader(term: int) -> None:
    checker = ElectionSafety()
    checker.moved(new_leader(1, term))
    checker.moved(new_leader(2, term + 1))
    checker.moved(new_leader(1, term))
    with fails(checker, f"node 1 was leader of term {term}", f"node 2 is leader of term {term}, too"):
        checker.moved(new_leader(2, term))


def test_a_leader_that_takes_over_a_term_while_it_leads_is_a_second_one() -> None:
    """Its role did not change, only its term."""
    checker = ElectionSafety()
    checker.moved(new_leader(1, 3))
    with fails(checker, "node 1 was leader of term 3", "node 2 is leader of term 3, too"):
        checker.moved(host(2, Role.LEADER, 3, was_term=2))


def test_who_only_campaigns_is_no_leader() -> None:
    checker = ElectionSafety()
    checker.moved(new_leader(1, 3))
    checker.moved(host(2, Role.CANDIDATE, 3, was_role=Role.FOLLOWER))
    checker.moved(host(2, Role.LEADER, 3, is_down=True))
    assert checker.leaders == {3: 1}


# ---------------------------------------------------------------- Leader Append-Only


def test_what_a_leader_appended_in_this_reign_stays_too() -> None:
    checker = LeaderAppendOnly()
    checker.started(host(role=Role.LEADER, saved=[1]))
    checker.appended(host(role=Role.LEADER, saved=[1, 2]), appends(command(2, 2)))
    with fails(checker, "node 1 leads term 2 and its log ended at 2", "replaced what stood behind entry 1"):
        checker.appended(host(role=Role.LEADER, saved=[1, 2]), appends(command(2, 2)))


def test_a_leader_does_not_begin_its_log_anew() -> None:
    checker = LeaderAppendOnly()
    checker.started(host(role=Role.LEADER, saved=[1, 1]))
    with fails(checker, "its log ended at 2", "behind entry 9"):
        checker.appended(host(role=Role.LEADER), appends(command(9, 2), is_reset=True))


@pytest.mark.parametrize(
    "changed",
    [
        host(role=Role.FOLLOWER),
        host(role=Role.LEADER, was_role=Role.CANDIDATE),
        host(role=Role.FOLLOWER, was_role=Role.LEADER),
        host(role=Role.LEADER, was_term=1),
    ],
    ids=["a follower", "before it led", "when it led no more", "in another term"],
)
def test_who_does_not_lead_may_replace_entries(changed: Host) -> None:
    checker = LeaderAppendOnly()
    checker.started(host(saved=[1, 1]))
    checker.appended(changed, appends(command(1, 2)))


# ---------------------------------------------------------------- Log Matching


def test_an_entry_is_the_same_in_all_logs() -> None:
    checker = LogMatching()
    checker.appended(host(1, saved=[1]), appends(command(2, 2, b"a")))
    checker.appended(host(2, saved=[1]), appends(command(2, 2, b"a")))
    checker.appended(host(3, saved=[1]), appends(command(2, 1, b"b")))
    with fails(checker, "node 1 has entry 2 of term 2 (command 'a')", "node 3 has entry 2 of term 2 (command 'b') there"):
        checker.appended(host(3, saved=[1]), appends(command(2, 2, b"b")))


def test_entries_of_another_kind_are_others() -> None:
    checker = LogMatching()
    checker.appended(host(1, saved=[1]), appends(command(2, 2, b"")))
    with fails(checker, "node 1 has entry 2 of term 2 (command", "node 2 has entry 2 of term 2 (noop"):
        checker.appended(host(2, saved=[1]), appends(Entry(LogIndex(2), Term(2), EntryKind.NOOP, b"")))


@pytest.mark.parametrize("before", [[2], [1, 1]], ids=["in the log", "in the same append"])
def test_before_equal_entries_the_logs_are_equal(before: list[int]) -> None:
    checker = LogMatching()
    checker.appended(host(1, saved=[1]), appends(command(2, 2), command(3, 3)))
    index = len(before) + 1
    wrong = appends(command(2, 2)) if index == 2 else appends(command(2, 1), command(3, 3))
    one = f"before entry {index} of term {index} (command 'x') node 1 has one of term {index - 1}"
    with fails(checker, one, f"node 2 has one of term {before[-1]} before it"):
        checker.appended(host(2, saved=before[:1]), wrong)


def test_a_log_that_begins_anew_says_nothing_of_what_was_before() -> None:
    checker = LogMatching()
    checker.appended(host(1, saved=[1]), appends(command(2, 2)))
    checker.appended(host(2), appends(command(1, 9), is_reset=True))
    checker.appended(host(2), appends(command(2, 2)))  # what is before it is not kept any more


# ---------------------------------------------------------------- Leader Completeness


def committed_in_two_terms() -> LeaderCompleteness:
    """Entry 1 in term 1; 2 in term 2, and then 3."""
    checker = LeaderCompleteness()
    leader = host(1, Role.LEADER, 1, saved=[1])
    checker.committed(leader, 0, 1)
    leader = host(2, Role.LEADER, 2, saved=[1, 2, 2])
    checker.committed(leader, 1, 2)
    checker.committed(leader, 2, 3)
    return checker


@pytest.mark.parametrize(
    ("term", "log", "has", "facts"),
    [
        (3, [1, 2], "nothing", ("entry 3 of term 2 was committed in term 2", "node 2")),
        (3, [1, 1, 1], "an entry of term 1", ("entry 3 of term 2 was committed in term 2", "node 2")),
        (9, [1], "nothing", ("entry 3 of term 2 was committed in term 2", "node 2")),
        (2, [], "nothing", ("entry 1 of term 1 was committed in term 1", "node 1")),
    ],
)
def test_what_was_committed_is_in_a_later_leaders_log(term: int, log: list[int], has: str, facts: tuple[str, str]) -> None:
    checker = committed_in_two_terms()
    with fails(checker, f"{facts[0]}, as {facts[1]} knows", f"node 3 leads term {term} and has {has} there"):
        checker.moved(new_leader(3, term, saved=log))


def test_a_leader_that_takes_over_a_term_while_it_leads_is_looked_at_again() -> None:
    checker = committed_in_two_terms()
    with fails(checker, "entry 3 of term 2 was committed", "node 3 leads term 3"):
        checker.moved(host(3, Role.LEADER, 3, was_term=2, saved=[1]))


def test_a_leader_needs_no_more_than_was_committed_before_its_term() -> None:
    checker = committed_in_two_terms()
    checker.moved(new_leader(3, 3, saved=[1, 2, 2]))
    checker.moved(new_leader(3, 2, saved=[1]))
    checker.moved(new_leader(3, 1))
    checker.moved(host(3, Role.CANDIDATE, 9))
    checker.moved(compacted(new_leader(3, 3), 7, 2))


def test_who_hears_late_of_what_is_committed_hides_nothing_that_came_after_it() -> None:
    checker = committed_in_two_terms()
    checker.committed(host(3, term=9, saved=[1, 2]), 1, 2)
    with fails(checker, "entry 3 of term 2 was committed in term 2, as node 2 knows", "node 3 leads term 10 and has nothing"):
        checker.moved(new_leader(3, 10, saved=[1, 2]))


# ---------------------------------------------------------------- committing


def test_a_leader_counts_only_entries_of_its_own_term() -> None:
    checker = OwnTermCounts()
    checker.committed(host(role=Role.LEADER, term=3, saved=[1, 3]), 0, 2)
    checker.committed(host(role=Role.FOLLOWER, term=3, saved=[1]), 0, 1)
    with fails(checker, "node 1 leads term 3", "commit index from 0 to 1, where an entry of term 1 stands"):
        checker.committed(host(role=Role.LEADER, term=3, saved=[1, 3]), 0, 1)


def test_a_leader_may_learn_late_what_a_snapshot_that_it_was_sent_stands_for() -> None:
    """It was being saved when the node was elected. The rule is about counting, and here nothing was counted."""
    checker, leader = OwnTermCounts(), host(role=Role.LEADER, term=3, saved=[1, 3])
    with fails(checker, "node 1 leads term 3", "where an entry of term 1 stands"):
        checker.committed(leader, 0, 1)
    leader.node.snapshot = snapshot(1, 1, 2, 3)  # type: ignore[union-attr]
    checker.committed(leader, 0, 1)


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_all_agree_on_each_entry_that_is_committed(wrong: int) -> None:
    """Not only on the last one."""
    checker = CommittedForEver()
    checker.committed(host(1, saved=[3, 3, 3], term=3), 0, 3)
    checker.committed(host(2, saved=[3, 3, 3], term=3), 1, 3)
    log = [2] * wrong + [3] * (3 - wrong)
    with fails(checker, "node 1 held entry 1 of term 3 to be committed", "node 3 holds entry 1 of term 2 to be committed"):
        checker.committed(host(3, saved=log, term=3), 0, 3)
    with fails(checker, f"node 1 held entry {wrong} of term 3", f"node 3 holds entry {wrong} of term 2"):
        checker.committed(host(3, saved=log, term=3), wrong - 1, 3)


def test_what_lies_below_a_snapshot_is_not_compared() -> None:
    checker = CommittedForEver()
    checker.committed(compacted(host(1), 3, 2), 0, 3)
    with fails(checker, "node 1 held entry 3 of term 2", "node 2 holds entry 3 of term 1"):
        checker.committed(host(2, saved=[1, 1, 1]), 0, 3)


# ---------------------------------------------------------------- State Machine Safety


def test_two_nodes_apply_the_same_entry() -> None:
    checker = StateMachineSafety()
    checker.applied(host(1), command(1, 1, b"a"), 7)
    checker.applied(host(2), command(1, 1, b"a"), 7)
    with fails(checker, "node 1 applied entry 1 of term 1 (command 'a')", "node 3 applied entry 1 of term 1 (command 'b')"):
        checker.applied(host(3), command(1, 1, b"b"), 7)
    with fails(checker, "node 1 applied entry 1 of term 1", "node 3 applied entry 1 of term 2"):
        checker.applied(host(3), command(1, 2, b"a"), 7)


def test_behind_the_same_entry_the_states_are_the_same() -> None:
    checker = StateMachineSafety()
    checker.applied(host(1), command(1, 1), 7)
    with fails(checker, "the state of node 1 has the checksum 00000007", "that of node 2 has 00000008"):
        checker.applied(host(2), command(1, 1), 8)


def test_an_installed_snapshot_is_of_an_entry_that_somebody_applied() -> None:
    checker = StateMachineSafety()
    checker.applied(host(1), command(1, 1), 7)
    with fails(checker, "node 2 installed a snapshot of entry 2", "nobody has applied that entry"):
        checker.installed(host(2), 2, 7)


def test_an_installed_snapshot_is_the_state_that_was_there() -> None:
    checker = StateMachineSafety()
    checker.applied(host(1), command(1, 1), 7)
    checker.installed(host(2), 1, 7)
    with fails(checker, "the state of node 1 has the checksum 00000007", "node 2 installed a snapshot of it with 00000008"):
        checker.installed(host(2), 1, 8)


# ---------------------------------------------------------------- committed is durable


def group(saved: dict[int, list[int]], members: Configuration) -> tuple[CommittedIsDurable, Host]:
    """Nodes with what is on their disks; 1 holds all of [1, 2, 2] to be committed."""
    hosts = {node_id: host(node_id, saved=log, unsaved=[1, 2, 2][len(log) :], deciding=members) for node_id, log in saved.items()}
    return CommittedIsDurable(hosts), hosts[1]


ALL, SOME = [1, 2, 2], [1, 2]


@pytest.mark.parametrize(
    ("saved", "voters", "holders"),
    [
        ({1: ALL, 2: SOME, 3: SOME}, (1, 2, 3), [1]),
        ({1: SOME, 2: SOME, 3: ALL}, (1, 2, 3), [3]),
        ({1: ALL, 2: ALL, 3: SOME, 4: SOME}, (1, 2, 3, 4), [1, 2]),
        ({1: ALL, 2: SOME}, (1, 2), [1]),
        ({1: SOME}, (1,), []),
        ({1: ALL, 2: SOME, 3: SOME, 4: ALL, 5: ALL}, (1, 2, 3), [1]),
    ],
    ids=["one of three", "only a follower", "half of four", "half of two", "nobody", "those without a vote"],
)
def test_what_is_committed_is_on_the_disks_of_a_majority(
    saved: dict[int, list[int]], voters: tuple[int, ...], holders: list[int]
) -> None:
    learners = tuple(node_id for node_id in saved if node_id not in voters)
    checker, node = group(saved, Configuration(voters, (), learners))
    with fails(checker, "node 1 holds entry 3 of term 2", f"of the voters {list(voters)} only {holders} have it on their disks"):
        checker.committed(node, 0, 3)


@pytest.mark.parametrize(
    ("holders", "lacking"), [((1, 2), [3, 4, 5]), ((3, 4), [1, 2, 3]), ((1, 4), [3, 4, 5]), ((2, 3, 5), None), ((1, 3, 4), None)]
)
def test_while_members_change_it_is_on_the_disks_of_both_majorities(holders: tuple[int, ...], lacking: list[int] | None) -> None:
    members = Configuration((3, 4, 5), (1, 2, 3))
    checker, node = group({node_id: ALL if node_id in holders else SOME for node_id in range(1, 6)}, members)
    if lacking is None:
        checker.committed(node, 0, 3)
        return
    with fails(checker, "node 1 holds entry 3 of term 2", f"of the voters {lacking} only"):
        checker.committed(node, 0, 3)


def test_an_entry_of_another_term_on_a_disk_is_another_entry() -> None:
    checker, node = group({1: ALL, 2: [1, 1, 1], 3: [1, 1, 1]}, Configuration.of(1, 2, 3))
    with fails(checker, "node 1 holds entry 3 of term 2", "only [1] have it"):
        checker.committed(node, 0, 3)


def test_it_is_looked_up_when_it_is_first_known_and_for_each_entry_once() -> None:
    checker, node = group({1: ALL, 2: SOME, 3: SOME}, Configuration.of(1, 2, 3))
    checker.committed(node, 0, 2)
    checker.committed(node, 1, 2)
    with fails(checker, "node 1 holds entry 3", "only [1] have it"):
        checker.committed(node, 2, 3)
    checker.committed(node, 2, 3)  # what a disk loses later is another promise


# ---------------------------------------------------------------- snapshots name members


def snapshot(index: int, *voters: int) -> Snapshot:
    return Snapshot(entry_id(index, 2), Configuration.of(*voters))


def change(index: int, *voters: int) -> Entry:
    return Entry(LogIndex(index), Term(2), EntryKind.CONFIGURATION, Configuration.of(*voters).to_bytes())


def members_changed() -> tuple[SnapshotsNameMembers, Host]:
    """1 2 3 from the start, 1 2 3 4 since entry 5, 1 2 4 since entry 8."""
    checker = SnapshotsNameMembers()
    for entry in (change(5, 1, 2, 3, 4), command(6, 2), change(8, 1, 2, 4), change(5, 1, 2, 3, 4)):
        checker.applied(host(), entry, 0)
    return checker, host(place=SimpleNamespace(configuration=Configuration.of(1, 2, 3)))


@pytest.mark.parametrize(
    ("at", "since", "right"), [(4, 0, (1, 2, 3)), (5, 5, (1, 2, 3, 4)), (7, 5, (1, 2, 3, 4)), (9, 8, (1, 2, 4))]
)
def test_a_snapshot_names_the_members_of_its_entry(at: int, since: int, right: tuple[int, ...]) -> None:
    checker, node = members_changed()
    for voters in ((1, 2, 3), (1, 2, 3, 4), (1, 2, 4)):
        if voters == right:
            checker.has_snapshot(node, snapshot(at, *voters), at)
        else:
            with fails(checker, f"behind entry {at} these are the members, since entry {since}", "that node 1 has names"):
                checker.has_snapshot(node, snapshot(at, *voters), at)


@pytest.mark.parametrize("index", [3, 5])
def test_a_snapshot_stands_for_the_state_that_is_in_it(index: int) -> None:
    checker, node = members_changed()
    with fails(checker, "node 1 has a snapshot of entry 4", f"the state in it is the one behind entry {index}"):
        checker.has_snapshot(node, snapshot(4, 1, 2, 3), index)
