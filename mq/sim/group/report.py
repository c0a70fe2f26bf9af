"""What is kept of a run over many seeds: its sums, and on what they were found."""

import os
import platform
import subprocess

from mq.sim.group.seeds import Tally

__all__ = ["report"]


def _commit() -> str:
    """Of the checkout, with a `+` when files differ from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],  # noqa: S607 - the git that is on the path is the one that is meant
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def report(command: str, tally: Tally, pace: str) -> str:
    """A page of Markdown. pace: of the last session, when the run was interrupted."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"""# Seeds of the Raft group

Made by one command, which may be interrupted and called again; each seed is one run with its own options and faults, and every
promise is checked at every step.

    {command}

* commit: {_commit()}
* machine: {machine}

```
{tally.to_text()}
{pace}
```
"""
