"""An event loop in a thread of its own, which all blocking clients of a process share.

It is made when the first one is opened, and stays until the process ends: gRPC tells of the end of a call somewhat later, and all
loops of a process suffer when one of them is closed by then.
"""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["Background"]

T = TypeVar("T")

_END_S = 2.0


class Background:
    """Use `with`: when the last one is left, nothing is under way any more."""

    _lock = threading.Lock()
    _loop: asyncio.AbstractEventLoop | None = None
    _users = 0

    def __enter__(self) -> "Background":
        with Background._lock:
            if Background._loop is None:
                loop = Background._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever, name="mq clients", daemon=True)
                thread.start()
                atexit.register(_end, loop, thread)
            Background._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with Background._lock:
            Background._users -= 1
            if not Background._users:
                self.run(_end_others())

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Let it run in the loop. Its future can be waited for in any thread."""
        loop = Background._loop
        assert loop is not None, "only within `with`"
        return asyncio.run_coroutine_threadsafe(work, loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for what it comes to. Whoever is interrupted meanwhile (Ctrl-C) calls it off."""
        future = self.begin(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


async def _end_others() -> None:
    """What gRPC itself still has under way for calls that are over, as `asyncio.run` does at its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """The process ends."""
    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_end_others(), loop).result(_END_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_END_S)
