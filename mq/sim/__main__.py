"""`python3 run.py sim`: runs of the deterministic worlds by their seeds.

    run.py sim --seeds 1..500          many runs of a Raft group; the first broken promise of each seed is printed
    run.py sim --seeds 1..20000 --jobs 2 --resume seeds.txt        the same, and it may be interrupted
    run.py sim --seeds 1..20 --log store        the same with the broker's commit log on simulated disks
    run.py sim --seed 8142 > trace.txt      one run: its trace goes to stdout, what came of it to stderr
    run.py sim --seed 8142 --draw group.png        the same, and its end as a picture
    run.py sim --seed 8142 --draw group.png --around 5320       what happened around 5320 ms as a picture
    run.py sim --profile broker --seed 8142 --draw loss.png        a single broker, its disk and its clients
    run.py sim --promises              all that is checked of a group
    run.py sim explore --goal figure8  a search, see `mq.sim.explore`

Exit status: 0 all promises were kept, 1 one was broken or a run proved nothing, 2 wrong usage, 130 stopped with Ctrl-C.
"""

import signal

if __name__ == "__main__":  # a Ctrl-C while all the rest is loaded ends it without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mq.sim.arguments import read_count, read_jobs, read_name, read_seed, with_negatives
from mq.sim.checkers import BrokenPromiseError, VacuousRunError
from mq.sim.draw import draw_loss
from mq.sim.group.options import GROUP_STEPS
from mq.sim.world import World, WorldOptions

__all__ = ["main"]

_SUFFIXES = (".png", ".svg")

_COUNTED = (
    "sent", "delivered", "acked", "kill", "power-loss", "sync-failed", "disk-full", "bit-flip", "damage", "opened",
)  # fmt: skip


def _seeds(text: str) -> range:
    """`A..B`, both included."""
    first, dots, last = text.partition("..")
    if not dots or not first.isdecimal() or not last.isdecimal():
        raise argparse.ArgumentTypeError(f"two numbers from 0 on are wanted, such as 1..500, not {text!r}")
    if int(first) > int(last):
        raise argparse.ArgumentTypeError(f"the first must not be above the second, as it is in {text}")
    return range(int(first), int(last) + 1)


def _picture(text: str) -> Path:
    """Where a picture can be written: found out before a run, not after it."""
    if Path(text).suffix.lower() not in _SUFFIXES:
        raise argparse.ArgumentTypeError(f"the picture's name ends in {' or '.join(_SUFFIXES)}, not {text!r}")
    return _file(text)


