"""Campaigns when a leader of the past asks for it.

Breaks: a leader that is well stays. Thesis: section 3.10; paper: Raft, section 5.1.
"""

from mq.raft.messages import Message, TimeoutNow
from mq.raft.node import RaftNode

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _refuse_older(self, message: Message) -> None:
        if isinstance(message, TimeoutNow):
            self.on_timeout_now(message)
        else:
            super()._refuse_older(message)
