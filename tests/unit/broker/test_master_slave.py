"""A master and its slaves, step by step: what counts as committed, what leaves when, and what becomes of what contradicts."""

from collections.abc import Callable

import pytest

from mq.broker.replication.epochs import master_of, next_epoch
from mq.broker.replication.master_slave import Copy, MasterSlave
from mq.broker.replication.slave import ContradictionError
from mq.core.errors import IllegalArgumentError
from mq.core.ids import LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.errors import ChangeRefusedError, NotLeaderError
from mq.raft.messages import AppendRequest, Message, Snapshot
from mq.raft.options import RaftOptions
from mq.raft.output import NOTHING, Output
from mq.raft.role import Role
from mq.sim.group.storage import LightStorage

OPTIONS = RaftOptions(election_ticks=3, heartbeat_ticks=1)


class Nodes:
    """Cores on disks in memory; messages wait in `wire` until they are delivered, and only to those that are not cut off."""

    def __init__(self, copy: Copy = Copy.ASYNC, count: int = 2) -> None:
        self.copy, self.members = copy, Configuration.of(*range(1, count + 1))
        self.disks = {node: LightStorage() for node in self.members.voters}
        self.wire: list[Message] = []
        self.applied: dict[int, LogIndex] = {}
        self.cut_off: set[int] = set()
        self.is_disk_slow = False
        self.waiting: dict[int, list[Output]] = {node: [] for node in self.members.voters}
        self.cores: dict[int, MasterSlave] = {}
        for node in self.members.voters:
            self.start(node)

    def start(self, node: int, *, snapshot: Snapshot | None = None) -> MasterSlave:
        """With what its disk holds."""
        disk = self.disks[node]
        self.cores[node] = MasterSlave(
            node, disk.open().log, copy=self.copy, options=OPTIONS, configuration=self.members, snapshot=snapshot
        )
        self.carry_out(node, self.cores[node].tick())
        return self.cores[node]

    def carry_out(self, node: int, output: Output) -> None:
        """At once, but for a slow disk's saves."""
        self.wire += output.send
        self.applied[node] = max(self.applied.get(node, LogIndex(0)), output.apply_to)
        self.waiting[node].append(output)
        if not self.is_disk_slow:
            self.disk_works(node)

    def disk_works(self, node: int) -> None:
        """All that waits for it is saved."""
        outputs, self.waiting[node] = self.waiting[node], []
        saves = [save for output in outputs for save in output.saves]
        for output in outputs:
            self.wire += [message for _, message in output.send_after]
        if saves:
            self.disks[node].sync(saves[-1].sequence)
            self.carry_out(node, self.cores[node].saved(saves[-1].sequence))

    def deliver(self) -> None:
        """All that is on its way, and what comes of it."""
        while self.wire:
            message = self.wire.pop(0)
            if not {message.sender, message.to} & self.cut_off:
                self.carry_out(message.to, self.cores[message.to].step(message))

    def propose(self, node: int, *bodies: bytes) -> None:
        self.carry_out(node, self.cores[node].propose(bodies))

    def promote(self, node: int, *, is_alone: bool = False) -> None:
        self.carry_out(node, self.cores[node].promote(is_alone=is_alone))

    def ticks(self, node: int, count: int) -> None:
        for _ in range(count):
            self.carry_out(node, self.cores[node].tick())


def running(copy: Copy = Copy.ASYNC, count: int = 2) -> Nodes:
    """Node 1 is the master of epoch 1, and all have its first entry."""
    nodes = Nodes(copy, count)
    nodes.promote(1)
    nodes.deliver()
    assert [core.log.last for core in nodes.cores.values()] == [(1, 1)] * count
    return nodes


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_two_nodes_never_begin_the_same_epoch_and_each_is_above_what_was_known(count: int) -> None:
    members = [10 * number for number in range(1, count + 1)]
    owners: dict[int, int] = {}
    for node in members:
        for highest in range(30):
            epoch = next_epoch(highest, node, members)
            assert highest < epoch <= highest + count
            assert owners.setdefault(epoch, node) == node == master_of(epoch, members)
    assert next_epoch(0, members[0], members) == 1
    assert master_of(0, members) is None
    with pytest.raises(IllegalArgumentError, match="node 5 is none of"):
        next_epoch(0, 5, members)


