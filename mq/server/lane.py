"""The storage lane: one thread that carries out plans, so that the event loop goes on while the disk works."""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from mq.core.errors import MqError, StateError
from mq.core.ports import Disk, Plan
from mq.server.disk_watch import DiskWatch

__all__ = ["StorageLane"]

_HERE_OPERATIONS_MAX = 2
_SLOW_S, _NOT_HERE_S = 0.003, 0.1

_Job = tuple[Plan, "Callable[[MqError | None], None] | None"]


class StorageLane:
    """Plans go in from the event loop; each one's `done` is called there, in order, when it is carried out.

    After a failed plan the lane stops: nothing that was not synced can be trusted, and a later sync that
    succeeds would prove nothing. All plans behind it fail with the same error.
    """

    def __init__(self, disk: Disk, loop: asyncio.AbstractEventLoop) -> None:
        self._disk, self._loop = disk, loop
        self._failure: MqError | None = None
        self._submitted = self._finished = 0
        self._not_here_until_s = 0.0
        self._begun_s: float | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()
        self._watch = DiskWatch(lambda: self.busy_s)

    @property
    def busy_s(self) -> float:
        """For how long the disk has been at one operation; 0 while there is none."""
        begun_s = self._begun_s
        return 0.0 if begun_s is None else time.monotonic() - begun_s

    def submit(self, plan: Plan, done: Callable[[MqError | None], None] | None = None) -> None:
        """Carry out a plan after all earlier ones. done(error): called in the event loop; None = it is done."""
        self._submitted += 1
        self._jobs.put((plan, done))

    def try_here(self, plan: Plan, done: Callable[[MqError | None], None]) -> bool:
        """Carry out a short plan in the caller's own thread, if nothing waits and the disk is fast; False: it was not done.

        Two changes of threads cost about as much as a sync of a fast disk. One that was slow sends what follows to the lane
        for a while, so that the event loop is not held up twice. One that hangs holds it up until it comes back: only who has
        nothing else to do may wait for it so.
        """
        begin_s = time.monotonic()  # not the loop's own time, which stands still within a turn
        if self._submitted != self._finished or len(plan) > _HERE_OPERATIONS_MAX or begin_s < self._not_here_until_s:
            return False
        error = self._carry_out(plan)
        end_s = time.monotonic()
        if end_s - begin_s > _SLOW_S:
            self._not_here_until_s = end_s + _NOT_HERE_S
        done(error)
        return True

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
        self._watch.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            plan, done = job
            error = self._carry_out(plan)
            try:
                self._loop.call_soon_threadsafe(self._finish, done, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _finish(self, done: Callable[[MqError | None], None] | None, error: MqError | None) -> None:
        self._finished += 1
        if done is not None:
            done(error)

    def _carry_out(self, plan: Plan) -> MqError | None:
        """Returns why it could not be done. Runs in one thread at a time: in the lane's, or while that has nothing to do."""
        if self._failure is not None:
            return self._failure
        try:
            for operation in plan:
                self._begun_s = time.monotonic()
                self._disk.perform(operation)
        except MqError as error:
            if not error.definite:
                self._failure = error
            return error
        except Exception as bug:  # noqa: BLE001 - ours; whoever waits must be told, and the disk is in an unknown state
            self._failure = StateError(f"the storage lane failed: {type(bug).__name__}: {bug}")
            return self._failure
        finally:
            self._begun_s = None
        return None
