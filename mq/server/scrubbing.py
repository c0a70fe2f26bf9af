"""Reading the whole log once after a start, slowly, to find what has changed on the disk.

Opening a log reads only its end, so that it is quick however long the log is. Whatever lies before a snapshot is read when
a consumer asks for it; that may be months later, when no good copy is left. So it is read once now, in the background.
What is found takes a member of a group out of it (`mq.server.setting_aside`); a node by itself goes on with the rest.
"""

import asyncio
import logging
from contextlib import suppress

from mq.broker.store.commit_log import SegmentView
from mq.core.errors import DamageError, StateError
from mq.server.node import BrokerNode

__all__ = ["Scrubber"]

_SHARE = 0.05
"""Of the event loop's time: whoever sends or receives comes first."""
_log = logging.getLogger(__name__)


class Scrubber:
    """Verifies every record that was there at the start. damage: what was found, at most one place in a segment.

    verified: entries read so far.
    """

    def __init__(self, node: BrokerNode, *, share: float = _SHARE) -> None:
        self._node, self._share = node, share
        self._last_index = node.log.last_index
        self.damage: list[DamageError] = []
        self.verified = 0

    async def work_forever(self) -> None:
        """One reading; then there is nothing more to do."""
        await self.work()
        await asyncio.Event().wait()

    async def work(self) -> None:
        """Read every segment, the oldest first; tell what is damaged in a line each."""
        self.damage.clear()
        for segment in self._node.log.segments():
            try:
                await self._read(segment)
            except DamageError as damage:
                self.damage.append(damage)
                _log.error("damage in the log, messages there cannot be delivered; `mq doctor --data` says more: %s", damage)
                if self._node.failure is not None:
                    return

    async def _read(self, segment: SegmentView) -> None:
        last = min(segment.last_index, self._last_index)
        with suppress(StateError):  # retention was quicker
            async for entries in self._node.reader.slowly(segment.first_index, last, share=self._share):
                self.verified += len(entries)  # reading verifies
