"""What tests of labs that meet a real broker share."""

from collections.abc import Iterator

import pytest

from tests.interop.driving import Official


@pytest.fixture
def official() -> Iterator[list[Official]]:
    """The official clients that a test starts; none outlives it."""
    started: list[Official] = []
    yield started
    for each in started:
        each.kill()
