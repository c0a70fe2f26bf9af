"""Paper: Raft, section 5.3: log replication."""

from collections.abc import Callable

import pytest

from mq.core.entry import EntryKind
from mq.raft.messages import AppendReply, AppendRequest
from mq.raft.output import EntriesWanted
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, command, entry_id, of_kind

START = entry_id(0, 0)
FIGURE_7 = {
    "a": [1, 1, 1, 4, 4, 5, 5, 6, 6],
    "b": [1, 1, 1, 4],
    "c": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    "d": [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    "e": [1, 1, 1, 4, 4, 4, 4],
    "f": [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
}
LEADER_OF_FIGURE_7 = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]


def terms_of(group: HandGroup, node_id: int) -> list[int]:
    log = group.members[node_id].log
    return [entry.term for entry in log.entries(1, log.last_index)]


def elect(group: HandGroup, node_id: int = 1) -> None:
    group.campaign(node_id)
    group.stabilize()
    assert group.node(node_id).role is Role.LEADER


def beat(group: HandGroup, node_id: int = 1) -> None:
    """Two intervals: who was sent entries in the first may be left out."""
    for _ in range(2):
        group.tick(node_id, group.options.heartbeat_ticks)
        group.stabilize()


# ---------------------------------------------------------------- the leader


def test_5_3_a_command_is_appended_with_the_leaders_term_and_sent_to_all(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1])
    node.lead()
    node.hear(node.matched_by(2, 3), node.matched_by(3, 3))
    node.group.propose(1, b"a")
    requests = of_kind(node.sent(), AppendRequest)
    assert node.terms == [1, 1, 2, 2]
    assert {request.to for request in requests if request.entries} == {2, 3}
    for request in requests:
        assert [(entry.index, entry.term, entry.payload) for entry in request.entries] == [(4, 2, b"a")]
        assert request.previous == entry_id(3, 2)


@pytest.mark.parametrize(("voters", "copies"), [(2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_5_3_an_entry_is_committed_when_a_majority_has_it(lone: Callable[..., Lone], voters: int, copies: int) -> None:
    node = lone(voters=voters)
    node.lead()
    for others, follower in enumerate(node.others()):
        assert node.node.commit_index == (1 if 1 + others >= copies else 0)
        node.hear(node.matched_by(follower, 1))
    assert node.node.commit_index == 1


def test_5_3_an_acknowledgement_counts_for_the_follower_that_sent_it(lone: Callable[..., Lone]) -> None:
    """Three times the same follower is one copy, in a group of five."""
    node = lone(voters=5)
    node.lead()
    node.hear(*[node.matched_by(4, 1)] * 3)
    assert node.node.commit_index == 0
    node.hear(node.matched_by(5, 1))
    assert node.node.commit_index == 1


def test_5_3_how_far_a_follower_is_is_what_it_said_not_what_was_sent(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.lead()
    node.hear(node.matched_by(2, 1))
    node.group.propose(1, b"a", b"b")
    node.hear(node.matched_by(2, 2))
    assert node.node.commit_index == 2


def test_5_3_a_late_acknowledgement_takes_nothing_back(lone: Callable[..., Lone]) -> None:
    node = lone(voters=5)
    node.lead()
    node.group.propose(1, b"a", b"b")
    node.hear(node.matched_by(2, 3), node.matched_by(2, 1), node.matched_by(3, 3))
    assert node.node.commit_index == 3


def test_5_3_all_before_a_committed_entry_are_committed_too(group: Callable[..., HandGroup]) -> None:
    nodes = group(3, {1: [1, 2], 2: [1, 2], 3: [1]})
    elect(nodes)
    assert nodes.node(1).commit_index == 3


def test_5_3_commands_are_applied_in_the_order_of_the_log(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    elect(nodes)
    nodes.propose(1, b"a", b"b")
    nodes.propose(1, b"c")
    nodes.stabilize()
    beat(nodes)
    assert [nodes.members[node_id].commands for node_id in (1, 2, 3)] == [[b"a", b"b", b"c"]] * 3


def test_5_3_followers_learn_with_a_later_request_what_is_committed(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    elect(nodes)
    beat(nodes)
    assert [nodes.node(node_id).commit_index for node_id in (1, 2, 3)] == [1, 1, 1]


def test_5_3_one_slow_follower_holds_nobody_up(group: Callable[..., HandGroup]) -> None:
    nodes = group()
    elect(nodes)
    nodes.isolate(3)
    nodes.propose(1, b"a")
    nodes.stabilize()
    assert nodes.members[1].commands == [b"a"]


def test_5_3_requests_are_repeated_until_every_follower_has_all(group: Callable[..., HandGroup]) -> None:
    """Also when nothing new is proposed."""
    nodes = group()
    elect(nodes)
    nodes.isolate(3)
    for payload in (b"a", b"b", b"c"):
        nodes.propose(1, payload)
        nodes.stabilize()
        beat(nodes)
    nodes.heal()
    for _ in range(3):
        beat(nodes)
    assert nodes.members[3].commands == [b"a", b"b", b"c"]


def test_5_3_a_leader_never_changes_its_own_log_it_only_appends(group: Callable[..., HandGroup]) -> None:
    """Leader Append-Only, whatever its followers hold."""
    nodes = group(3, {1: [1, 1, 2], 2: [1, 1, 1, 1], 3: [1]})
    elect(nodes)
    nodes.propose(1, b"a")
    nodes.stabilize()
    beat(nodes)
    assert terms_of(nodes, 1) == [1, 1, 2, 3, 3]
    assert terms_of(nodes, 2) == terms_of(nodes, 3) == terms_of(nodes, 1)


# ---------------------------------------------------------------- log matching


def test_5_3_a_follower_takes_what_follows_an_entry_that_it_has(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 2])
    [reply] = of_kind(node.hear(node.append_of(3, entry_id(2, 2), [command(3, 3), command(4, 3)])), AppendReply)
    assert (reply.is_matching, reply.match_index) == (True, 4)
    assert node.terms == [1, 2, 3, 3]


def test_5_3_a_follower_refuses_when_the_entry_before_is_missing(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 2])
    [reply] = of_kind(node.hear(node.append_of(3, entry_id(3, 2), [command(4, 3)])), AppendReply)
    assert not reply.is_matching
    assert node.terms == [1, 2]


def test_5_3_a_follower_refuses_when_the_entry_before_is_of_another_term(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1])
    [reply] = of_kind(node.hear(node.append_of(3, entry_id(2, 2), [command(3, 3)])), AppendReply)
    assert not reply.is_matching
    assert 3 not in node.terms


def test_5_3_a_heartbeat_is_checked_like_any_other_request(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1])
    for previous in (entry_id(2, 2), entry_id(3, 1)):
        [reply] = of_kind(node.hear(node.append_of(3, previous, commit=2)), AppendReply)
        assert not reply.is_matching
    assert node.node.commit_index == 0


def test_5_3_an_entry_that_contradicts_goes_with_all_that_follow(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1, 1, 1])
    node.hear(node.append_of(2, entry_id(1, 1), [command(2, 2)]))
    assert node.terms == [1, 2]


def test_5_3_what_agrees_stays_and_only_the_rest_is_new(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1, 1, 1])
    node.hear(node.append_of(2, START, [command(1, 1), command(2, 1), command(3, 2), command(4, 2)]))
    assert node.terms == [1, 1, 2, 2]


