"""What a student hands in, taken in as bytes: no file of it is ever imported or run here, and no path that it made is followed.

Taken are Python files that lie flat in the folder and that are plain files of a modest size; of a lab that asks for texts alone,
no Python. What else lies there (tests, notes, caches) is left alone; a link in the place of a Python file is refused, for nobody
knows what stands behind it tomorrow.
"""

import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path

from labs.grader.told import ToldError
from labs.grader.zipped import BadZipError, files_in_zip

__all__ = ["Submission", "SubmissionError", "found_submission", "no_text_among", "place_of", "read_submission"]

_NAME = re.compile(r"_?[a-z][a-z0-9_]{0,60}\.py")
_LEFT_ALONE = re.compile(r"(?:test_|conftest|sitecustomize|usercustomize).*")
_FILES_MAX = 24
_FILE_BYTES_MAX = 256 << 10
_FOLDERS_DEEP_MAX = 3
_LEFT_ALONE_MAX = 100
_NAMED_MAX = 8


class SubmissionError(ToldError):
    """What was handed in cannot be graded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Files by name. mark: a fingerprint of all of them; the same files always get the same secret seeds.

    left_alone: other Python files that lay there, from the organ's folder, to tell of when somebody misses them.
    """

    files: Mapping[str, bytes]
    left_alone: tuple[str, ...] = field(default=(), compare=False)

    @property
    def texts(self) -> dict[str, str]:
        """Those that are no Python: they are read here, and never run. Some editors begin them with a sign of their encoding."""
        return {name: data.decode("utf-8-sig", "replace") for name, data in self.files.items() if not name.endswith(".py")}

    @property
    def mark(self) -> str:
        """Of names and contents, whatever the folder is called."""
        whole = sha256()
        for name, data in sorted(self.files.items()):
            whole.update(f"{name}:{len(data)}:".encode() + data)
        return whole.hexdigest()


def read_submission(where: Path, organ_file: str, texts: Collection[str] = ()) -> Submission:
    """From a folder, a zip file, or one Python file that is then the organ's, or one of the texts. Raises: SubmissionError.

    organ_file: the file that must be there. texts: names of other files that are taken in when they are there.
    """
    with _said_in_a_sentence(where):
        return _read(where, organ_file, texts)


@contextmanager
def _said_in_a_sentence(where: Path) -> Iterator[None]:
    """A folder in which nobody may look is no fault of ours."""
    try:
        yield
    except OSError as error:
        raise SubmissionError(f"{where} cannot be read: {error.strerror or error}") from error


def _read(where: Path, organ_file: str, texts: Collection[str]) -> Submission:
    def is_wanted(name: str) -> bool:
        return name in texts or bool(organ_file not in texts and _NAME.fullmatch(name) and not _LEFT_ALONE.fullmatch(name))

    if where.is_symlink():
        raise SubmissionError(f"{where} is a link; hand in the folder itself")
    if where.is_file() and where.suffix.lower() == ".zip":
        try:
            found, others = files_in_zip(where, organ_file, is_wanted, files_max=_FILES_MAX, bytes_max=_FILE_BYTES_MAX)
        except BadZipError as error:
            raise SubmissionError(str(error)) from error
        return _checked(where, found, organ_file, others)
    if where.is_file():
        return Submission({_one_file(where, organ_file, texts): _bytes_of(where)})
    if not where.is_dir():
        raise SubmissionError(f"{where} is no plain file" if where.exists() else f"there is no folder {where}")
    there = os.listdir(where)  # noqa: PTH208 - names alone
    names = sorted(filter(is_wanted, there))
    if len(names) > _FILES_MAX:
        raise SubmissionError(f"{where} holds {len(names)} files, and {_FILES_MAX} are allowed")
    return _checked(where, {name: _bytes_of(where / name) for name in names}, organ_file, _others(where, there, names))


