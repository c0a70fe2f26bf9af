"""What a replaced organ raises: which errors its methods are meant to raise, and in which words anything else is told.

A node knows what to do when a Raft says that it does not lead. Of any other error, ours or not, it only knows that the organ met
something that it did not expect; said is then which method that was, and where in its file.

Damage is a matter of its own. With our log it means that the disk is at fault, so that all that is stored is put aside, and
fetched anew from the others (`mq.server.setting_aside`). A log of somebody's own may be mistaken, or meet a format that is not
its own, and on all nodes alike: nothing is ever put aside at its word.
"""

from typing import NamedTuple

from mq.core.errors import DamageError, FormatError, MqError, RefusedError, StateError
from mq.parts import place_of, raised
from mq.raft.errors import NotLeaderError

__all__ = ["Named", "is_damage_of_the_log", "is_meant", "not_put_aside", "told_error"]

_MEANT: dict[str, dict[str, tuple[type[MqError], ...]]] = {
    "raft": {
        "propose": (NotLeaderError,),
        "read": (NotLeaderError,),
        "transfer": (NotLeaderError, RefusedError),
        "change_members": (NotLeaderError, RefusedError),
    },
    "commit_log": {
        # Damage that is read: retention may just have taken the file, which whoever asked finds out.
        "entries": (StateError, DamageError, FormatError),
        "read": (StateError,),
        "decode": (DamageError, FormatError),
    },
    "consume_queue": {"entries": (DamageError,), "offset_at": (DamageError,), "from_plain": (FormatError,)},
    "delivery_table": {"from_plain": (FormatError,)},
}
_SLOW_S = 60.0


class Named(NamedTuple):
    """A method of an organ. what: "organ: `method`", as it is called in sentences."""

    organ: str
    name: str
    what: str

    @classmethod
    def of(cls, organ: str, name: str) -> "Named":
        """By its two names."""
        return cls(organ, name, f"{organ}: `{name}`")

    @property
    def limit_s(self) -> float | None:
        """How long it may take, when that is longer than usual: how much there is to recover depends on what is stored."""
        return _SLOW_S if self.name == "recover" else None


def is_damage_of_the_log(error: BaseException) -> bool:
    """Whether it says that the log is damaged, or what stands for its beginning. States that differ are another matter."""
    return type(error) is DamageError and (error.file.startswith("log/") or error.file == "snapshots")


def is_meant(method: Named, error: MqError) -> bool:
    """Whether the node knows what to do with it. A consume queue knows of damage in its own files alone."""
    if method.organ == "consume_queue" and is_damage_of_the_log(error):
        return False
    return isinstance(error, _MEANT[method.organ].get(method.name, ()))


def told_error(method: Named, error: BaseException) -> str:
    """What a method raised, and where."""
    if isinstance(error, DamageError):
        return f"{method.what} says that stored data is damaged: {error}{place_of(error)}; {not_put_aside(method.organ)}"
    return f"{method.what} raised {raised(error)}"


def not_put_aside(organ: str) -> str:
    """What follows of it."""
    return f"the {organ} is not ours and may be mistaken, so that nothing is put aside"
