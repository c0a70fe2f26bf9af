"""Long work in short turns: between two of them the event loop does what else there is to do."""

import asyncio
import time

__all__ = ["Turns"]

_TURN_S = 0.01


class Turns:
    """Of one piece of work, the first of which begins now.

    share: of the event loop's time that the work may take up; 1.0: whatever the others leave. pauses: how many there were.
    """

    def __init__(self, share: float = 1.0) -> None:
        self._pause_per_work = 1 / share - 1
        self._began_s = time.monotonic()
        self.pauses = 0

    @property
    def is_over(self) -> bool:
        """Whether this turn has been long enough."""
        return time.monotonic() - self._began_s >= _TURN_S

    async def pause(self) -> None:
        """Let others have their turn, the longer the longer this one was; then the next one begins."""
        await asyncio.sleep((time.monotonic() - self._began_s) * self._pause_per_work)
        self._began_s = time.monotonic()
        self.pauses += 1
