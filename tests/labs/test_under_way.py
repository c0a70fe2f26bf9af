"""The line that says which test runs, on a terminal."""

import os
import pty
import subprocess
import sys

import pytest

from tests.labs.helpers import ROOT

SKELETON = "labs/stage0_tools/lab0_tools/skeleton"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_each_test_is_named_while_it_runs_and_nothing_of_it_stays() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "import sys; from mq.cli.main import main; sys.exit(main(sys.argv[1:]))"]
    with subprocess.Popen([*command, "lab", "check", "lab0", SKELETON], cwd=ROOT, stdout=theirs, stderr=theirs) as check:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:
            pass  # so Linux says that the other end is closed
        assert check.wait() == 1
    os.close(ours)
    lines = said.decode().replace("\r\n", "\n").split("\n")
    under_way = [line for line in lines if "  ...  " in line]
    assert under_way[0].startswith("  ...  1.1 tickets are torn off in order")
    assert [line for line in under_way if "\r\x1b[K" not in line] == [], "each is erased before something else is printed"
    assert len(under_way) == 8, "the sentences, and no test behind them"
