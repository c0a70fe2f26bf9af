"""The commands of `mq lab` for teachers."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from labs.grader.cli_types import LabType, lab_argument
from labs.grader.lab import Lab, all_labs, is_for_students
from mq.cli.output import print_line

__all__ = ["KEY_VARIABLE", "key_of", "release_command", "zip_command"]

KEY_VARIABLE = "MQ_COURSE_KEY"
HOW_TO_MAKE_A_KEY = "Make one: python3 -c 'import secrets; print(secrets.token_hex(16))' > course.key"


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


def key_of(seed: int | None, key_file: Path | None) -> str:
    """The course's key, from where it is said to be, without what stands around it. Empty: the public one.

    Raises: UsageError when it cannot be read, or the file holds none.
    """
    if seed is not None:
        return str(seed)
    try:
        found = os.environ.get(KEY_VARIABLE, "") if key_file is None else key_file.read_text(encoding="utf-8")
        key = found.strip().encode().decode()
    except (OSError, UnicodeError) as error:
        raise click.UsageError(f"the key cannot be read: {error}") from error
    if key_file is not None and not key:
        raise click.UsageError(f"{key_file} holds no key. {HOW_TO_MAKE_A_KEY}")
    return key


@click.command("zip")
@lab_argument
@click.option("--key-file", type=click.Path(path_type=Path), help="Holds the course's key; else it is taken from MQ_COURSE_KEY.")
@click.option("--out", "file", type=click.Path(path_type=Path), help="The zip file. Else autograder_LAB.zip, here.")
def zip_command(lab: Lab, key_file: Path | None, file: Path | None) -> None:
    """Pack Gradescope's autograder for a lab. It holds the reference and your key: show it to nobody."""
    from labs.grader.archive import write_zip  # noqa: PLC0415 - for this command only
    from labs.grader.release import ReleaseError  # noqa: PLC0415

    key = key_of(None, key_file)
    if not key:
        raise click.UsageError(f"marks need a key that no student knows: --key-file FILE, or {KEY_VARIABLE}. {HOW_TO_MAKE_A_KEY}")
    if is_for_students():
        raise click.UsageError("this is a repository for students: what gives marks is in the whole one")
    if lab.runs is not None:
        raise click.UsageError(
            f"{lab.spoken} runs three nodes of its own, in containers that Gradescope's container cannot start; give marks with:"
            f" mq lab grade {lab.short} DIR --container"
        )
    target = file or Path(f"autograder_{lab.short}.zip")
    try:
        count = write_zip(lab, target, key.encode())
    except ReleaseError as error:
        raise click.UsageError(str(error)) from error
    print_line(
        f"{target}: {count} files, {target.stat().st_size >> 10} KiB. It holds your key and the reference: keep it to yourself."
    )
