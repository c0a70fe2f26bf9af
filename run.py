#!/usr/bin/env python3
"""The one entry to everything: `python3 run.py demo`, `test`, `check`, `doctor`.

Needs nothing but Python: it makes its own environment in `.venv` beside it, and nothing has to be
activated. This file stays within what Python 3.9 understands, so that an old Python is told what is
missing; the rest is in `tools/runner`.
"""

import subprocess
import sys
from pathlib import Path

VERSION_MIN = (3, 11)
NEWER = ("3.11", "3.12", "3.13", "3.14", "3.15")


def newer_python() -> str:
    """The name of a Python on PATH that is new enough, or an empty string."""
    question = "import sys; sys.exit(sys.version_info < (3, 11))"
    for version in NEWER:
        name = "python" + version
        try:
            answer = subprocess.run([name, "-c", question], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        except OSError:
            continue
        if answer.returncode == 0:
            return name
    return ""


def too_old(arguments: "list[str]") -> int:
    """Say which Python is needed and how to get it; go on with a newer one where there is one."""
    mine = ".".join(map(str, sys.version_info[:3]))
    name = newer_python()
    if name:
        print(f"This is Python {mine}; RaftMQ needs 3.11 or newer. Going on with {name}.", file=sys.stderr)
        return subprocess.run([name, str(Path(__file__).resolve()), *arguments], check=False).returncode
    print(
        f"RaftMQ needs Python 3.11 or newer; this is Python {mine} ({sys.executable}).\n"
        "  Debian 12, Ubuntu 24.04 or newer:  apt-get install python3 python3-venv\n"
        "  macOS:                             brew install python@3.12\n"
        "  Windows:                           winget install Python.Python.3.12\n"
        "Then call it by its name, for example: python3.12 run.py demo",
        file=sys.stderr,
    )
    return 2


def main(arguments: "list[str]") -> int:
    """Returns the exit status of the command."""
    if sys.version_info < VERSION_MIN:
        return too_old(arguments)
    from tools.runner.main import main as run  # noqa: PLC0415 - an older Python could not read it

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
