"""Ring 1: one small test for each rule, in the order in which the methods are written."""

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1d_idempotent_consumer.rules import rule
from labs.stage1_single_node.lab1d_idempotent_consumer.schedules import play
from labs.stage1_single_node.lab1d_idempotent_consumer.steps import (
    Bad,
    Clash,
    Copy,
    Crash,
    Deliver,
    Open,
    Send,
    Step,
    Wait,
)
from labs.stage1_single_node.lab1d_idempotent_consumer.world import KEEP_MS

__all__ = ["SENTENCES"]

_COME = Deliver(0)
_LOST = Deliver(0, "ack lost")
_ORDER = Send(0, 3)
_ANNA: tuple[Step, ...] = (Open(0), _COME)


def _sentence(number: str, of_rule: int, points: int, name: str, *steps: Step) -> Check:
    def run_it(make: Make, _steps: tuple[object, ...], run: Run) -> None:
        play(make, steps, run)

    return Check(number, name, rule(of_rule), lambda _seeds: (Case("", (), run_it),), points=points)


SENTENCES = (
    _sentence("1.1", 1, 3, "an opened account is a row", *_ANNA),
    _sentence("1.2", 1, 3, "an order grows its account and the total", *_ANNA, _ORDER, _COME, Send(0, 2), _COME),
    _sentence("1.3", 1, 3, "the same message again has no second effect and is acknowledged", *_ANNA, _ORDER, _LOST, _COME),
    _sentence("1.4", 2, 3, "an effect and its note are one save, for a consumer that dies behind it",
              *_ANNA, _ORDER, Deliver(0, "dies", 1), _COME),
    _sentence("1.5", 3, 2, "a consumer that dies before its save has done nothing", *_ANNA, _ORDER, Deliver(0, "dies", 0), _COME),
    _sentence("1.6", 4, 3, "a new consumer knows accounts and settled orders",
              *_ANNA, _ORDER, _LOST, Crash(), _COME, Send(0, 2), _COME),
    _sentence("1.7", 5, 3, "an order that its producer sent twice is one order", *_ANNA, _ORDER, Copy(1), _COME, _COME),
    _sentence("1.8", 5, 2, "a first attempt may be a copy and a second one new",
              *_ANNA, _ORDER, Deliver(0, "dies", 0), _COME, Copy(1), _COME),
    _sentence("1.9", 5, 2, "copies may come in another order than the orders", *_ANNA, Send(0, 1), Send(0, 2), Send(0, 3),
              Deliver(2, "ack lost"), _LOST, Deliver(2), Deliver(1), _COME),
    _sentence("1.10", 6, 2, "a key with another order is set aside", *_ANNA, _ORDER, _COME, Clash(1, 0), _COME),
    _sentence("1.11", 7, 2, "what nobody can read is set aside and acknowledged",
              *_ANNA, *map(Bad, range(6)), *(_COME for _ in range(6)), Send(0, 2), _COME),
    _sentence("1.12", 8, 2, "an order before its account is given back and booked later",
              _ORDER, _COME, Open(0), Deliver(1), _COME),
    _sentence("1.13", 8, 3, "with the last attempt it is set aside and its order is settled",
              _ORDER, _COME, _COME, _LOST, Open(0), Deliver(1), Copy(0), _COME, _COME),
    _sentence("1.14", 9, 3, "what was settled long ago is noted no more",
              *_ANNA, *(step for _ in range(30) for step in (Send(0, 1), _COME, Wait(KEEP_MS)))),
)  # fmt: skip
