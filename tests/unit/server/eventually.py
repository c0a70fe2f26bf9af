"""Waiting for something that other tasks of the same loop bring about."""

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["until"]


async def until(is_so: Callable[[], Any]) -> None:
    """Let other tasks run until it is so. Raises: TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is waited for knows nothing of its being waited for
            await asyncio.sleep(0)
