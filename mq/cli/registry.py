"""`mq registry`."""

import click

from mq.cli.options import any_case

__all__ = ["registry_command"]


@click.command("registry")
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:9876", show_default=True, help="Where brokers and clients connect."
)
@click.option(
    "--listen-outside", "outside", metavar="HOST:PORT", default="",
    help="A second door, for clients outside of the brokers' network: they are told what brokers --advertise-outside.",
)  # fmt: skip
@click.option("--advertise", metavar="HOST:PORT", default="", help="By which address clients reach it.  [default: as --listen]")
@click.option("--advertise-outside", metavar="HOST:PORT", default="", help="The same for those of --listen-outside.")
@click.option(
    "--times", type=any_case("usual", "fast"), default="usual", show_default=True,
    help="When a silent broker is given up; usual: after 120 s, as RocketMQ; fast: 4 s, for lessons and tests.",
)  # fmt: skip
@click.option("--log-level", type=any_case("debug", "info", "warning", "error"), default="info", show_default=True)
def registry_command(listen: str, times: str, log_level: str, **doors: str) -> int:
    """Run a registry node until Ctrl-C or SIGTERM.

    Brokers that are started with `mq broker --registry` tell it what they have; clients ask it where a topic is. It keeps
    everything in memory and knows of no other registry node: start several, and name them all to brokers and clients.
    """
    from mq.server.registry_process import run_registry  # noqa: PLC0415 - the server is large

    return run_registry(listen, times, log_level, **doors)
