"""The commands of `run.py`."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tools.runner import checks, course, doctor, tiers
from tools.runner.environment import PURPOSES, Environment
from tools.runner.places import ROOT
from tools.runner.say import SetupError, say

__all__ = ["LATER", "main"]

LATER = {
    "lab": "`.venv/bin/mq lab list` shows the labs that are there; the others come with later stages.",
}
"""Commands that are promised and not there yet, and when they come."""

_MODULES = {"demo": "mq.cli.demo", "sim": "mq.sim"}
"""Commands that are programs of the product, with all their arguments."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="RaftMQ: one entry to everything. Sets itself up on first use.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("demo", help="see a broker killed in mid-stream and nothing lost (about a minute)", add_help=False)
    # Its help is ours: JupyterLab's own would have to be set up first, and tells of hundreds of settings.
    commands.add_parser(
        "course",
        help="open the lessons in JupyterLab (arguments go to it, such as --no-browser)",
        usage="run.py course [JUPYTERLAB ARGUMENT ...]",
        description="Open the lessons in JupyterLab, on the map of the course. Ctrl-C ends it and all that it started.",
        epilog="Arguments go to JupyterLab, such as --no-browser or --port=9000; --help-all shows those that it knows.",
        allow_abbrev=False,
    )
    test = commands.add_parser("test", help="run the tests", usage="run.py test [--quick | --night] [PYTEST ARGUMENT ...]")
    tier = test.add_mutually_exclusive_group()
    tier.add_argument("--quick", action="store_true", help="only what takes about a minute in all")
    tier.add_argument("--night", action="store_true", help="everything, with the long soaks")
    commands.add_parser(
        "sim", help="run the deterministic world by its seeds: --seeds A..B, or --seed N [--draw FILE]", add_help=False
    )
    commands.add_parser("check", help="linters, types, import rules, generated files, house rules")
    commands.add_parser("doctor", help="what this machine has, what is missing, and what mends it")
    setup = commands.add_parser("setup", help="only make the environment")
    setup.add_argument("purpose", nargs="?", choices=PURPOSES, default=PURPOSES[-1])
    for name in LATER:
        commands.add_parser(name, help="where the labs are", add_help=False)
    return parser


def _become(python: Path, arguments: list[str]) -> int:
    """Hand this process over to the environment's Python, so that signals and the exit status are its own."""
    command = [str(python), *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":  # there, exec returns to the prompt at once
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    return subprocess.run(command, check=False).returncode


def _run(command: str, options: argparse.Namespace, rest: list[str]) -> int:
    environment = Environment()
    if command in _MODULES:
        return _become(environment.ensure("demo"), ["-m", _MODULES[command], *rest])
    if command == "test":
        tier = "quick" if options.quick else "night" if options.night else "default"
        return tiers.run(environment.ensure("test"), tier, rest)
    if command == "course":
        return course.run(environment.ensure("course"), rest)
    if command == "check":
        return checks.run(environment.ensure("test"))
    if command == "doctor":
        return doctor.run(environment)
    was_ready = environment.is_ready(options.purpose)
    environment.ensure(options.purpose)
    what = "was there already, nothing was changed" if was_ready else "is made"
    say(f"The environment for {options.purpose} {what}: {environment.venv}. Next: python3 run.py {options.purpose}")
    return 0


def main(arguments: list[str]) -> int:
    """Returns the exit status: the command's own, or 2 when the command is unknown or this machine lacks something."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command in LATER:
        say(LATER[options.command])
        return 2
    if rest and options.command not in (*_MODULES, "course", "test"):
        parser.error(f"{options.command} does not know {' '.join(rest)}")
    if options.command != "sim":
        # The tests, the tools and the demo name their files from the root; a picture goes where it is asked for.
        os.chdir(ROOT)
    try:
        return _run(options.command, options, rest)
    except SetupError as error:
        say(f"\n{error}")
        return 2
    except KeyboardInterrupt:
        return 130
