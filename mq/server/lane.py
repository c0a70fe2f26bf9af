"""The storage lane: one thread that carries out plans, so that the event loop goes on while the disk works."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue

from mq.core.errors import MqError
from mq.core.ports import Disk, Plan, perform

__all__ = ["StorageLane"]

_Job = tuple[Plan, "Callable[[MqError | None], None] | None"]


class StorageLane:
    """Plans go in from the event loop; each one's `done` is called there, in order, when it is carried out.

    After a failed plan the lane stops: nothing that was not synced can be trusted, and a later sync that
    succeeds would prove nothing. All plans behind it fail with the same error.
    """

    def __init__(self, disk: Disk, loop: asyncio.AbstractEventLoop) -> None:
        self._disk, self._loop = disk, loop
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()

    def submit(self, plan: Plan, done: Callable[[MqError | None], None] | None = None) -> None:
        """Carry out a plan after all earlier ones. done(error): called in the event loop; None = it is done."""
        self._jobs.put((plan, done))

    async def carry_out(self, plan: Plan) -> None:
        """Like `submit`, and wait for it. Raises: DiskError."""
        future: asyncio.Future[None] = self._loop.create_future()

        def done(error: MqError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.submit(plan, done)
        await future

    def close(self) -> None:
        """Wait until everything submitted is carried out, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        failure: MqError | None = None
        while (job := self._jobs.get()) is not None:
            plan, done = job
            error = failure
            if error is None:
                try:
                    perform(self._disk, plan)
                except MqError as raised:
                    error = raised
                    if not raised.definite:
                        failure = raised
            if done is not None:
                try:
                    self._loop.call_soon_threadsafe(done, error)
                except RuntimeError:  # the loop is closed: nobody waits any more
                    return
