"""After a failed sync the node goes on as if nothing had been.

Seen in: PostgreSQL's "fsyncgate"; NATS #8290, sofa-jraft #96. Breaks: what is promised survives. Paper: Raft, section 5.6.
"""

from mq.raft.node import RaftNode
from mq.raft.output import Output

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def disk_failed(self) -> Output:
        return self._finish()
