"""What a leader knows of a follower, under whatever it is told."""

from hypothesis import given
from hypothesis import strategies as st

from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.progress import PeerState, Progress

IN_FLIGHT_MAX = 3
LAST = 30
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("answer"), st.integers(0, LAST)),
        st.tuples(st.just("reject"), st.integers(0, LAST)),
        st.tuples(st.just("snapshot"), st.integers(1, LAST)),
    ),
    max_size=40,
)


def entries_from(first: int, count: int) -> list[Entry]:
    return [Entry(LogIndex(index), Term(1), EntryKind.COMMAND, b"") for index in range(first, first + count)]


def check(peer: Progress) -> None:
    """Its class comment."""
    assert 0 <= peer.match_index < peer.next_index
    assert len(peer.in_flight) <= IN_FLIGHT_MAX
    flights = list(peer.in_flight)
    assert flights == sorted(set(flights))
    assert all(peer.match_index < index < peer.next_index for index in flights)
    if peer.state is not PeerState.REPLICATE:
        assert not flights
    if peer.state is PeerState.REPLICATE and not flights:
        assert peer.next_index == peer.match_index + 1
    assert (peer.state is PeerState.SNAPSHOT) is (peer.snapshot is not None)


@given(EVENTS)
def test_its_invariants_hold_whatever_happens(events: list[tuple[str, int]]) -> None:
    """Answers only speak of what was sent: a leader never hears of entries that it has not."""
    peer, sent_to, matched = Progress(2, 8), 7, 0
    for event, number in events:
        if event == "send" and peer.may_send(IN_FLIGHT_MAX) and peer.next_index + number <= LAST:
            peer.sent(entries_from(peer.next_index, number))
            sent_to = max(sent_to, peer.next_index + number - 1)
        elif event == "answer" and number <= sent_to:
            assert peer.matched(number) is (number > matched)
            matched = max(matched, number)
        elif event == "reject":
            peer.probe_from(min(number, sent_to) + 1)
            peer.snapshot = None  # the core rejects in SNAPSHOT never
        elif event == "snapshot" and number > matched:
            peer.needs(Snapshot(EntryId(Term(1), LogIndex(number)), Configuration.of(1, 2)))
            sent_to = max(sent_to, number)
        assert peer.match_index == matched
        check(peer)


def replicating(match_index: int = 5) -> Progress:
    peer = Progress(2, match_index + 1)
    peer.matched(match_index)
    return peer


def test_it_begins_with_one_question_at_a_time() -> None:
    peer = Progress(2, 8)
    assert peer.may_send(IN_FLIGHT_MAX)
    peer.sent(entries_from(8, 2))
    assert not peer.may_send(IN_FLIGHT_MAX)
    assert peer.next_index == 8


def test_with_the_first_yes_many_may_be_on_their_way() -> None:
    peer = replicating()
    for _ in range(IN_FLIGHT_MAX):
        assert peer.may_send(IN_FLIGHT_MAX)
        peer.sent(entries_from(peer.next_index, 2))
    assert not peer.may_send(IN_FLIGHT_MAX)
    assert (peer.next_index, list(peer.in_flight)) == (12, [7, 9, 11])


def test_an_answer_makes_room_for_all_that_it_speaks_of() -> None:
    peer = replicating()
    for _ in range(IN_FLIGHT_MAX):
        peer.sent(entries_from(peer.next_index, 2))
    assert peer.matched(9)
    assert list(peer.in_flight) == [11]
    assert not peer.matched(7)
    assert list(peer.in_flight) == [11]


def test_a_no_makes_it_ask_again_but_never_below_what_is_known() -> None:
    peer = replicating(5)
    peer.sent(entries_from(6, 2))
    peer.probe_from(3)
    assert (peer.state, peer.match_index, peer.next_index, len(peer.in_flight)) == (PeerState.PROBE, 5, 6, 0)


def test_a_snapshot_is_over_when_the_follower_has_what_it_stands_for() -> None:
    peer = replicating(5)
    peer.needs(Snapshot(EntryId(Term(1), LogIndex(9)), Configuration.of(1, 2)))
    assert not peer.may_send(IN_FLIGHT_MAX)
    peer.matched(7)
    assert peer.state is PeerState.SNAPSHOT
    peer.matched(9)
    assert (str(peer.state), peer.next_index) == ("replicate", 10)
