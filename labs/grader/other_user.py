"""The worker as another user of the same machine: where we are root and there is no engine for containers, as in Gradescope's.

That user owns nothing: it cannot read what belongs to root alone (the reference, the course's key, the results), nor send a
signal to the grader. When a worker is ended, all processes of that user are. It does not stop the network.
"""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from labs.grader.box import Box
from labs.grader.process import LIMITS, WorkerProcess
from labs.grader.running import Start, patience

__all__ = ["USERS", "OtherUserProcess", "as_another_user", "can_change_user"]

USERS = range(62_000, 64_200)
"""Numbers that no system gives to anybody. Two gradings on one machine have two, or each would end the other's workers."""
_PROCESSES_MAX = 64


class OtherUserProcess(WorkerProcess):
    """One worker of a user who owns nothing."""

    mode = "for marks: as another user, in Gradescope's container"
    is_shut_in = False

    def rights(self) -> dict[str, Any]:
        """That user's, and no groups."""
        user = _user()
        return {"user": user, "group": user, "extra_groups": [], "umask": 0o077}

    def kill(self) -> None:
        """Also what left its group."""
        super().kill()
        for pid in _processes_of(_user()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _user() -> int:
    """Of the workers of this process."""
    return USERS[os.getpid() % len(USERS)]


def _processes_of(user: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if folder.stat().st_uid == user:
                    found.append(int(folder.name))
    return found


def can_change_user() -> bool:
    """Whether there are users, and we are root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and Path("/proc").is_dir()


def as_another_user() -> Start:
    """Starts workers so."""

    def start(box: Box, opening: dict[str, object]) -> WorkerProcess:
        box.open_for_all()
        return OtherUserProcess(box.folder, {**opening, "limits": {**LIMITS, "NPROC": _PROCESSES_MAX}}, patience)

    return start
