"""Write permission of a whole broker group, in the replicated state."""

from mq.broker import commands as c
from mq.broker.machine import BrokerMachine
from mq.core.entry import RecordPlace
from mq.core.ids import CommitLogPosition

HERE = RecordPlace(CommitLogPosition(0), 1)


def set_writable(machine: BrokerMachine, *, is_writable: bool) -> None:
    command = c.SetWritable(1, 1, is_writable)
    assert c.decode_command(c.encode_command(command)) == command
    machine.apply(machine.applied_index + 1, command, HERE)


def test_it_is_kept_by_snapshots_and_handed_on_with_them() -> None:
    machine, taken = BrokerMachine(), BrokerMachine()
    set_writable(machine, is_writable=False)
    again = BrokerMachine.from_bytes(machine.to_bytes())
    assert again.is_drained
    taken.take_over(again)
    assert taken.is_drained
    assert taken.to_bytes() == machine.to_bytes()


def test_a_group_that_takes_messages_again_is_as_one_that_always_did() -> None:
    machine, other = BrokerMachine(), BrokerMachine()
    for is_writable in (False, False, True):
        set_writable(machine, is_writable=is_writable)
    other.applied_index, other.log_ms, other.wall_ms = machine.applied_index, machine.log_ms, machine.wall_ms
    assert not machine.is_drained
    assert machine.state_hash() == other.state_hash()
    assert b"is_drained" not in machine.to_bytes()  # nodes that do not know of it yet read what these write