def test_5_3_a_request_that_comes_late_takes_nothing_away(lone: Callable[..., Lone]) -> None:
    """Its entries are here, and so are the ones behind them, perhaps acknowledged."""
    node = lone(terms=[1, 1, 1, 1])
    [reply] = of_kind(node.hear(node.append_of(1, entry_id(1, 1), [command(2, 1)])), AppendReply)
    assert node.terms == [1, 1, 1, 1]
    assert reply.is_matching


def test_5_3_a_heartbeat_that_comes_late_takes_nothing_away(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1, 1, 1])
    node.hear(node.append_of(1, entry_id(1, 1)))
    assert node.terms == [1, 1, 1, 1]


def test_5_3_an_acknowledgement_speaks_of_what_the_request_covers_and_of_no_more(lone: Callable[..., Lone]) -> None:
    """What else the log holds may not be the leader's."""
    node = lone(terms=[1, 1, 1, 1])
    [reply] = of_kind(node.hear(node.append_of(2, entry_id(1, 1), [command(2, 1)])), AppendReply)
    assert (reply.is_matching, reply.match_index) == (True, 2)
    [reply] = of_kind(node.hear(node.append_of(2, entry_id(3, 1))), AppendReply)
    assert (reply.is_matching, reply.match_index) == (True, 3)


def test_5_3_the_commit_index_is_the_leaders_but_not_beyond_the_last_new_entry(lone: Callable[..., Lone]) -> None:
    """Figure 2, AppendEntries 5: entries behind it may contradict the leader's."""
    node = lone(terms=[1, 1, 1, 1])
    node.hear(node.append_of(2, entry_id(1, 1), [command(2, 1)], commit=4))
    assert node.node.commit_index == 2
    node.hear(node.append_of(2, entry_id(3, 1), commit=4))
    assert node.node.commit_index == 3


