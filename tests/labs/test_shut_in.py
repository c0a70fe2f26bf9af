"""What practice mode stops where Linux has Landlock: files of ours by any way, connections, and signals to other processes."""

import ctypes
import sys

import pytest

from labs.grader.box import ROOT
from tests.labs.helpers import outcomes_of, solution


def landlock() -> int:
    """The version that this system has; 0 for none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(444, None, 0, 1)))


HAS_FILES, HAS_CONNECTIONS, HAS_SIGNALS = 1, 4, 6
FORBIDDEN = {
    "the reference by its path": (f"open({str(ROOT / 'mq/broker/store/commit_log.py')!r}).read()", HAS_FILES),
    "the reference by what started it": (
        "import os\nopen(os.readlink(f'/proc/{os.getppid()}/cwd') + '/mq/broker/store/commit_log.py').read()",
        HAS_FILES,
    ),
    "a list of this folder": (f"import os\nos.listdir({str(ROOT)!r})", HAS_FILES),
    "what a process of another's holds in memory": (
        "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
        HAS_FILES,
    ),
    "the reference by another program": (
        f"import subprocess\nsubprocess.run(['/bin/cat', {str(ROOT / 'README.md')!r}], check=True)",
        HAS_FILES,
    ),
    "a connection": ("import socket\nsocket.create_connection(('127.0.0.1', 9), 5)", HAS_CONNECTIONS),
    "the end of what started it": ("import os\nos.kill(os.getppid(), 0)", HAS_SIGNALS),
}
ALLOWED = """
import asyncio, bisect, collections, dataclasses, decimal, heapq, logging, multiprocessing
import random, sqlite3, ssl, struct, tempfile, zlib
import zoneinfo
open("/dev/urandom", "rb").read(1)
print("a remark")
"""


@pytest.mark.parametrize("cheat", FORBIDDEN)
def test_what_a_submission_reaches_for_is_not_to_be_had(cheat: str) -> None:
    line, version = FORBIDDEN[cheat]
    if landlock() < version:
        pytest.skip(f"this system's Landlock is of version {landlock()}, and that needs {version}")
    outcome = outcomes_of(solution(commit_log=line), "1.2")["1.2"]
    assert outcome.points == 0
    assert "PermissionError" in outcome.message


def test_what_python_itself_has_can_be_had() -> None:
    outcome = outcomes_of(solution(commit_log=ALLOWED), "1.2")["1.2"]
    assert outcome.is_passed, outcome.message
