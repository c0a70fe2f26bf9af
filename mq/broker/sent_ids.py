"""The last message ids of a topic, so that a repeated send is stored once."""

import json
from collections import deque
from itertools import chain, islice
from typing import Any, NamedTuple

from mq.core.limits import DEDUPLICATION_WINDOW

__all__ = ["SentIds", "json_of"]

_BLOCK = 1024
"""Ids that are turned into text together, when so many have come: a snapshot of many topics with full windows would else take
seconds in one go."""


class _Block(NamedTuple):
    """size: how many. ids, places: as JSON, without the brackets."""

    size: int
    ids: bytes
    places: bytes


class SentIds:
    """The last message ids sent to a topic, with the queue and offset that each got.

    A send repeated after a lost reply carries the same id and must not be stored twice.
    """

    # Oldest first: _blocks, of the first of which _gone ids are forgotten, and _pending; _order has them all.
    __slots__ = ("_block", "_blocks", "_gone", "_order", "_pending", "_places", "_size_max")

    def __init__(self, size_max: int = DEDUPLICATION_WINDOW) -> None:
        self._places: dict[str, int] = {}
        self._order: deque[str] = deque()
        self._size_max = size_max
        self._block = min(_BLOCK, size_max)  # so that what is pending is never forgotten
        self._blocks: deque[_Block] = deque()
        self._gone = 0
        self._pending: list[str] = []

    def find(self, message_id: str) -> tuple[int, int] | None:
        """(queue id, offset) of an id in the window."""
        packed = self._places.get(message_id)
        return None if packed is None else (packed & 0xFFFF, packed >> 16)

    def are_fresh(self, message_ids: tuple[str, ...]) -> bool:
        """Whether none of the ids is known and none comes twice."""
        return self._places.keys().isdisjoint(message_ids) and len(set(message_ids)) == len(message_ids)

    def add(self, message_ids: tuple[str, ...], queue_id: int, base_offset: int) -> None:
        """Remember fresh ids with consecutive offsets; the oldest beyond the window are forgotten."""
        first = base_offset << 16 | queue_id
        self._places.update(zip(message_ids, range(first, first + (len(message_ids) << 16), 1 << 16), strict=True))
        self._came(message_ids)
        for _ in range(len(self._order) - self._size_max):
            del self._places[self._order.popleft()]
            self._gone += 1
        while self._blocks and self._gone >= self._blocks[0].size:
            self._gone -= self._blocks.popleft().size

    def _came(self, message_ids: tuple[str, ...] | list[str]) -> None:
        self._order.extend(message_ids)
        self._pending.extend(message_ids)
        if len(self._pending) >= self._block:
            self._blocks.append(self._encoded(self._pending))
            self._pending = []

    def _encoded(self, ids: list[str]) -> _Block:
        places = [self._places[message_id] for message_id in ids]
        return _Block(len(ids), json_of(ids)[1:-1], json_of(places)[1:-1])

    def __len__(self) -> int:
        return len(self._order)

    def json_parts(self) -> list[bytes]:
        """Ids in their order, and their packed places: joined, as `json.dumps` of both in one list, without a blank."""
        whole = islice(self._blocks, 1 if self._gone else 0, None)
        rest = list(islice(self._order, self._blocks[0].size - self._gone)) if self._gone else []
        blocks = [block for block in chain((self._encoded(rest),), whole, (self._encoded(self._pending),)) if block.size]
        return [b"[[", *_joined([block.ids for block in blocks]), b"],[", *_joined([block.places for block in blocks]), b"]]"]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "SentIds":
        """The window of a snapshot."""
        window = cls()
        ids, places = plain
        window._places = dict(zip(ids, places, strict=True))
        for begin in range(0, len(ids), window._block):
            window._came(ids[begin : begin + window._block])
        return window


def json_of(plain: Any) -> bytes:
    """Without a blank, as all of a state is written."""
    return json.dumps(plain, separators=(",", ":")).encode()


def _joined(parts: list[bytes]) -> list[bytes]:
    return [piece for part in parts for piece in (b",", part)][1:]
