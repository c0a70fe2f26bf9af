"""Ring 1: tests made of functions. A function's name is what its test says."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, Run, rule

__all__ = ["Sentences"]

_Bench = TypeVar("_Bench")


class Sentences(Generic[_Bench]):
    """Puts a test for each decorated function into `checks`.

    bench: made anew for each test, for its function to work with. sources: whose each rule is, told behind the test's name.
    points: of a test that says nothing else.
    """

    def __init__(self, bench: Callable[[Make, Run], _Bench], *, sources: Mapping[int, str] | None = None, points: int) -> None:
        self.checks: list[Check] = []
        self._bench, self._sources, self._points = bench, sources, points

    def __call__(
        self, number: str, of_rule: int, points: int | None = None
    ) -> Callable[[Callable[[_Bench], None]], Callable[[_Bench], None]]:
        """Makes a test of a function."""

        def make_check(test: Callable[[_Bench], None]) -> Callable[[_Bench], None]:
            def play(make: Make, _steps: tuple[object, ...], run: Run) -> None:
                test(self._bench(make, run))

            name = test.__name__.replace("_", " ") + (f" ({self._sources[of_rule]})" if self._sources is not None else "")
            worth = self._points if points is None else points
            self.checks.append(Check(number, name, rule(of_rule), lambda _seeds: (Case("", (), play),), points=worth))
            return test

        return make_check
