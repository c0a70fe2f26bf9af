"""A run of a Raft group by hand, with all that a log can be asked for. Paper: Raft, figure 8, is at its heart."""

from mq.raft.messages import VoteReply
from tests.sim.raft_pair import Group


def write_run(group: Group) -> None:
    """Everything that a group does, by hand. Paper: Raft, figure 8, is at its heart."""
    pad = bytes(150)
    group.campaign(1)
    group.settle()
    group.propose(1, b"a", b"b" + pad, b"c")
    group.propose(1, b"d" + pad)
    group.settle()
    _figure_8(group)
    _lag_and_install(group)
    group.call(3, lambda node: node.change_members((1, 3), (2,)))  # by way of a joint configuration
    group.settle()
    group.beat(3)
    group.settle()
    _fill_a_disk(group)
    group.call(3, lambda node: node.change_members((1, 2, 3)))
    group.settle()
    group.beat(3)
    group.settle()
    group.call(3, lambda node: node.transfer(2))
    group.settle()
    _install_where_a_vote_was_given(group)
    group.propose(2, b"the", b"end")
    group.settle()
    group.beat(2)
    group.settle()


def _figure_8(group: Group) -> None:
    group.isolate(2, 3)
    group.propose(1, b"of node 1", b"also of node 1")  # (a): on node 1 alone
    group.save(1)
    group.isolate(1)
    group.campaign(2)  # (b): node 2 leads by the vote of node 3, and its entry is on its own disk alone
    group.save(2)
    group.deliver()
    group.isolate(1, 3)
    group.save(3)
    term = group.members[2].node.term
    group.call(2, lambda node: node.step(VoteReply(3, 2, term, is_granted=True)))
    group.save(2)
    group.isolate(2)
    group.beat(1)
    group.settle()  # node 1 hears of the new term
    group.campaign(1)  # (c): it leads again, and brings node 2 an entry of a lower term than what stands there
    group.settle()
    group.isolate()
    group.beat(1)
    group.settle()


def _lag_and_install(group: Group) -> None:
    """Node 2 is cut off with an entry of its own, and comes back when what it lacks is kept no more."""
    pad = bytes(300)
    group.campaign(2)
    group.settle()
    group.isolate(1, 3)
    group.propose(2, b"of node 2 alone")
    group.save(2)
    group.isolate(2)
    group.campaign(3)
    group.settle()
    for number in range(6):
        group.propose(3, b"%d." % number + pad)
    group.settle()
    group.snapshot(3)
    group.snapshot(1)
    group.propose(3, b"behind the snapshot")
    group.settle()
    group.isolate()
    for _ in range(3):
        group.beat(3)
        group.settle()
    group.propose(3, b"for all")
    group.settle()


def _install_where_a_vote_was_given(group: Group) -> None:
    """Node 1 voted for node 2 in this term: what begins its log anew must not forget that."""
    assert (group.members[1].node.term, group.members[1].node.vote) == (group.members[2].node.term, 2)
    group.isolate(1)
    for number in range(4):
        group.propose(2, b"%d?" % number + bytes(300))
    group.settle()
    group.snapshot(2)
    group.isolate()
    for _ in range(3):
        group.beat(2)
        group.settle()


def _fill_a_disk(group: Group) -> None:
    """A follower has no room for a new segment, until it has."""
    disk = group.members[1].disk
    disk.capacity_bytes = disk.used_bytes
    for number in range(4):
        group.propose(3, b"%d!" % number + bytes(250))
    group.settle()
    disk.capacity_bytes = None
    group.beat(3)
    group.settle()
