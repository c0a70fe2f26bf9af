"""Each text file here is a scenario: commands, a rule, and what came of them."""

from pathlib import Path

import pytest

from mq.raft.node import RaftNode
from mq.sim.hand.script import run

FILES = sorted(Path(__file__).parent.glob("*.txt"))


def test_there_are_transcripts() -> None:
    assert len(FILES) >= 25


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_group_does_what_the_transcript_says(file: Path, raft_class: type[RaftNode], request: pytest.FixtureRequest) -> None:
    expected = file.read_text(encoding="utf-8")
    found = run(expected, raft_class)
    if request.config.getoption("--rewrite", default=False):
        file.write_text(found, encoding="utf-8")
    else:
        assert found.splitlines() == expected.splitlines()
