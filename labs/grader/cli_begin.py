"""`mq lab start` and `mq lab catch-up`: a lab's folder in one's work, made without ever losing what is there."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import click

from labs.grader.cli_types import lab_argument
from labs.grader.growing import (
    GrowingError,
    Grown,
    carried_on,
    labs_before,
    methods_of,
    renamed,
    unasked_overrides,
    without,
    written_before,
)
from labs.grader.lab import Lab, is_for_students
from labs.grader.places import work_folder
from labs.grader.submission import Submission, SubmissionError, read_submission
from mq.cli.output import note, print_line

__all__ = ["carried_lines", "catch_up_command", "start_command"]

_FAILED = 1
_dir = click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=work_folder, show_default="work", help="Where your work lies."
)


class _Brought(NamedTuple):
    """What goes on from an earlier lab: files by name, the class among them."""

    source: Path
    files: dict[str, str]
    grown: Grown


@click.command("start")
@lab_argument
@_dir
def start_command(lab: Lab, folder: Path) -> int:
    """Copy a lab's skeleton into your work folder, with what you wrote of the same class before."""
    target = folder / lab.id
    if target.exists() or target.is_symlink():  # one that leads nowhere is there, too
        what = f"holds the reference of {lab.short}, and nothing of yours" if _is_reference(lab, target) else "is there already"
        note(f"{target} {what}, and is left as it is. To begin anew, move it away first.")
        return _FAILED
    try:
        brought = _brought(lab, folder)
    except (GrowingError, SubmissionError, OSError) as error:
        note(f"{error}")
        note(f"Mend it and start again, or begin this lab without it: mq lab catch-up {lab.short}")
        return _FAILED
    _write_skeleton(lab, target, {} if brought is None else brought.files)
    hours = f"{lab.hours} hour" if lab.hours == "1" else f"{lab.hours} hours"
    what = f"{len(lab.texts)} files" if not lab.files else f"{len(lab.blanks)} methods" if lab.blanks else "nothing"
    print_line(f"{target}: {what} to write, {hours}. Begin with {target / 'README.md'}")
    for line in (() if brought is None else _brought_lines(lab, brought)) or _nothing_brought(lab, folder):
        print_line(line)
    print_line(f"then: mq lab check {lab.short}")
    return 0


def _is_reference(lab: Lab, target: Path) -> bool:
    """As `catch-up` writes it, and nothing else. It lies beside one's own work now, and did not always."""
    if is_for_students() or lab.runs is not None or not target.is_dir():
        return False
    from labs.grader.skeleton import solution_of  # noqa: PLC0415 - for this sentence only

    files = {name: text.encode() for name, text in solution_of(lab).items()}
    there = {each.name for each in target.iterdir() if each.name != "__pycache__"}
    return there == set(files) and all((target / name).read_bytes() == data for name, data in files.items())


def _write_skeleton(lab: Lab, target: Path, instead: dict[str, str]) -> None:
    target.mkdir(parents=True)
    for file in sorted((lab.folder / "skeleton").glob("*.*")):
        (target / file.name).write_bytes(file.read_bytes())
    (target / "README.md").write_bytes((lab.folder / "README.md").read_bytes())
    for name, text in instead.items():
        (target / name).write_text(text, encoding="utf-8")


def _brought(lab: Lab, folder: Path) -> _Brought | None:
    """From the newest of the labs before that was begun. Raises: GrowingError, SubmissionError, naming the file; OSError."""
    found = next((each for each in labs_before(lab) if (folder / each.id / lab.organ_file).exists()), None)
    if found is None:
        return None
    source = folder / found.id
    texts = {
        name: renamed(_decoded(source / name, data), found.id, lab.id)
        for name, data in read_submission(source, lab.organ_file).files.items()
        if name != "__init__.py"
    }
    skeleton = (lab.folder / "skeleton" / lab.organ_file).read_text(encoding="utf-8")
    try:
        grown = carried_on(lab, texts[lab.organ_file], skeleton)
    except GrowingError as error:
        raise GrowingError(f"{source / lab.organ_file} cannot be carried on: {error}.") from error
    return _Brought(source / lab.organ_file, {**texts, lab.organ_file: grown.text}, grown)


def _decoded(file: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")  # as Python counts lines
    except UnicodeDecodeError as error:
        raise GrowingError(f"{file} cannot be carried on: it is no text in UTF-8 (byte {error.start}).") from error


def _brought_lines(lab: Lab, brought: _Brought) -> list[str]:
    grown, lines = brought.grown, list[str]()
    if grown.carried:
        lines.append(f"from {brought.source}: {_counted(grown.carried)} of yours; they count here, too")
    if lab.runs is not None:
        lines += _missing_lines(lab, grown.carried)
    elif grown.left_out:
        lines.append(f"not written there, so ours stand in their place: {', '.join(grown.left_out)}")
    if grown.there:
        lines.append(f"written there already, and taken as they are: {', '.join(grown.there)}")
    others = sorted(name for name in brought.files if name != lab.organ_file)
    if others:
        lines.append(f"your other files came along: {', '.join(others)}")
    return lines


def _missing_lines(lab: Lab, carried: Sequence[str]) -> list[str]:
    """Of a lab that asks for the whole class: what is still missing in it, lab by lab, the first one first."""
    assert lab.gather is not None
    missing = {each.spoken: [name for name in methods_of([each]) if name not in carried] for each in reversed(labs_before(lab))}
    if not any(missing.values()):
        return []
    heading = f"still missing in your class `{lab.gather.name}`, and nothing of ours stands in their place here:"
    return [heading, *(f"  {spoken}: {', '.join(names)}" for spoken, names in missing.items() if names)]


def _nothing_brought(lab: Lab, folder: Path) -> list[str]:
    """The same, where no earlier lab was begun there."""
    before = labs_before(lab)
    if lab.runs is None or not before:
        return []
    what = f"the whole class of {before[-1].spoken} to {before[0].spoken}, and nothing of ours stands in its place"
    return [f"{folder} has no {lab.organ_file} of an earlier lab: {lab.spoken} asks for {what}; copy yours here"]


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} method{'s' * (len(names) != 1)}"