def test_nothing_is_sent_in_a_new_epoch_before_it_is_on_the_disk() -> None:
    nodes = running()
    nodes.is_disk_slow = True
    nodes.promote(2)
    assert nodes.cores[2].view().role is Role.CANDIDATE
    assert nodes.wire == []
    nodes.is_disk_slow = False
    nodes.disk_works(2)
    assert nodes.cores[2].view().role is Role.LEADER
    assert {message.term for message in nodes.wire} == {2}
    nodes.deliver()
    assert (nodes.cores[1].role, nodes.cores[1].leader, nodes.cores[1].term) == (Role.FOLLOWER, 2, 2)


def test_a_master_sends_only_what_is_on_its_own_disk() -> None:
    nodes = running()
    nodes.is_disk_slow = True
    nodes.propose(1, b"bread")
    assert [message for message in nodes.wire if isinstance(message, AppendRequest) and message.entries] == []
    nodes.is_disk_slow = False
    nodes.disk_works(1)
    (sent,) = [message for message in nodes.wire if isinstance(message, AppendRequest) and message.entries]
    assert [entry.payload for entry in sent.entries] == [b"bread"]


def test_asynchronous_copy_commits_without_a_slave_and_synchronous_with_one_of_two() -> None:
    asynchronous = running()
    asynchronous.cut_off = {2}
    asynchronous.propose(1, b"bread")
    assert asynchronous.applied[1] == 2
    synchronous = running(Copy.SYNC, 3)
    synchronous.cut_off = {2, 3}
    synchronous.propose(1, b"bread")
    synchronous.deliver()
    assert synchronous.applied[1] == 1
    synchronous.cut_off = {3}
    synchronous.ticks(1, 1)
    synchronous.deliver()
    synchronous.deliver()
    assert synchronous.applied[1] == 2
    assert synchronous.applied[2] == 2


def test_a_synchronous_master_without_a_slave_is_stalled_until_a_person_or_a_slave_comes() -> None:
    nodes = running(Copy.SYNC)
    assert not nodes.cores[1].is_stalled
    nodes.cut_off = {2}
    nodes.propose(1, b"bread")
    nodes.ticks(1, OPTIONS.election_ticks)
    assert nodes.cores[1].is_stalled
    assert nodes.cores[1].role is Role.LEADER, "nobody else would take its place"
    nodes.carry_out(1, nodes.cores[1].go_alone())
    assert (nodes.cores[1].is_stalled, nodes.applied[1]) == (False, 2)
    nodes.cut_off = set()
    nodes.ticks(1, 1)
    nodes.deliver()
    assert nodes.cores[2].log.last.index == 2
    assert not nodes.cores[1].is_alone, "it waits for slaves again when one has caught up"


def test_a_slave_knows_when_it_hears_nobody_and_takes_no_commands() -> None:
    nodes = running()
    assert nodes.cores[2].leader == 1
    nodes.ticks(2, 2 * OPTIONS.election_ticks)
    view = nodes.cores[2].view()
    assert (view.role, view.leader, view.term) == (Role.FOLLOWER, None, 1)
    nodes.wire.clear()
    nodes.carry_out(2, nodes.cores[2].campaign())
    assert nodes.wire == [], "it asks nobody for votes"
    slave = nodes.cores[2]
    refused: list[Callable[[], object]] = [lambda: slave.propose([b"bread"]), lambda: slave.read(1), slave.go_alone]
    for do in refused:
        with pytest.raises(NotLeaderError):
            do()


def test_who_was_the_master_goes_on_after_a_start_unless_it_has_heard_of_another() -> None:
    nodes = running()
    again = nodes.start(1)
    nodes.carry_out(1, again.resume())
    assert (again.role, again.term) == (Role.LEADER, 1)
    nodes.deliver()
    assert nodes.cores[2].log.last == (1, 2)
    assert nodes.cores[2].resume() is NOTHING, "a slave has no epoch to go on with"
    nodes.promote(2)
    nodes.deliver()
    superseded = nodes.start(1)
    nodes.carry_out(1, superseded.resume())
    assert (superseded.role, superseded.term) == (Role.FOLLOWER, 2)


