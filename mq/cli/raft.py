"""`mq raft`."""

import time
from typing import TYPE_CHECKING, NoReturn

import click

from mq.cli.options import LOOK_S_MAX, Session, client_command_within
from mq.cli.output import note, print_json, print_table
from mq.cli.raft_members import add_command, remove_command, transfer_command

if TYPE_CHECKING:
    from mq.cli.group_watch import NodeLine

__all__ = ["raft_command", "show", "watch_lines"]

_WATCH_EVERY_S = 1.0
_WHERE = (
    "`mq cluster status --dir DIR` shows which nodes run and where they listen, for --endpoint or MQ_ENDPOINT "
    "(of `mq cluster up --port PORT` node 1 is at PORT + 10); of nodes that Compose made `docker compose ps` does"
)


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
    from mq.cli.group_watch import COLUMNS, leader_of, members_text, remarks_on, row_of  # noqa: PLC0415

    answering = [line.view for line in lines if line.view is not None]
    if session.is_json:
        print_json(as_data(lines))
    elif answering:
        print_table(COLUMNS, map(row_of, lines))
        for remark in remarks_on(lines):
            note(remark)
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


for _command in (transfer_command, add_command, remove_command):
    raft_command.add_command(_command)
