"""Ring 1: one small test for each rule."""

from collections.abc import Callable

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, Run
from labs.stage0_tools.lab0_tools.rules import broken, rule, shown
from labs.stage0_tools.lab0_tools.world import Ask, Late, Restart, Step, World

__all__ = ["SENTENCES"]

_ANNA, _BEN = 0, 1


def _play(steps: tuple[Step, ...], tickets: int) -> Callable[[Make, tuple[object, ...], Run], None]:
    def play(make: Make, _steps: tuple[object, ...], run: Run) -> None:
        world = World(make, run, tickets)
        for step in steps:
            step.do(world)

    return play


def _sentence(number: str, name: str, of_rule: int, steps: tuple[Step, ...], *, points: int = 4, tickets: int = 6) -> Check:
    case = Case("", (), _play(steps, tickets))
    return Check(number, name, rule(of_rule), lambda _seeds: (case,), points=points)


def _tears_off(make: Make, _steps: tuple[object, ...], run: Run) -> None:
    """By hand, without asking what is left: the very first thing that is written."""
    machine = make(2)
    for number, wanted in ((1, 1), (2, 2), (3, None)):
        run.tell(f"anna asks, request {number}; the roll had 2 tickets")
        found = machine.take("anna", number)
        if found != wanted:
            raise broken(4 if wanted is None else 1, expected=f"she gets {shown(wanted)}", found=f"she got {shown(found)}")


SENTENCES = (
    Check("1.1", "tickets are torn off in order from 1 and there are no more than the roll has", rule(1),
          lambda _seeds: (Case("", (), _tears_off),), points=4),
    _sentence("1.2", "each request gets a ticket of its own", 1, (Ask(_ANNA), Ask(_BEN), Ask(_ANNA))),
    _sentence("1.3", "a request whose answer was lost gets the same ticket again", 2, (Ask(_ANNA, "answer lost"), Ask(_ANNA))),
    _sentence("1.4", "a used up roll gives nothing more and stays at 0", 4,
              (Ask(_ANNA), Ask(_ANNA, "answer lost"), Ask(_ANNA), Ask(_ANNA)), tickets=1),
    _sentence("1.5", "an old request takes no ticket", 3, (Ask(_ANNA, "copied"), Ask(_ANNA), Late(), Ask(_ANNA)), points=3),
    _sentence("1.6", "after a restart the roll goes on where it was", 5, (Ask(_ANNA), Ask(_ANNA), Restart(), Ask(_ANNA))),
    _sentence("1.7", "after a restart a request that comes again gets the same ticket", 5,
              (Ask(_ANNA, "answer lost"), Restart(), Ask(_ANNA)), points=4),
    _sentence("1.8", "a machine that was never asked can be restarted", 5, (Restart(), Ask(_BEN)), points=3),
)  # fmt: skip
