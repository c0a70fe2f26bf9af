"""Entries that a leader does not keep in memory: read from the disk, and sent only where they still fit."""

from mq.raft.messages import AppendRequest
from mq.raft.node import RaftNode
from mq.raft.output import EntriesWanted
from tests.paper.lone import Lone, entry_id, of_kind


def fetching() -> tuple[Lone, EntriesWanted]:
    """A leader that asked its host for old entries, which it does not keep in memory, for node 2."""
    node = Lone(RaftNode, 3, [1, 1, 1, 1], {"recent_bytes_max": 1})
    node.lead()
    output = node.node.step(node.rejected_by(2, 4, entry_id(3, 1)))
    [wanted] = output.fetch
    assert isinstance(wanted, EntriesWanted)
    assert (wanted.peer, wanted.first) == (2, 4)
    return node, wanted


def test_old_entries_are_read_from_the_disk_and_sent() -> None:
    node, wanted = fetching()
    output = node.node.fetched(wanted, node.member.log.entries(wanted.first, wanted.last))
    sent = of_kind(output.send, AppendRequest)
    assert [(request.to, request.previous, [entry.index for entry in request.entries][:1]) for request in sent] == [
        (2, entry_id(3, 1), [4])
    ]


def test_what_was_read_for_another_place_or_an_earlier_reign_is_not_sent() -> None:
    node, wanted = fetching()
    entries = node.member.log.entries(wanted.first, wanted.last)
    again = node.node.step(node.rejected_by(2, 3, entry_id(1, 1)))  # meanwhile it asks further back
    assert [want.first for want in again.fetch if isinstance(want, EntriesWanted)] == [2]
    assert of_kind(node.node.fetched(wanted, entries).send, AppendRequest) == []
    node, wanted = fetching()
    node.hear(node.append_of(9, entry_id(5, 2)))
    assert node.node.fetched(wanted, entries).send == ()
    node.lead()
    assert of_kind(node.node.fetched(wanted, entries).send, AppendRequest) == []
