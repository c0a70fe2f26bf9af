"""What a replaced organ raises: errors that a method is meant to raise go through, all others name organ, method and place."""

from pathlib import Path
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Appended, Entry, HardState
from mq.core.errors import DamageError, StateError
from mq.core.ids import LogIndex
from mq.core.ports import drive
from mq.parts import REFERENCE, Parts
from mq.raft.errors import NotLeaderError
from mq.raft.node import RaftNode
from mq.raft.output import Output
from mq.server.broker import Broker
from mq.server.config import BrokerConfig
from mq.server.organs import OrganError, Organs
from mq.server.setting_aside import StateDiffersError
from mq.sim.disk import SimDisk
from tests.unit.server.test_organs import OwnLog, OwnRaft, entries, lone_node

ROOT = Path(__file__).resolve().parent.parent.parent.parent


class Raises(CommitLog):
    """What is not there, or was taken away a moment ago, a log may say; of anything else the node knows nothing."""

    def append(self, after_index: LogIndex, entries: Any, hard_state: HardState | None = None) -> Appended:
        return super().append(LogIndex(after_index - 1), entries, hard_state)

    def decode(self, place: Any, data: bytes) -> Entry:
        raise DamageError("log/0", 3, "the checksum is wrong")

    def synced(self, sequence: int) -> None:
        raise DamageError("log/0", 3, "my own check says so")

    def checkpoint(self) -> Any:
        return self.entries(LogIndex(7), LogIndex(7), 1)  # what it asks of itself is its own affair


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda log: log.append(LogIndex(3), entries(4, 1)), r"`append` raised StateError: entry 4 cannot stand behind 2 \("),
        (lambda log: log.synced(1), "`synced` says that stored data is damaged: log/0, byte 3: my own check says so"),
    ],
)
def test_an_error_of_ours_that_a_method_is_not_meant_to_raise_names_organ_method_and_place(call: Any, complaint: str) -> None:
    organs = Organs(Parts(commit_log=Raises))
    heard: list[OrganError] = []
    organs.on_mistake = heard.append
    log = organs.commit_log(segment_bytes=64 << 10)
    with pytest.raises(OrganError, match=rf"commit_log: {complaint}.*test_organ_errors.py, line \d+, in ") as told:
        call(log)
    assert heard == [told.value]
    is_damage = "damaged" in str(told.value)
    assert is_damage is ("; where the disk is at fault, move the data folder away and start the node again: " in str(told.value))
    organs.stop()


def test_errors_that_a_method_is_meant_to_raise_are_no_mistakes_of_the_organ() -> None:
    organs = Organs(Parts(raft=OwnRaft, commit_log=Raises))
    heard: list[OrganError] = []
    organs.on_mistake = heard.append
    log, node = organs.commit_log(segment_bytes=64 << 10), lone_node(organs.raft)
    with pytest.raises(StateError, match="the log holds 1 to 0"):
        drive(log.entries(LogIndex(7), LogIndex(7), 1), SimDisk())
    with pytest.raises(DamageError):
        log.decode(None, b"")  # type: ignore[arg-type]
    with pytest.raises(NotLeaderError):
        node.propose([b"x"])
    with pytest.raises(NotLeaderError):
        node.read(1)
    assert heard == []
    organs.stop()


def test_a_raft_that_says_elsewhere_that_it_does_not_lead_is_told() -> None:
    class Wrong(RaftNode):
        __slots__ = ()

        def tick(self) -> Output:
            raise NotLeaderError(2)

    organs = Organs(Parts(raft=Wrong))
    with pytest.raises(OrganError, match="raft: `tick` raised NotLeaderError: this node does not lead"):
        lone_node(organs.raft).tick()
    organs.stop()


def test_damage_of_a_replaced_log_is_its_own_word_and_that_of_ours_is_damage() -> None:
    own, ours = Organs(Parts(commit_log=OwnLog)), Organs(REFERENCE)
    damage = DamageError("log/0", 3, "the checksum is wrong")
    assert ours.judged(damage) is damage
    told = own.judged(damage, "recover")
    assert isinstance(told, OrganError)
    assert "commit_log: `recover` says that stored data is damaged: log/0, byte 3" in str(told)
    assert "nothing is put aside; where the disk is at fault, move the data folder away and start the node again" in str(told)
    for other in (
        DamageError("queues/0", 3, "the checksum is wrong"),
        StateDiffersError("snapshots/3", 0, "others say"),
        KeyError(),
    ):
        assert own.judged(other) is other
    own.stop()


