"""`mq broker`."""

import os
from pathlib import Path
from typing import Any

import click

from mq.cli.options import WholeNumber, any_case
from mq.cli.promote import promote_command

__all__ = ["broker_command"]


def _no_port(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Of `mq cluster up` there is one, so it is looked for here, too."""
    if value is not None and not context.resilient_parsing:
        raise click.BadParameter(f"there is no such option; say --listen 127.0.0.1:{value}", context, parameter)


@click.group("broker", invoke_without_command=True, subcommand_metavar="[promote]")
@click.option("--data", metavar="DIR", help="Folder of all that is stored; made if it is not there. Needed.")
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect.  [default: 127.0.0.1:8081]")
@click.option("--port", callback=_no_port, expose_value=False, hidden=True)
@click.option("--advertise", metavar="HOST:PORT[,...]", help="What clients are told to connect to.  [default: as --listen]")
@click.option(
    "--listen-outside", metavar="HOST:PORT", help="A second door, for clients that need other addresses.  [default: none]"
)
@click.option("--advertise-outside", metavar="HOST:PORT[,...]", help="What clients are told that come in by --listen-outside.")
@click.option("--name", help="Name of the broker group.  [default: broker-a]")
@click.option("--node", type=WholeNumber(1, 255), help="Number of this node in its group.  [default: 1]")
@click.option(
    "--peers",
    metavar="1=H:P,...",
    help="All nodes of the group at its first start, this one too, by number.",
)
@click.option("--peer-listen", metavar="HOST:PORT", help="Where the other nodes connect.  [default: this node's port in --peers]")
@click.option(
    "--replication", type=any_case("solo", "master_slave", "raft"),
    help="How the log is copied; raft: to a majority of the peers.  [default: raft with --peers, else solo]",
)  # fmt: skip
@click.option(
    "--copy", type=any_case("async", "sync"),
    help="Of master_slave: acknowledge when the master has it, or when a slave has it, too.  [default: async there]",
)  # fmt: skip
@click.option(
    "--cluster-secret-file", metavar="FILE",
    help="What the nodes of a group prove to each other; needed beyond this machine (or MQ_BROKER_CLUSTER_SECRET).",
)  # fmt: skip
@click.option("--tick-ms", metavar="MS", help="How often a node of a group looks at its clock, 10 to 1000.  [default: 50]")
@click.option(
    "--election-ticks", metavar="N", help="Ticks of silence, up to twice this, after which a leader is replaced.  [default: 12]"
)
@click.option("--heartbeat-ticks", metavar="N", help="Ticks between two signs of life of a leader.  [default: 2]")
@click.option("--registry", metavar="H:P,...", help="The registry nodes to register with.  [default: none]")
@click.option(
    "--registry-times",
    type=any_case("usual", "fast"),
    help="How often to register; fast: for lessons and tests.  [default: usual]",
)
@click.option("--parts", metavar="X", help="Organs of your own in the place of ours: a folder, file or module.")
@click.option("--segment-bytes", metavar="SIZE", help="Size of one file of the commit log, 64KiB to 1GiB.  [default: 64MiB]")
@click.option(
    "--snapshot-every-bytes", metavar="SIZE", help="A snapshot after so much of the log, 64KiB to 1TiB.  [default: 256MiB]"
)
@click.option("--retention-bytes", metavar="SIZE", help="Drop the oldest segments beyond this size; 0 keeps all.  [default: 0]")
@click.option("--retention-ms", metavar="DURATION", help="Drop segments older than this; 0 keeps all.  [default: 0]")
@click.option(
    "--auto-create-topics/--no-auto-create-topics", default=None, help="Whether a send makes an unknown topic.  [default: no]"
)
@click.option(
    "--metrics",
    "metrics_listen",
    metavar="HOST:PORT",
    help='Metrics and health over HTTP; "" for none.  [default: 127.0.0.1:5557]',
)
@click.option(
    "--trace",
    metavar="FILE",
    help="Add what this node of a group does to FILE, a line each; {node} in it is the node's number.  [default: none]",
)
@click.option("--log-level", type=any_case("debug", "info", "warning", "error"), help="[default: info]")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML with the same fields, such as `listen:`.",
)
def broker_command(config_file: Path | None, **flags: Any) -> int:
    """Run a broker until Ctrl-C or SIGTERM.

    Each setting can also stand in the file of --config (by its field name, such as segment_bytes) or in the environment
    (such as MQ_BROKER_SEGMENT_BYTES); flags win over the environment, and that over the file.
    """
    if (named := click.get_current_context().invoked_subcommand) is not None:
        if given := [name for name, value in flags.items() if value is not None]:
            raise click.UsageError(f"--{given[0].replace('_', '-')} is for running a broker, not for `mq broker {named}`")
        return 0
    from mq.server.config import load_config  # noqa: PLC0415 - the server is large

    config = load_config(config_file, os.environ, flags)
    if config.parts:
        from mq.server.loading import load_watched  # noqa: PLC0415 - most brokers have none

        load_watched(config.parts)  # before a folder is made
    from mq.server.process import run_broker  # noqa: PLC0415 - a wrong setting is found before all of it is loaded

    return run_broker(config)


broker_command.add_command(promote_command)
