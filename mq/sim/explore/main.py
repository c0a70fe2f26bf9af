"""`python3 run.py sim explore`: let a search find the schedule.

    run.py sim explore --goal figure8 --seed 3 --draw found.png     the deep search, on a Raft that counts any term
    run.py sim explore --goal figure8 --core right                  the same on ours; ten times the budget
    run.py sim explore --goal figure8 --core FILE:Class             on somebody else's
    run.py sim explore --goal small-scope                           every state of a small scope, and three wrong Rafts in it
    run.py sim explore --tiny                                       the same in a smaller scope, of seconds
    run.py sim explore --replay FILE                                a story again, from the remarks in front of its trace

The trace of what was found, with its steps in front, goes to stdout, all else to stderr. Exit status: 0 no promise was broken
(small-scope without --core: by ours, and one was by each wrong one); 1 one was, which for a wrong core is what was looked for, or
a search of all states did not come to its end; 2 wrong usage.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode
from mq.sim.arguments import read_name, read_seed, with_negatives
from mq.sim.explore.goals import DEEP_SCOPE, SMALL_SCOPE, TINY_SCOPE, search_deep, search_small
from mq.sim.explore.group_model import GroupModel, GroupState, GroupStep
from mq.sim.explore.model import Outcome, Result
from mq.sim.explore.origin import Origin, rule_of, scope_words
from mq.sim.explore.progress import Progress
from mq.sim.explore.promises import PROMISES
from mq.sim.explore.scope import Scope
from mq.sim.explore.story import STEP_MS, Story, has_steps, replay_words
from mq.sim.explore.words import HOW_STEPS_READ
from mq.sim.explore.wrong_cores import SMALL_SCOPE_CORES, CountsAnyTerm
from mq.sim.group.watch import Violation
from mq.sim.load_raft import load_raft
from mq.sim.spacetime import Broken, NothingToDrawError, PictureTooLongError, draw

__all__ = ["main"]

_SECONDS, _FIRST_SEED = 60, 1
_REMARK = "# 1. time-out n1"
_COMMAND = "python3 run.py sim explore"
_SUFFIXES = (".png", ".svg", ".html")
_GOALS = ("figure8", "small-scope")
_CORES: dict[str, type[RaftNode]] = {"right": RaftNode, "figure8": CountsAnyTerm, **SMALL_SCOPE_CORES}


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _picture(text: str) -> Path:
    """Where a picture can be written: found out before a search, not after it."""
    path = Path(text)
    if path.suffix.lower() not in _SUFFIXES:
        raise argparse.ArgumentTypeError(f"the picture's name ends in {', '.join(_SUFFIXES)}, not {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    if path.suffix.lower() == ".png" and find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("a PNG needs the package matplotlib (`python3 run.py setup`); .svg and .html need none")
    return path


def _story(text: str) -> Path:
    return Path(read_name(text))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _core(text: str) -> type[RaftNode]:
    if text in _CORES:
        return _CORES[text]
    try:
        return load_raft(text)
    except IllegalArgumentError as error:
        raise argparse.ArgumentTypeError(f"{error}; or one of {', '.join(_CORES)}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py sim explore", description="Search for a schedule that breaks a promise.")
    parser.add_argument("--goal", choices=_GOALS, help="which search (--tiny: small-scope; --replay: the story's)")
    parser.add_argument(
        "--seed", type=read_seed, metavar="N", help=f"of figure8: another seed searches in another order ({_FIRST_SEED})"
    )
    parser.add_argument(
        "--budget", type=_seconds, metavar="SECS",
        help=f"of one core, and as much again for making a story short (figure8: {_SECONDS}, on the right core {10 * _SECONDS}; "
        "small-scope: no limit)",
    )  # fmt: skip
    parser.add_argument(
        "--core", type=read_name, metavar="CORE",
        help=f"{', '.join(_CORES)}, or FILE:Class (figure8: figure8; small-scope: right, and then the wrong ones)",
    )  # fmt: skip
    parser.add_argument("--draw", type=_picture, metavar="FILE", help="draw what was found (.png, .svg or .html)")
    parser.add_argument(
        "--replay", type=_story, metavar="FILE",
        help="do the steps that stand as remarks in this trace, and search nothing; goal and core are those that it names",
    )  # fmt: skip
    parser.add_argument("--tiny", action="store_true", help="small-scope: a smaller one, of seconds")
    return parser


def _useless(options: argparse.Namespace) -> str:
    """The flag that would do nothing with these others, and why; "" when each does something."""
    if options.goal == "figure8" and options.tiny:
        return "--tiny is for --goal small-scope"
    if options.goal != "figure8" and (options.goal or options.tiny) and options.seed is not None:
        return "--seed is for --goal figure8: small-scope looks at every state, in one order"
    if options.replay is not None and options.seed is not None:
        return "--seed is for a search, and --replay searches nothing"
    if options.replay is not None and options.budget is not None:
        return "--budget is for a search, and --replay searches nothing"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    out = sys.stdout
    with redirect_stdout(sys.stderr):  # what somebody's Raft prints is no line of the trace
        parser = _parser()
        options = parser.parse_args(with_negatives(sys.argv[1:] if arguments is None else arguments))
        options.out = out
        return _run(parser, options)


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    useless = _useless(options)
    if useless:
        parser.error(useless)
    text = _text_of(options.replay) if options.replay is not None else ""
    if text is None:
        return 2
    told = Origin.of_text(text)
    if options.replay is not None and not has_steps(text):
        _say(f"{options.replay} is no story of a search: that begins with remarks, and its steps are told in such as {_REMARK!r}")
        return 2
    if options.replay is not None and told.goal in _GOALS and options.tiny and not told.is_tiny:
        parser.error(f"--tiny: {options.replay} is a story of another scope than the tiny one")
    options.goal = options.goal or (told.goal if told.goal in _GOALS else "") or ("small-scope" if options.tiny else "")
    if not options.goal:
        parser.error("say which search: --goal figure8 or --goal small-scope")
    is_told = not options.core and told.goal == options.goal and bool(told.core)
    if told.goal == options.goal:
        options.core, options.tiny = options.core or told.core, options.tiny or told.is_tiny
    options.seed = _FIRST_SEED if options.seed is None else options.seed
    scope = DEEP_SCOPE if options.goal == "figure8" else TINY_SCOPE if options.tiny else SMALL_SCOPE
    try:
        make = _core(options.core) if options.core else None
    except argparse.ArgumentTypeError as error:
        parser.error(f"{options.replay}, in its line '# core:': {error}" if is_told else f"--core: {error}")
    if options.replay is not None:
        return _replay(text, told, scope, make or CountsAnyTerm, options)
    if options.goal == "figure8":
        return _deep(make or CountsAnyTerm, options)
    return _small(scope, make, options)


def _text_of(file: Path) -> str | None:
    """None, and a sentence to the terminal, when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        _say(f"cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        _say(f"{file} is no text, and so no trace of a search")
    return None


def _origin(options: argparse.Namespace) -> Origin:
    """Of a search; a replay is of the search that its story names."""
    usual = "figure8" if options.goal == "figure8" or options.replay is not None else "right"
    seed = options.seed if options.goal == "figure8" and options.replay is None else None
    return Origin(options.goal, options.core or usual, options.tiny, seed)


def _deep(make: type[RaftNode], options: argparse.Namespace) -> int:
    is_right = make is RaftNode
    seconds_max = options.budget or (10 * _SECONDS if is_right else _SECONDS)
    with Progress(sys.stderr) as progress:
        found = search_deep(make, options.seed, seconds_max, progress.looked, progress.shortened)
    _say(f"seed {options.seed}: {_outcome(found.result)} ({found.result.pace()})")
    _tell_rule(make)
    failures = found.model.local.failures
    if failures:
        times = "once a node" if len(failures) == 1 else f"{len(failures)} times a node"
        _say(
            f"beside that, {times} raised an error. This search takes no notice of that, and goes on elsewhere; "
            f"small-scope looks for it. The first: {failures[0]}"
        )
    if found.result.outcome is not Outcome.BROKEN:
        return _nothing(options)
    _say(
        f"the search needed {found.result.seconds:.1f} s and {len(found.result.path)} steps; "
        f"{len(found.path)} are left of them after {found.shrink_seconds:.1f} s more of making it short"
        + ("; the budget ended before it was as short as it can be" if found.is_cut_short else "")
    )
    return _report(Story(found.model, found.path), make, options)


def _tell_rule(make: type[RaftNode], indent: str = "") -> None:
    rule = rule_of(make)
    if rule:
        _say(indent + rule)


def _nothing(options: argparse.Namespace) -> int:
    if options.draw is not None:
        _say(f"nothing is drawn to {options.draw}: {_core_name(options)} broke no promise")
    return 0


def _core_name(options: argparse.Namespace) -> str:
    """As on the command line, of what was searched or replayed."""
    return f"core {_origin(options).core}"


def _outcome(result: Result[GroupState, GroupStep]) -> str:
    match result.outcome:
        case Outcome.BROKEN:
            return f"{result.which} is broken"
        case Outcome.EXHAUSTED:
            return "all states seen, no promise is broken"
        case _:
            return "no promise was broken within this budget"


def _small(scope: Scope, make: type[RaftNode] | None, options: argparse.Namespace) -> int:
    """Ours, and then the wrong ones; or the one that was asked for."""
    if make is not None:
        return _small_one(scope, make, options)
    status, wanted = _small_one(scope, RaftNode, options), 0
    for name, wrong in SMALL_SCOPE_CORES.items():
        with Progress(sys.stderr) as progress:
            found = search_small(wrong, scope, options.budget or 0, progress.looked)
        wanted += found.result.outcome is Outcome.BROKEN
        _say(f"{name}: {_outcome(found.result)} ({found.result.pace()})")
        _tell_rule(wrong, "  ")
        if found.path:
            story = Story(found.model, found.path)
            _say("".join(f"  {words}\n" for words in story.words) + _violation(story).to_text())
            _say(f"alone:   {_COMMAND} {Origin(options.goal, name, options.tiny).to_flags()} --draw FILE.png")
    _say(f"{wanted} of {len(SMALL_SCOPE_CORES)} wrong cores were killed: {', '.join(SMALL_SCOPE_CORES)}")
    return status or int(wanted < len(SMALL_SCOPE_CORES))


def _small_one(scope: Scope, make: type[RaftNode], options: argparse.Namespace) -> int:
    with Progress(sys.stderr) as progress:
        found = search_small(make, scope, options.budget or 0, progress.looked)
    bounds = f"{scope_words(scope)}; a lost message stays and counts; states that differ in the nodes' names alone are one"
    _say(f"{_origin(options).core}: {_outcome(found.result)}; {bounds} ({found.result.pace()})")
    _tell_rule(make)
    if found.result.outcome is Outcome.BROKEN:
        return _report(Story(found.model, found.path), make, options)
    _nothing(options)
    return 0 if found.result.outcome is Outcome.EXHAUSTED else 1


def _replay(text: str, told: Origin, scope: Scope, make: type[RaftNode], options: argparse.Namespace) -> int:
    model, name = GroupModel(scope, make), _core_name(options)
    path, missing = replay_words(model, text)
    if missing is not None:
        _say(f"step {len(path) + 1} cannot happen there, with {name} and goal {options.goal}: {missing}")
        if told.core and told.core != _origin(options).core:
            _say(f"the story is one of core {told.core}: another Raft says other things at other times")
        return 2
    story = Story(model, path)
    _tell_rule(make)
    if story.state.wrong:
        return _report(story, make, options)
    options.out.write(story.to_text(_origin(options).to_remarks()))
    _say("no promise is broken by these steps")
    return _nothing(options)


def _violation(story: Story) -> Violation:
    broken = story.model.history.broken[story.state.wrong]
    if broken is None:
        raise ValueError("these steps break no promise")
    sentence, section = PROMISES[broken.promise]
    # A search does not keep who was the first: it would tell states apart that go on alike.
    applied = (
        event.node for event in story.trace.events() if event.name == "apply" and event.number("index") == broken.applied_index
    )
    first = next(applied, "")
    before = broken.before + (f"; {first} was the first to apply it" if first else "")
    return Violation(sentence, (before, broken.now), section, len(story.path), len(story.path) * STEP_MS)


def _report(story: Story, make: type[RaftNode], options: argparse.Namespace) -> int:
    """The trace, the promise with the facts that conflict, the picture, and how to see it again."""
    violation, origin, rule = _violation(story), _origin(options), rule_of(make)
    told, scope = [line.strip() for line in violation.to_text().split("\n")], f"in this search: {scope_words(story.model.scope)}"
    remarks = [*origin.to_remarks(), *told, *([rule] if rule else []), scope]
    options.out.write(story.to_text(remarks))
    if not options.out.isatty():  # where the trace went elsewhere, the steps in front of it are wanted here, too
        _say("\n".join(f"{number:3}. {words}" for number, words in enumerate(story.words, 1)))
        _say("\n".join((*HOW_STEPS_READ, scope)))
    _say(violation.to_text())
    if options.replay is None:
        _say(f"again:   {_COMMAND} {origin.to_flags()}" + (f" --budget {options.budget:g}" if options.budget else ""))
    _say(f"at once: {_COMMAND} --replay {options.replay or 'FILE'}" + ("" if options.replay else " (FILE: the trace above)"))
    if options.draw is not None:
        title = f"{options.goal}, core {origin.core}: broken in {len(story.path)} steps"
        try:
            broken = Broken(violation.promise, violation.at_ms, (*violation.facts, *([rule] if rule else [])))
            draw(options.draw, story.trace.events(), title, broken=broken)
        except (PictureTooLongError, NothingToDrawError) as error:
            _say(str(error))
        except OSError as error:
            _say(f"cannot write {options.draw}: {error.strerror}")
            return 2
        else:
            _say(f"drawn: {options.draw}")
    return 1
