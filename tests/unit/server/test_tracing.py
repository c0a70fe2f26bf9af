"""The trace of a real node: whole lines of the world's kind, with messages that both ends call the same."""

from pathlib import Path

import pytest

from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import AppendRequest, Message, TimeoutNow
from mq.server.tracing import TraceFile
from mq.sim.group.judge import read_lines
from mq.sim.trace import Event


def request(*payloads: bytes, round_number: int = 1) -> Message:
    entries = tuple(
        Entry(LogIndex(at), Term(3), EntryKind.COMMAND, payload) for at, payload in enumerate(payloads, 8)
    )  # fmt: skip
    return AppendRequest(1, 2, Term(3), EntryId(Term(2), LogIndex(7)), entries, LogIndex(6), round_number)


def lines(file: Path) -> list[Event]:
    return read_lines(file.read_text())


def test_both_ends_call_a_message_the_same(tmp_path: Path) -> None:
    sender, receiver = TraceFile(tmp_path / "1", 1), TraceFile(tmp_path / "2", 2)
    sender.note("send", request(b"x", b"y"))
    receiver.note("receive", request(b"x", b"y"))
    sender.close()
    receiver.close()
    sent, received = lines(tmp_path / "1")[0], lines(tmp_path / "2")[0]
    assert sent.details["id"] == received.details["id"]
    assert (received.node, received.text("kind"), received.text("sender")) == ("n2", "append-request", "n1")
    assert sent.text("terms") == "3,3"


@pytest.mark.parametrize(
    "other", [request(b"x"), request(b"x", b"z"), request(b"x", b"y", round_number=2), TimeoutNow(1, 2, Term(3))]
)
def test_messages_that_say_something_else_are_called_otherwise(tmp_path: Path, other: Message) -> None:
    trace = TraceFile(tmp_path / "1", 1)
    trace.note("send", request(b"x", b"y"))
    trace.note("send", other)
    trace.close()
    first, second = lines(tmp_path / "1")
    assert first.details["id"] != second.details["id"]


def test_lines_wait_until_they_are_let_go_and_tell_their_microsecond(tmp_path: Path) -> None:
    trace = TraceFile(tmp_path / "deep" / "1", 1)
    trace.note("vote", 3, 1)
    trace.note("commit", 4, 3)
    assert (tmp_path / "deep" / "1").read_text() == ""
    trace.flush()
    found = lines(tmp_path / "deep" / "1")
    trace.close()
    assert [one.name for one in found] == ["vote", "commit"]
    assert all(one.number("us") // 1000 == one.at_ms for one in found)


def test_a_line_that_a_crash_cut_is_gone_after_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "1"
    trace = TraceFile(file, 1)
    trace.note("vote", 3, 1)
    trace.close()
    whole = file.read_text()
    file.write_text(whole + "0000000001ms  n1  commit  ind" + "x" * 9000)
    again = TraceFile(file, 1)
    again.note("commit", 4, 3)
    again.close()
    assert file.read_text().startswith(whole)
    assert [one.name for one in lines(file)] == ["vote", "commit"]
