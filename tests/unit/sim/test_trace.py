"""The trace: fixed columns, readable by a person and by a program."""

import pytest

from mq.sim.trace import EVENTS, Event, Trace


def test_columns_are_fixed() -> None:
    trace = Trace()
    trace.note(12340, "n1", "sent", topic="orders", message="p2-17", queue=1, offset=40, known=0)
    trace.note(12340, "-", "send-failed", message="p1-3", definite=1)
    trace.note(7_654_321, "n1", "kill")
    assert trace.to_text() == (
        "time          node  event           details\n"
        "0000012340ms  n1    sent            topic=orders message=p2-17 queue=1 offset=40 known=0\n"
        "0000012340ms  -     send-failed     message=p1-3 definite=1\n"
        "0007654321ms  n1    kill\n"
    )
    assert (trace.counts["sent"], trace.counts["kill"], trace.counts["opened"]) == (1, 1, 0)
    assert trace.tail(1).split("\n")[1:] == ["0007654321ms  n1    kill"]


def test_a_line_is_read_back_as_it_was() -> None:
    event = Event(5, "n1", "append", {"index": 3, "term": 0, "body": "x12345678"})
    assert Event.from_line(event.to_line()) == event
    assert (event.number("index"), event.text("body")) == (3, "x12345678")
    with pytest.raises(ValueError, match="no event begins like this"):
        Event.from_line("time  node  event")


def test_an_event_that_is_not_documented_is_refused() -> None:
    trace = Trace()
    with pytest.raises(KeyError):
        trace.note(0, "n1", "sneezed")
    assert all(meaning for meaning, _ in EVENTS.values())
    assert max(map(len, EVENTS)) <= 14, "the column is too narrow"
