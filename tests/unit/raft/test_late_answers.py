"""Answers that are late: they must not make a leader send again what is on its way."""

from mq.core.entry import Entry, EntryKind
from mq.core.ids import LogIndex, Term
from mq.raft.progress import PeerState, Progress


def entries(*indexes: int) -> tuple[Entry, ...]:
    return tuple(Entry(LogIndex(index), Term(1), EntryKind.COMMAND, b"") for index in indexes)


def probed() -> Progress:
    """A follower of which 3 was known to match, that refused what was behind 6, and is probed there."""
    peer = Progress(2, 1)
    peer.matched(3)
    peer.sent(entries(4, 5, 6, 7))
    peer.probe_from(7)
    peer.sent(entries(7))
    return peer


def test_an_answer_from_before_the_probe_is_not_taken_for_its_answer() -> None:
    peer = probed()
    assert peer.matched(4), "it is news, and it counts"
    assert (peer.state, peer.match_index, peer.next_index) == (PeerState.PROBE, 4, 7)
    assert not peer.may_send(64), "the probe is still on its way"


def test_the_answer_to_the_probe_ends_it() -> None:
    for index in (6, 7):  # 6: of a heartbeat behind the same entry
        peer = probed()
        peer.matched(index)
        assert (peer.state, peer.next_index) == (PeerState.REPLICATE, index + 1)
        assert peer.may_send(64)
