"""Processes that outlive the one that started them."""

import os
import subprocess
import sys
from pathlib import Path

from mq.cluster.processes import RUNNING, STOPPED, Process

START = """
import os, sys
from pathlib import Path
from mq.cluster.processes import Process

folder = Path(sys.argv[1])
process = Process.start([sys.executable, "-c", "import time; time.sleep(300)"], folder / "log", os.environ, folder)
process.write(folder / "process.json")
"""


def test_whoever_started_one_may_end_before_it_without_a_word(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", START, str(tmp_path)]
    started = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    process = Process.read(tmp_path / "process.json")
    assert process is not None
    assert process.state == RUNNING
    process.kill()
    assert process.state == STOPPED
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
