"""Renews `uv.lock` and the requirement files made from it.

    .venv/bin/python tools/lock.py              take up a change of pyproject.toml, keep all other versions
    .venv/bin/python tools/lock.py --upgrade    the newest versions that pyproject.toml allows

Needs uv and the public index: a lock made through a mirror names the mirror. The requirement files
are for pip, with every hash the index lists, so that any platform's wheel is accepted.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXPORTS = {"broker": ("speed",), "demo": ("demo", "speed"), "course": ("demo", "labs", "lessons", "speed"), "test": ("test",)}
"""The extras of each file. `broker` is for the image in docker/."""
PUBLIC = re.compile(r"https://(pypi\.org/simple|files\.pythonhosted\.org/packages/)")


def foreign_addresses(lock: str) -> list[str]:
    """Addresses in a lock that are not the public index's."""
    return sorted({url for url in re.findall(r"https?://[^\s\"']+", lock) if not PUBLIC.match(url)})


def header(purpose: str) -> str:
    """The first lines of a requirement file."""
    extras = ", ".join(EXPORTS[purpose])
    return f"# Made from uv.lock by tools/lock.py: raftmq[{extras}] and what installs the checkout itself.\n"


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 done, 1 the lock names a mirror, 2 no uv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true")
    is_upgrade: bool = parser.parse_args(arguments).upgrade
    uv = shutil.which("uv")
    if uv is None:
        print("uv is not on PATH: pip install uv", file=sys.stderr)
        return 2
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_"))}
    command = [uv, "lock", "--default-index", "https://pypi.org/simple", *(["--upgrade"] if is_upgrade else [])]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    if foreign := foreign_addresses((ROOT / "uv.lock").read_text(encoding="utf-8")):
        print("uv.lock names addresses that others cannot reach:", *foreign, sep="\n  ", file=sys.stderr)
        return 1
    for purpose, extras in EXPORTS.items():
        command = [uv, "export", "--frozen", "--quiet", "--no-emit-project", "--no-annotate", "--no-header"]
        for extra in extras:
            command += ["--extra", extra]
        exported = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
        (ROOT / "requirements" / f"{purpose}.txt").write_text(header(purpose) + exported, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
