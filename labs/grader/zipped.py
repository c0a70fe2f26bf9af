"""A submission in a zip file, taken in without unpacking: no path of it is ever used, and nothing of it is written."""

import stat
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

__all__ = ["BadZipError", "files_in_zip"]

_ENTRIES_MAX = 2000


class BadZipError(Exception):
    """It cannot be taken in; the message says why."""


def files_in_zip(
    file: Path, organ_file: str, is_wanted: Callable[[str], bool], *, files_max: int, bytes_max: int
) -> tuple[dict[str, bytes], list[str]]:
    """Files by bare name, from the folder in which `organ_file` lies, and paths of other Python files below it.

    Raises: BadZipError.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            found = _files(archive, organ_file, is_wanted, files_max, bytes_max)
            return found, _others(archive, organ_file, found)
    except BadZipError:
        raise
    except Exception as error:  # each way to pack has errors of its own, and broken bytes find more
        raise BadZipError(f"{file.name} cannot be read as a zip file: {str(error) or type(error).__name__}") from error


def _files(
    archive: zipfile.ZipFile, organ_file: str, is_wanted: Callable[[str], bool], files_max: int, bytes_max: int
) -> dict[str, bytes]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and "__MACOSX" not in entry.filename]
    if len(entries) > _ENTRIES_MAX:
        raise BadZipError(f"it holds {len(entries)} files, and {_ENTRIES_MAX} are allowed")
    folder = _folder_of(organ_file, [entry.filename for entry in entries])
    found: dict[str, bytes] = {}
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.parent != folder or not is_wanted(path.name):
            continue
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BadZipError(f"{path.name} is a link, or no plain file")
        if path.name in found:
            raise BadZipError(f"{path.name} is in it twice")
        if len(found) == files_max:
            raise BadZipError(f"it holds more than {files_max} Python files, and so many are allowed")
        with archive.open(entry) as data:
            found[path.name] = data.read(bytes_max + 1)
        if len(found[path.name]) > bytes_max:
            raise BadZipError(f"{path.name} has more than the {bytes_max:,} bytes that are allowed")
    return found


def _others(archive: zipfile.ZipFile, organ_file: str, taken: Collection[str]) -> list[str]:
    """From the organ's folder on."""
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and "__MACOSX" not in entry.filename]
    folder = _folder_of(organ_file, names)
    paths = [PurePosixPath(name) for name in names if name.endswith(".py")]
    below = [path.relative_to(folder).as_posix() for path in paths if path.is_relative_to(folder)]
    return sorted(name for name in below if name not in taken)


def _folder_of(organ_file: str, names: Collection[str]) -> PurePosixPath:
    """The folder nearest to the top that holds the organ's file. Raises: BadZipError when it is not clear which."""
    folders = sorted({PurePosixPath(name).parent for name in names if PurePosixPath(name).name == organ_file}, key=_depth)
    if not folders:
        raise BadZipError(f"there is no {organ_file} in it")
    if len(folders) > 1 and _depth(folders[0]) == _depth(folders[1]):
        raise BadZipError(f"there is a {organ_file} in {folders[0]} and one in {folders[1]}; which one is meant?")
    return folders[0]


def _depth(folder: PurePosixPath) -> int:
    return len(folder.parts)
