"""The entry of `mq`: finds the command, runs it, and turns whatever happens into an exit code."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

__all__ = ["main"]


class _Lazy(NamedTuple):
    module: str
    help: str


_COMMANDS = {
    "broker": _Lazy("mq.cli.broker", "Run a broker until Ctrl-C or SIGTERM."),
    "registry": _Lazy("mq.cli.registry", "Run a registry node until Ctrl-C or SIGTERM."),
    "topic": _Lazy("mq.cli.topic", "Create, list, describe and delete topics."),
    "group": _Lazy("mq.cli.group", "Create, list, describe, reset and delete consumer groups."),
    "send": _Lazy("mq.cli.send", "Send messages."),
    "consume": _Lazy("mq.cli.consume", "Print messages and acknowledge them."),
    "message": _Lazy("mq.cli.message", "Look at stored messages."),
    "cluster": _Lazy("mq.cli.cluster", "Start, stop, kill, pause, cut and heal a cluster on this machine."),
    "raft": _Lazy("mq.cli.raft", "Look at the nodes of a group, change who leads and who belongs to it."),
    "top": _Lazy("mq.cli.top", "Watch a broker group."),
    "chaos": _Lazy("mq.cli.chaos", "Break a cluster under load, by a seed, and judge what came of it."),
    "health": _Lazy("mq.cli.health", "Say whether a broker serves, or wait for it."),
    "doctor": _Lazy("mq.cli.doctor", "Check this machine, a broker and a data folder."),
    "bench": _Lazy("mq.cli.bench", "Measure quickly how fast a broker is."),
    "log": _Lazy("mq.cli.log", "Read the commit log of a stopped broker."),
}
_JOINED = {"lab": "Start, check and grade the labs of the course."}
"""Commands that are no part of `mq` and join it by an entry point, whose group is this:"""
_ENTRY_POINTS = "mq.commands"

_COMPLETION = "_MQ_COMPLETE"
"""Set by a shell that asks for the completion of a command line (see click's documentation)."""

_EPILOG = """\b
Exit codes:
  0    all went well
  1    the broker refused, or nothing was found
  2    wrong usage, or a wrong setting
  3    the broker could not be reached
  4    the broker did not answer in time
  130  interrupted with Ctrl-C
  141  whoever read the output stopped reading

\b
Data goes to standard output, everything else to standard error.
Environment: MQ_ENDPOINT (brokers to talk to), MQ_BROKER_* (settings of
`mq broker`), MQ_PARTS (its --parts), MQ_DEBUG=1 (show where an error
comes from).
`mq COMMAND --help` tells more of a command.
"""


def _joined(name: str) -> click.Command:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to load

    for found in entry_points(group=_ENTRY_POINTS, name=name):
        try:
            command = found.load()
        except ModuleNotFoundError:
            break  # installed without the course, as in an image of a broker
        assert isinstance(command, click.Command)
        return command
    raise click.UsageError(f"`mq {name}` belongs to a checkout of the course: `python3 run.py test --quick` there sets it up.")


class _LazyGroup(click.Group):
    """Loads a command's module when it is called; its help here comes from the table above."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *_JOINED]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _JOINED:
            return _joined(cmd_name)
        found = _COMMANDS.get(cmd_name)
        command = getattr(importlib.import_module(found.module), f"{cmd_name}_command") if found else None
        assert command is None or isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and name not in _JOINED and not name.startswith("-"):
            import difflib  # noqa: PLC0415 - for typing errors only

            near = difflib.get_close_matches(name, [*_COMMANDS, *_JOINED], n=1)
            ctx.fail(f"there is no command {name!r}" + (f", did you mean {near[0]!r}?" if near else "."))
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in _COMMANDS.items()] + list(_JOINED.items()))


def _print_version(context: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001 - click calls it so
    if is_wanted and not context.resilient_parsing:
        from mq import __version__  # noqa: PLC0415

        click.echo(f"mq {__version__}")
        context.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version.")
def _mq() -> None:
    """RaftMQ: run a broker, and talk to one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code that `mq --help` explains."""
    if not os.environ.get("MQ_DEBUG"):
        # Whatever gRPC's core has to say of its own comes back as an error, too, which we put into a sentence.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if _COMPLETION in os.environ:
        _mq.main(prog_name="mq", complete_var=_COMPLETION)
    try:
        # Not click's own main(): it would answer Ctrl-C with an empty line and a closed pipe with exit code 1.
        with _mq.make_context("mq", list(sys.argv[1:] if arguments is None else arguments)) as context:
            result = _mq.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        if arguments is None:
            # Ctrl-C can hit gRPC amid its own bookkeeping; its destructors then wait for ever for a call that is over.
            # All that had to be said and written is: the process ends without them.
            os._exit(130)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not stumble over it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001 - whatever it is, a user gets a sentence
        from mq.cli.failing import report  # noqa: PLC0415 - nothing of it is needed when all goes well

        return report(error)
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
