"""`mq broker promote`: a person names the master."""

import click

from mq.cli.options import Session, client_command
from mq.cli.output import note, print_json

__all__ = ["promote_command"]


@click.command("promote")
@client_command
@click.option(
    "--alone", "is_alone", is_flag=True,
    help="With --copy sync: acknowledge without a slave until one has caught up. Also for a node that is the master already.",
)  # fmt: skip
@click.option(
    "--force", "is_forced", is_flag=True, help="Also where a master answers, or another node has more; what it has is lost."
)
def promote_command(session: Session, is_alone: bool, is_forced: bool) -> int:  # noqa: FBT001 - click calls it so
    """Make the node at --endpoint the master of its group (--replication master_slave).

    It begins a new epoch. Whoever was the master before gives way when it hears of that, and what it had acknowledged and not
    copied is gone. Until it hears of it there are two masters: nobody but you keeps them apart.
    """
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC is slow to load

    if "," in session.endpoint or ";" in session.endpoint:
        raise click.BadParameter("name one node: the one that is to be the master", param_hint="--endpoint")
    with session.connect() as connection:
        found = AdminClient(connection).promote_master(is_alone=is_alone, is_forced=is_forced)
    if session.is_json:
        print_json(found)
        return 0
    note(f"node {found.node} is the master of epoch {found.epoch}")
    if found.needs_slave:
        note("it copies synchronously: nothing is acknowledged before a slave has it. Without one: `mq broker promote --alone`")
    return 0
