"""What makes it fast and is no rule: a Raft that does otherwise is right, too. Paper: Raft, section 5.3; thesis: section 10.2.1."""

from collections.abc import Callable

from mq.raft.messages import AppendReply, AppendRequest
from mq.raft.output import EntriesWanted
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, entry_id, of_kind


def terms_of(group: HandGroup, node_id: int) -> list[int]:
    log = group.members[node_id].log
    return [entry.term for entry in log.entries(1, log.last_index)]


def test_5_3_whole_terms_are_skipped(group: Callable[..., HandGroup]) -> None:
    """60 entries that contradict cost a few round trips, not 60."""
    nodes = group(3, {1: [1, *[3] * 60], 2: [1, *[2] * 60], 3: [1, *[3] * 60]})
    nodes.isolate(2)
    nodes.campaign(1)
    nodes.stabilize()
    nodes.heal()
    refusals = 0
    for _ in range(10):
        nodes.tick(1, nodes.options.heartbeat_ticks)
        while nodes.flights:
            message = nodes.flights[0].message
            refusals += isinstance(message, AppendReply) and not message.is_matching
            nodes.deliver(f"{message.sender}>{message.to}")
    assert refusals <= 3
    assert terms_of(nodes, 2) == terms_of(nodes, 1)


def test_thesis_10_2_1_several_requests_are_on_their_way_and_no_more_than_the_limit(lone: Callable[..., Lone]) -> None:
    node = lone(entries_max=1, in_flight_max=3)
    node.lead()
    node.hear(node.matched_by(2, 1), node.matched_by(3, 1))
    node.group.propose(1, b"a", b"b", b"c", b"d", b"e")
    sent = [request.entries[0].index for request in of_kind(node.sent(), AppendRequest) if request.to == 2]
    assert sent == [2, 3, 4]
    more = [request.entries[0].index for request in of_kind(node.hear(node.matched_by(2, 3)), AppendRequest)]
    assert more == [5, 6]
    node.group.propose(1, *[b"x"] * 6)
    seen = [6]
    while seen[-1] < 12:  # each answer makes room again, for ever
        requests = of_kind(node.hear(node.matched_by(2, seen[-1])), AppendRequest)
        assert requests
        seen += [request.entries[0].index for request in requests]
    assert seen == list(range(6, 13))
    node.hear(node.matched_by(2, 12))
    node.group.propose(1, b"y")
    assert [request.entries[0].index for request in of_kind(node.sent(), AppendRequest) if request.to == 2] == [13]


def fetching(lone: Callable[..., Lone]) -> tuple[Lone, EntriesWanted]:
    """A leader that asked its host for old entries, which it does not keep in memory, for node 2."""
    node = lone(terms=[1, 1, 1, 1], recent_bytes_max=1)
    node.lead()
    output = node.node.step(node.rejected_by(2, 4, entry_id(3, 1)))
    [wanted] = output.fetch
    assert isinstance(wanted, EntriesWanted)
    assert (wanted.peer, wanted.first) == (2, 4)
    return node, wanted


def test_5_3_old_entries_are_read_from_the_disk_and_sent(lone: Callable[..., Lone]) -> None:
    node, wanted = fetching(lone)
    output = node.node.fetched(wanted, node.member.log.entries(wanted.first, wanted.last))
    sent = of_kind(output.send, AppendRequest)
    assert [(request.to, request.previous, [entry.index for entry in request.entries][:1]) for request in sent] == [
        (2, entry_id(3, 1), [4])
    ]


def test_5_3_what_was_read_for_another_place_or_an_earlier_reign_is_not_sent(lone: Callable[..., Lone]) -> None:
    node, wanted = fetching(lone)
    entries = node.member.log.entries(wanted.first, wanted.last)
    again = node.node.step(node.rejected_by(2, 3, entry_id(1, 1)))  # meanwhile it asks further back
    assert [want.first for want in again.fetch if isinstance(want, EntriesWanted)] == [2]
    assert of_kind(node.node.fetched(wanted, entries).send, AppendRequest) == []
    node, wanted = fetching(lone)
    node.hear(node.append_of(9, entry_id(5, 2)))
    assert node.node.fetched(wanted, entries).send == ()
    node.lead()
    assert of_kind(node.node.fetched(wanted, entries).send, AppendRequest) == []
