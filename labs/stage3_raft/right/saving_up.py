"""Saving up: a follower answers once for all requests that its disk is done with, not once for each.

Right, because an acknowledgement speaks of all entries up to its index, and of all rounds up to its own; fewer messages, and none
leaves earlier than it may. Thesis: section 10.2.2 on batching.
"""

from collections import deque
from typing import Any

from mq.raft.messages import AppendReply, Message
from mq.raft.node import RaftNode
from mq.raft.output import Output

__all__ = ["Raft"]


class Raft(RaftNode):
    """_owed: (sequence, acknowledgement) that wait for a write, of the present term, the oldest first."""

    __slots__ = ("_owed",)

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._owed: deque[tuple[int, AppendReply]] = deque()
        super().__init__(*arguments, **settings)

    def _promise(self, message: Message) -> None:
        is_written = self._saved_sequence >= self._last_sequence and not self._is_unsaved
        if not isinstance(message, AppendReply) or not message.is_matching or is_written:
            super()._promise(message)
            return
        if self._is_unsaved:  # the write that it waits for is the one that is about to be handed out
            self._save(self.log.last.index, ())
        self._owed.append((self._last_sequence, message))

    def saved(self, sequence: int) -> Output:
        """One answer for all that is durable now."""
        newest: AppendReply | None = None
        while self._owed and self._owed[0][0] <= sequence:
            owed = self._owed.popleft()[1]
            if owed.term == self.term:
                newest = owed if newest is None else self._merged(newest, owed)
        output = super().saved(sequence)
        if newest is None or newest.term != self.term:
            return output
        return output._replace(send=(*output.send, newest))

    def _merged(self, one: AppendReply, other: AppendReply) -> AppendReply:
        return other._replace(match_index=max(one.match_index, other.match_index), round=max(one.round, other.round))

    def save_failed(self, sequence: int) -> Output:
        """What waited for it is not owed any more."""
        self._owed = deque(owed for owed in self._owed if owed[0] < sequence)
        return super().save_failed(sequence)

    def disk_failed(self) -> Output:
        """Nothing is owed any more."""
        self._owed.clear()
        return super().disk_failed()
