"""Your own Raft drives a cluster: three nodes, official clients, and what is done to them.

    python -m labs.stage3_raft.lab3f_drive_it.run_it work/lab3d_snapshots
    python -m labs.stage3_raft.lab3f_drive_it.run_it work/lab3d_snapshots --backend docker

The first is practice, in processes of this machine; the second is how marks are given, in containers. `mq lab check lab3f` and
`mq lab grade lab3f` run the same.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from labs.grader.places import results_folder
from labs.grader.report import failure_lines, outcome_line
from labs.grader.submission import SubmissionError, read_submission
from labs.stage3_raft.lab3f_drive_it.hosts import Hosts, Processes
from labs.stage3_raft.lab3f_drive_it.runs import Drive, DriveError, figures_of
from labs.stage3_raft.lab3f_drive_it.story_page import PAGE
from mq.cli.output import note, print_line
from mq.cluster.errors import ClusterError

__all__ = ["main"]

_FAILED, _NOT_RUN = 1, 2


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run_it", description="Run your own Raft in a cluster whose leader is killed.")
    parser.add_argument("work", type=Path, help="your folder, with raft.py in it, or one Python file")
    parser.add_argument("--backend", choices=["local", "docker"], default="local", help="processes (practice) or containers")
    parser.add_argument("--dir", type=Path, help="where logs, traces and the page go; else work/results/lab3f_drive_it/run")
    parser.add_argument(
        "--whole-layers", action="store_true", help="inherit also what labs 3a to 3d ask for: for Rafts of labs/stage3_raft"
    )
    return parser.parse_args(arguments)


def hosts_for(backend: str) -> Callable[..., Hosts]:
    """What nodes run in. Raises: ClusterError when there are no containers to be had."""
    if backend == "local":
        return Processes
    from labs.stage3_raft.lab3f_drive_it.containers import Containers  # noqa: PLC0415 - needs a package that others do without

    return Containers.checked()


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all was well, 1 when a test failed, 2 when it could not be run."""
    options = _options(arguments)
    folder = options.dir or results_folder() / "lab3f_drive_it" / "run"
    began_s = time.monotonic()

    def say(line: str) -> None:
        print_line(f"{time.monotonic() - began_s:6.1f} s  {line}")
        sys.stdout.flush()

    try:
        hosts = hosts_for(options.backend)
        submission = read_submission(options.work, "raft.py")
        with Drive(submission, folder, hosts=hosts, say=say, with_reference=options.whole_layers) as drive:
            outcomes = list(drive.outcomes())
    except (SubmissionError, ClusterError, DriveError) as error:
        note(f"run_it: {error}")
        return _NOT_RUN
    for line in ("", *figures_of(drive.seen), "", *map(outcome_line, outcomes)):
        print_line(line)
    failed = [one for one in outcomes if not one.is_passed]
    for line in failure_lines(failed[0]) if failed else []:
        print_line(line)
    points = sum(one.points for one in outcomes)
    print_line(f"\n{points} of {sum(one.points_max for one in outcomes)} points ({drive.mode})")
    print_line(f"page: {folder / PAGE}")
    return _FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
