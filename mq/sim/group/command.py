"""`run.py sim --profile group`: the command line of the Raft group's world."""

import sys
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path

from mq.core.errors import IllegalArgumentError
from mq.sim.checkers import VacuousRunError
from mq.sim.group.report import report
from mq.sim.group.seeds import Notes, SeedResult, Tally, make_world, run_seeds
from mq.sim.group.standstill import STANDSTILL, run_watched, who_works
from mq.sim.group.watch import ViolationError
from mq.sim.group.world import OF_THE_WHOLE_RUN, GroupWorld, all_checkers
from mq.sim.load_raft import load_raft
from mq.sim.spacetime import Broken, NothingToDrawError, Window, draw

__all__ = ["list_promises", "run_many", "run_one"]

_DRAWN_MOMENTS = 40
_TOLD_WHOLE = 3
"""So many broken seeds are told with facts and trace; of the others one line is enough, since each can be run alone."""
_IN_TITLE = ("elections", "crashes", "cuts")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _counted(count: int, name: str) -> str:
    """Such as `1 election`, `2 changes of members`."""
    word, blank, rest = name.partition(" ")
    if count == 1:
        word = "crash" if word == "crashes" else word.removesuffix("s")
    return f"{count} {word}{blank}{rest}"


def list_promises() -> int:
    """All that can be found broken, and where it is promised. Returns the exit status."""
    for number, (promise, section) in enumerate(_promises(), 1):
        sys.stdout.write(f"{number:2}. {promise}\n      {section}\n")
    return 0


def _promises() -> list[tuple[str, str]]:
    return [*((checker.promise, checker.section) for checker in all_checkers({})), *OF_THE_WHOLE_RUN, STANDSTILL]


def run_one(seed: int, steps: int, raft: str, picture: Path | None, *, log: str = "light", around_ms: int | None = None) -> int:
    """The trace goes to stdout, all else to stderr. around_ms: what to draw, None: the end. Returns the exit status."""
    try:
        with redirect_stdout(sys.stderr):  # what somebody's Raft prints is no line of the trace
            world = make_world(seed, steps, raft, log=log)
            status, fate, broken = _run(world)
    except IllegalArgumentError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(world.trace.to_text())
    counts = world.met()
    steps_done = counts.pop("events")
    met = ", ".join(_counted(count, name) for name, count in counts.items())
    met += f"; {steps_done} steps of the world, told in {len(world.trace.rows)} events"
    kept = f"all {len(_promises())} promises were kept" if not status else "broken" if broken else "the run proves nothing"
    _say(f"seed {seed}: {kept} ({met})")
    return status if picture is None else _draw(world, picture, fate, broken, around_ms) or status


def _run(world: GroupWorld) -> tuple[int, str, Broken | None]:
    """The exit status, what the run is called in a picture, and what it broke.

    Raises: KeyboardInterrupt, when it has said what was at work.
    """
    which = f"seed {world.seed}"
    try:
        run_watched(world)
    except ViolationError as error:
        _say(str(error))
        found = error.violation
        return 1, f"{which}, broken in step {found.step}", Broken(found.promise, found.at_ms, found.facts)
    except VacuousRunError as error:
        _say(str(error))
        return 1, f"{which}, whose run proves nothing", None
    except KeyboardInterrupt as stopped:
        trace = stopped.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        work = who_works(trace.tb_frame if trace else None)
        _say(f"stopped: {which}, at {world.agenda.now_ms} ms of virtual time, step {world.agenda.steps}; {work}")
        raise
    return 0, which, None


def _draw(world: GroupWorld, picture: Path, fate: str, broken: Broken | None, around_ms: int | None) -> int:
    """Returns 2, with a sentence, when that cannot be drawn."""
    counts = world.met()
    lived = ", ".join(_counted(counts[name], name) for name in _IN_TITLE)
    part = f"the last {_DRAWN_MOMENTS} moments" if around_ms is None else f"the moments around {around_ms} ms"
    title = f"{fate}: {part} of a Raft group with {lived}"
    try:
        draw(picture, world.trace.events(), title, Window(last=_DRAWN_MOMENTS, around_ms=around_ms), broken)
    except NothingToDrawError as error:
        _say(f"nothing is drawn to {picture}: {error}")
        return 2
    except OSError as error:
        _say(f"cannot write {picture}: {error.strerror}")
        return 2
    _say(f"drawn: {picture}, {part}")
    return 0