# --- catching up


@click.command("catch-up")
@lab_argument
@_dir
def catch_up_command(lab: Lab, folder: Path) -> int:
    """Go on where you are not done: a working base for this lab, or a solution of it. Your own work is kept.

    Where a class grows from lab to lab (stage 3), the methods of the labs before are taken out of this lab's file, and ours are
    inherited; the file as it was is kept beside it. In other labs a working solution is written beside your work, into
    LAB_reference, as a base for the next one.
    """
    if lab.runs is not None:
        note(f"{lab.spoken} asks for the whole of your own class: nothing of ours stands in the place of what is missing there.")
        return _FAILED
    if not labs_before(lab):
        return _solution_of(lab, folder)
    target = folder / lab.id
    if (target.exists() and not target.is_dir()) or (target / lab.organ_file).is_symlink():
        note(f"{target} is no folder with a {lab.organ_file} of its own, and is left as it is. Move it away first.")
        return _FAILED
    try:
        return _base_of(lab, target)
    except OSError as error:
        note(f"{error.filename or target}: {error.strerror or error}")
        return _FAILED


def _base_of(lab: Lab, target: Path) -> int:
    """Raises: OSError."""
    file, before = target / lab.organ_file, _spoken_before(lab)
    skeleton = (lab.folder / "skeleton" / lab.organ_file).read_text(encoding="utf-8")
    if not file.exists():
        if target.exists():
            file.write_text(skeleton, encoding="utf-8")
        else:
            _write_skeleton(lab, target, {})
        print_line(f"{file}: {len(lab.blanks)} methods to write. What {before} asked for is inherited, and works.")
        return _then(lab)
    try:
        shorter, gone = without(lab, _decoded(file, file.read_bytes()))
        grown = carried_on(lab, shorter, skeleton)
    except GrowingError as error:
        aside = _put_aside(file)
        file.write_text(skeleton, encoding="utf-8")
        note(f"Nothing of {file} could be taken over: {error}")
        print_line(f"{file}: begun anew, {len(lab.blanks)} methods to write. Your file as it was is kept as {aside}")
        return _then(lab)
    if not gone and not grown.added:
        print_line(f"{file} has no method of {before}: they are inherited already. Nothing was changed.")
        return 0
    return _took_out(lab, file, grown, gone)


def _spoken_before(lab: Lab) -> str:
    """Such as "lab 3a and lab 3b"."""
    names = [each.spoken for each in reversed(labs_before(lab))]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _took_out(lab: Lab, file: Path, grown: Grown, gone: Sequence[str]) -> int:
    aside = _put_aside(file)
    file.write_text(grown.text, encoding="utf-8")
    if gone:
        print_line(f"{file}: {_counted(gone)} of {_spoken_before(lab)} taken out; ours are inherited in their place")
    if grown.added:
        print_line(f"to be written: {', '.join(grown.added)}")
    if strange := unasked_overrides(lab, grown.text):
        print_line(f"what no lab asks for is left in, and takes the place of ours: {', '.join(strange)}")
    print_line(f"Your file as it was is kept as {aside}")
    return _then(lab)


def _then(lab: Lab) -> int:
    print_line(f"then: mq lab check {lab.short}")
    return 0


def _put_aside(file: Path) -> Path:
    """A copy under a name that is not there yet, and that nobody takes for a part of the work."""
    names = (f"{file.name}.before_catch_up{f'_{number}' if number > 1 else ''}" for number in count(1))
    aside = next(file.with_name(name) for name in names if not file.with_name(name).exists())
    with aside.open("xb") as copy:
        copy.write(file.read_bytes())
    return aside


def _solution_of(lab: Lab, folder: Path) -> int:
    from labs.grader.skeleton import solution_of, write_all  # noqa: PLC0415 - for this command only

    if is_for_students():
        note("there is no solution in a repository for students; ask your teacher for one")
        return _FAILED
    target = folder / f"{lab.id}_reference"  # beside one's own work, also when that is begun later
    if target.exists():
        note(f"{target} is there already, and is left as it is.")
        return _FAILED
    write_all(target, solution_of(lab))
    print_line(f"{target}: the reference of {lab.short}")
    if lab.seam.organ.__module__.startswith("mq."):
        print_line(f"run it: mq broker --data .mq/{lab.short} --parts {target}")
    else:
        print_line(f"its tests: mq lab check {lab.short} {target}")
    return 0


# --- what a check says


def carried_lines(lab: Lab, submission: Submission) -> list[str]:
    """When a test of this lab fails, a method of an earlier one may be what is wrong: what one that fails is told."""
    before, data = () if lab.runs is not None else labs_before(lab), submission.files.get(lab.organ_file, b"")
    try:
        there = {*written_before(lab, data.decode("utf-8-sig", "replace"))} if before else set()
    except GrowingError:
        return []
    held = [(each.spoken, len(there.intersection(methods_of([each])))) for each in reversed(before)]
    told = ", ".join(f"{number} of {spoken}" for spoken, number in held if number)
    return [f"          methods of yours that count here, too: {told}; without them: mq lab catch-up {lab.short}"] if told else []
