"""Addresses of the group's nodes in the replicated state."""

from mq.broker import commands as c
from mq.broker.machine import BrokerMachine
from mq.core.entry import RecordPlace
from mq.core.ids import CommitLogPosition

HERE = RecordPlace(CommitLogPosition(0), 1)


def set_member(machine: BrokerMachine, node: int, peer: str, client: str) -> None:
    command = c.SetMember(1, 1, node, peer, client)
    assert c.decode_command(c.encode_command(command)) == command
    machine.apply(machine.applied_index + 1, command, HERE)


def test_the_newest_addresses_of_a_node_count_and_empty_ones_forget_it() -> None:
    machine = BrokerMachine()
    set_member(machine, 4, "d:1", "")
    set_member(machine, 1, "a:1", "a:2")
    set_member(machine, 4, "d:1", "d:2")
    assert machine.members == {1: ("a:1", "a:2"), 4: ("d:1", "d:2")}
    set_member(machine, 1, "", "")
    set_member(machine, 9, "", "")
    assert machine.members == {4: ("d:1", "d:2")}


def test_addresses_are_part_of_the_state_in_whatever_order_they_came() -> None:
    one, other = BrokerMachine(), BrokerMachine()
    set_member(one, 1, "a:1", "")
    set_member(one, 2, "b:1", "")
    set_member(other, 2, "b:1", "")
    set_member(other, 1, "a:1", "")
    assert one.to_bytes() == other.to_bytes()
    again = BrokerMachine.from_bytes(one.to_bytes())
    assert again.members == one.members
    taken = BrokerMachine()
    set_member(taken, 7, "g:1", "")
    taken.take_over(again)
    assert taken.to_bytes() == one.to_bytes()
    assert one.state_hash() != BrokerMachine().state_hash()
