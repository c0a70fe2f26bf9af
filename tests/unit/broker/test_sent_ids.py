"""The window of message ids: what it forgets, and the text that it keeps ready."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.broker import sent_ids
from mq.broker.machine import BrokerMachine
from mq.broker.sent_ids import SentIds, json_of
from mq.broker.state import Topic
from mq.core.message import MessageKind, Permission


@given(st.integers(1, 12), st.lists(st.integers(1, 9), max_size=40))
def test_whatever_comes_together_the_text_is_that_of_the_newest_ids_in_their_order(size_max: int, counts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sent_ids, "_BLOCK", 5)
        window, ids, places = SentIds(size_max), list[str](), list[int]()
        for number, count in enumerate(counts):
            new = tuple(f'"{number} {place} é' for place in range(count))
            window.add(new, 3, 10 * number)
            ids.extend(new)
            places.extend((10 * number + place) << 16 | 3 for place in range(count))
            kept = ids[-size_max:]
            expected = [kept, places[-size_max:]]
            assert b"".join(window.json_parts()) == json_of(expected)
            again = SentIds.from_plain(expected)
            assert b"".join(again.json_parts()) == json_of(expected)
            assert [again.find(message_id) for message_id in kept] == [window.find(message_id) for message_id in kept]


def test_a_state_with_full_windows_is_written_without_encoding_their_ids_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot is taken in one go, while the node answers nobody: 30 topics took it two seconds."""
    machine = BrokerMachine()
    for number in range(3):
        topic = Topic(f"t{number}", MessageKind.NORMAL, Permission.READ_WRITE, made_at=0)
        topic.sent_ids.add(tuple(f"{number} {place}" for place in range(60_000)), 0, 0)
        topic.sent_ids.add(tuple(f"{number} {place}" for place in range(60_000, 110_000)), 0, 60_000)
        machine.topics[topic.name] = topic
    expected = machine.to_bytes()
    encoded = [0]
    monkeypatch.setattr(sent_ids, "json_of", lambda values: _counted(values, encoded))
    assert machine.to_bytes() == expected
    assert encoded[0] == 3 * 2 * 50_000, "of each window's first block, the part that is not forgotten"
    assert BrokerMachine.from_bytes(expected).to_bytes() == expected


def _counted(values: list[object], encoded: list[int]) -> bytes:
    encoded[0] += len(values)
    return json_of(values)
