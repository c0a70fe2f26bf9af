"""A follower whose log is shorter than what it has acknowledged: its leader says so.

A leader never goes back behind what a follower acknowledged (`docs/decisions/011-a-wiped-node.md`), and so cannot help one whose
data folder was put back from an older copy: it asks again and again, and is refused. Nothing more can be done here than to tell
a person, who empties the folder; then the node comes back.
"""

import logging
from collections.abc import Callable

from mq.raft.messages import AppendReply, Message
from mq.raft.view import NodeView

__all__ = ["REFUSALS_MIN", "RejectionWatch"]

REFUSALS_MIN = 10
"""In a row, with no entry taken in between: a few may be answers from before, that came late."""
_log = logging.getLogger(__name__)


class RejectionWatch:
    """What a leader hears from its followers. view: of its own node."""

    def __init__(self, view: Callable[[], NodeView]) -> None:
        self._view = view
        self._refused: dict[int, tuple[int, int]] = {}
        """By follower: (term, how often in a row)."""

    def heard(self, message: Message) -> None:
        """It was handed to the core."""
        if type(message) is not AppendReply:
            return
        if message.is_matching:
            if self._refused:
                self._refused.pop(message.sender, None)
        elif message.rejected_index:
            self._refusal(message)

    def _refusal(self, reply: AppendReply) -> None:
        view = self._view()
        known = next((peer.match_index for peer in view.peers if peer.node_id == reply.sender), 0)
        if reply.term != view.term or not reply.hint.index < known >= reply.rejected_index:
            return
        term, count = self._refused.get(reply.sender, (view.term, 0))
        count = count + 1 if term == view.term else 1
        self._refused[reply.sender] = view.term, count
        if count == REFUSALS_MIN:
            _log.warning(
                "node %d acknowledged entries up to %d, and says now that its log has those up to %d at most: its data folder is "
                "older than what it said, and it gets no further; emptied while it is stopped, it is filled anew by the others",
                reply.sender, known, reply.hint.index,
            )  # fmt: skip
