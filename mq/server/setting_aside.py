"""A member of a group whose stored data is damaged: put aside, never mended by guessing, and fetched anew from the others.

Nobody knows what stood in a damaged place below the durable end, so nobody may vote or answer for it. The node keeps the damaged
files as they are, in a folder of their own, and comes back as one that lost its disk (`docs/decisions/011-a-wiped-node.md`).

Damage is noted in the folder as soon as it is found, and the note goes last of all: whatever a crash leaves undone, the next
start does before anything else.
"""

import json
import logging
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TypeGuard

from mq.core.errors import DamageError, DiskError, FormatError, MqError
from mq.raft.configuration import Configuration
from mq.server.config import BrokerConfig
from mq.server.disk import FileDisk
from mq.server.opening import ASIDE
from mq.server.synced import sync_folder, write_synced
from mq.server.taking_part import NOTE_FILE, Note, read_note
from mq.server.voters_note import is_majority_without, noted_voters

__all__ = [
    "ASIDE",
    "DAMAGE_FILE",
    "EntriesGoneError",
    "StateDiffersError",
    "calls_for_repair",
    "can_come_back",
    "note_damage",
    "noted_damage",
    "set_aside",
]

_STORED = ("log", "queues", "index", "snapshots", "durable", "organs.json")
"""What is put aside: all that a broker has stored. The note of who votes stays, and so does whatever is not ours."""
DAMAGE_FILE = "damage"
"""In the data folder, from the moment on that damage was found until all of it is put aside."""
_LOG = "log/"
_log = logging.getLogger(__name__)


class StateDiffersError(DamageError):
    """What was made of the log here is not what the group has made of it. file: the snapshot that holds it."""

    def __str__(self) -> str:
        return self.reason


class EntriesGoneError(StateDiffersError):
    """What was acknowledged here is not in the log of the master that a person has named."""

    def __init__(self, told: str) -> None:
        super().__init__("log/", 0, told)


def can_come_back(config: BrokerConfig, damage: DamageError | None = None) -> bool:
    """Whether there are others that hold all that counts: without this node they must still be a majority.

    Of those who vote as far as it has noted that; else, as it was started. And it must know where they are. Of a master and its
    slaves any one may hold what no other does; there, only what a master says is gone is put aside.
    """
    settings, noted = config.group_settings, noted_voters(config.data)
    if settings is None:
        return False
    if settings.has_master:
        return isinstance(damage, StateDiffersError)
    reached = {**(noted.peers if noted is not None else {}), **config.peer_addresses}
    return is_majority_without(noted.members if noted is not None else Configuration(settings.voters), settings.node_id, reached)


def calls_for_repair(error: MqError, config: BrokerConfig) -> TypeGuard[DamageError]:
    """Whether a running node has to leave its group because of this, and comes back: its log is damaged, and the others have it.

    Not because of damage elsewhere: what is derived from the log can be made anew, and costs no promise, unless others have made
    something else of it. Never because of any other error: that may be a bug, and the data be whole.
    """
    if not isinstance(error, DamageError) or not (error.file.startswith(_LOG) or isinstance(error, StateDiffersError)):
        return False
    return can_come_back(config, error)


def note_damage(folder: Path, damage: DamageError) -> None:
    """Durable when this comes back: the next start puts all aside, if the node is then a member of a group. Raises: DiskError."""
    is_of_state = isinstance(damage, StateDiffersError)
    found = {"file": damage.file, "at": damage.at, "reason": damage.reason, "is_of_state": is_of_state}
    _write_synced(folder / DAMAGE_FILE, json.dumps(found).encode())


def noted_damage(folder: Path) -> DamageError | None:
    """What was found, and is still to be put aside."""
    try:
        data = (folder / DAMAGE_FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _as_disk_error(error, folder) from error
    try:
        found = json.loads(data)
        file, at, reason = str(found["file"]), int(found["at"]), str(found["reason"])
        return StateDiffersError(file, at, reason) if found.get("is_of_state") else DamageError(file, at, reason)
    except (ValueError, KeyError, TypeError):
        return DamageError(DAMAGE_FILE, 0, "damage was noted, and the note is not readable")


def set_aside(folder: Path, damage: DamageError) -> Path:
    """Move all that is stored there into a folder beside it; returns that.

    The notes come first, of the damage and that the node is on its way back: whatever of the move a crash leaves undone, the
    node neither votes nor answers with it. Raises: DiskError; FolderInUseError.
    """
    disk = FileDisk(folder)  # nobody else works in it meanwhile
    try:
        if not (folder / DAMAGE_FILE).exists():
            note_damage(folder, damage)
        _write_synced(folder / NOTE_FILE, json.dumps(_way_back(disk)._asdict()).encode())
        aside = _move_all(folder)
    except OSError as error:
        raise _as_disk_error(error, folder) from error
    finally:
        disk.close()
    if not isinstance(damage, StateDiffersError):
        _log.error("the stored data is damaged: %s", damage)
    _log.warning("all of it is in %s now, as it was; this node comes back by what the others hold", aside)
    return aside


def _way_back(disk: FileDisk) -> Note:
    """From its beginning; that it was a voter is known already if it was on its way before."""
    before = None
    with suppress(FormatError):
        before = read_note(disk)
    return Note(was_voter=before is not None and before.was_voter)


def _move_all(folder: Path) -> Path:
    aside = next(found for number in count(1) if _is_free(found := folder / f"{ASIDE}{number}"))
    aside.mkdir(exist_ok=True)
    for path in filter(Path.exists, (folder / name for name in _STORED)):
        path.rename(aside / path.name)
    sync_folder(aside)
    sync_folder(folder)
    (folder / DAMAGE_FILE).rename(aside / DAMAGE_FILE)
    sync_folder(folder)
    return aside


def _is_free(aside: Path) -> bool:
    """One that a try left that came to nothing is used again."""
    return not aside.exists() or not any(aside.iterdir())


def _write_synced(file: Path, data: bytes) -> None:
    try:
        write_synced(file, data)
    except OSError as error:
        raise _as_disk_error(error, file.parent) from error


def _as_disk_error(error: OSError, folder: Path) -> DiskError:
    return DiskError(f"damaged data in {folder} cannot be put aside: {error.strerror}")
