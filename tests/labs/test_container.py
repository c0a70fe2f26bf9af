"""Marks mode: the worker in a container, and the cheats that only a container stops. Skipped where there is no engine."""

import os
import subprocess

import pytest

from labs.grader import process
from labs.grader.container import DEFAULT_IMAGE, ContainerError, in_a_container
from labs.grader.running import Start
from tests.cluster.broker_process import wait_until
from tests.labs.helpers import outcomes_of, solution

pytestmark = pytest.mark.docker
WRITES, OPENS = "1.2", "1.22"
IMAGES = (DEFAULT_IMAGE, "local/python:3")

REACHES_OUT = """
import socket
found = []
for address in (("1.1.1.1", 53), ("172.17.0.1", 22)):
    try: found.append(socket.create_connection(address, 1))
    except OSError: pass
names = [name for _, name in socket.if_nameindex()]
assert not found and names == ["lo"], (found, names)
"""
FORKS = """
import errno, os, signal
count, why = 0, None
while why is None and count < 64:
    try: child = os.fork()
    except OSError as error: why = error.errno
    else:
        if child == 0:
            while True: signal.pause()
        count += 1
assert why == errno.EAGAIN and count > 0, (count, why)
"""
FILLS = """
import errno
def why(name, data=b""):
    try:
        with open(name, "wb") as file: file.write(data)
    except OSError as error: return error.errno
for name in ("/box/x", "/var/tmp/x"):
    assert why(name) == errno.EROFS, name
found = [why(f"/tmp/{number}", bytes(1 << 20)) for number in range(17)]
assert found[0] is None, found
assert [each for each in found if each is not None][:1] == [errno.ENOSPC], found
"""
LOOKS_ROUND = """
import os
assert os.getuid() == 65534
assert not os.path.exists("/var/run/docker.sock")
assert [name for name in os.listdir("/proc") if name.isdigit()] == ["1"], "another process can be seen"
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"].strip() == "1"
try: os.kill(os.getppid() or 1, 0)
except OSError: pass
"""
TALKS = """
import fcntl, struct
known = open("/box/labs/__init__.py", "rb")
found = fcntl.fcntl(known, fcntl.F_GETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 1, 0))
assert struct.unpack("hhqqi", found)[0] == fcntl.F_UNLCK, "another process has taken a lock on this file"
fcntl.lockf(known, fcntl.LOCK_SH, 1)
"""
"""Who comes second looks whether the first one left a sign; there are two workers from the beginning."""
IS_LIMITED = """
def said(*names):
    for name in names:
        try: return open(f"/sys/fs/cgroup/{name}").read().strip()
        except FileNotFoundError: pass
memory = said("memory.max", "memory/memory.limit_in_bytes")
assert memory == str(512 << 20), memory
processes = said("pids.max", "pids/pids.max")
assert processes == "64", processes
"""
TAKES_MEMORY = "x = [b'x' * (1 << 20) for _ in range(700)]"
"""Less than a process may have (`LIMITS`), more than the container; and written to, since what is never touched takes nothing."""
STOPPED = {
    "network": REACHES_OUT,
    "processes and rights": LOOKS_ROUND,
    "a sign for the other process": TALKS,
    "full disk": FILLS,
    "forks without end": FORKS,
    "limits": IS_LIMITED,
}


@pytest.fixture(scope="module")
def start() -> Start:
    reasons = []
    for image in IMAGES:
        try:
            return in_a_container(image)
        except ContainerError as error:
            reasons.append(str(error))
    if os.environ.get("MQ_REQUIRE_DOCKER") == "1":
        pytest.fail(f"MQ_REQUIRE_DOCKER=1, but {reasons}", pytrace=False)
    pytest.skip(reasons[0])


@pytest.fixture(autouse=True)
def nothing_is_left() -> object:
    yield
    listing = ["docker", "ps", "-aq", "--filter", "name=mq-lab-"]

    def is_empty() -> bool:
        return not subprocess.run(listing, capture_output=True, text=True, check=False).stdout.strip()

    wait_until(is_empty, "the engine has removed what was killed")


def test_the_reference_passes_in_a_container(start: Start) -> None:
    outcomes = outcomes_of(solution(), WRITES, OPENS, "3.3", start=start)
    assert all(outcome.is_passed for outcome in outcomes.values()), outcomes


@pytest.mark.parametrize("what", STOPPED)
def test_there_is_nothing_to_reach_and_little_to_use_up(what: str, start: Start) -> None:
    """Each of them looks by itself whether it was stopped, and by what: the right log that it is a part of passes only then."""
    outcome = outcomes_of(solution(commit_log=STOPPED[what]), WRITES, start=start)[WRITES]
    assert outcome.is_passed, outcome.message


def test_who_takes_more_memory_than_the_container_has_is_ended_with_it(start: Start) -> None:
    outcome = outcomes_of(solution(commit_log=TAKES_MEMORY), WRITES, start=start)[WRITES]
    assert "the process ended in the middle of it" in outcome.message


def test_a_loop_without_end_is_ended_from_the_host(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS_MAX", 2.0)
    outcome = outcomes_of(solution(commit_log="def a(*_):\n    while True: pass\nCommitLog.append = a"), WRITES, start=start)[
        WRITES
    ]
    assert "did not come back within 2 s" in outcome.message


def test_an_image_that_is_not_there_is_told() -> None:
    with pytest.raises(ContainerError, match=r"MQ_GRADER_IMAGE names another|there is no `docker`"):
        in_a_container("no/such:image")
