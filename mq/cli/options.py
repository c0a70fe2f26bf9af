"""What the commands share: their common options, kinds of values, and the broker that they talk to."""

import functools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from mq.cli.output import note

if TYPE_CHECKING:
    from mq.rpc.calling import Connection

__all__ = [
    "DURATION",
    "LOOK_S_MAX",
    "Number",
    "Session",
    "WholeNumber",
    "any_case",
    "backend_options",
    "client_command",
    "client_command_within",
    "image_given",
    "output_option",
]

DEFAULT_ENDPOINT = "127.0.0.1:8081"
LOOK_S_MAX = 2.0
"""Limit for one call of a look at many nodes, some of which may be dead."""
_CALL_S_MAX = 10.0
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Session:
    """Which broker a command talks to, and how it answers. timeout_s: of one call."""

    endpoint: str
    is_json: bool
    timeout_s: float

    def connect(self, client_id: str | None = None) -> "Connection":
        """A connection for `with`; nothing is sent yet. client_id: whose, else a new client's. Raises: IllegalArgumentError."""
        from mq.rpc.calling import Connection  # noqa: PLC0415 - gRPC takes a tenth of a second to load

        connection, told = Connection(self.endpoint, timeout_s=self.timeout_s, client_id=client_id), set[str]()

        def tell_old(why: str) -> None:
            if not told:
                note(f"this may be old: {why}")
            told.add(why)

        connection.on_old = tell_old
        return connection


class _Duration(click.ParamType[int]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds of `5s` and the like."""
        from mq.core.errors import IllegalArgumentError  # noqa: PLC0415 - not needed for --help
        from mq.core.quantity import parse_duration_ms  # noqa: PLC0415

        if isinstance(value, int):
            return value
        try:
            return parse_duration_ms(value, "duration")
        except IllegalArgumentError as error:
            self.fail(str(error).partition(": ")[2], param, ctx)


DURATION = _Duration()
"""A span such as `5s`, `250ms`, `2h`; the command gets milliseconds."""


class WholeNumber(click.IntRange):
    """A number of an option or argument, which says of anything else what it should be. Bounds as those of `click.IntRange`."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        try:
            int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number, such as {self.min or 2:g}", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """As `WholeNumber`; parts of one are fine, too."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        try:
            is_one = math.isfinite(float(value))
        except ValueError:
            is_one = False
        if not is_one:
            self.fail(f"{value!r} is not a number, such as 2 or 0.5", param, ctx)
        return super().convert(value, param, ctx)


def any_case(*values: str) -> click.Choice[str]:
    """One of these values, written in any case; the command gets it as it stands here."""
    return click.Choice(values, case_sensitive=False)


def backend_options(text: str, default: str | None = None) -> Callable[[_F], _F]:
    """Adds `--backend` and `--image` to a command that makes a cluster. text: of the help. default: None when it depends."""

    def with_options(command: _F) -> _F:
        image = click.option(
            "--image", envvar="MQ_IMAGE", default="raftmq:latest", show_default=True,
            help="For docker: made from docker/Dockerfile.",
        )  # fmt: skip
        backend = click.option("--backend", type=any_case("local", "docker"), default=default, show_default=True, help=text)
        return backend(image(command))

    return with_options


def image_given(backend: str, image: str) -> str | None:
    """What `--image` or MQ_IMAGE says, within a command with `backend_options`; None when neither does.

    Raises: click.BadParameter for the flag when nodes are local processes.
    """
    source = click.get_current_context().get_parameter_source("image")
    if source is ParameterSource.COMMANDLINE and backend == "local":
        raise click.BadParameter("local processes are made from no image; it goes with --backend docker", param_hint="--image")
    return None if source is ParameterSource.DEFAULT else image


def parts_option(command: _F) -> _F:
    """Adds `--parts`; `parts_given` says what the command got."""
    return click.option(
        "--parts", multiple=True, metavar="[NODE=]X",
        help="Replaced organs (a folder, file or module) in all nodes or one; nothing in the place of X: our own. Can be "
        "repeated. Without it what MQ_PARTS names, in all nodes.",
    )(command)  # fmt: skip


def parts_given(texts: tuple[str, ...]) -> dict[str, str]:
    """Replaced organs by node, "" for all. Without the flag those that MQ_PARTS names, which is told."""
    if not texts and (named := os.environ.get("MQ_PARTS", "").strip()):
        note(f"all nodes have organs of MQ_PARTS, {named}")
        return {"": named}
    found = [text.partition("=") if "=" in text else ("", "", text) for text in texts]
    return {node: part for node, _, part in found}


def output_option(command: _F) -> _F:
    """Adds `-o table|json`; the command gets `is_json`."""
    return click.option(
        "-o", "--output", "is_json", type=any_case("table", "json"), default="table", show_default=True,
        callback=lambda _context, _parameter, value: value == "json", help="How data is printed.",
    )(command)  # fmt: skip


def client_command(command: _F) -> _F:
    """Adds the options of every command that talks to a broker; the command gets a `Session` as its first argument."""
    return client_command_within(_CALL_S_MAX)(command)


def client_command_within(timeout_s: float) -> Callable[[_F], _F]:
    """`client_command`, with another limit for one call where none is given."""

    def with_options(command: _F) -> _F:
        @click.option(
            "--endpoint", envvar="MQ_ENDPOINT", default=DEFAULT_ENDPOINT, show_default=True, metavar="HOST:PORT[,...]",
            help="Brokers, tried in turn (or MQ_ENDPOINT).",
        )  # fmt: skip
        @click.option(
            "--timeout", type=Number(0.01, 3600), default=timeout_s, show_default=True, metavar="SECS",
            help="Limit for one call.",
        )  # fmt: skip
        @output_option
        @functools.wraps(command)
        def with_session(*arguments: Any, endpoint: str, timeout: float, is_json: bool, **more: Any) -> Any:
            return command(Session(endpoint, is_json, timeout), *arguments, **more)

        return with_session  # type: ignore[return-value]

    return with_options
