"""The network between nodes as one process sees it that stands in between: what is cut, what is slow, and every connection.

A *way* is data that goes from one node to another. A connection that A dialled to B carries two ways: what A says goes A to B,
what B says goes B to A. A cut is silent, as when a cable is pulled: nothing arrives, and nobody is told. Since TCP never leaves
bytes out, a connection that lost some is closed when the cut is healed; one that lost none goes on.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

__all__ = ["Fabric", "Way"]

Way = tuple[str, str]
"""(who says it, who hears it), by name."""

_BUFFER_BYTES_MAX = 1 << 20
_CLOCK_STEP_S = 0.001
"""A timer of the event loop may come that much too early."""
_CONNECT_S_MAX = 5.0


class Fabric:
    """All connections, and what is wrong with the ways. loop: that they all live in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.cuts: set[Way] = set()
        self.delays_ms: dict[Way, int] = {}
        self.connections: set[_Connection] = set()
        self._dialling: set[asyncio.Task[None]] = set()

    def accept(self, way: Way, address: tuple[str, int]) -> Callable[[], asyncio.Protocol]:
        """What makes the protocol of each connection that way[0] dials to way[1], who listens at `address`."""
        return lambda: _Connection(self, way, address).near

    def state(self) -> dict[str, object]:
        """What is wrong, as JSON can say it: `cuts` [[from, to]], `delays` [[from, to, ms]], and the number of `connections`."""
        return {
            "cuts": sorted(map(list, self.cuts)),
            "delays": sorted([*way, delay_ms] for way, delay_ms in self.delays_ms.items()),
            "connections": len(self.connections),
        }

    def cut(self, source: str, target: str, *, is_one_way: bool) -> None:
        """From now on nothing that `source` says reaches `target`; nor the other way round, unless `is_one_way`."""
        self.cuts |= {(source, target)} if is_one_way else {(source, target), (target, source)}

    def delay(self, source: str, target: str, delay_ms: int) -> None:
        """What one of the two says reaches the other so much later; 0: at once."""
        for way in ((source, target), (target, source)):
            self.delays_ms.pop(way, None)
            if delay_ms:
                self.delays_ms[way] = delay_ms

    def heal(self) -> None:
        """Nothing is cut or slow any more; connections that lost something are closed."""
        self.cuts.clear()
        self.delays_ms.clear()
        for connection in list(self.connections):
            if connection.has_lost:
                connection.abort()
            else:
                connection.flush()

    def dial(self, connection: "_Connection") -> None:
        """Connect the far end of a connection whose near end is there."""
        task = self.loop.create_task(connection.dial())
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def close(self) -> None:
        """Close everything, and wait until it is closed."""
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        for connection in list(self.connections):
            connection.abort()
        while self.connections:  # noqa: ASYNC110 - an aborted connection is gone in the loop's next turn
            await asyncio.sleep(0)


class _Connection:
    """One connection: its near end was dialled by way[0], its far end is dialled to way[1].

    has_lost: something that one end said was thrown away, so it can only be closed in the end.
    """

    def __init__(self, fabric: Fabric, way: Way, address: tuple[str, int]) -> None:
        self.fabric, self.way, self.address = fabric, way, address
        self.near, self.far = _End(self), _End(self)
        self.from_near = _Pipe(self, way, self.near, self.far)
        self.from_far = _Pipe(self, (way[1], way[0]), self.far, self.near)
        self.has_lost = False

    def opened(self, end: "_End") -> None:
        """An end has its socket."""
        self.fabric.connections.add(self)
        if end is self.far:
            self.from_near.deliver_due()
        elif self.fabric.cuts & {self.way, (self.way[1], self.way[0])}:
            self.has_lost = True  # whoever dials over a cut hears nothing, not even a refusal
        else:
            self.fabric.dial(self)

    async def dial(self) -> None:
        """Connect the far end. A node that is not there is for the other one as it would be without us: it hangs up at once."""
        try:
            async with asyncio.timeout(_CONNECT_S_MAX):
                await self.fabric.loop.create_connection(lambda: self.far, *self.address)
        except (OSError, TimeoutError):
            self.abort()

    def pipe_of(self, end: "_End") -> "_Pipe":
        """Where the data of this end goes."""
        return self.from_near if end is self.near else self.from_far

    def other(self, end: "_End") -> "_End":
        """The end at the other side."""
        return self.far if end is self.near else self.near

    def ended(self, end: "_End") -> None:
        """An end is gone; the other one hears of it as of all else: in its turn, and not over a cut."""
        self.pipe_of(end).push(None)
        if all(one.is_over or one.transport is None for one in (self.near, self.far)):
            self.fabric.connections.discard(self)

    def flush(self) -> None:
        """Deliver what is delayed."""
        self.from_near.deliver_all()
        self.from_far.deliver_all()

    def abort(self) -> None:
        """Close both ends."""
        for end in (self.near, self.far):
            if end.transport is not None:
                end.transport.abort()


