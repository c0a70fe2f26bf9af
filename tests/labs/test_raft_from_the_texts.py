"""Rafts written from the paper and the students' repository alone: whatever they do that is right may not be refused."""

from pathlib import Path

import pytest

from tests.labs.raft_drafts import DRAFTS, Draft

FOLDER = Path(__file__).parent / "from_the_texts"
HANDS = ("plain", "compact")


@pytest.mark.slow
@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("draft", DRAFTS, ids=[draft.short for draft in DRAFTS])
def test_no_sentence_refuses_it(draft: Draft, hand: str) -> None:
    text = (FOLDER / f"{hand}_{draft.short}.txt").read_text(encoding="utf-8")
    assert draft.failed(text) == []
