"""`mq cluster groups`, `drain` and `undrain`: the broker groups of a cluster, as a registry node knows them."""

from typing import TYPE_CHECKING

import click

from mq.cli.options import Session, client_command
from mq.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from mq.registry.view import RegistryView
    from mq.rpc.calling import Connection

__all__ = ["drain_command", "groups_at", "groups_command", "undrain_command"]

_COLUMNS = ("node", "role", "address", "epoch", "applied", "lag", "silent ms", "topics")


@click.command("groups")
@client_command
def groups_command(session: Session) -> None:
    """Show the broker groups that the registry at --endpoint knows: who leads each, and how far its nodes are.

    EPOCH: Raft's term. APPLIED: the log entry up to which the node's state has come; LAG: entries that it knows to be committed
    and has not applied. SILENT MS: since the node registered last. TOPICS: of its group.
    """
    with session.connect() as connection:
        view = groups_at(connection)
    if session.is_json:
        print_json(view)
        return
    _print(view)


def groups_at(connection: "Connection") -> "RegistryView":
    """What the registry at the other end knows. Raises: RefusedError, when it is none."""
    from mq.core.errors import Code, RefusedError  # noqa: PLC0415
    from mq.rpc.registry_client import describe_cluster  # noqa: PLC0415

    try:
        return describe_cluster(connection)
    except RefusedError as refusal:
        if refusal.code != Code.NOT_IMPLEMENTED:
            raise
        raise RefusedError(
            Code.NOT_IMPLEMENTED, f"{connection.where} is no registry; `mq raft status` shows a broker's group"
        ) from None


def _print(view: "RegistryView") -> None:
    rows = [
        (
            f"{group.name}-{node.node}",
            str(node.role),
            node.address,
            node.epoch,
            node.applied,
            node.lag,
            node.silent_ms,
            group.topics,
        )
        for group in view.groups
        for node in group.nodes
    ]
    print_table(_COLUMNS, rows)
    for group in view.groups:
        if group.leader is None:
            note(f"{group.name}: no node says that it leads")
        if not group.is_writable:
            note(f"{group.name} takes no messages: it is drained (`mq cluster undrain {group.name}` ends that)")
    if not view.groups:
        note("no broker has registered here")


@click.command("drain")
@client_command
@click.argument("broker")
def drain_command(session: Session, broker: str) -> None:
    """Take write permission from broker group BROKER, such as broker-b: producers go elsewhere, consumers empty it.

    It stays so until `mq cluster undrain`, also over restarts. --endpoint: a registry node, or a broker of the group.
    """
    _set_writable(session, broker, is_writable=False)
    if not session.is_json:
        note(f"{broker} takes no messages any more; what it has can be received as before")


@click.command("undrain")
@client_command
@click.argument("broker")
def undrain_command(session: Session, broker: str) -> None:
    """Give broker group BROKER its write permission back."""
    _set_writable(session, broker, is_writable=True)
    if not session.is_json:
        note(f"{broker} takes messages")


def _set_writable(session: Session, broker: str, *, is_writable: bool) -> None:
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        AdminClient(connection).set_writable(broker, is_writable=is_writable)
    if session.is_json:
        print_json({"broker": broker, "is_writable": is_writable})
