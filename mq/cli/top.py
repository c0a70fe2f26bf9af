"""`mq top`: a group, live."""

import shutil
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mq.cli.options import LOOK_S_MAX, Session, client_command_within

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mq.cli.group_watch import NodeLine

__all__ = ["top_command", "watch"]

_LOOK_EVERY_S = 1.0
_WIDE_COLUMNS = 110
_HIDDEN_WHEN_NARROW = ("leader", "first", "snapshot", "client")
_PEER_COLUMNS = ("to node", "state", "match", "next", "in flight", "heard", "behind")


@click.command("top")
@client_command_within(LOOK_S_MAX)
@click.option(
    "-w", "--watch", "is_watched", is_flag=True, help="Again every second, until Ctrl-C; so it is in a terminal anyway."
)
def top_command(session: Session, is_watched: bool) -> int:  # noqa: FBT001 - click calls it so
    """Watch a broker group: roles, terms, log ends, commit points, entries per second, and what its leader knows of the rest.

    LAST, DURABLE, COMMIT, APPLIED: how far a node's log goes, is synced, is known to be on a majority, and has been carried out.
    LAG: entries it has still to carry out of what is committed. PER S: entries carried out in a second. MATCH: how far a
    follower's log is known to be like the leader's; NEXT: the entry that is sent next; BEHIND: what it still lacks.
    """
    import sys  # noqa: PLC0415

    from mq.cli.group_watch import GroupWatch  # noqa: PLC0415
    from mq.cli.raft import show, watch_lines  # noqa: PLC0415

    if is_watched and session.is_json:
        watch_lines(session)
    if not session.is_json and (is_watched or sys.stdout.isatty()):
        return watch(session, has_peers=True)
    with GroupWatch(session.endpoint, timeout_s=session.timeout_s) as group:
        group.look()
        time.sleep(_LOOK_EVERY_S)  # for the rates
        return show(session, group.look())


def watch(session: Session, *, has_peers: bool) -> int:
    """Show the group until Ctrl-C. has_peers: also what the leader knows of the others."""
    from rich.live import Live  # noqa: PLC0415

    from mq.cli.group_watch import GroupWatch  # noqa: PLC0415

    with GroupWatch(session.endpoint, timeout_s=session.timeout_s) as group, Live(auto_refresh=False) as live:
        while True:
            live.update(picture(group.look(), has_peers=has_peers), refresh=True)
            time.sleep(_LOOK_EVERY_S)


def picture(lines: "Sequence[NodeLine]", *, has_peers: bool) -> "RenderableType":
    """The group at one moment."""
    from rich.console import Group  # noqa: PLC0415

    from mq.cli.group_watch import COLUMNS, leader_of, members_text, row_of  # noqa: PLC0415

    hidden = _HIDDEN_WHEN_NARROW if shutil.get_terminal_size().columns < _WIDE_COLUMNS else ()
    shown = [number for number, name in enumerate(COLUMNS) if name not in hidden]
    leader = leader_of(lines)
    title = "no leader answers" if leader is None else f"{leader.name}: {members_text(leader)}"
    cells = [([row[number] for number in shown], _style(line)) for line in lines for row in (row_of(line),)]
    parts = [title, _table([COLUMNS[number] for number in shown], cells)]
    if has_peers and leader is not None:
        rows = [
            (p.node, p.state, p.match_index, p.next_index, p.in_flight, "yes" if p.is_active else "no", p.lag)
            for p in leader.peers
        ]
        parts += ["", f"what the leader, node {leader.node}, knows:", _table(_PEER_COLUMNS, [(row, "") for row in rows])]
    return Group(*parts)


def _style(line: "NodeLine") -> str:
    if line.view is None:
        return "red"
    return "bold green" if line.view.role == "leader" else ""


def _table(columns: Sequence[str], rows: "Sequence[tuple[Sequence[object], str]]") -> "RenderableType":
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold")
    for name in columns:
        table.add_column(name.upper(), justify="left" if name in {"role", "state", "client", "heard"} else "right")
    for cells, style in rows:
        table.add_row(*map(str, cells), style=style)
    return table
