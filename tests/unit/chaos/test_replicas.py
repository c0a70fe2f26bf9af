"""Nodes that do not hold the same at the end are found out, and so are those that did not say."""

import pytest

from mq.chaos.history import Copy, Replica
from mq.chaos.replicas import differing, unlike
from tests.unit.chaos.test_checks import good


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (Replica("n2", 70, 0xABD), "their states differ: n1 00000abc of entry 70, n2 00000abd of entry 70, "),
        (Replica("n2", 70, None), "their states differ: n1 00000abc of entry 70, n2 nothing of entry 70, "),
        (Replica("n2", 69, 0xABC), "they did not come to the same entry: n1 00000abc of entry 70, n2 00000abc of entry 69, "),
        (Replica("n1", 70, 0xABC), "of 3 nodes only some told their state: n1 00000abc of entry 70, n1 00000abc of entry 70, "),
    ],
    ids=["another state", "no state", "not as far", "a node is missing"],
)
def test_a_node_that_is_not_like_the_others_is_told(second: Replica, told: str) -> None:
    history = good()
    assert list(differing(history)) == []
    history.replicas[1] = second
    assert list(differing(history)) == [told + "n3 00000abc of entry 70"]


def test_nodes_none_of_which_said_a_hash_are_not_alike() -> None:
    history = good()
    history.replicas = [Replica(f"n{number}", 70, None) for number in (1, 2, 3)]
    assert len(list(differing(history))) == 1


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (Copy("n2", "t", 0, 3, 0xDEE), "is not the same everywhere: n1 3 messages (00000def), n2 3 messages (00000dee), "),
        (Copy("n2", "t", 0, 2, 0xDEF), "is not the same everywhere: n1 3 messages (00000def), n2 2 messages (00000def), "),
        (
            Copy("n1", "t", 0, 3, 0xDEF),
            "was read from some of 3 nodes only: n1 3 messages (00000def), n1 3 messages (00000def), ",
        ),
    ],
    ids=["another message", "a message less", "a node is missing"],
)
def test_a_queue_that_is_not_the_same_everywhere_is_told(second: Copy, told: str) -> None:
    history = good()
    assert list(unlike(history)) == []
    history.copies[1] = second
    assert list(unlike(history)) == [f"queue 0 of t {told}n3 3 messages (00000def)"]
