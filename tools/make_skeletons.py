"""Makes the skeletons of all labs out of the reference.

    .venv/bin/python -m tools.make_skeletons            write them
    .venv/bin/python -m tools.make_skeletons --check    say which are not what they should be, and end with 1

`labs/grader/skeleton.py` says how; each `lab.toml` says what is blanked.
"""

import argparse
import sys
from collections.abc import Sequence

from labs.grader.lab import Lab, all_labs
from labs.grader.skeleton import skeleton_of, write_all

__all__ = ["differences", "main"]


def differences(lab: Lab) -> list[str]:
    """Files of a skeleton that are missing, stale, or not known."""
    folder, wanted = lab.folder / "skeleton", skeleton_of(lab)
    there = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.*")}
    return sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or compare; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.make_skeletons", description="Make the skeletons of all labs.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args(arguments)
    stale = []
    for lab in all_labs():
        if options.check:
            stale += [f"{lab.folder.name}/skeleton/{name}" for name in differences(lab)]
        else:
            write_all(lab.folder / "skeleton", skeleton_of(lab))
    for name in stale:
        print(f"{name} is not what the reference makes of it")
    if stale:
        print("make them anew: .venv/bin/python -m tools.make_skeletons")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
