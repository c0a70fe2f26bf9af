"""Commands that are in the log and not decided yet, and those who wait for them."""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mq.broker.commands import Command
from mq.broker.outcomes import Outcome
from mq.core.errors import DiskError, MqError, OutcomeUnknownError, StateError
from mq.raft.errors import NotLeaderError

__all__ = ["PendingCommands", "Waiting", "fail", "refuse", "tell_unknown"]

Waiting = tuple[Command, bytes, "asyncio.Future[Outcome]"]
"""A command, the same as bytes, and who waits for it."""


class _Pending(NamedTuple):
    term: int
    sequence: int
    payload: bytes
    command: Command
    future: "asyncio.Future[Outcome]"


class PendingCommands:
    """By log index. A place in the log is a promise only when an entry of the same term is applied there.

    size_bytes: of all that wait. broken: the error for a log that does not hold what was put there.
    """

    def __init__(self, broken: Callable[[str], MqError] = StateError) -> None:
        self._broken = broken
        self._pending: dict[int, _Pending] = {}
        self._term = 0  # of the newest entry that was applied
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, index: int, term: int, sequence: int, waiting: "Waiting") -> None:
        """A command was put into the log there. sequence: of the save that it is part of."""
        command, payload, future = waiting
        self._fail(
            index, OutcomeUnknownError("another leader's entries took this one's place here, and now another command does")
        )
        self._pending[index] = _Pending(term, sequence, payload, command, future)
        self.size_bytes += len(payload)

    def _take(self, index: int) -> _Pending | None:
        pending = self._pending.pop(index, None)
        if pending is not None:
            self.size_bytes -= len(pending.payload)
        return pending

    def command_at(self, index: int, term: int, payload: bytes) -> Command | None:
        """The command of an entry, if it came from here.

        Raises: what `broken` makes, when that is not what the log has there: whoever waits must not be told of another entry.
        """
        pending = self._pending.get(index)
        if pending is None or pending.term != term:
            return None
        if pending.payload != payload:  # in most cases the very same object, and not compared at all
            raise self._broken(f"entry {index} of term {term} is not the command that was put there: one of them is lost")
        return pending.command

    def settle(self, index: int, term: int, outcome: Outcome | None, leader: int | None) -> None:
        """An entry is applied. outcome: None when it is no command. leader: who leads now, for those who lost their place."""
        if term > self._term:
            self._term = term
            # Terms never fall in a log: behind this entry there is none of an older one, and never will be.
            for later in [later for later, one in self._pending.items() if later > index and one.term < term]:
                self._fail(later, NotLeaderError(leader))
        pending = self._take(index)
        if pending is None:
            return
        if pending.term != term or outcome is None:
            # Another leader has put something else there: this command is not in the log, and never will be.
            fail(pending.future, NotLeaderError(leader))
        elif not pending.future.done():
            pending.future.set_result(outcome)

    def take_back(self, sequence: int, error: MqError) -> None:
        """This save is not in the log any more."""
        for index in [index for index, pending in self._pending.items() if pending.sequence == sequence]:
            self._fail(index, error)

    def forget_up_to(self, index: int, error: MqError) -> None:
        """What became of these cannot be known here."""
        for known in [known for known in self._pending if known <= index]:
            self._fail(known, error)

    def _fail(self, index: int, error: MqError) -> None:
        pending = self._take(index)
        if pending is not None:
            fail(pending.future, error)

    def end(self, error: MqError) -> None:
        """The node goes no further: nobody knows about any of them."""
        tell_unknown((pending.future for pending in self._pending.values()), error)
        self._pending.clear()
        self.size_bytes = 0


def fail(future: "asyncio.Future[Outcome]", error: MqError) -> None:
    """Tell whoever still waits."""
    if not future.done():
        future.set_exception(error)


def refuse(group: "Iterable[Waiting]", error: MqError) -> None:
    """Nothing was done for any of these."""
    for _, _, future in group:
        fail(future, error)


def tell_unknown(futures: "Iterable[asyncio.Future[Outcome]]", error: MqError) -> None:
    """The node failed while these were under way."""
    what = "the disk failed" if isinstance(error, DiskError) else "the broker ended"
    for future in futures:
        fail(future, OutcomeUnknownError(f"{what} while this was being written: {error}"))
