"""Which of the paper's sentences (`tests/paper`) other Rafts break: a line of JSON for each, `{"place": ..., "broken": [...]}`.

    .venv/bin/python -m tools.paper_check labs/stage3_raft/wrong/figure8.py:Raft [more of them]

All in one process: starting pytest takes longer than all the sentences do.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Sequence

import pytest

__all__ = ["main"]

_ARGUMENTS = ["tests/paper", "-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", "--timeout=20"]


class _Broken:
    """Notes the tests that fail, in whatever way. count: of all that were run."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A step of a test is done."""
        self.count += report.when == "call"
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)


def _broken_by(place: str) -> list[str]:
    os.environ["RAFTMQ_RAFT"] = place
    broken, said = _Broken(), io.StringIO()
    with contextlib.redirect_stdout(said):
        status = pytest.main(list(_ARGUMENTS), plugins=[broken])
    if status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} or not broken.count:
        raise RuntimeError(f"pytest ended with {status!r}:\n{said.getvalue()[-2000:]}")
    return broken.names


def main(places: Sequence[str]) -> int:
    """Returns the exit status."""
    for place in places:
        print(json.dumps({"place": place, "broken": _broken_by(place)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
