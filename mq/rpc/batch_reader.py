"""Stored batches as they are, of queues that a registry tells of: a `BatchFetcher` that finds its way. The fastest reader."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from mq.client.batch import FetchedBatch
from mq.client.queues import QueueName
from mq.core.errors import Code, RefusedError
from mq.rpc.batch_client import BatchFetcher
from mq.rpc.calling import new_client_id
from mq.rpc.routing import Routing

__all__ = ["AsyncBatchReader"]


class AsyncBatchReader:
    """endpoints: registry nodes or brokers, HOST:PORT,... timeout_s: as of `BatchFetcher`. Use `async with`."""

    def __init__(self, endpoints: str, *, timeout_s: float = 30.0, route_every_ms: int = 30_000) -> None:
        self._client_id, self._timeout_s = new_client_id(), timeout_s
        self._routing = Routing(endpoints, self._client_id, every_ms=route_every_ms)
        self._fetchers: dict[tuple[str, ...], BatchFetcher] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "AsyncBatchReader":
        await self._routing.__aenter__()
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self._stack.aclose()
        await self._routing.__aexit__(*ended)

    async def queues(self, topic: str) -> tuple[QueueName, ...]:
        """All queues of a topic that can be read. Raises: MqError."""
        return tuple(sorted(queue.name for queue in await self._routing.queues(topic) if queue.is_readable))

    async def fetch(
        self, queue: QueueName, *, offset: int | None = None, group: str = "", bytes_max: int = 0, follow: bool = False
    ) -> AsyncGenerator[FetchedBatch, None]:
        """See `BatchFetcher.fetch`. Raises: RefusedError (NOT_FOUND), when no route has this queue."""
        addresses = next((one.addresses for one in await self._routing.queues(queue.topic) if one.name == queue), None)
        if addresses is None:
            raise RefusedError(
                Code.NOT_FOUND, f"the route of topic {queue.topic} has no queue {queue.queue_id} at {queue.broker}"
            )
        async with self._opening:
            if addresses not in self._fetchers:
                fetcher = BatchFetcher(",".join(addresses), timeout_s=self._timeout_s, client_id=self._client_id)
                self._fetchers[addresses] = await self._stack.enter_async_context(fetcher)
        batches = self._fetchers[addresses].fetch(
            queue.topic, queue.queue_id, offset=offset, group=group, bytes_max=bytes_max, follow=follow
        )
        try:
            async for batch in batches:
                yield batch
        finally:
            await batches.aclose()
