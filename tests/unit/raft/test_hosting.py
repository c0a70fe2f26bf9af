"""The host loop's order, with a host that writes down what it is asked for."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mq.core.entry import Appended
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Remove
from mq.raft.configuration import Configuration
from mq.raft.hosting import HostLoop
from mq.raft.messages import Snapshot, TimeoutNow, VoteReply
from mq.raft.output import NOTHING, Chunk, ChunkWanted, Output, ReadReady, RoleChanged
from mq.raft.role import Role

SNAPSHOT = Snapshot(EntryId(Term(1), LogIndex(4)), Configuration.of(1))
AT_ONCE, LATER = TimeoutNow(1, 2, Term(1)), VoteReply(1, 3, Term(1), is_granted=True)


class FakeCore:
    """Answers with nothing but what a test put there."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.answers: dict[str, Output] = {}

    def _answer(self, name: str, number: int) -> Output:
        self.calls.append((name, number))
        return self.answers.get(name, NOTHING)

    def saved(self, sequence: int) -> Output:
        return self._answer("saved", sequence)

    def save_failed(self, sequence: int) -> Output:
        return self._answer("save_failed", sequence)

    def disk_failed(self) -> Output:
        return self._answer("disk_failed", 0)

    def applied(self, index: LogIndex) -> Output:
        return self._answer("applied", index)


class Diary(HostLoop):
    """does: what was asked for, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.core = self.fake = FakeCore()
        self.does: list[tuple[Any, ...]] = []

    def role_changed(self, changes: Any) -> None:
        self.does.append(("role", changes[0].term))

    def save(self, saves: Any) -> None:
        self.does.append(("save", *(appended.sequence for appended in saves)))

    def taking_back(self, sequence: int) -> None:
        self.does.append(("taking back", sequence))

    def install(self, snapshot: Snapshot) -> None:
        self.does.append(("install", snapshot.last.index))

    def look(self) -> None:
        self.does.append(("look",))

    def send(self, message: Any) -> None:
        self.does.append(("send", message.to))

    def apply(self) -> None:
        self.does.append(("apply", self.apply_to))

    def read_answered(self, context: int) -> None:
        self.does.append(("answer", context))

    def read_lost(self, context: int) -> None:
        self.does.append(("lost", context))

    def fetch(self, wanted: Any) -> None:
        self.does.append(("fetch", wanted.peer))

    def save_chunk(self, chunk: Chunk) -> None:
        self.does.append(("chunk", chunk.at))

    def forget(self, plan: Any) -> None:
        self.does.append(("forget", plan[0].file))


def appended(*sequences: int) -> tuple[Appended, ...]:
    return tuple(Appended((), (), sequence) for sequence in sequences)


def test_everything_is_done_in_the_order_that_makes_it_safe() -> None:
    host = Diary()
    host.carry_out(
        Output(
            saves=appended(1, 2), send=(AT_ONCE,), send_after=((2, LATER),), apply_to=LogIndex(3),
            reads=(ReadReady(7, LogIndex(0)),), fetch=(ChunkWanted(5, Term(1), SNAPSHOT, 0, 10),),
            chunks=(Chunk(SNAPSHOT, 6, b"", is_last=False),), install=SNAPSHOT,
            forget=(Remove("old"),), changes=(RoleChanged(Role.FOLLOWER, Term(1), None),),
        )
    )  # fmt: skip
    assert host.does == [
        ("role", 1), ("save", 1, 2), ("install", 4), ("look",), ("send", 2), ("apply", 3), ("answer", 7), ("fetch", 5),
        ("chunk", 6), ("forget", "old"),
    ]  # fmt: skip


def test_a_promise_leaves_when_its_save_is_durable_and_before_what_that_leads_to() -> None:
    host = Diary()
    host.fake.answers["saved"] = Output(send=(AT_ONCE,))
    host.carry_out(Output(send_after=((2, LATER),)))
    assert ("send", 3) not in host.does
    host.saved(1)
    assert ("send", 3) not in host.does
    host.does.clear()
    host.saved(2)
    assert host.does == [("send", 3), ("look",), ("send", 2)]


@given(st.lists(st.integers(1, 9), unique=True, min_size=1))
def test_saves_are_taken_back_the_newest_first_and_their_promises_never_leave(sequences: list[int]) -> None:
    host = Diary()
    for sequence in range(1, 10):
        host.carry_out(Output(send_after=((sequence, LATER),)))
    host.take_back(sequences)
    assert [number for name, number in host.fake.calls if name == "save_failed"] == sorted(sequences, reverse=True)
    host.does.clear()
    host.saved(9)
    assert host.does.count(("send", 3)) == min(sequences) - 1


def test_a_failed_disk_keeps_no_promise() -> None:
    host = Diary()
    host.carry_out(Output(send_after=((1, LATER),)))
    host.disk_failed()
    host.saved(1)
    assert ("send", 3) not in host.does


def test_a_read_waits_for_the_state_that_it_is_to_see() -> None:
    host = Diary()
    host.carry_out(Output(apply_to=LogIndex(5), reads=(ReadReady(1, LogIndex(5)), ReadReady(2, LogIndex(-1)))))
    assert ("answer", 1) not in host.does
    assert ("lost", 2) in host.does
    host.applied_up_to(4)
    assert ("answer", 1) not in host.does
    host.applied_up_to(5)
    assert host.does[-1] == ("answer", 1)


def test_what_was_applied_already_is_not_applied_again_and_the_core_hears_only_of_what_it_asked_for() -> None:
    """After a start the state may be newer than the core's own snapshot."""
    host = Diary()
    host.begin(10)
    host.carry_out(Output(apply_to=LogIndex(7)))
    assert ("apply", 7) not in host.does
    host.carry_out(Output(apply_to=LogIndex(12)))
    assert ("apply", 12) in host.does
    host.apply_to = LogIndex(12)
    host.applied_up_to(20)
    assert host.fake.calls[-1] == ("applied", 12)
