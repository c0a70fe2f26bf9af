"""A snapshot names the oldest known members, not those in force at its last entry.

Seen in: PySyncObj #133, members that disagree. Breaks: two majorities always meet. Paper: Raft, section 7.
"""

from mq.core.ids import LogIndex
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _configuration_at(self, index: LogIndex) -> Configuration:  # noqa: ARG002  # that is the mistake
        return self.configurations[0][1]
