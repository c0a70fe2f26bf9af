"""The tests of lab 3f: they have no cases. One run of a cluster decides all of them, see `runs` and `verdict`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.grader.lab import Lab
from labs.grader.places import results_folder
from labs.grader.submission import Submission
from labs.grader.suite import Check, Suite
from labs.stage3_raft.lab3f_drive_it.verdict import TESTS
from labs.stage3_raft.remote import raft_seam
from mq.cli.output import note

if TYPE_CHECKING:
    from labs.stage3_raft.lab3f_drive_it.runs import Drive

__all__ = ["RUNS", "SEAM", "SUITE"]

SEAM = raft_seam("Raft", "raft")

SUITE = Suite(tuple(Check(test.number, test.name, test.section, lambda _seeds: (), points=test.points) for test in TESTS))


class _Runs:
    """See `labs.grader.grading.OwnRuns`. What speaks with brokers is loaded when it runs: a lab can be listed without that."""

    def start(self, *, is_container: bool) -> tuple[Callable[..., Any], str]:
        """Raises: ClusterError when there are no containers to be had."""
        from labs.stage3_raft.lab3f_drive_it.hosts import CONTAINERS, PROCESSES, Processes  # noqa: PLC0415 - see above

        if not is_container:
            return Processes, PROCESSES
        from labs.stage3_raft.lab3f_drive_it.containers import Containers  # noqa: PLC0415 - needs a package of its own

        return Containers.checked(), CONTAINERS

    def runner(
        self, lab: Lab, submission: Submission, start: Callable[..., Any] | None, folder: Path | None, *, with_reference: bool
    ) -> "Drive":
        """folder: of the results; the run has its own in there. Raises: DriveError."""
        from labs.stage3_raft.lab3f_drive_it.hosts import Processes  # noqa: PLC0415 - see above
        from labs.stage3_raft.lab3f_drive_it.runs import Drive, DriveError  # noqa: PLC0415 - see above

        if start is not None and start is not Processes and not isinstance(start, partial):
            raise DriveError("this lab runs three nodes of its own: it cannot be graded in another system's container")
        place = (folder or results_folder() / lab.id) / "run"
        return Drive(submission, place, hosts=start or Processes, say=note, with_reference=with_reference)


RUNS = _Runs()
