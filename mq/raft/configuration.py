"""Who belongs to a group, and how that changes without a moment in which two majorities do not meet.

A change goes by way of a *joint* configuration, in which every decision needs a majority of the old voters and one of
the new. It counts from the moment it stands in a node's log, committed or not. Paper: Raft, section 6.

Learners get the log and have no vote, so that a new node can catch up before it counts. Thesis: section 4.2.1.
"""

from collections.abc import Callable, Mapping
from json import dumps, loads
from typing import NamedTuple

from mq.core.errors import FormatError
from mq.raft.quorum import has_majority, is_won, quorum_value

__all__ = ["Configuration"]


class Configuration(NamedTuple):
    """Node ids, sorted. old_voters: of the configuration that is being left; empty unless this one is joint."""

    voters: tuple[int, ...]
    old_voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()

    @classmethod
    def of(cls, *voters: int) -> "Configuration":
        """A plain one, without learners."""
        return cls(tuple(sorted(voters)))

    @property
    def is_joint(self) -> bool:
        """Whether two majorities are needed."""
        return bool(self.old_voters)

    @property
    def members(self) -> tuple[int, ...]:
        """All who get the log."""
        return tuple(sorted({*self.voters, *self.old_voters, *self.learners}))

    def is_voter(self, node_id: int) -> bool:
        """Whether this node's vote counts, in one of the majorities at least."""
        return node_id in self.voters or node_id in self.old_voters

    def has_quorum(self, is_for: Callable[[int], bool]) -> bool:
        """Whether those who are for it decide."""
        return has_majority(self.voters, is_for) and (not self.old_voters or has_majority(self.old_voters, is_for))

    def quorum_value(self, value_of: Callable[[int], int]) -> int:
        """The highest value that a quorum has reached."""
        value = quorum_value(self.voters, value_of)
        return min(value, quorum_value(self.old_voters, value_of)) if self.old_voters else value

    def is_won(self, votes: Mapping[int, bool]) -> bool | None:
        """Of an election: True, False, or None while it is open."""
        new = is_won(self.voters, votes)
        if not self.old_voters:
            return new
        old = is_won(self.old_voters, votes)
        if new is False or old is False:
            return False
        return True if new and old else None

    def joined_with(self, voters: tuple[int, ...], learners: tuple[int, ...]) -> "Configuration":
        """The joint configuration on the way from this one to those voters.

        A voter that is to become a learner keeps its old vote until the change is done.
        """
        return Configuration(tuple(sorted(voters)), self.voters, tuple(sorted(set(learners) - set(voters))))

    def left(self) -> "Configuration":
        """What a joint one leads to."""
        return Configuration(self.voters, (), self.learners)

    def to_bytes(self) -> bytes:
        """The payload of an entry of the log."""
        return dumps(self._asdict(), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, payload: bytes) -> "Configuration":
        """Raises: FormatError when these bytes are none."""
        try:
            fields = loads(payload)
            found = cls(*(tuple(sorted(int(node_id) for node_id in fields[name])) for name in cls._fields))
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"an entry of the log is no configuration: {payload[:60]!r}") from error
        if not found.voters:
            raise FormatError("a configuration without voters")
        return found
