"""The commands of `mq lab` for teachers."""

from collections.abc import Sequence
from pathlib import Path

import click

from labs.grader.cli_types import LabType
from labs.grader.lab import Lab, all_labs
from mq.cli.output import print_line

__all__ = ["release_command"]


@click.command("release")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--lab", "labs", type=LabType(), multiple=True, help="Only this lab; may be given several times. Else all.")
@click.option("--hollow", is_flag=True, help="Leave out what the labs ask for, in the place of sealing it.")
def release_command(folder: Path, labs: Sequence[Lab], hollow: bool) -> None:  # noqa: FBT001 - click calls it so
    """Write a repository for students into an empty folder: all they need, and no line of a solution."""
    from labs.grader.release import Kind, ReleaseError, release  # noqa: PLC0415 - for this command only

    try:
        count = release(folder, labs or all_labs(), Kind.NONE if hollow else Kind.SEALED)
    except ReleaseError as error:
        raise click.UsageError(str(error)) from error
    print_line(f"{folder}: {count} files, and no line of a solution among them")
    print_line(f"next: cd {folder} && git init && git add -A && git commit -m 'The labs'")
