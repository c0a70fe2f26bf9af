"""`mq top`: a group, live."""

import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from mq.cli.options import LOOK_S_MAX, Session, client_command_within
from mq.cli.output import print_line, terminal_width

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mq.cli.group_watch import NodeLine

__all__ = ["top_command", "watch"]

_LOOK_EVERY_S = 1.0
_WIDE_COLUMNS, _UNLIMITED_COLUMNS = 110, 400
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
    """Show the group until Ctrl-C. has_peers: also what the leader knows of the others.

    In a terminal that can do it, one picture in place of the other; elsewhere, as in a file, one below the other.
    """
    import sys  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    from mq.cli.group_watch import GroupWatch  # noqa: PLC0415

    console = Console()
    is_live = sys.stdout.isatty() and not console.is_dumb_terminal
    with (
        GroupWatch(session.endpoint, timeout_s=session.timeout_s) as group,
        Live(console=console, auto_refresh=False) if is_live else nullcontext() as live,
    ):
        while True:
            lines = group.look()
            if live is None:
                print_line(_as_text(lines, has_peers=has_peers))
            else:
                live.update(picture(lines, has_peers=has_peers), refresh=True)
            time.sleep(_LOOK_EVERY_S)


def _as_text(lines: "Sequence[NodeLine]", *, has_peers: bool) -> str:
    """The picture without colours, and when it was; whole where there is no width to keep to."""
    import io  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    columns = min(terminal_width(), _UNLIMITED_COLUMNS)
    out = io.StringIO()
    Console(file=out, width=columns, color_system=None).print(picture(lines, has_peers=has_peers, columns=columns))
    picture_lines = "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
    return f"{time.strftime('%H:%M:%S')}  {picture_lines}"


def picture(lines: "Sequence[NodeLine]", *, has_peers: bool, columns: int | None = None) -> "RenderableType":
    """The group at one moment. columns: so wide it may be; None for as wide as the terminal."""
    from rich.console import Group  # noqa: PLC0415

    from mq.cli.group_watch import COLUMNS, leader_of, members_text, row_of  # noqa: PLC0415

    columns = shutil.get_terminal_size().columns if columns is None else columns
    hidden = _HIDDEN_WHEN_NARROW if columns < _WIDE_COLUMNS else ()
    shown = [number for number, name in enumerate(COLUMNS) if name not in hidden]
    leader = leader_of(lines)
    title = _nobody(lines) if leader is None else f"{leader.name}: {members_text(leader)}"
    cells = [([row[number] for number in shown], _style(line)) for line in lines for row in (row_of(line),)]
    parts = [title, _table([COLUMNS[number] for number in shown], cells)]
    if has_peers and leader is not None:
        rows = [
            (p.node, p.state, p.match_index, p.next_index, p.in_flight, "yes" if p.is_active else "no", p.lag)
            for p in leader.peers
        ]
        parts += ["", f"what the leader, node {leader.node}, knows:", _table(_PEER_COLUMNS, [(row, "") for row in rows])]
    return Group(*parts)


def _nobody(lines: "Sequence[NodeLine]") -> str:
    """In place of who leads; a narrow picture has no column for where was looked."""
    if any(line.view is not None for line in lines):
        return "no leader answers"
    return f"no node answers at {', '.join(line.client for line in lines)}; `mq cluster status --dir DIR` shows which nodes run"


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
