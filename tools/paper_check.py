"""Which of the paper's sentences (`tests/paper`) other Rafts break, and how soon: a line of JSON for each Raft.

    .venv/bin/python -m tools.paper_check labs/stage3_raft/wrong/figure8.py:Raft [more of them]
    {"place": ..., "broken": [...], "runs": 57, "of": 290, "seconds": 0.41}

runs, seconds: until the first that is broken, that one with it; without any, all of them. All in one process: starting pytest
takes longer than all the sentences do.
"""

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest

__all__ = ["main"]

_ARGUMENTS = ["tests/paper", "-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", "--timeout=20"]


class _Broken:
    """Notes the tests that fail, in whatever way. begun: how many tests were; first: (begun, seconds) when one failed."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.begun = 0
        self.first: tuple[int, float] | None = None
        self._since = 0.0

    def pytest_runtest_logstart(self) -> None:
        """A test begins."""
        self._since = self._since or time.perf_counter()
        self.begun += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A step of a test is done."""
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)
            self.first = self.first or (self.begun, self.seconds())

    def seconds(self) -> float:
        """Since the first test began: nothing that pytest does before that."""
        return time.perf_counter() - self._since

    def to_plain(self) -> dict[str, Any]:
        """For the line."""
        runs, seconds = self.first or (self.begun, self.seconds())
        return {"broken": self.names, "runs": runs, "of": self.begun, "seconds": round(seconds, 2)}


def _broken_by(place: str) -> dict[str, Any]:
    os.environ["RAFTMQ_RAFT"] = place
    broken, said = _Broken(), io.StringIO()
    with contextlib.redirect_stdout(said):
        status = pytest.main(list(_ARGUMENTS), plugins=[broken])
    if status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} or not broken.begun:
        raise RuntimeError(f"pytest ended with {status!r}:\n{said.getvalue()[-2000:]}")
    return broken.to_plain()


def main(places: Sequence[str]) -> int:
    """Returns the exit status."""
    for place in places:
        print(json.dumps({"place": place, **_broken_by(place)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
