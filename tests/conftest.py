"""What all tests share: how thorough hypothesis is in each tier, and marks that follow from a test's folder."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

# A shell starts what runs in its background with SIGINT ignored, and every process below inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_TESTS = Path(__file__).resolve().parent
_MARK_OF_FOLDER = {
    "sim": "sim",
    "cluster": "cluster",
    "docker": "docker",
    "interop": "interop",
    "lessons": "lesson",
    "labs": "lab",
}

# Every run of a commit tries the same examples, so a failure is never "that time only"; the night looks further.
# The machine is shared, so an example's time says nothing.
hypothesis.settings.register_profile("default", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("default"), max_examples=30)
hypothesis.settings.register_profile("night", deadline=None, print_blob=True, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("RAFTMQ_TIER", "default"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in tests/interop is an interop test; nobody has to remember to say so.

    Where tests run in rows (`tools.runner.tiers`), a file stays in one row, and all tests with containers in the same one: they
    share an engine, and what one of them finds there another one might have made.
    """
    for item in items:
        if item.path.is_relative_to(_TESTS):
            mark = _MARK_OF_FOLDER.get(item.path.relative_to(_TESTS).parts[0])
            if mark is not None:
                item.add_marker(mark)
            row = "docker" if item.get_closest_marker("docker") else item.path.relative_to(_TESTS).as_posix()
            item.add_marker(pytest.mark.xdist_group(row))
