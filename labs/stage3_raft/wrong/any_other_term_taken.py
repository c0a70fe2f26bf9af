"""Takes over every term that is not its own, a lower one, too.

Seen in: solutions that test for "not equal". Breaks: terms only rise; one leader a term. Paper: Raft, section 5.1.
"""

from mq.raft.messages import Message
from mq.raft.node import RaftNode
from mq.raft.role import Event

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def _meet_term(self, message: Message) -> bool:
        if message.term < self.term and not self._is_leader_well():
            self._enter_term(message.term)
            self._turn(Event.HEARS_HIGHER_TERM)
        return super()._meet_term(message)
