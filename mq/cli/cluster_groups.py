"""`mq cluster groups`: the broker groups of a cluster, as a registry node knows them."""

from typing import TYPE_CHECKING

import click

from mq.cli.options import Session, client_command
from mq.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from mq.registry.view import RegistryView

__all__ = ["groups_command"]

_COLUMNS = ("node", "role", "address", "epoch", "applied", "lag", "silent ms", "topics")


@click.command("groups")
@client_command
def groups_command(session: Session) -> None:
    """Show the broker groups that the registry at --endpoint knows: who leads each, and how far its nodes are.

    EPOCH: Raft's term. APPLIED: the log entry up to which the node's state has come; LAG: entries that it knows to be committed
    and has not applied. SILENT MS: since the node registered last. TOPICS: of its group.
    """
    from mq.core.errors import Code, RefusedError  # noqa: PLC0415
    from mq.rpc.registry_client import describe_cluster  # noqa: PLC0415

    with session.connect() as connection:
        try:
            view = describe_cluster(connection)
        except RefusedError as refusal:
            if refusal.code != Code.NOT_IMPLEMENTED:
                raise
            raise RefusedError(
                Code.NOT_IMPLEMENTED, f"{connection.where} is no registry; `mq raft status` shows a broker's group"
            ) from None
    if session.is_json:
        print_json(view)
        return
    _print(view)


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
            note(f"{group.name} takes no messages: it is being drained")
    if not view.groups:
        note("no broker has registered here")
