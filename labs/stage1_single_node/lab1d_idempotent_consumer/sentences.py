"""Ring 1: one small test for each rule, in the order in which the methods are written."""

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, Run
from labs.stage1_single_node.lab1d_idempotent_consumer.names import FALLING, ODD, SHOP
from labs.stage1_single_node.lab1d_idempotent_consumer.rules import rule
from labs.stage1_single_node.lab1d_idempotent_consumer.schedules import play
from labs.stage1_single_node.lab1d_idempotent_consumer.steps import (
    BAD,
    Alike,
    Bad,
    Clash,
    Copy,
    Crash,
    Deliver,
    Open,
    OpenClash,
    OtherWords,
    Send,
    Step,
    Wait,
)
from labs.stage1_single_node.lab1d_idempotent_consumer.world import KEEP_MS, Limits

__all__ = ["SENTENCES"]

_COME = Deliver(0)
_LOST = Deliver(0, "ack lost")
_ORDER = Send(0, 3)
_ANNA: tuple[Step, ...] = (Open(0), _COME)
_BAD: tuple[Step, ...] = (*map(Bad, range(len(BAD))), *(_COME for _ in BAD))


_OTHER = Limits(keep_ms=7_000, retry_ms=250, attempts_max=5, begins_ms=1_796_000_000_000)
_NAMES = {"1.8": ODD, "1.16": FALLING}


def _sentence(
    number: str, of_rule: int, points: int, name: str, *steps: Step, is_drained: bool = True, other: tuple[Step, ...] = ()
) -> Check:
    """other: steps for a consumer that was made with other limits, and hears of other names."""

    def run_it(make: Make, _steps: tuple[object, ...], run: Run) -> None:
        play(make, steps, run, is_drained=is_drained)
        if other:
            run.story.clear()
            play(make, other, run, is_drained=is_drained, limits=_OTHER, names=_NAMES.get(number, SHOP))

    return Check(number, name, rule(of_rule), lambda _seeds: (Case("", (), run_it),), points=points)


SENTENCES = (
    _sentence("1.1", 8, 1, "an order whose account is not open is given back", _ORDER, _COME, is_drained=False,
              other=(_ORDER, _COME)),
    _sentence("1.2", 7, 1, "what nobody can read is set aside and acknowledged", *_BAD),
    _sentence("1.3", 1, 2, "an opened account is a row", *_ANNA),
    _sentence("1.4", 1, 3, "an order grows its account and the total", *_ANNA, _ORDER, _COME, Send(0, 2), _COME,
              other=(*_ANNA, Send(0, 12), _COME, Send(0, 1_440), _COME)),
    _sentence("1.5", 1, 2, "the same message again has no second effect and is acknowledged", *_ANNA, _ORDER, _LOST, _COME),
    _sentence("1.6", 2, 3, "an effect and its note are one save, for a consumer that dies behind it",
              *_ANNA, _ORDER, Deliver(0, "dies", 1), _COME),
    _sentence("1.7", 3, 2, "a consumer that dies before its save has done nothing", *_ANNA, _ORDER, Deliver(0, "dies", 0), _COME),
    _sentence("1.8", 4, 3, "a new consumer knows accounts and settled orders",
              *_ANNA, _ORDER, _LOST, Crash(), _COME, Send(0, 2), _COME,
              other=(*_ANNA, *(step for _ in range(15) for step in (Send(0, 12), _LOST, Crash(), _COME)))),
    _sentence("1.9", 5, 3, "an order that its producer sent twice is one order", *_ANNA, _ORDER, Copy(1), _COME, _COME),
    _sentence("1.10", 5, 2, "a first attempt may be a copy and a second one new",
              *_ANNA, _ORDER, Deliver(0, "dies", 0), _COME, Copy(1), _COME),
    _sentence("1.11", 5, 2, "copies may come in another order than the orders", *_ANNA, Send(0, 1), Send(0, 2), Send(0, 3),
              Deliver(2, "ack lost"), _LOST, Deliver(2), Deliver(1), _COME),
    _sentence("1.12", 6, 2, "a settled key with another order is set aside", *_ANNA, _ORDER, _COME, Clash(1, 0), _COME,
              OpenClash(1, 0), _COME, OpenClash(1, 1), _COME,
              other=(Open(2), _COME, Send(2, 144), _COME, Alike(1), _COME, OtherWords(1), _COME, OpenClash(1, 2), _COME,
                     Alike(0), _COME, Clash(0, 2), _COME)),
    _sentence("1.13", 7, 2, "what nobody can read holds up nothing", *_ANNA, *_BAD, Send(0, 2), _COME,
              other=(*_ANNA, Send(0, 12), _COME, Alike(1, is_readable=False), _COME,
                     Alike(1, is_readable=False, fault=" "), _COME)),
    _sentence("1.14", 8, 2, "an order before its account is given back and booked later",
              _ORDER, _COME, Open(0), Deliver(1), _COME,
              other=(Open(0), _COME, Open(2), _COME, Send(1, 12), _COME, Open(1), Deliver(1), _COME)),
    _sentence("1.15", 8, 3, "with the last attempt it is set aside and its order is settled",
              _ORDER, _COME, _COME, _LOST, Open(0), Deliver(1), Copy(0), _COME, _COME,
              other=(_ORDER, _COME, _COME, _COME, _COME, _LOST, Open(0), Deliver(1), Copy(0), _COME, _COME)),
    _sentence("1.16", 9, 3, "what was settled long ago is noted no more",
              *_ANNA, *(step for _ in range(30) for step in (Send(0, 1), _COME, Wait(KEEP_MS))),
              other=(*_ANNA, *(step for _ in range(16) for step in (Send(0, 1), _COME, Wait(_OTHER.keep_ms * 2 // 3), Crash())))),
)  # fmt: skip
