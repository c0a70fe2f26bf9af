"""`mq raft`."""

import time
from typing import TYPE_CHECKING, NoReturn

import click

from mq.cli.options import LOOK_S_MAX, Session, client_command, client_command_within
from mq.cli.output import note, print_json, print_line, print_table

if TYPE_CHECKING:
    from mq.cli.group_watch import NodeLine
    from mq.client.raft_views import RaftView

__all__ = ["raft_command", "show", "watch_lines"]

_LOOK_EVERY_S, _WATCH_EVERY_S = 0.2, 1.0
_NO_ANSWER = "no answer: dead, paused, or it turns clients away because it hears no leader; `mq cluster status` tells"
_WHERE = (
    "`mq cluster status --dir DIR` shows which nodes run and where they listen, for --endpoint or MQ_ENDPOINT "
    "(of `mq cluster up --port PORT` node 1 is at PORT + 10)"
)
_NODE = click.IntRange(1, 255)


@click.group("raft")
def raft_command() -> None:
    """Look at the nodes of a broker group, change who leads and who belongs to it.

    Any node of the group can be asked.
    """


@raft_command.command("status")
@client_command_within(LOOK_S_MAX)
@click.option("-w", "--watch", "is_watched", is_flag=True, help="Again every second, until Ctrl-C.")
def _status(session: Session, is_watched: bool) -> int:  # noqa: FBT001 - click calls it so
    """Show every node: role, term, how far its log goes, what is committed.

    FIRST and LAST: the entries that a node's log holds; DURABLE, COMMIT, APPLIED: up to which of them it is synced, known to be
    on a majority, and carried out. SNAPSHOT: up to which a snapshot stands for the log. LAG: entries it has still to
    carry out of what is committed. PER S: entries carried out in a second, with --watch. An entry may hold a batch of many
    messages, so these numbers are no numbers of messages.

    A node without an answer is dead, is paused, or turns clients away because it hears no leader: `mq cluster status` tells.
    """
    from mq.cli.group_watch import GroupWatch  # noqa: PLC0415

    if is_watched and session.is_json:
        watch_lines(session)
    if is_watched:
        from mq.cli.top import watch  # noqa: PLC0415 - rich is slow to load

        return watch(session, has_peers=False)
    with GroupWatch(session.endpoint, timeout_s=session.timeout_s) as group:
        return show(session, group.look())


def watch_lines(session: Session) -> NoReturn:
    """A look at the group each second, as JSON in a line of its own, until Ctrl-C."""
    from mq.cli.group_watch import GroupWatch  # noqa: PLC0415

    with GroupWatch(session.endpoint, timeout_s=session.timeout_s) as group:
        while True:
            print_json(as_data(group.look()), is_line=True)
            time.sleep(_WATCH_EVERY_S)


def as_data(lines: "list[NodeLine]") -> dict[str, object]:
    """All nodes as JSON."""
    return {
        "nodes": [line.view for line in lines if line.view is not None],
        "unreachable": [{"node": line.node, "client": line.client} for line in lines if line.view is None],
    }


def show(session: Session, lines: "list[NodeLine]") -> int:
    """Print one look at the group; exit code 3 when nobody answered."""
    from mq.cli.failing import UNREACHABLE  # noqa: PLC0415
    from mq.cli.group_watch import COLUMNS, leader_of, members_text, row_of  # noqa: PLC0415

    answering = [line.view for line in lines if line.view is not None]
    if session.is_json:
        print_json(as_data(lines))
    elif answering:
        print_table(COLUMNS, map(row_of, lines))
        if len(answering) < len(lines):
            note(_NO_ANSWER)
        leader = leader_of(lines)
        note(members_text(leader or answering[0]) + ("" if leader is not None else "; no leader answers"))
        for view in answering:
            for organ in view.organs:
                if not organ.class_name.startswith("mq."):
                    note(f"node {view.node}: {organ.name} is {organ.class_name}, called {organ.calls:,} times")
    if not answering:
        note(f"mq: no node answers at {session.endpoint}; {_WHERE}")
        return UNREACHABLE
    return 0


@raft_command.command("transfer")
@client_command
@click.argument("node", type=_NODE)
def _transfer(session: Session, node: int) -> None:
    """Let NODE lead the group; clients do not notice."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        leader = AdminClient(connection).transfer_leadership(node)
    if session.is_json:
        print_json({"leader": leader})
    else:
        note(f"node {leader} leads")


@raft_command.command("add")
@client_command
@click.argument("node", type=_NODE)
@click.option("--peer", required=True, metavar="HOST:PORT", help="Where the other nodes reach it.")
@click.option("--client", default="", metavar="HOST:PORT", help="What clients are told.  [default: as the node itself says]")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0, 86_400), default=600.0, show_default=True, metavar="SECS",
    help="Limit for it to catch up.",
)  # fmt: skip
@click.option("--learner", "stays_learner", is_flag=True, help="Leave it a learner: it gets the log, and has no vote.")
def _add(session: Session, node: int, peer: str, client: str, wait_s: float, stays_learner: bool) -> int:  # noqa: FBT001 - click calls it so
    """Add NODE to the group: it takes the log as a learner, and becomes a voter when it has caught up.

    Start it with an empty folder, its own number, and --peers of all members and itself.
    """
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        admin = AdminClient(connection)
        members = admin.add_learner(node, peer, client)
        note(f"node {node} is a learner")
        if not stays_learner:
            try:
                has_caught_up = _await_caught_up(session, node, wait_s)
            except KeyboardInterrupt:
                note(f"mq: node {node} stays a learner; `add` goes on, and `mq raft remove {node}` takes it back")
                raise
            if not has_caught_up:
                note(
                    f"mq: node {node} has not caught up within {wait_s:g} s (does it run?); it stays a learner, and `add` goes on"
                )
                return 1
            members = admin.promote(node)
            note(f"node {node} is a voter")
    if session.is_json:
        print_json(members)
    else:
        print_line("voters " + ", ".join(map(str, members.voters)))
    return 0


def _await_caught_up(session: Session, node: int, wait_s: float) -> bool:
    """Show how far it is, until it is as far as the leader was when this began, and answers."""
    from mq.cli.group_watch import GroupWatch, leader_of  # noqa: PLC0415
    from mq.cli.progress import progress  # noqa: PLC0415

    end_s, wanted, shown = time.monotonic() + wait_s, 0, 0
    with GroupWatch(session.endpoint) as group:
        leader = leader_of(group.look())
        wanted = leader.last_index if leader is not None else 0
        with progress(f"node {node} takes the log", wanted or None) as advance:
            while time.monotonic() < end_s:
                at = _match_of(leader_of(group.look()), node)
                if at is not None:
                    advance(min(at, wanted) - shown)
                    shown = min(at, wanted)
                    if at >= wanted:
                        return True
                time.sleep(_LOOK_EVERY_S)
    return False


def _match_of(leader: "RaftView | None", node: int) -> int | None:
    """How far the node's log goes, as the leader knows; None while it does not take entries as they come."""
    peers = leader.peers if leader is not None else ()
    return next((peer.match_index for peer in peers if peer.node == node and peer.state == "replicate"), None)


@raft_command.command("remove")
@client_command
@click.argument("node", type=_NODE)
def _remove(session: Session, node: int) -> None:
    """Take NODE out of the group; a leader hands over first. Then stop its process."""
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415

    with session.connect() as connection:
        members = AdminClient(connection).remove_member(node)
    if session.is_json:
        print_json(members)
    else:
        note(f"node {node} is no member any more")
        print_line("voters " + ", ".join(map(str, members.voters)))
