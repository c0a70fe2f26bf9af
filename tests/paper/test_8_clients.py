"""Paper: Raft, section 8; thesis: section 6.4: clients, and reads that are never stale."""

from collections.abc import Callable

import pytest

from mq.core.entry import EntryKind
from mq.core.errors import IllegalArgumentError
from mq.core.ids import LogIndex
from mq.raft.errors import NotLeaderError
from mq.raft.messages import AppendRequest
from mq.raft.output import ReadReady
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, entry_id, of_kind


def led(lone: Callable[..., Lone], **options: object) -> Lone:
    """A leader that has committed an entry of its own term."""
    node = lone(**options)
    node.lead()
    node.hear(*(node.matched_by(voter, 1) for voter in node.others()))
    assert node.node.commit_index == 1
    return node


def answered(node: Lone) -> list[int]:
    """The numbers of reads that were answered since the last time."""
    return [int(line.split()[3]) for line in node.group.take_lines() if " answers read " in line]


def rounds(node: Lone) -> list[int]:
    """Of the requests that it sent since the last time to node 2."""
    return [request.round for request in of_kind(node.sent(), AppendRequest) if request.to == 2]


# ---------------------------------------------------------------- commands


def test_8_others_refuse_a_command_and_name_the_leader(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    with pytest.raises(NotLeaderError) as refused:
        nodes.node(2).propose([b"a"])
    assert refused.value.leader is None
    nodes.campaign(1)
    nodes.stabilize()
    with pytest.raises(NotLeaderError) as refused:
        nodes.node(2).propose([b"a"])
    assert refused.value.leader == 1
    assert refused.value.definite
    assert nodes.members[2].log.last_index == 1


def test_8_a_proposal_is_told_which_entry_it_became(lone: Callable[..., Lone]) -> None:
    node = led(lone)
    assert node.node.propose([b"a", b"b"]).proposed == entry_id(2, 1)
    assert node.node.propose([b"c"]).proposed == entry_id(4, 1)
    with pytest.raises(IllegalArgumentError):
        node.node.propose([])


def test_8_the_same_index_of_another_term_is_another_command(group: Callable[..., HandGroup]) -> None:
    """So a client is answered by term and index, or another one's command would be taken for its own."""
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.isolate(1)
    first = nodes.node(1).propose([b"a"]).proposed
    nodes.campaign(2)
    nodes.stabilize()
    assert first == entry_id(2, 1)
    assert first != entry_id(2, 2)
    assert nodes.members[2].log.term_at(LogIndex(2)) == 2


def test_8_a_new_leader_begins_with_an_entry_of_its_own_that_does_nothing(lone: Callable[..., Lone]) -> None:
    """Only with it it learns what is committed."""
    node = lone(terms=[1, 1])
    first = of_kind(node.lead(), AppendRequest)
    entries = node.member.log.entries(3, 9)
    assert [(entry.term, entry.kind, entry.payload) for entry in entries] == [(2, EntryKind.NOOP, b"")]
    assert {request.entries for request in first} == {entries}


# ---------------------------------------------------------------- reads


def test_8_a_read_is_answered_only_after_a_majority_confirmed_the_leader(lone: Callable[..., Lone]) -> None:
    node = led(lone, voters=5)
    node.group.read(1)
    [asked] = set(rounds(node))
    assert answered(node) == []
    node.hear(node.matched_by(2, 1, round=asked))
    assert answered(node) == []
    node.hear(node.matched_by(3, 1, round=asked))
    assert answered(node) == [1]


def test_8_one_follower_that_answers_often_is_no_majority(lone: Callable[..., Lone]) -> None:
    node = led(lone, voters=5)
    node.group.read(1)
    [asked] = set(rounds(node))
    node.hear(*[node.matched_by(2, 1, round=asked)] * 4)
    assert answered(node) == []


def test_8_a_confirmation_that_was_asked_for_before_the_read_does_not_count(lone: Callable[..., Lone]) -> None:
    node = led(lone)
    node.tick(2)
    node.group.take_lines()
    node.group.read(1)
    before = max(rounds(node)) - 1
    node.hear(node.matched_by(2, 1, round=before), node.matched_by(3, 1, round=before))
    assert answered(node) == []


def test_8_a_round_that_was_under_way_confirms_no_read_that_came_later(lone: Callable[..., Lone]) -> None:
    node = led(lone)
    node.group.read(1)
    [first] = set(rounds(node))
    node.group.read(1)
    node.sent()
    node.hear(node.matched_by(2, 1, round=first))
    assert answered(node) == [1]
    node.tick(2)
    node.hear(node.matched_by(2, 1, round=first + 1), node.matched_by(2, 1, round=first + 2))
    assert answered(node) == [2]


def test_8_what_was_confirmed_in_an_earlier_reign_does_not_count_in_this_one(lone: Callable[..., Lone]) -> None:
    node = led(lone)
    for _ in range(3):
        node.group.read(1)
        [asked] = set(rounds(node))
        node.hear(node.matched_by(2, 1, round=asked), node.matched_by(3, 1, round=asked))
    assert answered(node) == [1, 2, 3]
    node.hear(node.append_of(2, entry_id(1, 1), leader=3))
    node.lead()
    node.hear(node.matched_by(2, 2), node.matched_by(3, 2))
    assert node.node.commit_index == 2
    node.group.read(1)
    [asked] = set(rounds(node))
    assert answered(node) == []
    node.hear(node.matched_by(2, 2, round=asked))
    assert answered(node) == [4]


def test_8_a_late_confirmation_of_an_earlier_reign_does_not_count(lone: Callable[..., Lone]) -> None:
    """Its number may well be higher: after a restart rounds may be counted from the start again."""
    node = led(lone)
    node.restart()
    node.lead()
    node.hear(node.matched_by(2, 2), node.matched_by(3, 2))
    assert node.node.commit_index == 2
    node.group.read(1)
    [asked] = set(rounds(node))
    node.hear(*(node.matched_by(voter, 1, term=1, round=asked + 9) for voter in (2, 3)))
    assert answered(node) == []
    node.hear(node.matched_by(3, 2, round=asked))
    assert answered(node) == [1]


def test_8_a_new_leader_waits_until_it_has_committed_in_its_own_term(lone: Callable[..., Lone]) -> None:
    """It has all that is committed, and does not know how much that is."""
    node = lone(terms=[1, 1])
    node.lead()
    node.group.take_lines()
    node.group.read(1)
    [asked] = set(rounds(node))
    node.hear(node.matched_by(2, 0, round=asked), node.matched_by(3, 0, round=asked))
    assert answered(node) == []
    node.hear(node.matched_by(2, 3, round=asked))
    assert answered(node) == [1]


def test_8_a_read_sees_everything_that_was_committed_when_it_was_asked(raft_class: type, lone: Callable[..., Lone]) -> None:
    """Its index is no lower, and the answer waits until the state machine is there."""
    node = led(lone)
    node.group.propose(1, b"a")
    node.hear(node.matched_by(2, 2))
    output = node.node.read(9)
    [asked] = {request.round for request in of_kind(output.send, AppendRequest)}
    output = node.node.step(node.matched_by(3, 1, round=asked))
    assert output.reads == (ReadReady(9, LogIndex(2)),)


def test_8_a_leader_that_was_replaced_never_answers(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    nodes.campaign(1)
    nodes.stabilize()
    nodes.isolate(1)
    nodes.campaign(2)
    nodes.stabilize()
    nodes.propose(2, b"a")
    nodes.stabilize()
    assert nodes.node(1).role is Role.LEADER
    nodes.read(1)
    nodes.tick(1, 30)
    nodes.heal()
    nodes.stabilize()
    nodes.tick(1, 2)
    nodes.stabilize()
    lines = nodes.take_lines()
    assert not [line for line in lines if " answers read " in line]
    assert [line for line in lines if " drops read " in line]


def test_8_reads_are_given_back_when_a_reign_ends(lone: Callable[..., Lone]) -> None:
    node = led(lone)
    node.node.read(4)
    node.node.read(5)
    output = node.node.step(node.append_of(9))
    assert sorted(output.reads) == [ReadReady(4, LogIndex(-1)), ReadReady(5, LogIndex(-1))]


def test_8_others_refuse_a_read(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.hear(node.append_of(1, leader=3))
    with pytest.raises(NotLeaderError) as refused:
        node.node.read(1)
    assert refused.value.leader == 3


def test_8_a_node_alone_answers_at_once(lone: Callable[..., Lone]) -> None:
    node = led(lone, voters=1)
    node.group.read(1)
    assert answered(node) == [1]
