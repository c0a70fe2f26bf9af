"""What makes it fast and is no rule: a Raft without it is right, too. Paper: Raft, section 5.3; thesis: section 10.2.1."""

from collections.abc import Callable

from mq.raft.messages import AppendReply, AppendRequest
from mq.sim.hand.group import HandGroup
from tests.paper.lone import Lone, of_kind


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
