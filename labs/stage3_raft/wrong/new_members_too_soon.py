"""The new members stand in the log right behind the joint ones, before those are committed.

Breaks: two majorities always meet. Paper: Raft, section 6: "Once C_old,new has been committed".
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
        kind, payload = contents[0]
        if kind is EntryKind.CONFIGURATION and Configuration.from_bytes(payload).is_joint:
            contents = [*contents, (kind, Configuration.from_bytes(payload).left().to_bytes())]
        super()._append_own(contents)
