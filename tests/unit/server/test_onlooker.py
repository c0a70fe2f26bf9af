"""A call that holds the interpreter is found out from outside; a process that stands still, or gets no time, is let be."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap

import psutil
import pytest

from mq.server.onlooker import BOARD_BYTES, CALL, LOOKS, Sample, _seconds, cpu_s_of, is_held, left_open, watch
from mq.server.watchdog import Onlooker, Watchdog
from tests.cluster.broker_process import wait_until

LIMIT_S = 60.0
BEGINS = """
import os, signal, sys, time
from itertools import count
from mq.server.watchdog import Onlooker, Watchdog

onlooker = Onlooker()
watchdog = Watchdog(onlooker=onlooker)
print(onlooker.pid, flush=True)
outer = watchdog.begin("raft", "raft: `step`")
"""
HOLDS = "def fights_windmills():\n    max(count())\n\nfights_windmills()\n"
STOPS_ITSELF = "os.kill(os.getpid(), signal.SIGSTOP)\nwatchdog.finish(outer)\nprint('goes on', flush=True)\nsys.stdin.read()\n"
WAITS = "watchdog.finish(outer)\nsys.stdin.read()\n"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="nobody looks on there")


@contextmanager
def script(text: str) -> Iterator["subprocess.Popen[str]"]:
    """A process with a watchdog and an onlooker; its first line is the onlooker's number."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", BEGINS + text]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def onlooker_of(process: "subprocess.Popen[str]") -> psutil.Process:
    assert process.stdout is not None
    return psutil.Process(int(process.stdout.readline()))


@pytest.mark.parametrize(
    ("now", "is_so"),
    [
        (Sample(7, 2.0, cpu_s=12.5, at_s=104.0), True),
        (Sample(7, 2.0, cpu_s=12.5, at_s=103.9), False),  # the watchdog inside still has time
        (Sample(7, 2.0, cpu_s=12.0, at_s=160.0), False),  # stopped, or starved: it had no more time than the call may take
        (Sample(7, 2.0, cpu_s=12.1, at_s=160.0), True),  # starved, and yet it has used it up
        (Sample(8, 2.0, cpu_s=99.0, at_s=160.0), False),  # something went on
        (Sample(7, 0.0, cpu_s=99.0, at_s=160.0), False),  # no organ was asked anything
        (Sample(7, 60.0, cpu_s=65.0, at_s=160.0), False),  # it may take longer
        (Sample(7, 60.0, cpu_s=71.0, at_s=162.0), True),
    ],
)
def test_what_is_held_against_a_process(now: Sample, is_so: bool) -> None:
    assert is_held(Sample(7, now.limit_s, cpu_s=10.0, at_s=100.0), now) is is_so


def test_the_clocks_of_a_process_are_those_that_it_reads_itself() -> None:
    before_s = time.process_time()
    while time.process_time() - before_s < 0.1:
        sum(range(1000))
    assert abs(cpu_s_of(os.getpid()) - time.process_time()) < 0.5


@pytest.mark.parametrize(("told", "total_s"), [("0:02.50\n", 2.5), ("01:00:07", 3607), ("2-01:00:00", 176400), ("  3:01", 181)])
def test_the_clocks_as_ps_tells_them(told: str, total_s: float) -> None:
    assert _seconds(told) == total_s
    with pytest.raises(ValueError, match="could not convert"):
        _seconds("")  # there is no such process


