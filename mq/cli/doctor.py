"""`mq doctor`: looks at this machine, a broker and a data folder, and says what to do."""

import textwrap
from pathlib import Path

import click

from mq.cli.options import Session, client_command
from mq.cli.output import note, print_json, print_line, terminal_width

__all__ = ["doctor_command"]


@click.command("doctor")
@client_command
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="MQ_BROKER_DATA", metavar="DIR", help="A broker's data folder to look at."
)
def doctor_command(session: Session, data: Path | None) -> int:
    """Check Python, packages, disk, clock, the broker at --endpoint, and a data folder.

    Nothing is changed, but that a small file is written and removed to see how fast the disk syncs. Exit code 1: something
    is broken; warnings alone are exit code 0.
    """
    from mq.cli.checks import run_checks  # noqa: PLC0415

    found = []
    for check in run_checks(session, data):
        found.append(check)
        if not session.is_json:
            _print(f"{check.status:5} {check.name:8} ", check.text)
            if check.advice:
                _print(f"{'':14} -> ", check.advice)
    is_well = all(check.status != "bad" for check in found)
    if session.is_json:
        print_json({"ok": is_well, "checks": found})
    elif not is_well:
        note("mq: something is broken, see above")
    return 0 if is_well else 1


def _print(head: str, text: str) -> None:
    """One finding; in a terminal its further lines stand below the first."""
    for line in textwrap.wrap(head + text, max(40, terminal_width()), subsequent_indent=" " * len(head), break_on_hyphens=False):
        print_line(line)