def test_5_3_the_commit_index_never_falls(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1, 1])
    node.hear(node.append_of(2, entry_id(3, 1), commit=3))
    node.hear(node.append_of(2, entry_id(3, 1), commit=1))
    node.hear(node.append_of(2, entry_id(1, 1), commit=3))
    assert node.node.commit_index == 3


# ---------------------------------------------------------------- repair


def test_5_3_a_new_leader_begins_behind_its_own_last_entry(lone: Callable[..., Lone]) -> None:
    """Figure 2: nextIndex is initialised to the leader's last index + 1."""
    node = lone(terms=[1, 1, 3])
    first = of_kind(node.lead(), AppendRequest)
    assert {request.previous for request in first} == {entry_id(3, 3)}


def test_5_3_after_a_refusal_the_leader_goes_back_and_tries_again(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1, 1, 1])
    node.lead()
    again = of_kind(node.hear(node.rejected_by(2, 4, entry_id(2, 1))), AppendRequest)
    assert again
    assert again[0].to == 2
    assert again[0].previous.index < 4
    assert again[0].entries[0].index == again[0].previous.index + 1


def test_5_3_a_refusal_says_nothing_about_what_agrees(lone: Callable[..., Lone]) -> None:
    node = lone(terms=[1, 1, 1, 1])
    node.lead()
    node.hear(node.rejected_by(2, 4, entry_id(3, 1)))
    assert [peer.match_index for peer in node.node.view().peers] == [0, 0]
    assert node.node.commit_index == 0


@pytest.mark.parametrize("rejected", [4, 5])
def test_5_3_a_late_refusal_does_not_throw_back_what_is_known(lone: Callable[..., Lone], rejected: int) -> None:
    node = lone(voters=3, terms=[1, 1, 1, 1])
    node.lead()
    node.hear(node.matched_by(2, 5))
    node.hear(node.rejected_by(2, rejected, entry_id(1, 1)))
    [peer] = [peer for peer in node.node.view().peers if peer.node_id == 2]
    assert peer.match_index == 5
    assert peer.next_index == 6


def test_5_3_old_entries_that_could_not_be_read_are_tried_again_some_ticks_later(lone: Callable[..., Lone]) -> None:
    """The leader retries for ever, and not as often as its host can: a disk that gives nothing gives nothing at once, either."""
    node = lone(terms=[1, 1, 1, 1], recent_bytes_max=1)
    node.lead()
    [wanted] = node.node.step(node.rejected_by(2, 4, entry_id(3, 1))).fetch
    assert isinstance(wanted, EntriesWanted)
    output = node.node.fetched(wanted, ())
    assert (output.fetch, of_kind(output.send, AppendRequest)) == ((), [])
    for context in range(5):  # each is a round of heartbeats, and no time passes
        assert [want for want in node.node.read(context).fetch if isinstance(want, EntriesWanted)] == []
        node.hear(node.matched_by(3, node.node.log.last.index, round=node.node.round))
    again = [want for _ in range(2) for want in node.node.tick().fetch if isinstance(want, EntriesWanted)]
    assert [(want.peer, want.first) for want in again] == [(2, wanted.first)]
    [request] = of_kind(node.node.fetched(again[0], node.member.log.entries(wanted.first, wanted.last)).send, AppendRequest)
    assert (request.to, request.entries[0].index) == (2, wanted.first)


@pytest.mark.parametrize("case", FIGURE_7)
def test_5_3_figure_7_the_leader_makes_every_followers_log_like_its_own(group: Callable[..., HandGroup], case: str) -> None:
    """With two followers, of which one agrees with the leader, so that it can win."""
    nodes = group(3, {1: LEADER_OF_FIGURE_7, 2: FIGURE_7[case], 3: LEADER_OF_FIGURE_7})
    nodes.crash(2)
    nodes.campaign(1)  # in a term that no other log has
    nodes.campaign(1)
    nodes.stabilize()
    assert nodes.node(1).role is Role.LEADER
    nodes.restart(2)
    for _ in range(12):
        beat(nodes)
    assert terms_of(nodes, 2) == terms_of(nodes, 1) == [*LEADER_OF_FIGURE_7, 8]
    assert nodes.node(2).commit_index == 11


def test_5_3_a_new_reign_knows_nothing_of_what_followers_had_in_the_last_one(lone: Callable[..., Lone]) -> None:
    node = lone()
    node.lead()
    node.hear(node.matched_by(2, 1))
    node.hear(node.append_of(2, entry_id(1, 1)))
    node.lead()
    assert node.node.term == 3
    assert [peer.match_index for peer in node.node.view().peers] == [0, 0]
    assert node.member.log.entries(2, 2)[0].kind == EntryKind.NOOP