def _file(text: str) -> Path:
    """Where something can be written: found out before a run, not after it."""
    path = Path(read_name(text))
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py sim",
        description="Run the deterministic world: one seed, one run.",
        epilog="run.py sim explore --help: search for a schedule that breaks a promise, instead of drawing one.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", type=_seeds, metavar="A..B", help="many runs")
    which.add_argument("--seed", type=read_seed, metavar="N", help="one run; its trace goes to stdout")
    which.add_argument("--promises", action="store_true", help="run nothing; list all that is checked of a Raft group")
    parser.add_argument(
        "--profile", choices=("group", "broker"), default="group", help="a Raft group, or a single broker (%(default)s)"
    )
    parser.add_argument(
        "--draw", type=_picture, metavar="FILE",
        help="with --seed: draw the end of the run, or, of a broker, what a power loss left on the disk (.png or .svg)",
    )  # fmt: skip
    parser.add_argument(
        "--around", type=read_count, metavar="MS",
        help="with --draw, of a group: not the end of the run, but what happened around this virtual time",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=read_count, help=f"of a run before its end ({GROUP_STEPS}; of a broker {WorldOptions().steps})"
    )
    parser.add_argument(
        "--jobs", type=read_jobs, default=1, metavar="N", help="with --seeds: so many at a time, 64 at most (%(default)s)"
    )
    parser.add_argument("--resume", type=_file, metavar="FILE", help="with --seeds: note there what is done, and go on from it")
    parser.add_argument("--report", type=_file, metavar="FILE", help="with --seeds: write the sums there, as a page to keep")
    parser.add_argument("--raft", type=read_name, metavar="FILE:CLASS", help="another Raft in the place of ours")
    parser.add_argument(
        "--log", choices=("light", "store"), default="light",
        help="of a group: a log in memory, or the broker's commit log, byte by byte on simulated disks (%(default)s)",
    )  # fmt: skip
    return parser


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    arguments = with_negatives(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["explore"]:
        from mq.sim.explore.main import main as explore  # noqa: PLC0415 - the search is not needed for a run

        return explore(arguments[1:])
    parser = _parser()
    if any(argument.partition("=")[0] == "--replay" for argument in arguments):
        parser.error("--replay is for a story of a search: run.py sim explore --replay FILE. A seed is run again by its number")
    options = parser.parse_args(arguments)
    if options.seed is None and options.seeds is None and not options.promises:
        parser.error("say which: --seeds A..B or --seed N")
    if options.draw is not None and options.seed is None:
        parser.error("--draw needs --seed N")
    if options.around is not None and (options.draw is None or options.profile != "group"):
        parser.error("--around is for --draw and the profile group")
    if options.seeds is None and (options.resume is not None or options.report is not None or options.jobs > 1):
        parser.error("--resume, --report and --jobs need --seeds A..B")
    if options.profile == "group" or options.promises:
        return _run_group(options)
    if options.resume or options.report or options.jobs > 1 or options.raft or options.log != "light":
        parser.error("--resume, --report, --jobs, --raft and --log are for the profile group")
    world_options = WorldOptions(steps=options.steps or WorldOptions().steps)
    if options.seeds is not None:
        return _run_many(options.seeds, world_options)
    return _run_one(options.seed, world_options, options.draw)


def _run_group(options: argparse.Namespace) -> int:
    from mq.sim.group.command import list_promises, run_many, run_one  # noqa: PLC0415 - a broker's run needs none of it

    if options.promises:
        return list_promises()
    steps, raft = options.steps or GROUP_STEPS, options.raft or ""
    if options.seeds is None:
        return run_one(options.seed, steps, raft, options.draw, log=options.log, around_ms=options.around)
    resume, jobs = options.resume, options.jobs
    return run_many(options.seeds, steps, raft=raft, jobs=jobs, resume=resume, log=options.log, page=options.report)


def _run_one(seed: int, options: WorldOptions, picture: Path | None) -> int:
    world = World(seed, options)
    status = _run(world)
    sys.stdout.write(world.trace.to_text())
    if status == 0:
        counts = world.trace.counts
        met = ", ".join(f"{counts[name]} {name}" for name in _COUNTED)
        _say(f"seed {seed}: all {len(world.checkers)} checks held over {world.steps} steps ({met})")
    if picture is None:
        return status
    if world.loss is None:
        _say("nothing to draw: no power loss of this run took a write")
        return 1
    try:
        draw_loss(picture, seed, world.loss)
    except OSError as error:
        _say(f"cannot write {picture}: {error.strerror}")
        return 2
    torn = "it tore a write" if world.loss.is_torn else "it tore no write"
    losses = f"the power loss at {world.loss.at_ms} ms, of {world.trace.counts['power-loss']} the one that shows most"
    _say(f"drawn: {picture}, {losses} ({world.loss.unsynced_bytes} bytes were not synced, {torn})")
    return status


def _run(world: World) -> int:
    try:
        world.run()
    except (BrokenPromiseError, VacuousRunError) as error:
        _say(f"seed {world.seed}: {error}")
        return 1
    return 0


def _run_many(seeds: range, options: WorldOptions) -> int:
    begun, steps, broken = time.monotonic(), 0, 0
    counts: Counter[str] = Counter()
    for number, seed in enumerate(seeds, 1):
        world = World(seed, options)
        broken += _run(world)
        steps += world.steps
        counts.update(world.trace.counts)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number} of {len(seeds)} seeds, {broken} broken")
    seconds = time.monotonic() - begun
    if sys.stderr.isatty():
        sys.stderr.write("\r")
    met = ", ".join(f"{counts[name]} {name}" for name in _COUNTED)
    pace = f"{steps} steps in {seconds:.1f} s ({steps / seconds:.0f} a second)"
    sys.stdout.write(f"{len(seeds)} seeds, {pace}: {broken} broken\n{met}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main())
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
