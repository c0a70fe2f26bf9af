"""Frames on a connection between two nodes of a group: length (u32, of the body alone), kind (u8), body.

Little-endian, as everything that we write ourselves. The length comes first and has a limit, so a stranger's bytes are told
from a frame by their first five, and nobody can make a node keep more than that limit.
"""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from mq.core.errors import FormatError
from mq.core.limits import FRAME_BYTES_MAX

__all__ = ["BODY_BYTES_MAX", "GREETING_BYTES_MAX", "Frame", "FrameKind", "FrameReader", "encode_head"]

BODY_BYTES_MAX = FRAME_BYTES_MAX + (1 << 20)
"""Room for a client's largest request and what is said around it."""
GREETING_BYTES_MAX = 4096
"""Of a frame from someone who has not proved yet who it is."""

_HEAD = Struct("<IB")


class FrameKind(IntEnum):
    """What a frame's body is. The number goes over the wire: never reuse one."""

    HELLO = 1
    CHALLENGE = 2
    PROOF = 3
    WELCOME = 4
    REFUSED = 5
    """The last word of someone who refuses a connection: why, as text."""
    PING = 6
    """Says only that its sender lives."""
    RAFT = 7
    """A message of Raft (`mq.rpc.peer_codec`)."""
    CALL = 8
    ANSWER = 9
    FAILED = 10
    CANCEL = 11
    TAKEN = 12
    """So many bytes of a call's answers were read by the caller, so as many more may follow."""


_KINDS = {int(kind): kind for kind in FrameKind}


class Frame(NamedTuple):
    """One frame. body: a view of the bytes that arrived, which stay unchanged as long as it lives."""

    kind: FrameKind
    body: memoryview


def encode_head(kind: FrameKind, body_bytes: int) -> bytes:
    """What stands before a body of this size. Raises: FormatError when no reader would take it."""
    if body_bytes > BODY_BYTES_MAX:
        raise FormatError(f"a frame of {body_bytes} bytes is longer than {BODY_BYTES_MAX}")
    return _HEAD.pack(body_bytes, kind)


class FrameReader:
    """Cuts what arrives into frames. A frame that came in one piece is not copied.

    body_bytes_max: may be raised between two frames, when the other side has proved who it is.
    """

    __slots__ = ("_at", "_data", "body_bytes_max")

    def __init__(self, body_bytes_max: int = BODY_BYTES_MAX) -> None:
        self.body_bytes_max = body_bytes_max
        self._data: bytes | bytearray = b""
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take what arrived, in pieces of any size."""
        if self._at == len(self._data):
            self._data, self._at = data, 0
            return
        if self._at or not isinstance(self._data, bytearray):  # frames that were handed out are views of it: leave it alone
            self._data, self._at = bytearray(memoryview(self._data)[self._at :]), 0
        self._data += data

    def next(self) -> Frame | None:
        """The next frame that is whole, or None. Raises: FormatError for a frame that is too long or of no known kind."""
        data, at = self._data, self._at
        begin = at + _HEAD.size
        if begin > len(data):
            return None
        size, number = _HEAD.unpack_from(data, at)
        kind = _KINDS.get(number)
        if kind is None:
            raise FormatError(f"no frame of ours: kind {number}")
        if size > self.body_bytes_max:
            raise FormatError(f"no frame of ours: {size} bytes, and at most {self.body_bytes_max} are allowed")
        if begin + size > len(data):
            return None
        self._at = begin + size
        return Frame(kind, memoryview(data)[begin : begin + size])
