"""What the frames of a forwarded call hold: CALL, ANSWER, FAILED, CANCEL, TAKEN. Each begins with the call's id (u64).

Ids are the caller's, one connection has one caller. Requests and parts of answers stand at the end, so they are neither
copied into a body nor looked at.
"""

from math import isfinite
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is an error's class
from typing import NamedTuple, TypeAlias

from mq.core.errors import Code, FormatError, IllegalArgumentError

__all__ = [
    "Answer",
    "Call",
    "Failed",
    "Headers",
    "decode_answer",
    "decode_call",
    "decode_cancel",
    "decode_failed",
    "decode_taken",
    "encode_answer_head",
    "encode_call_head",
    "encode_cancel",
    "encode_failed",
    "encode_taken",
]

Headers: TypeAlias = tuple[tuple[str, str], ...]

_CALL = Struct("<QdHH")
_PAIR = Struct("<HI")
_ANSWER = Struct("<QB")
_FAILED = Struct("<QIB")
_ID = Struct("<Q")
_TAKEN = Struct("<QQ")
_NO_TIMEOUT = -1.0
_IS_LAST, _HAS_PART = 1, 2
_CODES = frozenset(Code)


class Call(NamedTuple):
    """timeout_s: from now on, or None."""

    id: int
    timeout_s: float | None
    name: str
    headers: Headers
    request: bytes


class Answer(NamedTuple):
    """part: None when the answers end without one more."""

    id: int
    part: bytes | None
    is_last: bool


class Failed(NamedTuple):
    """code: of `Code`; one that is not known is INTERNAL_SERVER_ERROR. is_definite: whether surely nothing was done."""

    id: int
    code: Code
    is_definite: bool
    text: str


def encode_call_head(call_id: int, timeout_s: float | None, name: str, headers: Headers) -> bytes:
    """A CALL's body up to the request. Raises: IllegalArgumentError for a name or headers that are too long."""
    raw = name.encode()
    try:
        parts = [_CALL.pack(call_id, _NO_TIMEOUT if timeout_s is None else max(timeout_s, 0.0), len(raw), len(headers)), raw]
        for key, value in headers:
            pair = key.encode(), value.encode()
            parts += (_PAIR.pack(*map(len, pair)), *pair)
    except StructError as error:
        raise IllegalArgumentError(f"headers: a call's name or headers are too long: {error}") from error
    return b"".join(parts)


def decode_call(body: memoryview) -> Call:
    """Raises: FormatError."""
    try:
        call_id, timeout_s, name_bytes, count = _CALL.unpack_from(body)
        if not isfinite(timeout_s) or (timeout_s < 0 and timeout_s != _NO_TIMEOUT):
            raise FormatError(f"a call with a timeout of {timeout_s} s")
        name, at = _text(body, _CALL.size, name_bytes)
        headers = []
        for _ in range(count):
            key_bytes, value_bytes = _PAIR.unpack_from(body, at)
            key, at = _text(body, at + _PAIR.size, key_bytes)
            value, at = _text(body, at, value_bytes)
            headers.append((key, value))
    except StructError as error:
        raise FormatError(f"a call that is cut off: {error}") from error
    return Call(call_id, None if timeout_s < 0 else timeout_s, name, tuple(headers), bytes(body[at:]))


def _text(body: memoryview, at: int, size: int) -> tuple[str, int]:
    end = at + size
    if end > len(body):
        raise FormatError("a call that is cut off")
    try:
        return str(body[at:end], "utf-8"), end
    except UnicodeDecodeError as error:
        raise FormatError(f"a call with text that is none: {error}") from error


def encode_answer_head(call_id: int, *, is_last: bool, has_part: bool = True) -> bytes:
    """An ANSWER's body up to the part."""
    return _ANSWER.pack(call_id, is_last * _IS_LAST | has_part * _HAS_PART)


def decode_answer(body: memoryview) -> Answer:
    """Raises: FormatError."""
    if len(body) < _ANSWER.size:
        raise FormatError("an answer that is cut off")
    call_id, flags = _ANSWER.unpack_from(body)
    part = body[_ANSWER.size :]
    if flags not in {_IS_LAST, _HAS_PART, _IS_LAST | _HAS_PART} or (part and not flags & _HAS_PART):
        raise FormatError(f"an answer with flags {flags:#x} and {len(part)} bytes")
    return Answer(call_id, bytes(part) if flags & _HAS_PART else None, bool(flags & _IS_LAST))


def encode_failed(failed: Failed) -> bytes:
    """The body of a FAILED; a long text is cut."""
    return _FAILED.pack(failed.id, failed.code, failed.is_definite) + failed.text[:4096].encode(errors="replace")


def decode_failed(body: memoryview) -> Failed:
    """Raises: FormatError."""
    if len(body) < _FAILED.size:
        raise FormatError("a failure that is cut off")
    call_id, number, is_definite = _FAILED.unpack_from(body)
    code = Code(number) if number in _CODES else Code.INTERNAL_SERVER_ERROR
    return Failed(call_id, code, is_definite == 1, str(body[_FAILED.size :], "utf-8", "replace"))


def encode_cancel(call_id: int) -> bytes:
    """The body of a CANCEL."""
    return _ID.pack(call_id)


def decode_cancel(body: memoryview) -> int:
    """The call's id. Raises: FormatError."""
    if len(body) != _ID.size:
        raise FormatError(f"a cancel of {len(body)} bytes")
    (call_id,) = _ID.unpack(body)
    return int(call_id)


def encode_taken(call_id: int, taken_bytes: int) -> bytes:
    """The body of a TAKEN."""
    return _TAKEN.pack(call_id, taken_bytes)


def decode_taken(body: memoryview) -> tuple[int, int]:
    """The call's id, and how many bytes more were read. Raises: FormatError."""
    if len(body) != _TAKEN.size:
        raise FormatError(f"a TAKEN of {len(body)} bytes")
    call_id, taken_bytes = _TAKEN.unpack(body)
    return int(call_id), int(taken_bytes)