def test_a_slave_has_applied_all_of_its_log_after_a_start_though_nobody_tells_it() -> None:
    nodes = running(Copy.SYNC)
    nodes.propose(1, b"bread", b"cake")
    nodes.deliver()
    nodes.applied.clear()
    nodes.cut_off = {1}
    nodes.start(2)
    assert nodes.applied[2] == 3


def test_what_contradicts_the_master_is_told_with_its_number_when_it_was_committed() -> None:
    nodes = running()
    nodes.cut_off = {1}
    nodes.propose(1, b"bread", b"cake")
    nodes.promote(2)
    nodes.propose(2, b"buns")
    nodes.deliver()
    nodes.cut_off = set()
    nodes.ticks(2, 1)
    with pytest.raises(ContradictionError, match="2 entries that this node took for stored for ever, from 2 on") as gone:
        nodes.deliver()
    assert (gone.value.index, gone.value.count, gone.value.epoch, gone.value.master) == (2, 2, 2, 2)


def test_it_is_told_too_where_the_log_does_not_reach_back_so_far() -> None:
    nodes = running()
    nodes.cut_off = {1}
    nodes.propose(1, b"bread", b"cake", b"pie")
    nodes.cores[1].applied(nodes.applied[1])
    taken = nodes.cores[1].take_snapshot()
    assert taken is not None
    nodes.carry_out(1, nodes.cores[1].snapshot_saved(taken, keep_from=LogIndex(4)))
    assert nodes.cores[1].log.storage.first_index == 4
    nodes.promote(2)
    nodes.deliver()
    nodes.cut_off = set()
    nodes.ticks(2, 1)
    with pytest.raises(ContradictionError, match="node 2, the master of epoch 2"):
        nodes.deliver()


def test_what_nobody_was_told_of_gives_way_without_a_word_to_anybody() -> None:
    nodes = running(Copy.SYNC)
    nodes.cut_off = {1}
    nodes.propose(1, b"bread")
    nodes.promote(2, is_alone=True)
    nodes.propose(2, b"buns")
    nodes.deliver()
    nodes.cut_off = set()
    nodes.ticks(2, 1)
    nodes.deliver()
    assert nodes.cores[1].log.last == nodes.cores[2].log.last == (2, 3)
    assert nodes.cores[1].superseded == 1


def test_a_slave_whose_folder_was_emptied_is_given_everything_by_the_same_master() -> None:
    nodes = running()
    nodes.propose(1, b"bread", b"cake")
    nodes.deliver()
    nodes.disks[2] = LightStorage()
    nodes.start(2)
    nodes.ticks(1, 1)
    nodes.deliver()
    assert nodes.cores[2].log.last == (1, 3)


def test_what_a_group_of_raft_can_do_is_refused_here() -> None:
    master = running().cores[1]
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: master.transfer(2), "a master does not hand over"),
        (lambda: master.change_members([1, 2, 3]), "those of --peers, for good"),
        (master.promote, "it is the master already"),
    ]
    for do, why in refused:
        with pytest.raises(ChangeRefusedError, match=why):
            do()


def test_a_full_disk_ends_no_reign_but_a_promotion() -> None:
    nodes = running()
    nodes.is_disk_slow = True
    nodes.propose(1, b"bread")
    output = nodes.waiting[1].pop()
    nodes.carry_out(1, nodes.cores[1].save_failed(output.saves[0].sequence))
    assert (nodes.cores[1].role, nodes.cores[1].log.last) == (Role.LEADER, (1, 1))
    nodes.promote(2)
    output = nodes.waiting[2].pop()
    nodes.carry_out(2, nodes.cores[2].save_failed(output.saves[0].sequence))
    assert (nodes.cores[2].role, nodes.cores[2].vote, nodes.cores[2].term) == (Role.FOLLOWER, None, Term(2))
