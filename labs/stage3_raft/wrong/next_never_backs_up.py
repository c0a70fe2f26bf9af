"""A rejection changes nothing: the leader sends the same again.

Breaks: some time a follower is repaired. Paper: Raft, section 5.3: "decrements nextIndex and retries".
"""

from mq.raft.messages import AppendReply
from mq.raft.node import RaftNode
from mq.raft.progress import Progress

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _is_current_rejection(self, peer: Progress, message: AppendReply) -> bool:  # noqa: ARG002  # that is the mistake
        return False
