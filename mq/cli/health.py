"""`mq health`."""

import time
from typing import TYPE_CHECKING

import click

from mq.cli.options import Number, Session, client_command
from mq.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from mq.client.views import BrokerView

__all__ = ["health_command"]

_PAUSE_S = 0.1


@click.command("health")
@client_command
@click.option(
    "--wait",
    "wait_s",
    type=Number(0, 86_400),
    default=0.0,
    metavar="SECS",
    help="Wait so long for it to serve, in a group also for a leader.",
)
def health_command(session: Session, wait_s: float) -> int:
    """Say whether the broker serves, and what it is.

    Exit code 0: it serves; 1: it answers, but does not serve; 3: it cannot be reached.
    """
    from mq.core.errors import MqError  # noqa: PLC0415

    end = time.monotonic() + wait_s
    while True:
        try:
            broker = _ask(session, needs_leader=wait_s > 0)
            failure = None
        except MqError as error:
            broker, failure = None, error
        if broker is not None or time.monotonic() >= end:
            break
        time.sleep(min(_PAUSE_S, max(0.0, end - time.monotonic())))
    if failure is not None:
        raise failure
    if broker is None:
        note(f"mq: {session.endpoint} answers, but does not serve")
        return 1
    if session.is_json:
        print_json({"serving": True, "broker": broker})
    else:
        columns = ("name", "node", "role", "version", "replication", "index", "applied", "segments", "up s")
        b = broker
        row = (b.name, b.node, b.role, b.version, b.replication, b.last_index, b.applied_index, b.segments, b.uptime_ms // 1000)
        print_table(columns, [row])
    return 0


def _ask(session: Session, *, needs_leader: bool) -> "BrokerView | None":
    """The broker, or None when it does not serve. Raises: MqError.

    needs_leader: a node of a group that has just started takes calls and has nobody to carry them out; who waits for it wants
    to go on with such a call. Without waiting, an election is no illness.
    """
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    # A new connection each time: one that failed would wait before it tries again.
    with session.connect() as connection:
        admin = AdminClient(connection)
        broker = admin.describe_broker() if connection.is_serving() else None
        is_led = broker is None or not needs_leader or broker.replication != "raft" or admin.describe_raft().leader is not None
        return broker if is_led else None
