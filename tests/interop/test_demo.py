"""The demo, as a user sees it: three brokers, official clients, the leader killed in mid-stream, and nobody notices."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("run", [1, 2])
def test_no_send_of_the_demo_fails_and_nothing_is_lost(tmp_path: Path, run: int) -> None:
    """Twice: what the SIGKILL hits differs from run to run, such as a delivery that is durable and was never sent."""
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "mq.cli.demo", "--count", "600", "--dir", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=350, check=False, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, (run, done.stdout, done.stderr)
    assert "orders acknowledged by the brokers  600" in done.stdout
    assert "orders consumed                     600" in done.stdout
    assert "sends that failed                   0\n" in done.stdout
    assert "acknowledged orders lost            0\n" in done.stdout
    killed = re.search(r"SIGKILL: (broker-a-[123]), the leader, is dead", done.stderr)
    leads = re.search(r"(?m)^4\. (broker-a-[123]) leads", done.stderr)
    assert killed is not None
    assert leads is not None
    assert killed[1] != leads[1]
    assert f"{killed[1]} is back, and has all that it missed" in done.stderr
    assert re.search(r"gap around the kill                 (\d+\.\d{3} s|none)", done.stdout)
    for picture in ("demo.png", "election.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    left = [process for process in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(process.info["cmdline"] or [])]
    assert left == [], "no process outlives it"
