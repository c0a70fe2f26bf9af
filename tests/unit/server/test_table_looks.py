"""Guards around a replaced delivery table: what it may not return, and what it makes is guarded as well."""

from typing import Any

import pytest

from mq.broker import commands as c
from mq.broker.commands import QueuePick
from mq.broker.delivery.flight import Delivered, InFlight, Received
from mq.broker.delivery.table import DeliveryTable
from mq.broker.machine import BrokerMachine
from mq.parts import Parts
from mq.server.organs import OrganError, Organs

PICK = QueuePick(0, 0, 0, 2)
ONE = Delivered(0, 0, 1, 5, 1000)


class OwnTable(DeliveryTable):
    """Somebody's own, and right; it names its class where it restores itself."""

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "OwnTable":
        table = OwnTable()
        table._queues = DeliveryTable.from_plain(plain)._queues
        return table


def take(table: DeliveryTable) -> Received:
    return table.take((PICK,), stamp=5, deadline_ms=1000, client="anna", renews=False, attempt_id="", now_ms=10)


def called(table: DeliveryTable, name: str) -> Any:
    arguments: dict[str, tuple[Any, ...]] = {
        "still_due": ((PICK,), 10),
        "ack": (0, 0, 5, 20),
        "valid": (0, 0, 5, 20),
        "flights": (0,),
        "expired": (0, 20),
        "to_plain": (),
        "next_deadline_ms": (),
        "attempt_id": (0,),
    }
    return getattr(table, name)(*arguments[name], **({"is_fifo": False} if name == "still_due" else {}))


@pytest.mark.parametrize(
    ("name", "found", "complaint"),
    [
        ("ack", 1, r"`ack` returned 1 \(int\), expected bool"),
        ("ack", True, r"`ack` said True, and message 0 of queue 0 is not done: it would come again"),
        ("valid", ONE, r"`valid` returned Delivered.*expected InFlight or None"),
        ("flights", [1], r"`flights` returned \[1\] \(list\), expected a mapping"),
        ("expired", {1}, r"`expired` returned \{1\} \(set\), expected a list or tuple of int"),
        ("attempt_id", None, r"`attempt_id` returned None \(NoneType\), expected str"),
        ("next_deadline_ms", "soon", r"`next_deadline_ms` returned 'soon' \(str\), expected int or None"),
        ("still_due", (), r"`still_due` returned \(\) \(tuple\), expected a tuple with a QueuePick for each one given"),
        ("to_plain", [{3: "x"}], r"`to_plain` returned 3 \(int\), expected plain lists, with text alone for keys"),
        ("to_plain", [object], r"`to_plain` returned <class 'object'>.*expected what JSON can hold"),
    ],
)
def test_what_a_table_must_not_return(name: str, found: Any, complaint: str) -> None:
    wrong = type("Wrong", (DeliveryTable,), {name: lambda _self, *_arguments, **_named: found})
    organs = Organs(Parts(delivery_table=wrong))
    table = organs.delivery_table()
    take(table)
    with pytest.raises(OrganError, match=complaint):
        called(table, name)
    organs.stop()


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ("yes", r"`take` returned 'yes' \(str\), expected Received"),
        (Received((ONE, ONE), ()), r"`take` hands out the same message twice"),
        (Received((ONE._replace(offset=2),), ()), r"`take` hands out message 2 of queue 0, which was not picked"),
        (Received([ONE], ()), r"expected a tuple of Delivered in `delivered`"),  # type: ignore[arg-type]
    ],
)
def test_what_a_receive_must_not_come_to(found: Any, complaint: str) -> None:
    class Wrong(DeliveryTable):
        def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Any:
            super().take(picks, **named)
            return found

    organs = Organs(Parts(delivery_table=Wrong))
    with pytest.raises(OrganError, match=f"delivery_table: {complaint}" if complaint.startswith("`take`") else complaint):
        take(organs.delivery_table())
    organs.stop()


def test_a_message_that_is_handed_out_and_not_held_is_told() -> None:
    class Forgetful(DeliveryTable):
        def take(self, picks: tuple[QueuePick, ...], **named: Any) -> Received:
            found = super().take(picks, **named)
            self.queue(0).in_flight.clear()
            return found

    organs = Organs(Parts(delivery_table=Forgetful))
    with pytest.raises(OrganError, match="hands out message 0 of queue 0, and takes it for done: it is lost"):
        take(organs.delivery_table())
    organs.stop()


def test_what_a_snapshot_is_restored_to_is_guarded_too_and_counted() -> None:
    organs = Organs(Parts(delivery_table=OwnTable))
    first = organs.delivery_table()
    take(first)
    again = organs.delivery_table.from_plain(first.to_plain())
    assert isinstance(again, organs.delivery_table)
    assert again.flights(0) == first.flights(0) == {o: InFlight(1, 1000, 5, "anna", False, 10) for o in (0, 1)}
    before = organs.calls["delivery_table.ack"]
    assert again.ack(0, 1, 5, 20)
    assert organs.calls["delivery_table.ack"] == before + 1
    organs.stop()


def test_a_table_restored_to_something_else_is_told() -> None:
    class Wrong(DeliveryTable):
        @classmethod
        def from_plain(cls, plain: list[Any]) -> Any:
            return plain

    organs = Organs(Parts(delivery_table=Wrong))
    with pytest.raises(OrganError, match="delivery_table: `from_plain` returned list, expected Wrong"):
        organs.delivery_table.from_plain([])
    organs.stop()


def test_a_machine_makes_and_restores_its_tables_of_the_class_that_it_was_given() -> None:
    machine = BrokerMachine(OwnTable)
    place: Any = None
    commands: tuple[c.Command, ...] = (
        c.CreateTopic(1, 1, "t", 1, 1, 4),
        c.CreateGroup(1, 1, "g", False, 3),
        c.ReceiveMessages(2, 2, "g", "t", "anna", "", False, 99, (PICK,)),
    )
    for index, command in enumerate(commands, 1):
        machine.apply(index, command, place)
    assert (type(machine.groups["g"].table("t")), machine.table_calls) == (OwnTable, 1)
    assert type(machine.groups["g"].look("no such topic")) is OwnTable
    again = BrokerMachine.from_bytes(machine.to_bytes(), OwnTable)
    assert type(again.groups["g"].table("t")) is OwnTable
    assert again.state_hash() == machine.state_hash()
    assert again.has_in_flight()