def run_many(  # noqa: PLR0913 - they are the flags of the command
    seeds: range,
    steps: int,
    *,
    raft: str = "",
    jobs: int = 1,
    resume: Path | None = None,
    log: str = "light",
    page: Path | None = None,
) -> int:
    """Each broken promise is told at once, the sums at the end. Returns the exit status."""
    try:
        if raft:
            with redirect_stdout(sys.stderr):
                load_raft(raft)
        notes = _notes(resume, steps, raft, log) if resume is not None else None
    except IllegalArgumentError as error:
        _say(str(error))
        return 2
    tally = Tally()
    for result in notes.done.values() if notes else ():
        if result.seed in seeds:
            tally.add(result)
    noted, steps_noted, begun = tally.seeds, tally.counts["events"], time.monotonic()
    left = [seed for seed in seeds if notes is None or seed not in notes.done]
    if jobs > max(len(left), 1):
        _say(f"{len(left)} seeds are left to run: no more than {max(len(left), 1)} at a time")
        jobs = max(len(left), 1)
    if not _take_all(run_seeds(left, steps, raft=raft, jobs=jobs, log=log), tally, notes, len(seeds)):
        _say(
            ("\n" if sys.stderr.isatty() else "")
            + f"stopped: {tally.seeds} of {len(seeds)} seeds were run, {tally.broken} broken"
            + _go_on(resume)
        )
        return 130
    seconds = max(time.monotonic() - begun, 1e-9)
    rate = (tally.counts["events"] - steps_noted) / seconds
    pace = f"{tally.seeds - noted:,} seeds were run now, {noted:,} were noted before: "
    pace += f"{seconds:.1f} s with {jobs} at a time, {rate:,.0f} steps of the world a second"
    sys.stdout.write(f"{tally.to_text()}\n{pace}\n")
    if page is not None:
        flags = (
            f" --jobs {jobs} --resume FILE" + (f" --raft {raft}" if raft else "") + (f" --log {log}" if log != "light" else "")
        )
        command = f"python3 run.py sim --seeds {seeds[0]}..{seeds[-1]}{flags} --report {page}"
        if not _is_written(page, report(command, tally, pace)):
            return 2
    return 1 if tally.broken else 0


def _take_all(results: Iterable[SeedResult], tally: Tally, notes: Notes | None, count: int) -> bool:
    """False when it was interrupted."""
    try:
        with redirect_stdout(sys.stderr):  # what somebody's Raft prints is no part of the summary
            for result in results:
                _take(result, tally, notes, count)
    except KeyboardInterrupt:
        return False
    finally:
        if notes is not None:
            notes.close()
    return True


def _go_on(resume: Path | None) -> str:
    return (
        f"; they are noted in {resume}, and the same command goes on" if resume is not None else "; --resume FILE would note them"
    )


def _notes(file: Path, steps: int, raft: str, log: str) -> Notes:
    """Raises: IllegalArgumentError, in a sentence, when nothing can be noted there."""
    try:
        return Notes(file, steps, raft, log=log)
    except UnicodeDecodeError as error:
        raise IllegalArgumentError(f"{file} holds no notes of seeds: it is no text") from error
    except OSError as error:
        raise IllegalArgumentError(f"cannot note what is done in {file}: {error.strerror}") from error


def _is_written(page: Path, text: str) -> bool:
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        _say(f"cannot write {page}: {error.strerror}")
        return False
    return True


def _take(result: SeedResult, tally: Tally, notes: Notes | None, count: int) -> None:
    tally.add(result)
    if notes is not None:
        notes.add(result)
    if result.promise:
        is_whole = tally.broken <= _TOLD_WHOLE or not result.story
        brief = f"broken, too: {result.promise} (--seed {result.seed} tells more)"
        _say(f"seed {result.seed}: {result.story if is_whole else brief}")
    if sys.stderr.isatty():
        end = "\r" if tally.seeds == count else ""
        sys.stderr.write(f"\r{tally.seeds} of {count} seeds, {tally.broken} broken{end}")
