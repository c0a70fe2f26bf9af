"""A connection that one node keeps to another: dialed, and dialed again whenever it broke."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from random import Random

from mq.core.errors import MqError
from mq.rpc.handshake import Identity, Purpose
from mq.server.peer_connection import PeerConnection, PeerTimes
from mq.server.peer_greeting import Target, dial
from mq.server.peer_log import RareLog

__all__ = ["PeerLink"]

_GOOD_S = 1.0
"""A connection that lasted so long makes the next attempts quick again."""

_log = logging.getLogger("mq.peers")


class PeerLink:
    """Keeps one connection for one purpose. connection: the one that stands, or None.

    on_up is called with each new one, in the turn in which it is there, and takes it over. on_made: of those that have yet to
    prove themselves, too.
    """

    def __init__(
        self,
        identity: Identity,
        target: Target,
        times: PeerTimes,
        *,
        on_made: Callable[[PeerConnection], None],
        on_up: Callable[[PeerConnection], None],
    ) -> None:
        self._identity, self.target, self._times = identity, target, times
        self._on_made, self._on_up = on_made, on_up
        self._connection: PeerConnection | None = None
        self._wanted = asyncio.Event()
        self._rng = Random()  # noqa: S311 - spreads attempts, guards nothing
        self._trouble = RareLog(_log, is_new_told=True, rest_s=60.0)
        self.task = asyncio.get_running_loop().create_task(self._run())

    @property
    def connection(self) -> PeerConnection | None:
        """The one that stands, or None."""
        return None if self._connection is None or self._connection.is_closed else self._connection

    def wake(self) -> None:
        """The node is there: do not wait with the next attempt."""
        self._wanted.set()

    def stop(self) -> None:
        """No more attempts; what was sent is still written."""
        self.task.cancel()
        if self._connection is not None:
            self._connection.finish()

    async def _run(self) -> None:
        retry_s = self._times.retry_s_min
        while True:
            self._wanted.clear()
            try:
                connection = await dial(self._identity, self.target, self._times, self._on_made)
            except MqError as error:
                if self.target.purpose is Purpose.RAFT:  # the other link would say the same
                    self._trouble.warning(f"node {self.target.peer} is not reached: {error}")
            else:
                if await self._keep(connection):
                    retry_s = self._times.retry_s_min
                self._wanted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(retry_s * self._rng.uniform(0.5, 1.0)):
                    await self._wanted.wait()
            retry_s = min(2 * retry_s, self._times.retry_s_max)

    async def _keep(self, connection: PeerConnection) -> bool:
        """Until it breaks; returns whether it lasted."""
        if connection.is_closed:
            return False
        self._trouble.reset()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._connection = connection
        self._on_up(connection)
        try:
            await asyncio.wait((connection.closed,))
        finally:
            connection.finish()
            self._connection = None
        return loop.time() - began_s >= _GOOD_S
