"""Batches as our own client sends and fetches them: in columns, what the messages share once."""

from collections.abc import Sequence
from typing import NamedTuple

from mq.broker.batch import whole_message
from mq.core.errors import FormatError

__all__ = ["Columns", "FetchedBatch", "split_batch"]


class Columns(NamedTuple):
    """Messages to be sent that differ in their ids and bodies alone.

    shared: all else, serialized (`mq.client.encoding.MessageEncoder.encode_shared`). bodies: one for each id.
    """

    shared: bytes
    ids: Sequence[str]
    bodies: Sequence[bytes]


class FetchedBatch(NamedTuple):
    """Messages of one stored batch. base_offset: queue offset of the first. store_ms: Unix time. messages: serialized."""

    queue_id: int
    base_offset: int
    store_ms: int
    messages: list[bytes]


def split_batch(
    messages: bytes, sizes: Sequence[int], skip: int = 0, *, shared: bytes | None = None, ids: Sequence[str] = ()
) -> list[bytes]:
    """The messages that lie end to end, but for the first `skip`; with `shared` they are bodies, to be completed.

    Raises: FormatError when sizes and bytes disagree.
    """
    if sum(sizes) != len(messages):
        raise FormatError(f"a batch of {len(messages)} bytes says that it has {sum(sizes)}")
    if shared is not None and len(ids) != len(sizes):
        raise FormatError(f"a batch of {len(sizes)} bodies has {len(ids)} ids")
    parts, at = [], sum(sizes[:skip])
    for size in sizes[skip:]:
        end = at + size
        parts.append(messages[at:end])
        at = end
    if shared is not None:
        return [whole_message(shared, message_id, body) for message_id, body in zip(ids[skip:], parts, strict=True)]
    return parts
