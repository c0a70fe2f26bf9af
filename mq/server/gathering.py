"""Commands that wait until the group before them is written, and how many of them may.

Sends alone are refused when there are too many: what consumers do is small, bounded by the calls that they have under way, and
what makes room again. Their callers are told that nothing was done, and to try again: not TOO_MANY_REQUESTS, at which a client's
producer gives up for good.
"""

from collections import deque

from mq.broker.batch import AppendMessages
from mq.broker.commands import Command
from mq.core.errors import NotServingError
from mq.server.pending import Waiting

__all__ = ["Gathering"]

_GROUP_BYTES_MAX = 8 << 20
_GROUP_COMMANDS_MAX = 4096
_COMMANDS_MAX, _BYTES_MAX = 64 << 10, 128 << 20
"""With so many waiting, messages are refused: a disk, or a group, that needs seconds for them is not helped by more."""


class Gathering:
    """In their order. size_bytes: of all that wait."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def check_room(self, command: Command) -> None:
        """Whether it may wait. Raises: NotServingError; nothing was done then."""
        if type(command) is AppendMessages and (len(self) >= _COMMANDS_MAX or self.size_bytes >= _BYTES_MAX):
            raise NotServingError(
                f"too much waits to be written already: {len(self)} commands of {self.size_bytes} bytes, at most {_COMMANDS_MAX} "
                f"or {_BYTES_MAX} bytes may; nothing was stored, try again"
            )

    def add(self, waiting: Waiting) -> None:
        """Behind all others."""
        self._waiting.append(waiting)
        self.size_bytes += len(waiting[1])

    def take(self) -> list[Waiting]:
        """The next group; empty when nothing waits.

        Messages whose sender has gone are left out: it cannot hear that they are stored, and sends them again if it wants them
        to be. All else counts, whoever waits for it: an acknowledged message need not come again.
        """
        group: list[Waiting] = []
        size_bytes, waiting = 0, self._waiting
        while waiting and len(group) < _GROUP_COMMANDS_MAX and (not group or size_bytes + len(waiting[0][1]) <= _GROUP_BYTES_MAX):
            command, payload, future = taken = waiting.popleft()
            self.size_bytes -= len(payload)
            if type(command) is not AppendMessages or not future.cancelled():
                size_bytes += len(payload)
                group.append(taken)
        return group

    def take_all(self) -> list[Waiting]:
        """For those who will never be written."""
        taken = list(self._waiting)
        self._waiting.clear()
        self.size_bytes = 0
        return taken
