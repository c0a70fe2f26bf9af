"""An event loop in a thread of its own, which all blocking clients of a process share. It is there while one of them is open."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["Background"]

T = TypeVar("T")


async def _end_others() -> None:
    """What gRPC itself still has under way for calls that are over, as `asyncio.run` does at its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


class Background:
    """Use `with`: each one that is entered keeps the loop running."""

    _lock = threading.Lock()
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _users = 0

    def __enter__(self) -> "Background":
        with Background._lock:
            if Background._loop is None:
                loop = Background._loop = asyncio.new_event_loop()
                Background._thread = threading.Thread(target=loop.run_forever, name="mq clients", daemon=True)
                Background._thread.start()
            Background._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with Background._lock:
            Background._users -= 1
            if Background._users:
                return
            loop, thread = Background._loop, Background._thread
            Background._loop = Background._thread = None
        assert loop is not None
        assert thread is not None
        asyncio.run_coroutine_threadsafe(_end_others(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

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
