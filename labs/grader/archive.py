"""Gradescope's autograder for a lab: a zip file with all that it needs.

Gradescope unpacks it as /autograder/source, runs `setup.sh` once, as root and with the network, when the image is built, and
`run_autograder` for each submission. The same repository and key give the same bytes.
"""

import zipfile
from pathlib import Path

from labs.grader.box import ROOT
from labs.grader.gradescope import KEY_FILE, LAB_FILE
from labs.grader.lab import Lab
from labs.grader.release import tracked
from labs.grader.shared import shared_by

__all__ = ["SCRIPTS", "write_zip"]

_WHEN = (2026, 1, 1, 0, 0, 0)
_SETUP = """#!/usr/bin/env bash
# Once, when the image is built: a Python of 3.11 or newer. Nothing else is needed, and nothing is fetched later.
set -euo pipefail
cd "$(dirname "$0")"
found() {
  for name in python3.14 python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      command -v "$name" >python_command
      return 0
    fi
  done
  return 1
}
found && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
for package in python3.12 python3.11; do
  apt-get install -y -qq --no-install-recommends "$package" && break
done
found
"""
_RUN = """#!/usr/bin/env bash
# For each submission. Until the grader has written what it found, the result is 0.
root=${AUTOGRADER_ROOT:-/autograder}
cd "$root/source" || exit 1
mkdir -p "$root/results"
printf '%s\\n' '{"score": 0, "output": "no mark: the grader did not start; tell your teacher", "visibility": "visible"}' \\
  >"$root/results/results.json"
exec "$(cat python_command 2>/dev/null || echo python3)" -S -s -B -m labs.grader.gradescope "$root"
"""
SCRIPTS = {"setup.sh": _SETUP, "run_autograder": _RUN}


def write_zip(lab: Lab, file: Path, key: bytes) -> int:
    """Write it, whole or not at all. Returns the number of files in it."""
    folder = lab.folder.relative_to(ROOT).as_posix()
    taken = ("mq/", "labs/__init__.py", "labs/grader/", f"{folder}/")
    left_out = (f"{folder}/wrong/", f"{folder}/KILLS.md", f"{folder}/kills.json")
    shared = shared_by(lab)
    names = [name for name in tracked() if name in shared or (name.startswith(taken) and not name.startswith(left_out))]
    contents = {name: (ROOT / name).read_bytes() for name in names}
    contents |= {name: text.encode() for name, text in SCRIPTS.items()}
    contents |= {LAB_FILE: f"{lab.id}\n".encode(), KEY_FILE: key + b"\n"}
    half = file.with_name(f".{file.name}.half")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.external_attr = (0o755 if name in SCRIPTS else 0o600 if name == KEY_FILE else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    half.chmod(0o600)
    half.replace(file)
    return len(contents)
