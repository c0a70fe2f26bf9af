"""The tests of lab 1d: what the consumer is to the grader, and all that is tried."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from labs.grader.remote import WrongTypeError
from labs.grader.seams import Make, Seam
from labs.grader.seeds import Seeds
from labs.grader.suite import Case, Check, PromiseBrokenError, Run, Suite
from labs.stage1_single_node.lab1d_idempotent_consumer import schedules
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Consumer, Delivery, GiveBack, Save
from labs.stage1_single_node.lab1d_idempotent_consumer.schedules import SCHEDULES
from labs.stage1_single_node.lab1d_idempotent_consumer.search import SEARCHES
from labs.stage1_single_node.lab1d_idempotent_consumer.sentences import SENTENCES

__all__ = ["SEAM", "SUITE"]

SEAM = Seam(
    Consumer, "OrderConsumer", "consumer", methods=("handle",), observed=(), classes=(Delivery, Save, Ack, GiveBack)
)  # fmt: skip


def _play(case: Case, make: Make, steps: tuple[Any, ...], run: Run) -> None:
    """A plan of another type is no matter of the rule that is tried."""
    try:
        case.play(make, steps, run)
    except WrongTypeError as error:
        raise PromiseBrokenError(
            "What your code gives back has the types that the signatures say",
            expected="`handle` returns a tuple or a list of `Save`, `Ack` and `GiveBack`",
            found=str(error),
            section="README, Types",
        ) from None


def _typed(check: Check) -> Check:
    def cases(seeds: Seeds) -> Sequence[Case]:
        return [replace(case, play=partial(_play, case)) for case in check.cases(seeds)]

    def by_seed(seed: int) -> Case:
        assert check.by_seed is not None
        case = check.by_seed(seed)
        return replace(case, play=partial(_play, case))

    return replace(check, cases=cases, by_seed=by_seed if check.by_seed is not None else None)


SUITE = Suite(tuple(map(_typed, (*SENTENCES, *SCHEDULES, *SEARCHES))), schedules.__name__)
