"""The demo, as a user sees it: two groups, a registry, official clients, a leader killed in mid-stream, and nobody notices."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from mq.cli.demo_record import Record, read_record
from tests.cluster.broker_process import wait_until
from tests.interop.place import Place

LIMIT_S = 60.0
"""The demo is promised to be over within a minute, once its environment is there."""
LOAD_PER_CORE_MAX = 2.0


def hold_to_the_minute(took_s: float, wall_s: float, load_before: float, cores: int) -> None:
    """Fail when a demo took longer than is promised; on a machine that is hopelessly loaded, skip with the figures.

    Hopelessly: before the demo began, more than two others waited for each core, so that the demo gets less than a third of the
    machine. Only the load before it counts: what the demo itself adds, such as by spinning, must never excuse it. wall_s: as it
    was seen from outside, with the start of Python.
    """
    assert took_s <= wall_s, "the demo took longer than the whole process: its clock is wrong"
    told = f"the demo took {took_s:.1f} s; before it, the load was {load_before:.1f} on {cores} cores"
    print(told)
    if took_s >= LIMIT_S and load_before > LOAD_PER_CORE_MAX * cores:
        pytest.skip(f"all else held, but nothing can be said of {LIMIT_S:g} s here: {told}")
    assert took_s < LIMIT_S, told


def test_a_slow_demo_fails_a_quick_one_passes_and_only_others_load_makes_it_neither() -> None:
    hold_to_the_minute(59.9, 61.0, 0.0, 2)
    hold_to_the_minute(59.9, 61.0, 99.0, 2)
    with pytest.raises(AssertionError, match=r"the demo took 60.0 s; before it, the load was 4.0 on 2 cores"):
        hold_to_the_minute(60.0, 61.0, 4.0, 2)
    with pytest.raises(pytest.skip.Exception, match=r"nothing can be said of 60 s here: the demo took 60.0 s"):
        hold_to_the_minute(60.0, 61.0, 4.1, 2)
    with pytest.raises(AssertionError, match="its clock is wrong"):
        hold_to_the_minute(30.0, 29.0, 0.0, 2)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("run", [1, pytest.param(2, marks=pytest.mark.night)])
def test_no_send_of_the_demo_fails_and_nothing_is_lost(tmp_path: Path, run: int) -> None:
    """By night twice: what the SIGKILL hits differs from run to run, such as a delivery that is durable and was never sent."""
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "mq.cli.demo", "--dir", str(folder)]
    load_before, began_s = psutil.getloadavg()[0], time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=350, check=False, env={**os.environ, "HOME": str(tmp_path)}
    )
    wall_s = time.monotonic() - began_s
    assert done.returncode == 0, (run, done.stdout, done.stderr)
    assert "orders acknowledged by the brokers  1200\n" in done.stdout, "as many as `run.py demo` sends"
    assert "orders consumed                     1200\n" in done.stdout
    assert "sends that failed                   0\n" in done.stdout
    assert "acknowledged orders lost            0\n" in done.stdout
    killed = re.search(r"SIGKILL: (broker-a-[123]), the leader, is dead", done.stderr)
    leads = re.search(r"(?m)^4\. (broker-a-[123]) leads", done.stderr)
    assert killed is not None
    assert leads is not None
    assert killed[1] != leads[1]
    assert f"{killed[1]} is back, and has all that it missed" in done.stderr
    assert re.search(r"gap around the kill                 \d+\.\d{3} s", done.stdout), "in mid-stream"
    shares = re.search(r"(?m)^by group +broker-a (\d+), broker-b (\d+)$", done.stdout)
    assert shares is not None
    assert int(shares[1]) + int(shares[2]) == 1200
    check_the_other_group_went_on(read_record(folder / "produce.txt"))
    for picture in ("demo.png", "election.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    left = [process for process in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(process.info["cmdline"] or [])]
    assert left == [], "no process outlives it"
    took = re.search(r"(?m)^seconds in all +(\d+\.\d)  ", done.stdout)
    assert took is not None, done.stdout
    hold_to_the_minute(float(took[1]), wall_s, load_before, psutil.cpu_count() or 1)


def check_the_other_group_went_on(acked: list[Record]) -> None:
    """While the first group had no leader, messages went to the second one."""
    by_first = [record.wall_ms for record in acked if record.broker == "broker-a"]
    _, begins_ms, ends_ms = max((later - earlier, earlier, later) for earlier, later in pairwise(by_first))
    assert sum(begins_ms < record.wall_ms < ends_ms for record in acked if record.broker == "broker-b") >= 3


def is_over(process: psutil.Process) -> bool:
    """Also one whose end nobody has asked for: its parent is gone, and not every container has an init."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_customers_of_a_demo_that_is_killed_do_not_outlive_it(place: Place, tmp_path: Path) -> None:
    """Also the producer, which would send its orders again for ever, once the next demo has ended the brokers."""
    starter = tmp_path / "starter.py"
    starter.write_text(
        "import subprocess, sys, time\n"
        "one = subprocess.Popen([sys.executable, '-m', 'mq.cli.demo_clients', *sys.argv[1:]], stdin=subprocess.PIPE)\n"
        "print(one.pid, flush=True)\n"
        "one.wait()\n"
    )
    record = tmp_path / "produce.txt"
    arguments = ["produce", place.endpoint, place.topic, place.group, "1000000", str(record)]
    with ExitStack() as ending:
        demo = ending.enter_context(
            subprocess.Popen(
                [sys.executable, str(starter), *arguments], stdout=subprocess.PIPE, env={**os.environ, "HOME": str(tmp_path)}
            )
        )
        ending.callback(demo.kill)
        assert demo.stdout is not None
        producer = psutil.Process(int(demo.stdout.readline()))
        ending.callback(end, producer)
        wait_until(lambda: read_record(record), "the first order is acknowledged", limit_s=60)
        demo.send_signal(signal.SIGKILL)
        wait_until(lambda: is_over(producer), "the producer has ended, too")
