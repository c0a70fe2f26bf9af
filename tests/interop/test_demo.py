"""The demo, as a user sees it: official clients, a SIGKILL in mid-stream, nothing acknowledged lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("run", [1, 2, 3])
def test_the_demo_loses_nothing(tmp_path: Path, run: int) -> None:
    """Three times: what the SIGKILL hits differs from run to run, such as a delivery that is durable and was never sent."""
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "mq.cli.demo", "--count", "600", "--dir", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=110, check=False, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, (run, done.stdout, done.stderr)
    assert "orders acknowledged by the broker   600" in done.stdout
    assert "acknowledged orders lost            0" in done.stdout
    assert "SIGKILL" in done.stderr
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
