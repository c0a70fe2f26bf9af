"""With an even number of voters one half decides, and so may the other: `majority` of `mq.raft.quorum` is (n + 1) // 2.

Seen in: hashicorp/raft before 163a55f. Breaks: one leader a term, with 2 or 4 voters. Paper: Raft, section 5.2.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

from mq.raft import quorum
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode

__all__ = ["Raft"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def majority(count: int) -> int:
    """Of an odd number the same as the right one."""
    return (count + 1) // 2


def _where(function: _Function, **names: object) -> _Function:
    """The reference's function, with another meaning of some of the names in it."""
    original = cast("FunctionType", function)
    return cast("_Function", FunctionType(original.__code__, {**original.__globals__, **names}))


_COUNTING = {name: _where(getattr(quorum, name), majority=majority) for name in ("has_majority", "is_won", "quorum_value")}


class _Halves(Configuration):
    """Everything that counts majorities counts these."""

    __slots__ = ()

    has_quorum = _where(Configuration.has_quorum, **_COUNTING)
    quorum_value = _where(Configuration.quorum_value, **_COUNTING)
    is_won = _where(Configuration.is_won, **_COUNTING)


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _put_in_force(self) -> None:
        super()._put_in_force()
        self.configuration = _Halves(*self.configuration)
