"""Schedules by hand, watched: text files of commands (`mq.sim.hand.script`) in which a wrong Raft breaks a promise.

    python3 -m tools.schedule labs/stage3_raft/schedules/figure_8.txt                          on ours
    python3 -m tools.schedule labs/stage3_raft/schedules/figure_8.txt --raft mine.py:Raft      on another

They are played by `labs/stage3_raft/scripted.py`, and the promises are looked up by `watching.py` there.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labs.stage3_raft.scripted import NOT_DONE, play
from labs.stage3_raft.watching import Watch
from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode
from mq.sim.arguments import read_name
from mq.sim.load_raft import load_raft

__all__ = ["NOT_DONE", "Watch", "main", "play"]


def _check_text(file: Path) -> None:
    """Raises: IllegalArgumentError, naming the file, when it cannot be read."""
    try:
        file.read_text(encoding="utf-8")
    except OSError as error:
        raise IllegalArgumentError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise IllegalArgumentError(f"{file} is no text, and so no schedule") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every promise is kept, 1 when one is broken, 2 when the schedule says nothing about this Raft."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.schedule", description="Play schedules, and watch every promise.")
    parser.add_argument("files", nargs="+", type=Path, metavar="SCHEDULE", help="as in labs/stage3_raft/schedules")
    parser.add_argument("--raft", type=read_name, metavar="FILE:Class", help="another Raft in the place of ours")
    options = parser.parse_args(arguments)
    try:
        raft_class = load_raft(options.raft) if options.raft else RaftNode
        for file in options.files:
            _check_text(file)
        ends = {file: play(file, raft_class) for file in options.files}
    except IllegalArgumentError as error:
        parser.error(str(error))
    for file, end in ends.items():
        print(f"{file.stem}: {end or 'every promise is kept'}")
    told = [end for end in ends.values() if end is not None]
    return 0 if not told else 1 if any(NOT_DONE not in end for end in told) else 2


if __name__ == "__main__":
    sys.exit(main())
