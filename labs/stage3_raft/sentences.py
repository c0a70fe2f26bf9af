"""Ring 1 of the Raft labs: tests made of functions, each a sentence of the paper. A function's name is what its test says."""

import re
from collections.abc import Callable, Sequence

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage3_raft.lone import Bench
from labs.stage3_raft.pictures import RAISED, GroupPicture

__all__ = ["Sentences"]

_HYPHENED = re.compile(r"\b(time|pre|check) (out|outs|vote|quorum)\b")
"""Words that a function's name has in two parts."""
_STORY_MAX = 40
"""Lines: of a longer story only those steps are told that led to its end."""


class Sentences:
    """Puts a test for each decorated function into `checks`. points: of one that says nothing else."""

    def __init__(self, points: int = 1) -> None:
        self.checks: list[Check] = []
        self._points = points

    def __call__(
        self, section: str, *, points: int | None = None, of: Sequence[object] = ()
    ) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Makes a test of a function. section: where its sentence stands. of: it is tried with each of these, all must hold."""

        def make_check(test: Callable[..., None]) -> Callable[..., None]:
            name = _HYPHENED.sub(r"\1-\2", test.__name__.replace("_", " "))

            def play(make: Make, steps: tuple[object, ...], run: Run) -> None:
                bench, is_broken = Bench(make, name[0].upper() + name[1:], section), True
                try:
                    test(bench, *steps)
                    is_broken, run.figure = False, bench.picture()
                except PromiseBrokenError as error:
                    run.figure = bench.picture(error.promise, (error.expected, error.found))
                    raise
                except Exception:
                    run.figure = bench.picture(RAISED)
                    raise
                finally:
                    run.story[:] = _story(bench, run, is_broken=is_broken)

            cases = tuple(Case(str(at) if of else "", (one,), play) for at, one in enumerate(of, 1)) or (Case("", (), play),)
            number = f"1.{len(self.checks) + 1}"
            worth = self._points if points is None else points
            self.checks.append(Check(number, f"{name} ({section})", section, lambda _seeds: cases, points=worth))
            return test

        return make_check


def _story(bench: Bench, run: Run, *, is_broken: bool) -> list[str]:
    told = bench.told(is_broken=is_broken)
    return told if len(told) <= _STORY_MAX or not isinstance(run.figure, GroupPicture) else run.figure.story() or told
