"""Waiting for something to become true, without looking again and again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Moments"]


class Moments:
    """What is waited for is looked at whenever something may have changed."""

    def __init__(self) -> None:
        self._watchers: list[asyncio.Future[None]] = []

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Come back when this holds."""
        while not is_true():
            future = asyncio.get_running_loop().create_future()
            self._watchers.append(future)
            try:
                await future
            except asyncio.CancelledError:
                with suppress(ValueError):
                    self._watchers.remove(future)
                raise

    def passed(self) -> None:
        """Something has changed."""
        if self._watchers:
            watchers, self._watchers = self._watchers, []
            for future in watchers:
                if not future.done():
                    future.set_result(None)
