"""The network of a group: each fault does what it says, and the trace tells it."""

from random import Random

from mq.core.ids import Term
from mq.raft.messages import Message, TimeoutNow
from mq.sim.group.agenda import Agenda
from mq.sim.group.network import Network, NetworkOptions
from mq.sim.group.trace import GroupTrace


class Wire:
    """A network of which we see what arrives."""

    def __init__(self, **options: float) -> None:
        self.arrived: list[tuple[int, int]] = []
        self.agenda, self.trace = Agenda(), GroupTrace()
        self.network = Network(self.agenda, self.trace, Random(1), NetworkOptions(**options), self.take)  # type: ignore[arg-type]

    def take(self, number: int, _: Message) -> None:
        self.arrived.append((self.agenda.now_ms, number))

    def send(self, sender: int, to: int, count: int = 1) -> None:
        for _ in range(count):
            self.network.send(TimeoutNow(sender, to, Term(1)))

    def run(self, until_ms: int = 10_000) -> list[int]:
        """The numbers of what arrived, in their order."""
        self.agenda.run(until_ms, 1 << 60)
        return [number for _, number in self.arrived]

    def events(self) -> list[str]:
        return [event.name for event in self.trace.events()]


def test_messages_arrive_once_after_their_delay_and_overtake_each_other() -> None:
    wire = Wire(delay_ms=5, spread_ms=50)
    wire.send(1, 2, 100)
    numbers = wire.run()
    assert sorted(numbers) == list(range(1, 101))
    assert numbers != sorted(numbers)
    assert {5 <= at < 55 for at, _ in wire.arrived} == {True}


def test_some_are_lost_and_some_come_twice() -> None:
    wire = Wire(loss_probability=0.2, repeat_probability=0.2)
    wire.send(1, 2, 1000)
    numbers = wire.run()
    assert 100 < 1000 - len(set(numbers)) < 300
    assert 80 < len(numbers) - len(set(numbers)) < 260
    assert wire.events().count("lose") == wire.network.counts["lost"] == 1000 - len(set(numbers))


def test_stragglers_come_ten_times_as_late() -> None:
    wire = Wire(delay_ms=10, spread_ms=1, straggler_probability=0.5)
    wire.send(1, 2, 100)
    wire.run()
    assert {at for at, _ in wire.arrived} == {10, 100}


def test_a_cut_is_one_way_and_ends() -> None:
    wire = Wire()
    wire.send(1, 2)
    wire.network.cut_off({(1, 2)})
    wire.send(1, 2)
    wire.send(2, 1)
    wire.network.mend({(1, 2), (3, 1)})
    wire.send(1, 2)
    assert sorted(wire.run()) == [1, 3, 4], "what left before the cut arrives"
    assert wire.events() == ["send", "cut", "send", "lose", "send", "mend", "send"]


def test_what_is_held_back_arrives_when_it_is_released() -> None:
    wire = Wire()
    wire.network.hold({(1, 2)})
    wire.send(1, 2, 3)
    wire.send(2, 1)
    assert wire.run(1000) == [4]
    wire.network.release({(1, 2)})
    assert sorted(wire.run()[1:]) == [1, 2, 3]
    assert [name for name in wire.events() if name != "send"] == ["hold", "release"]


def test_the_agenda_keeps_order_and_counts() -> None:
    agenda, seen = Agenda(), list[str]()
    for at_ms, name in ((5, "b"), (1, "a"), (5, "c"), (9, "d")):
        agenda.at(at_ms, lambda one, _: seen.append(one), name)
    agenda.run(5, 1 << 60)
    assert (seen, agenda.now_ms, agenda.steps) == (["a", "b", "c"], 5, 3)
    agenda.run(100, 3)
    assert seen == ["a", "b", "c"], "no more than so many steps"