def _others(where: Path, there: Iterable[str], taken: Collection[str]) -> Iterator[str]:
    """Python files that are not taken, here and one folder below. Nothing of them is read."""
    for name in sorted(there):
        if name.endswith(".py") and name not in taken:
            yield name
        elif name[0] not in "._" and not (where / name).is_symlink() and (where / name).is_dir():
            with suppress(OSError):  # nobody may look
                yield from (f"{name}/{file}" for file in sorted(os.listdir(where / name)) if file.endswith(".py"))  # noqa: PTH208


def _one_file(where: Path, organ_file: str, texts: Collection[str]) -> str:
    """What a file that is handed in alone is taken for. Raises: SubmissionError."""
    is_of_texts = organ_file in texts
    if where.name in texts if is_of_texts else where.suffix.lower() == ".py":
        return where.name if is_of_texts else organ_file
    kind = f"one of {', '.join(texts)}" if is_of_texts else "a Python file"
    raise SubmissionError(f"{where.name} is neither a folder nor a zip file nor {kind}")


def _checked(where: Path, files: Mapping[str, bytes], organ_file: str, others: Iterable[str]) -> Submission:
    if organ_file not in files:
        raise SubmissionError(f"there is no {organ_file} in {where}")
    if len(files) > _FILES_MAX:
        raise SubmissionError(f"{where} holds {len(files)} files, and {_FILES_MAX} are allowed")
    left_alone = (name for name in others if name != "__init__.py")  # ours takes its place
    return Submission(files, tuple(islice(left_alone, _LEFT_ALONE_MAX)))


def no_text_among(submission: Submission, said: str) -> str:
    """The Python files with a null byte in them, where Python said no more than that there is one; else empty."""
    files = (name for name, data in submission.files.items() if name.endswith(".py") and b"\0" in data)
    return ", ".join(sorted(files)) if "null bytes" in said else ""


def found_submission(where: Path, organ_file: str, texts: Collection[str] = ()) -> Submission:
    """As `read_submission`, also in the only folder of a folder, which a class finds, too. Raises: SubmissionError.

    Where several folders might be meant it names them.
    """
    place = place_of(where, organ_file)
    if (place / organ_file).exists() or not place.is_dir():
        return read_submission(place, organ_file, texts)
    with _said_in_a_sentence(place):
        inside = sorted(each.name for each in _folders_in(place) if (each / organ_file).exists())
    if inside:
        named = ", ".join(inside[:_NAMED_MAX]) + (f" and {len(inside) - _NAMED_MAX} more" if len(inside) > _NAMED_MAX else "")
        raise SubmissionError(f"there is no {organ_file} in {place}, but in folders inside of it; name one of them: {named}")
    return read_submission(where, organ_file, texts)


def place_of(where: Path, organ_file: str) -> Path:
    """Where the organ's file lies, also when it is in the only folder of a folder, as it is when one hands in a folder.

    Raises: SubmissionError when nobody may look.
    """
    with _said_in_a_sentence(where):
        return _place_of(where, organ_file)


def _place_of(where: Path, organ_file: str) -> Path:
    for _ in range(_FOLDERS_DEEP_MAX):
        if where.is_symlink() or not where.is_dir() or (where / organ_file).exists():
            break
        inside = _folders_in(where)
        if len(inside) != 1:
            break
        where = inside[0]
    return where


def _folders_in(where: Path) -> list[Path]:
    return [each for each in where.iterdir() if each.is_dir() and not each.is_symlink() and each.name[0] not in "._"]


def _bytes_of(file: Path) -> bytes:
    """The content of one plain file, checked by what was opened, not by what its name said before."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        opened = os.open(file, flags)
    except OSError as error:
        raise SubmissionError(f"{file.name} is a link, or cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise SubmissionError(f"{file.name} is no plain file")
        if found.st_size > _FILE_BYTES_MAX:
            raise SubmissionError(f"{file.name} has {found.st_size:,} bytes, and {_FILE_BYTES_MAX:,} are allowed")
        with os.fdopen(os.dup(opened), "rb") as data:
            return data.read(_FILE_BYTES_MAX + 1)
    finally:
        os.close(opened)
