"""The hand world's restart hands a node what belongs to it, and nothing that a crash left over."""

from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.role import Role
from mq.sim.hand.group import HandGroup


def test_a_log_that_contradicts_the_snapshot_on_disk_tells_a_restart_of_no_members() -> None:
    """The power failed between a leader's snapshot and the log that begins behind it: what the log still holds is superseded."""
    nodes, alone = HandGroup((1, 2, 3)), Configuration.of(1)
    nodes.give_log(1, [1, 1])
    member = nodes.members[1]
    member.log.append(LogIndex(2), [Entry(LogIndex(3), Term(1), EntryKind.CONFIGURATION, alone.to_bytes())])
    member.log.synced(2)
    nodes.crash(1)
    nodes.restart(1)
    assert nodes.node(1).configuration == alone, "without a snapshot it is in force"
    member.snapshot, member.snapshot_data = Snapshot(EntryId(Term(2), LogIndex(2)), nodes.configuration), b"a"
    nodes.crash(1)
    nodes.restart(1)
    assert (nodes.node(1).configuration, nodes.node(1).log.last) == (nodes.configuration, EntryId(Term(2), LogIndex(2)))
    nodes.campaign(1)
    nodes.save_all(1)
    assert nodes.node(1).role is not Role.LEADER
