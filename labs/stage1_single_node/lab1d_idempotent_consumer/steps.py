"""What can befall a consumer of orders: the steps that schedules are made of.

A step is plain data and speaks of the world as it is when its turn comes ("one of the messages that may be delivered"), so that a
schedule stays one when any of its steps are left out.
"""

from dataclasses import dataclass

from labs.stage1_single_node.lab1d_idempotent_consumer.orders import BadOrderError, Order, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.world import HANDLING_MS, World

__all__ = [
    "BAD",
    "CUSTOMERS",
    "Alike",
    "Bad",
    "Clash",
    "Copy",
    "Crash",
    "Deliver",
    "Open",
    "OpenClash",
    "OtherWords",
    "Send",
    "Step",
    "Wait",
]

CUSTOMERS = 3
"""So many of them; a case says what they are called."""
BAD = (
    "three loaves, please",
    "anna: 0 loaves",
    "",
    "anna: -2 loaves",
    "open Anna!",
    "anna: 2 loaves; ben: 2 loaves",
    " anna: 2 loaves",
    "anna: 2 loaves\n",
    "Anna: 2 loaves",
    "open anna ",
)
"""The last four have one sign too many, or a capital."""
_WAITING_MAX = 3
_LOAF = ((" loaf", " loaves"), (" loaves", " loaf"))
_NAME_CHARS_MAX, _LOAVES_MAX = 12, 9_999


def body_of(customer: str, loaves: int) -> str:
    return f"{customer}: {loaves} {'loaf' if loaves == 1 else 'loaves'}"


def _nearly(body: str) -> str:
    """What says something else at its end: an order for an order, an opening for an opening."""
    try:
        order = read_order(body)
    except BadOrderError:
        return body + "!"
    if not isinstance(order, Order):
        is_full = len(order.customer) == _NAME_CHARS_MAX
        return f"open {order.customer[:-1] if is_full else order.customer + 'a'}"
    return body_of(order.customer, order.loaves - 1 if order.loaves == _LOAVES_MAX else order.loaves + 1)


@dataclass(frozen=True, slots=True)
class Open:
    """A customer's account is to be opened."""

    customer: int

    def do(self, world: World) -> None:
        world.send(f"open {world.names.customer(self.customer)}")


@dataclass(frozen=True, slots=True)
class Send:
    """A new order."""

    customer: int
    loaves: int

    def do(self, world: World) -> None:
        world.send(body_of(world.names.customer(self.customer), self.loaves))


@dataclass(frozen=True, slots=True)
class Copy:
    """A producer got no answer and sends again: another message, the same order."""

    which: int

    def do(self, world: World) -> None:
        if world.messages:
            first = world.messages[self.which % len(world.messages)]
            world.send(first.body, first.key)
            world.run.met["sent again"] += 1


@dataclass(frozen=True, slots=True)
class Clash:
    """A producer gives a key to another order, by mistake."""

    which: int
    customer: int

    def do(self, world: World) -> None:
        if world.messages:
            world.send(body_of(world.names.customer(self.customer), 7), world.messages[self.which % len(world.messages)].key)


@dataclass(frozen=True, slots=True)
class OpenClash:
    """The same mistake, with an opening."""

    which: int
    customer: int

    def do(self, world: World) -> None:
        if world.messages:
            world.send(f"open {world.names.customer(self.customer)}", world.messages[self.which % len(world.messages)].key)


@dataclass(frozen=True, slots=True)
class Alike:
    """The same mistake, with a body that is another one at its end only. is_readable: whether somebody can read it.

    fault: the sign that is too many, then.
    """

    which: int
    is_readable: bool = True
    fault: str = "!"

    def do(self, world: World) -> None:
        if world.messages:
            first = world.messages[self.which % len(world.messages)]
            world.send(_nearly(first.body) if self.is_readable else first.body + self.fault, first.key)


@dataclass(frozen=True, slots=True)
class OtherWords:
    """The same mistake, with a body that says the same: so many loaves, or so many loaf. What is no order gets a sign more."""

    which: int

    def do(self, world: World) -> None:
        if world.messages:
            first = world.messages[self.which % len(world.messages)]
            said, ending = next(((first.body.removesuffix(old), new) for old, new in _LOAF if first.body.endswith(old)), ("", ""))
            world.send(said + ending if said else f"{first.body} ", first.key)


@dataclass(frozen=True, slots=True)
class Bad:
    """A message that nobody can read."""

    which: int

    def do(self, world: World) -> None:
        world.send(BAD[self.which % len(BAD)])


@dataclass(frozen=True, slots=True)
class Deliver:
    """One of the messages that may come. fate: `done`; `ack lost`; `slow`: its plan waits, and its time runs out; `dies`.

    after: of a consumer that dies, how many operations it carried out before. takes_ms: until it has come; 0: in the same moment.
    """

    which: int
    fate: str = "done"
    after: int = 0
    takes_ms: int = HANDLING_MS

    def do(self, world: World) -> None:
        there = world.deliverable(self.takes_ms)
        if not there:
            return
        world.deliver(there[self.which % len(there)], self.takes_ms)
        if self.fate == "dies":
            world.crash(self.after)
        elif self.fate == "slow" and len(world.waiting) < _WAITING_MAX:
            world.run.met["slow"] += 1
        else:
            world.carry_out(is_ack_lost=self.fate == "ack lost")


@dataclass(frozen=True, slots=True)
class Crash:
    """The consumer dies, after so many of the operations that wait."""

    after: int = 0

    def do(self, world: World) -> None:
        world.crash(self.after)


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    ms: int

    def do(self, world: World) -> None:
        world.wait(self.ms)


Step = Open | Send | Copy | Clash | OpenClash | Alike | OtherWords | Bad | Deliver | Crash | Wait
