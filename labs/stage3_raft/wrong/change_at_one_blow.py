"""Goes to the new members at once, without the time in which both decide.

Breaks: two majorities always meet. Paper: Raft, section 6 and figure 10.
"""

from collections.abc import Sequence

from mq.core.entry import EntryKind
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _append_own(self, contents: Sequence[tuple[EntryKind, bytes]]) -> None:
        is_change = EntryKind.CONFIGURATION
        super()._append_own(
            [(kind, Configuration.from_bytes(it).left().to_bytes() if kind is is_change else it) for kind, it in contents]
        )
