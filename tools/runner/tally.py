"""A pytest plugin that writes down how a run ended, for `tools.runner.tiers` to add up."""

import json
import os
import re
from pathlib import Path

import pytest

__all__ = ["VARIABLE", "pytest_sessionfinish"]

VARIABLE = "RAFTMQ_TALLY"
"""The environment variable that names the file to write."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the number of tests by outcome, and the ids of those that failed."""
    target = os.environ.get(VARIABLE)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not target or reporter is None or hasattr(session.config, "workerinput"):
        return
    counts = {outcome: len(reports) for outcome, reports in reporter.stats.items() if outcome}
    # xdist hangs the row of a test on its id, behind an @.
    failed = [re.sub(r"@[\w./]+$", "", one.nodeid) for outcome in ("failed", "error") for one in reporter.stats.get(outcome, ())]
    Path(target).write_text(json.dumps({"counts": counts, "failed": failed}), encoding="utf-8")
