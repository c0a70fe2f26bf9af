"""From errors to messages and exit codes. No traceback reaches a user, unless MQ_DEBUG is set."""

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from mq.client.errors import ConnectionLostError, NoAnswerError, UnreachableError
from mq.core.errors import Code, IllegalArgumentError, MqError, RefusedError

__all__ = [
    "BROKEN_PIPE",
    "INTERRUPTED",
    "REFUSED",
    "TERMINATED",
    "TIMED_OUT",
    "UNREACHABLE",
    "USAGE",
    "exit_code_of",
    "missing_is_no_invitation",
    "report",
    "tidy_end",
]

REFUSED, USAGE, UNREACHABLE, TIMED_OUT = 1, 2, 3, 4
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143

_HINT_OF_ONE = "is a broker running there? Start one with: mq broker --data DIR"
_HINT_OF_SEVERAL = (
    "none of them answers, and the nodes of a group do not while no majority of it runs; `mq cluster status --dir DIR` shows "
    "which do"
)


def exit_code_of(error: BaseException) -> int:
    """The exit code that an error ends the command with."""
    match error:
        case IllegalArgumentError():
            return USAGE
        case UnreachableError() | ConnectionLostError():
            return UNREACHABLE
        case NoAnswerError():
            return TIMED_OUT
    return REFUSED


@contextmanager
def tidy_end() -> Iterator[None]:
    """SIGTERM, and the end of the terminal, end what is done inside as Ctrl-C does: whatever it started is ended, too."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # Whoever says `nohup` has it ignored, and means it.
    caught = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _terminated) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminated(*_: object) -> NoReturn:
    sys.exit(TERMINATED)


@contextmanager
def missing_is_no_invitation(what: str, name: str) -> Iterator[None]:
    """A topic or group that is not there: the broker tells how to make it, which helps nobody who wants to look or delete.

    what: "topic" or "group". Raises: RefusedError, in place of the broker's.
    """
    try:
        yield
    except RefusedError as error:
        if error.code not in (Code.TOPIC_NOT_FOUND, Code.CONSUMER_GROUP_NOT_FOUND):
            raise
        raise RefusedError(error.code, f"there is no {what} {name!r}; `mq {what} list` shows those that there are") from None


def report(error: Exception) -> int:
    """Say on standard error what went wrong; returns the exit code."""
    if os.environ.get("MQ_DEBUG"):
        traceback.print_exception(error)
    match error:
        case RefusedError() if not isinstance(error, IllegalArgumentError):
            text = f"{error} ({error.code.value} {error.code.name})"
        case UnreachableError() if "refused" in str(error):
            text = f"{error}; {_HINT_OF_SEVERAL if ', ' in str(error).partition(': ')[0] else _HINT_OF_ONE}"
        case MqError():
            text = str(error) or type(error).__name__
        case OSError():
            text = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        case _:
            text = f"internal error: {type(error).__name__}: {error} (MQ_DEBUG=1 shows where)"
    print(f"mq: {text}", file=sys.stderr)
    return exit_code_of(error)
