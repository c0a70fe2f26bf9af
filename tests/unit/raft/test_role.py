"""The table of roles is complete: what the code does is in it, and what is in it the code does."""

from collections.abc import Callable, Sequence

import pytest

from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot, SnapshotRequest, TimeoutNow
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.role import TRANSITIONS, Event, Role
from mq.sim.hand.group import HandGroup

Turn = tuple[Role, Event]


class Recording(RaftNode):
    """Notes each turn. A turn that is not in the table raises KeyError in the core itself."""

    __slots__ = ()
    turns: set[Turn] = set()  # noqa: RUF012  # emptied by `group`

    def _turn(self, event: Event, *, leader: int | None = None) -> None:
        self.turns.add((self.role, event))
        super()._turn(event, leader=leader)


@pytest.fixture
def group() -> Callable[..., HandGroup]:
    Recording.turns = set()

    def make(voters: int = 3, learners: Sequence[int] = (), **options: object) -> HandGroup:
        settings = RaftOptions(**{"has_pre_vote": False, "has_check_quorum": False, **options})  # type: ignore[arg-type]
        return HandGroup(range(1, voters + 1), learners, options=settings, raft_class=Recording)

    return make


def deliver_to(nodes: HandGroup, message: TimeoutNow) -> None:
    nodes.members[message.to].call(lambda node: node.step(message))


def asked_to_lead(nodes: HandGroup) -> None:
    """A follower, a candidate and a pre-candidate are asked to take over."""
    for _ in range(2):
        deliver_to(nodes, TimeoutNow(2, 1, nodes.node(1).term))


def elections(make: Callable[..., HandGroup]) -> None:
    """Time-outs, votes, and what ends a campaign; without pre-vote."""
    nodes = make()
    nodes.tick(1, 25)
    nodes.campaign(2)
    nodes.stabilize()
    nodes.campaign(3)
    nodes.stabilize()
    split = make(4)
    split.campaign(1)
    split.campaign(2)
    split.deliver("1>3")
    split.deliver("2>4")
    split.stabilize()
    asked_to_lead(make())
    candidate = make()
    candidate.campaign(1)
    asked_to_lead(candidate)


def pre_votes(make: Callable[..., HandGroup]) -> None:
    """The same with pre-vote, also when it is turned on or off at a restart, as one node."""
    nodes = make(has_pre_vote=True, has_check_quorum=True)
    nodes.tick(1, 25)
    nodes.stabilize()
    nodes.isolate(1)
    nodes.tick(1, 40)
    nodes.heal()
    nodes.campaign(1)
    nodes.tick(2, 10)
    nodes.stabilize()
    refused = make(has_pre_vote=True)
    refused.give_log(1, [], term=1)
    refused.give_log(2, [1])
    refused.give_log(3, [1])
    refused.campaign(1)
    refused.stabilize()
    behind = make(has_pre_vote=True)
    behind.give_log(2, [1])
    behind.campaign(1)
    behind.stabilize()


def other_ends_of_pre_votes(make: Callable[..., HandGroup]) -> None:
    """A wish of the leader, a lost real campaign, and a restart of the time-out without pre-vote."""
    asked = make(has_pre_vote=True)
    asked.campaign(1)
    asked_to_lead(asked)
    lost = make(has_pre_vote=True)
    lost.campaign(1)
    lost.deliver("1>2")
    lost.deliver("2>1")
    lost.tick(1, 20)  # a candidate asks again first
    switched = make(has_pre_vote=True)
    switched.campaign(1)
    switched.node(1).options = RaftOptions(has_pre_vote=False)
    switched.tick(1, 20)


def time_outs_without_a_vote(make: Callable[..., HandGroup]) -> None:
    """A learner, and one who asks already when the change that made it a voter is taken back."""
    learner = make(learners=[4])
    learner.tick(4, 25)
    asking = make(learners=[4], has_pre_vote=True)
    asking.campaign(1)
    asking.stabilize()
    asking.propose(1, b"a")
    asking.stabilize()
    asking.members[4].is_manual = True
    asking.change(1, [1, 2, 3, 4])
    asking.deliver("1>4")
    asking.campaign(4)
    asking.save_fails(4)
    asking.campaign(4)
    removed_while_it_campaigns(make())


def removed_while_it_campaigns(nodes: HandGroup) -> None:
    """A candidate's disk is slow with a snapshot, and in that it is only a learner."""
    nodes.campaign(1)
    snapshot = Snapshot(EntryId(Term(1), LogIndex(5)), Configuration((2, 3), (), (1,)))
    whole = SnapshotRequest(2, 1, Term(1), snapshot, 0, b"", is_last=True)
    nodes.give_log(1, [])
    node = nodes.node(1)
    node.step(whole)
    node.campaign()
    node.saved(node._last_sequence)
    node.snapshot_received(snapshot)
    assert node.role is Role.CANDIDATE
    assert [change.role for change in node.campaign().changes] == [Role.FOLLOWER]


def ends_of_reigns(make: Callable[..., HandGroup]) -> None:
    """No quorum, no room, no member any more; and disks that fail, in every role."""
    alone = make(has_check_quorum=True)
    alone.campaign(1)
    alone.stabilize()
    alone.isolate(1)
    alone.tick(1, 20)
    removed = make()
    removed.campaign(1)
    removed.stabilize()
    removed.change(1, [2, 3])
    removed.stabilize()
    for role in (Role.CANDIDATE, Role.LEADER):
        full = make()
        full.members[1].is_manual = role is Role.CANDIDATE
        full.campaign(1)
        if role is Role.LEADER:
            full.stabilize()
            full.members[1].is_manual = True
            full.propose(1, b"a")
        full.save_fails(1)
    for role in (Role.FOLLOWER, Role.PRE_CANDIDATE, Role.CANDIDATE, Role.LEADER):
        nodes = make(has_pre_vote=role is Role.PRE_CANDIDATE)
        if role is not Role.FOLLOWER:
            nodes.campaign(1)
        if role is Role.LEADER:
            nodes.stabilize()
        assert nodes.node(1).role is role
        nodes.disk_fails(1)


def test_every_turn_of_the_table_happens_and_no_other(group: Callable[..., HandGroup]) -> None:
    elections(group)
    pre_votes(group)
    other_ends_of_pre_votes(group)
    time_outs_without_a_vote(group)
    ends_of_reigns(group)
    assert sorted(set(TRANSITIONS) - Recording.turns) == []
    assert sorted(Recording.turns - set(TRANSITIONS)) == []


def test_every_role_can_be_reached_and_only_a_new_start_leaves_mute() -> None:
    reached, edge = {Role.FOLLOWER}, {Role.FOLLOWER}
    while edge:
        edge = {after for (before, _), after in TRANSITIONS.items() if before in edge} - reached
        reached |= edge
    assert reached == set(Role)
    assert [event for role, event in TRANSITIONS if role is Role.MUTE] == []


def test_a_node_leads_only_by_winning_and_wins_only_as_a_candidate() -> None:
    assert [turn for turn, after in TRANSITIONS.items() if after is Role.LEADER] == [(Role.CANDIDATE, Event.WINS)]