class _End(asyncio.Protocol):
    """One of the two sockets of a connection."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.transport: asyncio.Transport | None = None
        self.is_over = False
        self._held: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_BUFFER_BYTES_MAX)
        self._connection.opened(self)

    def data_received(self, data: bytes) -> None:
        self._connection.pipe_of(self).push(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended makes no difference
        self.is_over = True
        self._connection.ended(self)

    def pause_writing(self) -> None:
        self._connection.other(self).hold("full")

    def resume_writing(self) -> None:
        self._connection.other(self).release("full")

    def hold(self, why: str) -> None:
        """Read no more until no reason is left."""
        self._held.add(why)
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def release(self, why: str) -> None:
        """This reason to wait is gone."""
        if why in self._held:
            self._held.discard(why)
            if not self._held and self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()


class _Pipe:
    """What one end of a connection says, on its way to the other end; None is the end of it."""

    def __init__(self, connection: _Connection, way: Way, source: _End, target: _End) -> None:
        self._connection, self._way, self._source, self._target = connection, way, source, target
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._waiting_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def push(self, data: bytes | None) -> None:
        """Take this along, after all that went before."""
        fabric = self._connection.fabric
        delay_ms = fabric.delays_ms.get(self._way, 0)
        is_dialling = self._target.transport is None and not self._connection.has_lost
        if not (delay_ms or self._waiting or is_dialling):
            self._deliver(data)
            return
        due_s = fabric.loop.time() + delay_ms / 1000
        # A delay that became shorter lets nothing overtake.
        self._waiting.append((max(due_s, self._waiting[-1][0]) if self._waiting else due_s, data))
        self._waiting_bytes += len(data or b"")
        if self._waiting_bytes > _BUFFER_BYTES_MAX:
            self._source.hold("waiting")
        if self._timer is None and not is_dialling:
            self._timer = fabric.loop.call_at(self._waiting[0][0], self.deliver_due)

    def deliver_due(self) -> None:
        """Deliver what has waited long enough, and come back for the rest."""
        loop = self._connection.fabric.loop
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = loop.time() + _CLOCK_STEP_S
        while self._waiting and self._waiting[0][0] <= now_s:
            self._pop()
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self.deliver_due)

    def deliver_all(self) -> None:
        """Deliver everything now, unless the other end is still being dialled."""
        while self._waiting and self._target.transport is not None:
            self._pop()

    def _pop(self) -> None:
        data = self._waiting.popleft()[1]
        self._waiting_bytes -= len(data or b"")
        if self._waiting_bytes <= _BUFFER_BYTES_MAX:
            self._source.release("waiting")
        self._deliver(data)

    def _deliver(self, data: bytes | None) -> None:
        transport = self._target.transport
        if self._way in self._connection.fabric.cuts:
            self._connection.has_lost = True
        elif transport is not None and not transport.is_closing():
            if data is None:
                transport.close()
            else:
                transport.write(data)
