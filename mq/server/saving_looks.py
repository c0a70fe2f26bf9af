"""That a replaced Raft hands out to be saved what it puts into its log: all of it, in order, and before it counts as durable.

`synced(n)` speaks of all appends up to n. So one that is dropped on its way to the disk becomes "durable" with the next one, and
its node half of a majority for entries that it does not have. A Raft may keep saves back for a while, such as until the disk is
done with those before; it may not leave one out, nor keep it for ever while the disk has nothing to do.
"""

from typing import Any

from mq.raft.output import Output
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.server.by_log import ByLog
from mq.server.organ_looks import OrganError

__all__ = ["KEPT_TICKS_MAX", "check_saving"]

KEPT_TICKS_MAX = 60
"""For so many ticks a save may be kept back, or the log not be told what the disk has done, with nothing to wait for."""


class _Known:
    """Of one node. handed: the newest save that was handed out; saved: the newest one that the disk is done with.

    kept: the oldest one that is in the log and was not handed out, kept_by: the method behind which it was first missed.
    kept_ticks, untold_ticks: for how long that, or what the log was not told, could have been done.
    """

    __slots__ = ("handed", "kept", "kept_by", "kept_ticks", "saved", "untold_ticks")

    def __init__(self) -> None:
        self.handed = self.saved = -1
        self.kept: int | None = None
        self.kept_by = ""
        self.kept_ticks = self.untold_ticks = 0


_known = ByLog(lambda _node: _Known())


def check_saving(name: str, what: str, node: Any, arguments: tuple[Any, ...], found: Output, view: NodeView | None) -> None:
    """Of what a call returned. view: of the node, with a tick. Raises: OrganError."""
    storage = node.log.storage
    if not hasattr(storage, "sequence_after"):  # a log that does not say what was put into it
        return
    known = _known.of(node)
    if name == "saved":
        known.saved = max(known.saved, arguments[0])
    elif name == "save_failed":
        known.handed = min(known.handed, arguments[0] - 1)
    _check_handed(name, what, storage, known, found)
    if storage.synced_sequence > known.saved:
        raise OrganError(
            f"{what} told its log that save {storage.synced_sequence} is durable, and the disk is done with {_up_to(known.saved)}"
        )
    kept = storage.sequence_after(known.handed)
    if kept != known.kept:
        known.kept, known.kept_by, known.kept_ticks = kept, name, 0
    if view is not None and view.role is not Role.MUTE:
        _count(what, storage, known)


def _up_to(saved: int) -> str:
    return f"those up to {saved} alone" if saved >= 0 else "none"


def _check_handed(name: str, what: str, storage: Any, known: _Known, found: Output) -> None:
    for appended in found.saves:
        expected = storage.sequence_after(known.handed)
        if appended.sequence == expected:
            known.handed = appended.sequence
        elif expected is None:
            raise OrganError(f"{what} hands out save {appended.sequence}, which is none that its log gave it, or an old one")
        else:
            by = known.kept_by if known.kept == expected else name
            raise OrganError(
                f"{what} hands out save {appended.sequence}, and not save {expected}, which `{by}` put into the log before: "
                "what is in it is lost"
            )


def _count(what: str, storage: Any, known: _Known) -> None:
    is_disk_done = known.saved >= known.handed
    known.kept_ticks = known.kept_ticks + 1 if known.kept is not None and is_disk_done else 0
    if known.kept_ticks > KEPT_TICKS_MAX:
        raise OrganError(
            f"{what} keeps back save {known.kept}, which `{known.kept_by}` put into the log, since {known.kept_ticks} ticks: "
            "what is in it is lost"
        )
    known.untold_ticks = known.untold_ticks + 1 if known.saved > storage.synced_sequence else 0
    if known.untold_ticks > KEPT_TICKS_MAX:
        raise OrganError(
            f"{what} has not told its log (`synced`) since {known.untold_ticks} ticks that save {known.saved} is durable: "
            "nothing of it would ever be committed"
        )