def test_a_process_is_let_be_while_the_watchdog_looks_and_told_when_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes by half a second a look, and all of it is used."""
    board, told, ends = mmap(-1, BOARD_BYTES), list[str](), list[float]()
    clock = {"now": 100.0}
    monkeypatch.setattr("mq.server.onlooker.monotonic", lambda: clock["now"])
    monkeypatch.setattr("mq.server.onlooker.cpu_s_of", lambda _pid: clock["now"])
    CALL.pack_into(board, 0, 1, 2.0, len(b"raft: `step`"), b"raft: `step`")

    def has_ended(within_s: float) -> bool:
        clock["now"] += within_s
        if clock["now"] < 120:
            LOOKS.pack_into(board, CALL.size, int(clock["now"] * 10))
        return clock["now"] > 140

    def end(text: str) -> None:
        told.append(text)
        ends.append(clock["now"])

    watch(board, 1, has_ended, end)
    assert told[0].startswith("raft: `step` did not come back within 2 s and holds the interpreter: this node is ended.")
    assert ends == [123.5]  # the last look was at 119.5


def test_one_that_holds_the_interpreter_is_killed_and_it_is_said_where_it_was() -> None:
    began_s = time.monotonic()
    with script(HOLDS) as process:
        onlooker = onlooker_of(process)
        _, told = process.communicate(timeout=LIMIT_S)
        assert process.returncode == -signal.SIGKILL
        wait_until(lambda: not onlooker.is_running(), "the onlooker ends, too")
    assert "raft: `step` did not come back within 2 s and holds the interpreter: this node is ended" in told
    assert "in fights_windmills" in told
    assert time.monotonic() - began_s > 4  # not at once: the watchdog inside was to end it


def test_one_that_was_stopped_in_the_middle_of_a_call_goes_on() -> None:
    with script(STOPS_ITSELF) as process:
        onlooker = onlooker_of(process)
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "it has stopped")
        end_s = time.monotonic() + 7
        wait_until(lambda: time.monotonic() > end_s or process.poll() is not None, "a good while passes")
        assert onlooker.is_running()  # so that somebody looked on meanwhile
        process.send_signal(signal.SIGCONT)
        assert process.stdout is not None
        assert process.stdout.readline() == "goes on\n"
        _, told = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, told) == (0, "")


def test_the_onlooker_ends_with_a_process_that_is_killed() -> None:
    with script(WAITS) as process:
        onlooker = onlooker_of(process)
        assert onlooker.is_running()
        process.kill()
        wait_until(lambda: not onlooker.is_running(), "the onlooker ends, too")


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"])
def test_a_process_that_ends_in_the_middle_of_a_call_is_told_by_the_onlooker(end: str) -> None:
    with script(f"{end}\n") as process:
        onlooker = onlooker_of(process)
        _, told = process.communicate(timeout=LIMIT_S)
        wait_until(lambda: not onlooker.is_running(), "the onlooker ends, too")
    assert "this process ended in the middle of raft: `step`: it was ended there at once" in told


@pytest.mark.parametrize(
    "end",
    [
        "watchdog.finish(outer)\nos._exit(0)\n",
        "watchdog.stop()\nos._exit(0)\n",  # nobody cares any more
        "import threading\nthreading.Event().wait()\n",  # the watchdog inside ends it, and says so
    ],
    ids=["between two calls", "when all is over", "by the watchdog"],
)
def test_a_process_that_ends_in_another_way_is_not_told_of_by_the_onlooker(end: str) -> None:
    with script(end) as process:
        _, told = process.communicate(timeout=LIMIT_S)
    assert "in the middle of" not in told


def test_a_long_name_stands_on_the_board_as_far_as_there_is_room() -> None:
    board = mmap(-1, BOARD_BYTES)
    assert left_open(board) == ""
    onlooker = Onlooker()
    onlooker._board = board
    onlooker.shows("parts: the import of " + "x" * 1000, 10.0)
    assert "in the middle of parts: the import of xxx" in left_open(board)
    onlooker.stop()
    assert left_open(board) == ""


def test_the_board_shows_the_call_of_another_thread_when_one_came_back(monkeypatch: pytest.MonkeyPatch) -> None:
    onlooker = Onlooker()
    watchdog = Watchdog(LIMIT_S, onlooker=onlooker)
    shown: list[tuple[str, float]] = []
    monkeypatch.setattr(onlooker, "shows", lambda what, limit_s: shown.append((what, limit_s)))
    other = threading.Thread(target=lambda: watchdog.begin("commit_log", "commit_log: `recover`", 70.0))
    other.start()
    other.join()
    assert watchdog.begin("raft", "raft: `step`") is None
    step = watchdog.begin("raft", "raft: `view`")
    watchdog.finish(step)
    watchdog.finish(None)
    assert [what.partition(": ")[2] for what, _ in shown] == ["`recover`", "`step`", "`view`", "`step`", "`recover`"]
    assert shown[-1] == ("commit_log: `recover`", 70.0)
    watchdog.stop()
    assert not psutil.pid_exists(onlooker.pid)
