"""Fetched batches back into messages."""

from collections.abc import Sequence
from typing import NamedTuple

from mq.core.errors import FormatError

__all__ = ["FetchedBatch", "split_batch"]


class FetchedBatch(NamedTuple):
    """Messages of one stored batch. base_offset: queue offset of the first. store_ms: Unix time. messages: serialized."""

    queue_id: int
    base_offset: int
    store_ms: int
    messages: list[bytes]


def split_batch(messages: bytes, sizes: Sequence[int], skip: int = 0) -> list[bytes]:
    """The messages that lie end to end, but for the first `skip`. Raises: FormatError when sizes and bytes disagree."""
    if sum(sizes) != len(messages):
        raise FormatError(f"a batch of {len(messages)} bytes says that it has {sum(sizes)}")
    parts, at = [], sum(sizes[:skip])
    for size in sizes[skip:]:
        end = at + size
        parts.append(messages[at:end])
        at = end
    return parts
