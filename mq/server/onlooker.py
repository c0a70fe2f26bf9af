"""Watches a process from outside: a call of an organ that never lets go of the interpreter stops all Python threads there.

Such as `max(itertools.count())`, or a regular expression that tries for ever: one step for the interpreter, in which no other
thread runs, `mq.server.watchdog`'s neither. So that one counts in shared memory what it sees passing, and a process of its own
reads along: when nothing passes during a call, and the watched process is not just standing still but spends more time of the
processor than the call may take, then it is told and killed.

It also tells when the watched process is gone in the middle of a call: a call that ends the process at once (`os._exit`, a crash
in C, all of the memory taken) leaves nobody inside who could say so.

This file is run by itself, without the rest of `mq`. Its standard input is a pipe that ends when the watched process does.

It needs the clocks of another process, by `/proc` or else `ps`, so there is none on Windows: there such a node hangs. Nowhere is
told a call that keeps the interpreter and sleeps: from outside it looks like a process that was stopped.
"""

import os
import select
import signal
import sys
from collections.abc import Callable
from mmap import mmap
from struct import Struct
from subprocess import DEVNULL, run
from time import monotonic
from typing import NamedTuple

__all__ = ["BOARD_BYTES", "CALL", "DUMP_SIGNAL", "LOOKS", "NAME_BYTES_MAX", "Sample", "cpu_s_of", "is_held", "left_open", "watch"]

NAME_BYTES_MAX = 240
CALL = Struct(f"=QdH{NAME_BYTES_MAX}s")
"""The call under way, as it stands on the board: how many began or came back, its limit in s (0: none), and its name's length."""
LOOKS = Struct("=Q")
"""How often the watchdog looked, on the board behind the call."""
BOARD_BYTES = CALL.size + LOOKS.size
DUMP_SIGNAL = getattr(signal, "SIGUSR2", None)
"""What the watched process answers with the places where its threads are."""
_EVERY_S = 0.5
_GRACE_S = 2.0
"""Beyond its limit, in which the watchdog inside ends the process by itself, if it can."""
_DUMP_S = 0.5


class Sample(NamedTuple):
    """passed: of anything, the watchdog's looks and calls together. limit_s: of the call under way; 0 when there is none.

    cpu_s: that the process has used since it began. at_s: by the clock of whoever watches.
    """

    passed: int
    limit_s: float
    cpu_s: float
    at_s: float


def is_held(since: Sample, now: Sample) -> bool:
    """Whether the call that is under way now keeps the interpreter.

    since: the oldest sample behind which nothing passed. Time alone proves nothing: the process may have been stopped, or get
    little of a loaded machine. One that used more time of the processor than the call may take has got enough of it.
    """
    is_same = since.passed == now.passed and now.limit_s > 0
    return is_same and now.at_s - since.at_s >= now.limit_s + _GRACE_S and now.cpu_s - since.cpu_s > now.limit_s


def cpu_s_of(pid: int) -> float:
    """What a process has used of processors, in s: by all threads, for itself and in the kernel. Raises: OSError; ValueError."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - quick to load
            # The name of the program, in parentheses, may hold blanks and parentheses.
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError:
        command = ["ps", "-o", "time=", "-p", str(pid)]
        done = run(command, stdin=DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603 - a number is all that is put in
        return _seconds(done.stdout)


def _seconds(told: str) -> float:
    """Of `[days-][hours:]minutes:seconds[.part]`. Raises: ValueError."""
    days, _, rest = told.strip().rpartition("-")
    total_s = float(days or 0) * 86400
    for place, part in enumerate(reversed(rest.split(":"))):
        total_s += float(part) * 60**place
    return total_s


def left_open(board: mmap) -> str:
    """What to say of a process that has ended without a word of its own; empty when it was in no call of an organ."""
    _, limit_s, length, name = CALL.unpack_from(board)
    if not limit_s:
        return ""
    what = name[:length].decode("utf-8", "replace")
    return (
        f"this process ended in the middle of {what}: it was ended there at once (such as by os._exit, a crash of something "
        "written in C, or for want of memory), or somebody killed it\n"
    )


def watch(board: mmap, pid: int, has_ended: Callable[[float], bool], end: Callable[[str], object]) -> bool:
    """Until the process is to be ended, or has ended; whether it was the latter.

    has_ended: waits for it, up to so many seconds. end: is told what to say.
    """
    since: Sample | None = None
    while not has_ended(_EVERY_S):
        calls, limit_s, length, name = CALL.unpack_from(board)
        passed = calls + LOOKS.unpack_from(board, CALL.size)[0]
        if since is not None and since.passed != passed:
            since = None
            continue  # the clocks of a process that goes on are of no interest
        try:
            now = Sample(passed, limit_s, cpu_s_of(pid), monotonic())
        except (OSError, ValueError):
            continue
        since = since or now
        if is_held(since, now):
            what = name[:length].decode("utf-8", "replace")
            end(
                f"{what} did not come back within {limit_s:g} s and holds the interpreter: this node is ended. "
                "It was here, the newest line first:\n"
            )
            return False
    return True


def _main() -> None:
    pid = os.getppid()
    with open(int(sys.argv[1]), "r+b") as file:  # noqa: PTH123 - a descriptor, not a path
        board = mmap(file.fileno(), BOARD_BYTES)

    def has_ended(within_s: float) -> bool:
        return bool(select.select([0], [], [], within_s)[0]) or os.getppid() != pid

    def end(told: str) -> None:
        os.write(2, told.encode())
        if DUMP_SIGNAL is not None:
            os.kill(pid, DUMP_SIGNAL)
            if has_ended(_DUMP_S):
                return
        os.kill(pid, signal.SIGKILL)

    if watch(board, pid, has_ended, end):
        os.write(2, left_open(board).encode())


if __name__ == "__main__":
    _main()
