"""The tests of lab 3e: for each wrong Raft, whether the student's schedule tells it apart, kills it, and how short it is."""

from collections.abc import Callable, Iterator

from labs.grader.result import NOT_WRITTEN
from labs.grader.seams import Make
from labs.grader.suite import Case, Check, PromiseBrokenError, Run
from labs.stage3_raft.lab3e_write_the_test.judging import Verdict, Worth, judged
from labs.stage3_raft.lab3e_write_the_test.picture import show
from labs.stage3_raft.lab3e_write_the_test.rafts import TO_KILL, ToKill

__all__ = ["OWN_TESTS"]

_RING = 4
_SHORTNESS = 'README, "How short"'
_IS_SHORT = "Of two tests that find the same, the shorter one says more"
_IS_MEASURED = "A schedule is measured when it kills"


def _told(verdict: Verdict, run: Run) -> None:
    is_broken = verdict.worth is Worth.KILLS
    show(
        verdict.story,
        run,
        f"a promise is broken: {verdict.promise}: {verdict.expected}, but {verdict.found}" if is_broken else "",
    )


def _failed(verdict: Verdict) -> PromiseBrokenError:
    return PromiseBrokenError(verdict.promise, expected=verdict.expected, found=verdict.found, section=verdict.section)


def _worth(kill: ToKill, least: Worth) -> Callable[[Make, tuple[object, ...], Run], None]:
    def play(_make: Make, _steps: tuple[object, ...], run: Run) -> None:
        verdict = judged(kill, run.texts.get(kill.file, ""))
        _told(verdict, run)
        if verdict.worth < least:
            raise _failed(verdict)
        run.met["judged"] += 1

    return play


def _short(kill: ToKill, costs_max: int) -> Callable[[Make, tuple[object, ...], Run], None]:
    def play(_make: Make, _steps: tuple[object, ...], run: Run) -> None:
        verdict = judged(kill, run.texts.get(kill.file, ""))
        if NOT_WRITTEN in verdict.promise:
            raise _failed(verdict)
        if verdict.worth < Worth.KILLS:
            found = f"`{kill.file}` does not kill yet"
            raise PromiseBrokenError(_IS_MEASURED, expected="it kills", found=found, section=_SHORTNESS)
        run.tell(f"`{kill.file}` kills with {verdict.costs} commands; at most {costs_max} are allowed here")
        if verdict.costs > costs_max:
            expected, found = f"`{kill.file}` has at most {costs_max} commands", f"it has {verdict.costs}"
            raise PromiseBrokenError(_IS_SHORT, expected=expected, found=found, section=_SHORTNESS)
        run.met["judged"] += 1

    return play


def _checks() -> Iterator[Check]:
    numbers = iter(range(1, 4 * len(TO_KILL) + 1))
    for kill in TO_KILL:
        plays = (
            (f"is told from right Rafts: {kill.mistake}", _worth(kill, Worth.TELLS_APART)),
            ("breaks a promise", _worth(kill, Worth.KILLS)),
            (f"breaks a promise within {kill.short} commands", _short(kill, kill.short)),
            (f"breaks a promise within {kill.tight} commands", _short(kill, kill.tight)),
        )
        for (name, play), points in zip(plays, kill.points, strict=True):
            yield _check(f"{_RING}.{next(numbers)}", f"{kill.name} {name}", kill.section, play, points)


def _check(number: str, name: str, section: str, play: Callable[[Make, tuple[object, ...], Run], None], points: int) -> Check:
    cases = (Case("", (), play, is_apart=True),)
    return Check(number, name, section, lambda _seeds: cases, points=points, must_meet={"judged": 1})


OWN_TESTS = tuple(_checks())
"""Four for each, in the order of `TO_KILL`: told apart, killed, short, tight."""
