"""Frames, however the bytes are cut up on the way."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.errors import FormatError
from mq.rpc.frames import BODY_BYTES_MAX, Frame, FrameKind, FrameReader, encode_head

FRAMES = st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(max_size=60)), max_size=8)


def encoded(kind: FrameKind, body: bytes) -> bytes:
    return encode_head(kind, len(body)) + body


def frames_of(reader: FrameReader) -> Iterator[Frame]:
    while (frame := reader.next()) is not None:
        yield frame


@given(FRAMES, st.lists(st.integers(0, 500), max_size=20))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[tuple[FrameKind, bytes]], cuts: list[int]) -> None:
    raw = b"".join(encoded(*frame) for frame in frames)
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    reader = FrameReader()
    found: list[Frame] = []
    for begin, end in pairwise(places):
        reader.feed(raw[begin:end])
        found += frames_of(reader)
    # The views are read at the very end: what came later must not have changed them.
    assert [(frame.kind, bytes(frame.body)) for frame in found] == frames
    assert reader.next() is None


def test_single_bytes_make_frames_too() -> None:
    raw = encoded(FrameKind.RAFT, b"abc") * 3
    reader = FrameReader()
    found = []
    for byte in raw:
        reader.feed(bytes((byte,)))
        found += [bytes(frame.body) for frame in frames_of(reader)]
    assert found == [b"abc"] * 3


def test_a_frame_in_one_piece_is_not_copied() -> None:
    raw = encoded(FrameKind.RAFT, b"x" * 1000)
    reader = FrameReader()
    reader.feed(raw)
    frame = reader.next()
    assert frame is not None
    assert frame.body.obj is raw


def test_a_frame_that_is_too_long_is_refused_before_it_has_come() -> None:
    reader = FrameReader(100)
    reader.feed(encode_head(FrameKind.HELLO, 101))
    with pytest.raises(FormatError, match="101 bytes, and at most 100"):
        reader.next()
    with pytest.raises(FormatError, match="longer than"):
        encode_head(FrameKind.RAFT, BODY_BYTES_MAX + 1)


def test_the_limit_can_be_raised_between_two_frames_that_came_together() -> None:
    reader = FrameReader(10)
    reader.feed(encoded(FrameKind.PROOF, b"p") + encoded(FrameKind.CALL, b"c" * 50))
    assert reader.next() == Frame(FrameKind.PROOF, memoryview(b"p"))
    reader.body_bytes_max = 50
    assert reader.next() == Frame(FrameKind.CALL, memoryview(b"c" * 50))


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x00\x00\x00\x00\x00", b"\x01\x00\x00\x00\xff"]
)
def test_what_others_say_is_no_frame(start: bytes) -> None:
    reader = FrameReader(4096)
    reader.feed(start)
    with pytest.raises(FormatError, match="no frame of ours"):
        reader.next()


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_any_bytes_are_frames_or_refused(pieces: list[bytes]) -> None:
    reader = FrameReader(40)
    fed = given_out = 0
    try:
        for piece in pieces:
            reader.feed(piece)
            fed += len(piece)
            for frame in frames_of(reader):
                given_out += 5 + len(frame.body)
                assert len(frame.body) <= 40
    except FormatError:
        pass
    assert given_out <= fed
