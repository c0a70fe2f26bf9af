"""Raft's messages there and back; whatever else arrives is refused in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.entry import Entry, EntryKind
from mq.core.errors import FormatError, StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import (
    AppendReply,
    AppendRequest,
    Message,
    Snapshot,
    SnapshotReply,
    SnapshotRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from mq.rpc.peer_codec import decode_message, encode_message

NUMBERS = st.integers(0, 300) | st.integers(0, 2**64 - 1)
IDS = st.lists(st.integers(0, 2**32), max_size=4, unique=True).map(lambda ids: tuple(sorted(ids)))
START = (NUMBERS, NUMBERS, NUMBERS)
ENTRY_IDS = st.builds(EntryId, NUMBERS, NUMBERS)
ENTRIES = st.lists(st.builds(Entry, NUMBERS, NUMBERS, st.sampled_from(EntryKind), st.binary(max_size=40)), max_size=6).map(tuple)
CONFIGURATIONS = st.builds(Configuration, IDS.filter(bool), IDS, IDS)
KINDS: dict[type, st.SearchStrategy[Message]] = {
    VoteRequest: st.builds(VoteRequest, *START, ENTRY_IDS, st.booleans(), st.booleans()),
    VoteReply: st.builds(VoteReply, *START, st.booleans(), st.booleans()),
    AppendRequest: st.builds(AppendRequest, *START, ENTRY_IDS, ENTRIES, NUMBERS, NUMBERS),
    AppendReply: st.builds(AppendReply, *START, st.booleans(), NUMBERS, NUMBERS, ENTRY_IDS, NUMBERS),
    SnapshotRequest: st.builds(
        SnapshotRequest, *START, st.builds(Snapshot, ENTRY_IDS, CONFIGURATIONS), NUMBERS, st.binary(max_size=40), st.booleans()
    ),
    SnapshotReply: st.builds(SnapshotReply, *START, ENTRY_IDS, NUMBERS, st.booleans()),
    TimeoutNow: st.builds(TimeoutNow, *START),
}
MESSAGES = st.one_of(*KINDS.values())


def test_every_kind_of_message_is_tried() -> None:
    assert set(KINDS) == set(Message.__args__)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_comes_back_as_it_was(kind: type) -> None:
    @given(KINDS[kind])
    def check(message: Message) -> None:
        for data in (encode_message(message), memoryview(bytearray(encode_message(message)))):
            back = decode_message(data)
            assert back == message
            assert type(back) is kind
            assert repr(back) == repr(message)  # True is no 1, a kind no number, and payloads are bytes

    check()


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_off_or_too_long_is_refused(message: Message, data: st.DataObject) -> None:
    raw = encode_message(message)
    with pytest.raises(FormatError):
        decode_message(raw[: data.draw(st.integers(0, len(raw) - 1))] if not isinstance(message, SnapshotRequest) else raw[:20])
    if not isinstance(message, SnapshotRequest):  # whose data may be of any length: its frame says where it ends
        with pytest.raises(FormatError):
            decode_message(raw + b"x")


def outcome(data: bytes) -> Message | None:
    """The message, None when it is refused; any other error passes."""
    try:
        return decode_message(data)
    except FormatError:
        return None


@given(st.binary(max_size=200) | st.tuples(st.integers(0, 9), st.binary(max_size=200)).map(lambda p: bytes((1, p[0])) + p[1]))
def test_random_bytes_are_refused_or_are_a_message(data: bytes) -> None:
    message = outcome(data)
    assert message is None or encode_message(message) == data


@given(MESSAGES, st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_another_message(message: Message, at: int, change: int) -> None:
    raw = bytearray(encode_message(message))
    raw[at % len(raw)] ^= change
    found = outcome(bytes(raw))
    assert found is None or (found != message and encode_message(found) == raw)


def test_another_version_and_a_count_beyond_all_bytes_are_refused_by_name() -> None:
    request = AppendRequest(1, 2, Term(3), EntryId(Term(0), LogIndex(0)), (), LogIndex(0), 0)
    raw = encode_message(request)
    with pytest.raises(FormatError, match="version 2; this program knows 1"):
        decode_message(b"\x02" + raw[1:])
    with pytest.raises(FormatError, match="ends within its 4294967295 rows"):
        decode_message(raw[:-4] + b"\xff" * 4)
    with pytest.raises(FormatError, match="unknown kind 8"):
        decode_message(b"\x01\x08" + raw[2:])


def test_a_configuration_without_voters_is_refused() -> None:
    snapshot = Snapshot(EntryId(Term(1), LogIndex(1)), Configuration(()))
    with pytest.raises(FormatError, match="without voters"):
        decode_message(encode_message(SnapshotRequest(1, 2, Term(3), snapshot, 0, b"", True)))


def test_a_number_that_does_not_fit_is_our_own_fault() -> None:
    with pytest.raises(StateError, match="TimeoutNow that cannot be sent"):
        encode_message(TimeoutNow(1, 2, Term(-1)))


def test_payloads_are_copied_once_and_never_looked_at() -> None:
    payload = bytes(1 << 20)
    entries = tuple(Entry(LogIndex(at), Term(1), EntryKind.COMMAND, payload) for at in range(1, 9))
    request = AppendRequest(1, 2, Term(3), EntryId(Term(0), LogIndex(0)), entries, LogIndex(0), 0)
    raw = encode_message(request)
    assert 0 < len(raw) - 8 * len(payload) < 300
    assert decode_message(raw) == request
