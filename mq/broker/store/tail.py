"""What stands in a segment behind the place where no whole group stands any more."""

from typing import NamedTuple

from mq.broker.store.record import GROUP_HEADER_BYTES, GROUP_MAGIC, decode_group_header
from mq.core.errors import FormatError
from mq.core.ports import Operation, Read, Steps, Write

__all__ = ["Rest", "read_rest", "zeros"]

_CHUNK_BYTES = 1 << 20


class Rest(NamedTuple):
    """durable_end: the highest that a group in there tells of, 0 without one. next_group: position of the first one, or None.

    end: byte behind the last one that is not zero.
    """

    durable_end: int
    next_group: int | None
    end: int
    read_bytes: int


def read_rest(file: str, base_position: int, at: int, size_bytes: int, groups_from: int = 0) -> Steps[Rest]:
    """Read a segment from byte `at` to its end and look for headers of groups that stand where they say they do.

    groups_from: byte from which on such headers count; what lies before it is known to be something else.
    """
    durable_end, next_group, end, read_bytes, overlap = 0, None, at, 0, b""
    while at < size_bytes:
        data = yield Read(file, at, min(_CHUNK_BYTES, size_bytes - at))
        if not data:
            break
        read_bytes += len(data)
        if stripped := data.rstrip(b"\0"):
            end = at + len(stripped)
            window, window_at = overlap + data, at - len(overlap)
            found = window.find(GROUP_MAGIC)
            while found >= 0:
                header = _header_at(file, window, found)
                is_there = window_at + found >= groups_from
                if is_there and header is not None and header[0] == base_position + window_at + found:
                    durable_end = max(durable_end, header[1])
                    next_group = header[0] if next_group is None else next_group
                found = window.find(GROUP_MAGIC, found + 1)
        at += len(data)
        overlap = data[-(GROUP_HEADER_BYTES - 1) :]
    return Rest(durable_end, next_group, end, read_bytes)


def _header_at(file: str, window: bytes, at: int) -> tuple[int, int] | None:
    """(position, durable end) that a whole header tells of; None when there is none, or one of another version."""
    try:
        header = decode_group_header(file, window, at)
    except FormatError:
        return None
    return (header.position, header.durable_end) if header is not None else None


def zeros(file: str, at: int, end: int) -> list[Operation]:
    """What makes bytes zero again."""
    return [Write(file, begin, bytes(min(_CHUNK_BYTES, end - begin))) for begin in range(at, end, _CHUNK_BYTES)]
