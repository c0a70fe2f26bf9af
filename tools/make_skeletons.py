"""Makes the skeletons of all labs out of the reference.

    .venv/bin/python -m tools.make_skeletons            write them
    .venv/bin/python -m tools.make_skeletons --check    say which are not what they should be, and end with 1

`labs/grader/skeleton.py` says how; each `lab.toml` says what is blanked.
"""

import argparse
import sys
from collections.abc import Sequence

from labs.grader.lab import Lab, every_lab
from labs.grader.skeleton import HOLLOW, hollow_of, skeleton_of

__all__ = ["differences", "main"]


def differences(lab: Lab) -> list[str]:
    """Files of a skeleton, and of what is given beside it, that are missing, stale, or not known."""
    wanted, there = _wanted(lab), {}
    for folder in ("skeleton", HOLLOW):
        for file in (lab.folder / folder).rglob("*.*"):
            if file.is_file():
                there[file.relative_to(lab.folder).as_posix()] = file.read_text(encoding="utf-8")
    return sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))


def _wanted(lab: Lab) -> dict[str, str]:
    made = {f"skeleton/{name}": text for name, text in skeleton_of(lab).items()}
    if lab.gather is not None:
        made |= {f"{HOLLOW}/{name}": text for name, text in hollow_of(lab).items()}
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or compare; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.make_skeletons", description="Make the skeletons of all labs.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args(arguments)
    stale = []
    for lab in every_lab():
        if options.check:
            stale += [f"{lab.folder.name}/{name}" for name in differences(lab)]
            continue
        for name, text in _wanted(lab).items():
            file = lab.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name} is not what the reference makes of it")
    if stale:
        print("make them anew: .venv/bin/python -m tools.make_skeletons")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