def test_a_raft_of_another_make_that_lacks_what_the_node_reads_is_told_when_it_is_made() -> None:
    class Wrapper:
        def __init__(self, *arguments: Any, **named: Any) -> None:
            self._node = RaftNode(*arguments, **named)
            self.log = self._node.log

        @property
        def snapshot(self) -> Any:
            return self._node.snapshot

    organs = Organs(Parts(raft=Wrapper))  # type: ignore[arg-type]
    with pytest.raises(OrganError, match="raft: `__init__` leaves it without configuration, configurations, commit_index, which"):
        lone_node(organs.raft)
    organs.stop()


def test_an_error_whose_text_cannot_be_made_and_one_from_deep_below_are_told() -> None:
    class BadError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    class Wrong(RaftNode):
        __slots__ = ()

        def tick(self) -> Output:
            raise BadError

        def view(self) -> Any:
            return self.view.__wrapped__(self)  # type: ignore[attr-defined]

    organs = Organs(Parts(raft=Wrong))
    node = lone_node(organs.raft)
    with pytest.raises(OrganError, match=r"raft: `tick` raised BadError: \(and its text cannot be made\) \(.*line \d+, in tick"):
        node.tick()
    with pytest.raises(OrganError, match=r"raft: `view` raised RecursionError: .*test_organ_errors.py, line \d+, in view"):
        node.view()
    organs.stop()


def slips(organ: dict[str, int]) -> int:
    """Somebody's own code: this file is neither ours nor Python's."""
    return organ["x"]


def test_what_nobody_expected_while_a_node_starts_is_told_as_the_organs_where_it_came_out_of_their_code() -> None:
    own, ours = Organs(Parts(raft=OwnRaft, commit_log=OwnLog)), Organs(REFERENCE)
    with pytest.raises(KeyError) as caught:
        slips({})
    error = caught.value
    told = own.blamed(error)
    assert isinstance(told, OrganError)
    assert str(told).startswith("raft or commit_log: the node cannot start with what it was given: KeyError: 'x' (")
    assert "test_organ_errors.py, line " in str(told)
    assert ours.blamed(error) is error
    expected = StateError("of ours")
    assert own.blamed(expected) is expected
    own.stop()


def test_what_came_out_of_our_own_code_is_told_with_the_organs_and_not_as_their_mistake() -> None:
    own, ours, error = Organs(Parts(raft=OwnRaft)), Organs(REFERENCE), KeyError("x")
    told = own.blamed(error)
    assert not isinstance(told, OrganError)
    where = f"{OwnRaft.__module__}.OwnRaft"
    assert str(told) == (f"KeyError: 'x', which nobody expected; raft is {where}, and may have given the node what it cannot use")
    assert ours.blamed(error) is error
    own.stop()


@pytest.mark.parametrize("parts", ["", "labs/stage3_raft/right/lazy.py"])
async def test_what_the_system_refuses_while_a_node_starts_is_no_fault_of_its_organs(parts: str, tmp_path: Path) -> None:
    """Such as a file for traces where there can be none: told as without any of somebody's own."""
    (tmp_path / "a file").touch()
    where = str(ROOT / parts) if parts else ""
    trace = str(tmp_path / "a file" / "x.trace")
    config = BrokerConfig(data=tmp_path / "data", peers=("1=127.0.0.1:1",), trace=trace, parts=where)
    with pytest.raises(OSError, match=r"a file"):
        Broker(config)


def test_a_class_that_nothing_can_be_derived_from_is_told() -> None:
    class Alone(RaftNode):
        __slots__ = ()

        def __init_subclass__(cls) -> None:
            raise TypeError("no subclass")

    with pytest.raises(OrganError, match=r"raft: no class can be derived from .*Alone: TypeError: no subclass \(.*, line \d+"):
        Organs(Parts(raft=Alone))
