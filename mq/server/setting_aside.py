"""A member of a group whose stored data is damaged: put aside, never mended by guessing, and fetched anew from the others.

Nobody knows what stood in a damaged place below the durable end, so nobody may vote or answer for it. The node keeps the damaged
files as they are, in a folder of their own, and comes back as one that lost its disk (`docs/decisions/011-a-wiped-node.md`).
"""

import json
import logging
import os
from itertools import count
from pathlib import Path

from mq.core.errors import DamageError
from mq.server.config import BrokerConfig
from mq.server.taking_part import NOTE_FILE, Note

__all__ = ["ASIDE", "can_come_back", "set_aside"]

ASIDE = "damaged-"
"""How the names of folders begin that hold what was put aside."""
_LOCK = "LOCK"
_log = logging.getLogger(__name__)


def can_come_back(config: BrokerConfig) -> bool:
    """Whether there are others that hold all that counts: without this node they must still be a majority."""
    settings = config.group_settings
    return settings is not None and len(settings.voters) > 2


def set_aside(folder: Path, damage: DamageError) -> Path:
    """Move all that is stored there into a folder beside it; returns that.

    The note that the node is on its way back comes first: whatever of the move a crash leaves undone, the node neither votes
    nor answers with it. Raises: OSError.
    """
    _write_synced(folder / NOTE_FILE, json.dumps(Note()._asdict()).encode())
    aside = next(found for number in count(1) if not (found := folder / f"{ASIDE}{number}").exists())
    aside.mkdir()
    for path in sorted(folder.iterdir()):
        if path.name not in {_LOCK, NOTE_FILE} and not path.name.startswith(ASIDE):
            path.rename(aside / path.name)
    _log.error("the stored data is damaged: %s", damage)
    _log.warning("all of it is in %s now, as it was; this node comes back by what the others hold", aside)
    return aside


def _write_synced(file: Path, data: bytes) -> None:
    half_made = file.with_name(file.name + ".new")
    with half_made.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    half_made.replace(file)
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
