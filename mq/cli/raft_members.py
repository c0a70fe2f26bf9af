"""`mq raft transfer`, `add` and `remove`: who leads a group, and who belongs to it."""

import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mq.cli.options import Number, Session, client_command
from mq.cli.output import note, print_json, print_line

if TYPE_CHECKING:
    from mq.client.raft_views import PeerView, RaftView
    from mq.rpc.admin_client import AdminClient

__all__ = ["add_command", "remove_command", "transfer_command"]

_NODE_MAX = 255
_LOOK_EVERY_S = 0.2
_HEARD_S_MAX = 4.0
"""So long a node may take to start, and to greet the leader, before somebody is told that it has not."""
_PROBE_S_MAX = 1.0


class _Name(NamedTuple):
    """group: empty when only the number was given."""

    group: str
    number: int


class _NameType(click.ParamType[_Name]):
    name = "node"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _Name:
        """`2` or `broker-a-2`, as the commands of `mq cluster` print it."""
        group, _, number = str(value).rpartition("-")
        if not number.isdecimal() or not 1 <= int(number) <= _NODE_MAX or str(value).startswith("-"):
            self.fail(f"{value!r} is neither a node's number, such as 2, nor its name, such as broker-a-2", param, ctx)
        return _Name(group, int(number))


_NODE = _NameType()


def _number_of(admin: "AdminClient", node: _Name) -> int:
    """Raises: click.BadParameter when the name is of another group than the one that is asked."""
    if node.group and (group := admin.describe_raft().name) != node.group:
        raise click.BadParameter(f"{node.group}-{node.number}: the nodes that are asked are of {group}", param_hint="NODE")
    return node.number


@click.command("transfer")
@client_command
@click.argument("node", type=_NODE)
def transfer_command(session: Session, node: _Name) -> None:
    """Let NODE, a number or a name such as broker-a-2, lead the group; clients do not notice."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC is slow to load

    with session.connect() as connection:
        admin = AdminClient(connection)
        leader = admin.transfer_leadership(_number_of(admin, node))
    if session.is_json:
        print_json({"leader": leader})
    else:
        note(f"node {leader} leads")


@click.command("add")
@client_command
@click.argument("node", type=_NODE)
@click.option("--peer", required=True, metavar="HOST:PORT", help="Where the other nodes reach it (its --peer-listen).")
@click.option("--client", default="", metavar="HOST:PORT", help="What clients are told.  [default: as the node itself says]")
@click.option(
    "--wait", "wait_s", type=Number(0, 86_400), default=600.0, show_default=True, metavar="SECS", help="Limit for it to catch up."
)
@click.option("--learner", "stays_learner", is_flag=True, help="Leave it a learner: it gets the log, and has no vote.")
def add_command(session: Session, node: _Name, peer: str, client: str, wait_s: float, stays_learner: bool) -> int:  # noqa: FBT001 - click calls it so
    """Add NODE to the group: it takes the log as a learner, and becomes a voter when it has caught up.

    Start it with `mq broker`, an empty folder, its own number, --peers of all members and itself, and the secret of the others
    (--cluster-secret-file; that of `mq cluster up` is cluster.secret in its folder). README has all of it as commands.
    """
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        admin = AdminClient(connection)
        number = _number_of(admin, node)
        _refuse_client_address(session, admin, peer)
        members = admin.add_learner(number, peer, client)
        note(f"node {number} is a learner")
        if not stays_learner:
            try:
                has_caught_up = _await_caught_up(session, number, peer, wait_s)
            except KeyboardInterrupt:
                note(f"mq: node {number} stays a learner; `add` goes on, and `mq raft remove {number}` takes it back")
                raise
            if not has_caught_up:
                note(f"mq: node {number} has not caught up within {wait_s:g} s (does it run?); it stays a learner; `add` goes on")
                return 1
            members = admin.promote(number)
            note(f"node {number} is a voter")
    if session.is_json:
        print_json(members)
    else:
        print_line("voters " + ", ".join(map(str, members.voters)))
    return 0


def _refuse_client_address(session: Session, admin: "AdminClient", peer: str) -> None:
    """A node that dials the others itself may catch up all the same, and is not found when they have to dial it.

    Raises: click.BadParameter, IllegalArgumentError.
    """
    from mq.core.address import parse_address, show_address  # noqa: PLC0415
    from mq.rpc.calling import parse_endpoints  # noqa: PLC0415

    place = show_address(parse_address(peer, "peer"))
    known = {address.client for address in admin.describe_raft().addresses} | set(
        map(show_address, parse_endpoints(session.endpoint))
    )
    if place in known:
        raise click.BadParameter(
            f"{place} is where clients connect; give the address where its node listens for other nodes (--peer-listen)",
            param_hint="--peer",
        )


def _await_caught_up(session: Session, node: int, peer: str, wait_s: float) -> bool:
    """Show how far it is, until it is as far as the leader was when this began, and answers."""
    from mq.cli.group_watch import GroupWatch, leader_of  # noqa: PLC0415
    from mq.cli.progress import progress  # noqa: PLC0415

    began_s, wanted, shown = time.monotonic(), 0, 0
    is_told = _is_told_that_nobody_listens(node, peer)
    with GroupWatch(session.endpoint) as group:
        leader = leader_of(group.look())
        wanted = leader.last_index if leader is not None else 0
        with progress(f"node {node} takes the log", wanted or None) as advance:
            while (passed_s := time.monotonic() - began_s) < wait_s:
                known = _known_of(leader_of(group.look()), node)
                if known is not None and known.state == "replicate":
                    at = known.match_index
                    advance(min(at, wanted) - shown)
                    shown = min(at, wanted)
                    if at >= wanted:
                        return True
                elif not is_told and passed_s >= _HEARD_S_MAX and (known is None or not known.is_active):
                    note(f"node {node} is not heard at {peer} yet: does it run, and is that its --peer-listen address?")
                    is_told = True
                time.sleep(_LOOK_EVERY_S)
    return False


def _is_told_that_nobody_listens(node: int, peer: str) -> bool:
    """Of this machine's own addresses that can be seen at once; it may still be about to start."""
    from mq.core.address import parse_address  # noqa: PLC0415

    host, port = parse_address(peer, "peer")
    if host not in {"127.0.0.1", "localhost", "::1"}:
        return False
    try:
        socket.create_connection((host, port), _PROBE_S_MAX).close()
    except OSError:
        note(f"nobody listens at {peer} yet: does node {node} run, and is that its --peer-listen address?")
        return True
    return False


def _known_of(leader: "RaftView | None", node: int) -> "PeerView | None":
    """What the leader knows of the node; its `match_index` counts while it takes entries as they come."""
    peers = leader.peers if leader is not None else ()
    return next((peer for peer in peers if peer.node == node), None)


@click.command("remove")
@client_command
@click.argument("node", type=_NODE)
def remove_command(session: Session, node: _Name) -> None:
    """Take NODE, a number or a name such as broker-a-2, out of the group; a leader hands over first. Then stop its process."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        admin = AdminClient(connection)
        number = _number_of(admin, node)
        members = admin.remove_member(number)
    if session.is_json:
        print_json(members)
    else:
        note(f"node {number} is no member any more")
        print_line("voters " + ", ".join(map(str, members.voters)))
