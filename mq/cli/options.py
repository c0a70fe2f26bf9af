"""What the commands share: their common options, kinds of values, and the broker that they talk to."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mq.rpc.calling import Connection

__all__ = ["DURATION", "Session", "any_case", "backend_options", "client_command", "output_option"]

DEFAULT_ENDPOINT = "127.0.0.1:8081"
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Session:
    """Which broker a command talks to, and how it answers. timeout_s: of one call."""

    endpoint: str
    is_json: bool
    timeout_s: float

    def connect(self) -> "Connection":
        """A connection for `with`; nothing is sent yet. Raises: IllegalArgumentError."""
        from mq.rpc.calling import Connection  # noqa: PLC0415 - gRPC takes a tenth of a second to load

        return Connection(self.endpoint, timeout_s=self.timeout_s)


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


def output_option(command: _F) -> _F:
    """Adds `-o table|json`; the command gets `is_json`."""
    return click.option(
        "-o", "--output", "is_json", type=any_case("table", "json"), default="table", show_default=True,
        callback=lambda _context, _parameter, value: value == "json", help="How data is printed.",
    )(command)  # fmt: skip


def client_command(command: _F) -> _F:
    """Adds the options of every command that talks to a broker; the command gets a `Session` as its first argument."""

    @click.option(
        "--endpoint", envvar="MQ_ENDPOINT", default=DEFAULT_ENDPOINT, show_default=True, metavar="HOST:PORT[,...]",
        help="Brokers, tried in turn (or MQ_ENDPOINT).",
    )  # fmt: skip
    @click.option(
        "--timeout",
        type=click.FloatRange(0.01, 3600),
        default=10.0,
        show_default=True,
        metavar="SECS",
        help="Limit for one call.",
    )
    @output_option
    @functools.wraps(command)
    def with_session(*arguments: Any, endpoint: str, timeout: float, is_json: bool, **more: Any) -> Any:
        return command(Session(endpoint, is_json, timeout), *arguments, **more)

    return with_session  # type: ignore[return-value]
