"""Each text file here is a scenario: commands, a rule, and what came of them."""

from difflib import unified_diff
from itertools import zip_longest
from pathlib import Path

import pytest

from mq.core.errors import StateError
from mq.raft.node import RaftNode
from mq.sim.hand.script import run

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.txt"))
_DIFFERENCE_LINES_MAX = 40


def difference(name: str, expected: str, found: str) -> str:
    """Where two texts part, in a line that editors can open, and how; "" when they are equal."""
    old, new = expected.splitlines(), found.splitlines()
    first = next((number for number, (one, other) in enumerate(zip_longest(old, new), 1) if one != other), None)
    if first is None:
        return ""
    lines = list(unified_diff(old, new, "in the file", "what came of it", n=2, lineterm=""))
    more = [f"... and {len(lines) - _DIFFERENCE_LINES_MAX} lines more"] if len(lines) > _DIFFERENCE_LINES_MAX else []
    head = f"{name}:{first}: something else came of the commands (--rewrite writes it into the file)"
    return "\n".join([head, *lines[:_DIFFERENCE_LINES_MAX], *more])


def test_there_are_transcripts() -> None:
    assert len(FILES) >= 25


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_group_does_what_the_transcript_says(file: Path, raft_class: type[RaftNode], request: pytest.FixtureRequest) -> None:
    """What is wrong is told without the source of this test: whoever wrote a transcript is to see the transcript."""
    expected, name = file.read_text(encoding="utf-8"), f"tests/transcripts/{file.name}"
    try:
        found = run(expected, raft_class)
    except StateError as error:
        pytest.fail(f"{name}, {error}", pytrace=False)
    if request.config.getoption("--rewrite", default=False):
        file.write_text(found, encoding="utf-8")
        return
    told = difference(name, expected, found)
    if told:
        pytest.fail(told, pytrace=False)


def test_a_difference_is_told_with_its_line() -> None:
    assert difference("mine.txt", "a\nb\nc\n", "a\nb\nc\n") == ""
    told = difference("mine.txt", "a\nb\nc\nd\n", "a\nb\nx\nd\n")
    assert told.startswith("mine.txt:3: something else came of the commands")
    assert told.endswith("@@ -1,4 +1,4 @@\n a\n b\n-c\n+x\n d")
    assert difference("mine.txt", "a\n", "a\nb\n").startswith("mine.txt:2: ")
    assert difference("mine.txt", "\n".join("a" * 90), "\n".join("b" * 90)).endswith("lines more")
