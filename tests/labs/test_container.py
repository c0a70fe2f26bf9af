"""Marks mode: the worker in a container, and the cheats that only a container stops. Skipped where there is no engine."""

import os
import subprocess

import pytest

from labs.grader import process
from labs.grader.container import DEFAULT_IMAGE, ContainerError, in_a_container
from labs.grader.running import Start
from tests.labs.helpers import outcomes_of, skeleton, solution

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
import os
try:
    for _ in range(500):
        if os.fork() == 0:
            while True: pass
except OSError:
    pass
os._exit(0)
"""
FILLS = """
for name in ("/tmp/x", "/box/x", "/x", "/var/tmp/x"):
    try:
        with open(name, "wb") as file:
            while True: file.write(bytes(1 << 16))
    except OSError: pass
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
TAKES_MEMORY = "x = [bytes(1 << 20) for _ in range(4000)]"


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
    done = subprocess.run(["docker", "ps", "-aq", "--filter", "name=mq-lab-"], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == ""


def test_the_reference_passes_in_a_container(start: Start) -> None:
    outcomes = outcomes_of(solution(), WRITES, OPENS, "3.3", start=start)
    assert all(outcome.is_passed for outcome in outcomes.values()), outcomes


@pytest.mark.parametrize("code", [REACHES_OUT, LOOKS_ROUND, FILLS], ids=["network", "processes and rights", "full disk"])
def test_there_is_nothing_to_reach_and_nothing_to_fill(code: str, start: Start) -> None:
    outcome = outcomes_of(solution(commit_log=code), WRITES, start=start)[WRITES]
    assert outcome.is_passed, outcome.message


@pytest.mark.parametrize(("code", "complaint"), [(FORKS, "the process ended"), (TAKES_MEMORY, "")], ids=["forks", "memory"])
def test_bombs_hit_the_container_alone(code: str, complaint: str, start: Start) -> None:
    outcome = outcomes_of(skeleton(commit_log=code), WRITES, start=start)[WRITES]
    assert not outcome.is_passed
    assert complaint in outcome.message


def test_a_loop_without_end_is_ended_from_the_host(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS_MAX", 2.0)
    outcome = outcomes_of(solution(commit_log="def a(*_):\n    while True: pass\nCommitLog.append = a"), WRITES, start=start)[
        WRITES
    ]
    assert "did not come back within 2 s" in outcome.message


def test_an_image_that_is_not_there_is_told() -> None:
    with pytest.raises(ContainerError, match=r"MQ_GRADER_IMAGE names another|there is no `docker`"):
        in_a_container("no/such:image")
