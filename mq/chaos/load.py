"""Clients under chaos: they send, receive and acknowledge all the time, and note what they saw.

What they do comes from a seed; when, from the cluster. Bodies are told apart by a checksum in the history.
"""

import asyncio
import time
import zlib
from collections.abc import Sequence
from random import Random

from mq.chaos.calls import Calls
from mq.chaos.consuming import Consumer
from mq.chaos.history import Copy, Journal, Stored
from mq.chaos.producing import BatchSender, Sender
from mq.chaos.setting import Progress, Size, Topics
from mq.cluster.backend import NodeInfo
from mq.core.errors import MqError
from mq.rpc.batch_client import BatchFetcher
from mq.rpc.message_calls import read_message

__all__ = ["Load"]

_DRAIN_S_MAX = 300.0


class Load:
    """All clients of a run."""

    def __init__(self, endpoints: str, topics: Topics, journal: Journal, seed: int, size: Size | None = None) -> None:
        self._endpoints, self.topics, self._journal, self._seed = endpoints, topics, journal, seed
        self._size = size or Size()
        self.progress = Progress()

    def _rng(self, name: str) -> Random:
        return Random(f"{self._seed} {name}")  # noqa: S311 - repeatable is what it has to be

    async def produce(self) -> None:
        """All producers, until they are to stop."""
        size, topics = self._size, self.topics
        single = [(f"p{number}", topics.plain, 0) for number in range(size.producers)]
        single += [(f"o{number}", topics.ordered, 3) for number in range(size.ordered_producers)]
        batches = BatchSender(self._endpoints, "b", topics.bulk, self._journal, self.progress)
        await asyncio.gather(batches.run(self._rng("b"), size.batch_rest_s), *(
            Sender(self._endpoints, name, topic, self._journal, self.progress).run(self._rng(name), message_groups, size.rest_s)
            for name, topic, message_groups in single
        ))  # fmt: skip

    async def consume(self) -> None:
        """All consumers, until `drain` is done."""
        await asyncio.gather(*(
            Consumer(
                self._endpoints, group, topic, self._journal, self.progress, counts_backlog=topic == self.topics.bulk
            ).run(self._rng(f"{group} {topic} {number}"))
            for group, topics in self.topics.reads.items() for topic in topics
            for number in range(self._size.consumers * (2 if topic == self.topics.bulk else 1))
        ))  # fmt: skip

    async def drain(self) -> list[str]:
        """Until nothing is left for any group; returns those for which something is, after a long time."""
        left = list(self.topics.reads)
        end_s = time.monotonic() + _DRAIN_S_MAX
        async with Calls(self._endpoints) as calls:
            while left and time.monotonic() < end_s:
                try:
                    left = [group for group in left if not await self._is_done(calls, group)]
                except MqError:
                    await calls.use_next()
                await asyncio.sleep(0.1)
        self.progress.is_over = True
        return left

    async def _is_done(self, calls: Calls, group: str) -> bool:
        lags = await calls.lag(group)
        return all(lags.get(topic) == 0 for topic in self.topics.reads[group])

    async def read_all(self, nodes: Sequence[NodeInfo]) -> None:
        """Note what the queues hold, and that as each node reads it from its own disk. They are to have applied all."""
        await self._read(self._endpoints, "")
        for node in nodes:
            await self._read(node.client, node.name)

    async def _read(self, endpoints: str, node: str) -> None:
        """node: whose copy it is; empty for what the group as a whole holds."""
        async with BatchFetcher(endpoints) as fetcher:
            for topic, queues in self.topics.queues.items():
                for queue_id in range(queues):
                    count = checksum = 0
                    async for batch in fetcher.fetch(topic, queue_id, offset=0):
                        for place, raw in enumerate(batch.messages):
                            message_id, body = read_message(raw)
                            one = Stored(topic, queue_id, batch.base_offset + place, message_id, zlib.crc32(body))
                            if not node:
                                self._journal.note(one)
                            count, checksum = count + 1, zlib.crc32(f"{one.offset} {message_id} {one.body}\n".encode(), checksum)
                    if node:
                        self._journal.note(Copy(node, topic, queue_id, count, checksum))
