"""A node that lost entries which were on its disk votes and answers like the others.

Seen in: etcd #13509 and its like. Breaks: what is committed is on a quorum. Paper: Raft, section 5.6: stable storage.
"""

from typing import Any

from mq.raft.node import RaftNode
from mq.raft.role import Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        if self.role is Role.MUTE:
            self.role = Role.FOLLOWER
