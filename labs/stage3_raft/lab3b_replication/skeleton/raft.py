"""Your Raft, the methods of lab 3b. What is not written here is inherited from `mq.raft.node.RaftNode`, which is given."""

from collections.abc import Sequence

from mq.core.entry import Entry
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex
from mq.raft.messages import AppendReply, AppendRequest
from mq.raft.node import RaftNode
from mq.raft.progress import PeerState, Progress
from mq.raft.replication import _NO_ENTRY
from mq.raft.role import Event, Role

__all__ = ["Raft"]


class Raft(RaftNode):
    """See `mq.raft.node`."""

    __slots__ = ()

    def _advance_commit(self) -> None:
        """Commit what a quorum has on disk, if it is of our own term; what stands before it is committed by that.

        Paper: Raft, section 5.4.2 and figure 8: an entry of an earlier term may be on a majority and still be superseded.
        """
        raise NotImplementedError("lab 3b: Raft._advance_commit")

    def _feed(self, peer: Progress) -> bool:
        """Send a follower what it lacks, as far as it may be sent unanswered. True when something was sent."""
        raise NotImplementedError("lab 3b: Raft._feed")

    def _note_match(self, peer: Progress, index: int) -> None:
        """It has entries up to here, and gets more. What is committed by that may end a reign, or the peer's membership."""
        raise NotImplementedError("lab 3b: Raft._note_match")

    def _is_current_rejection(self, peer: Progress, message: AppendReply) -> bool:
        """A late one must not throw back what was found out since."""
        raise NotImplementedError("lab 3b: Raft._is_current_rejection")

    def _beat(self) -> None:
        """A round of heartbeats: requests without entries, where none may be sent. Paper: Raft, section 5.2."""
        raise NotImplementedError("lab 3b: Raft._beat")

    def _heartbeat(self, peer: Progress) -> AppendRequest:
        """It stands behind what was sent before: when that was lost, the follower says so.

        When not even that is kept any more, nothing but a snapshot can mend a loss.
        """
        raise NotImplementedError("lab 3b: Raft._heartbeat")

    def _check_quorum(self) -> None:
        """A leader that hears of no quorum gives up, so that those who wait for it can go elsewhere. Thesis: section 6.2."""
        raise NotImplementedError("lab 3b: Raft._check_quorum")

    def _follow(self, leader: int) -> None:
        """A message of this term's leader came. Paper: Raft, section 5.2: a candidate gives way to it."""
        raise NotImplementedError("lab 3b: Raft._follow")

    def on_append_request(self, message: AppendRequest) -> None:
        """Take the entries if they follow what is here. Paper: Raft, figure 2, AppendEntries."""
        raise NotImplementedError("lab 3b: Raft.on_append_request")

    def _agrees_at(self, previous: EntryId) -> bool:
        """Whether both logs hold this entry; then they are equal up to it. Paper: Raft, section 5.3, Log Matching.

        What the snapshot stands for is committed, so that every later leader has it, too (section 5.4.3).
        """
        raise NotImplementedError("lab 3b: Raft._agrees_at")

    def _take(self, entries: Sequence[Entry]) -> None:
        """Append what is not here yet. Only an entry that contradicts one of ours takes the place of it and of what follows.

        A message that comes late or twice must not take away what came after it. Paper: Raft, figure 2, AppendEntries 3 and 4.
        """
        raise NotImplementedError("lab 3b: Raft._take")

    def _committed_of(self, message: AppendRequest) -> LogIndex:
        """What is committed and equal here. Paper: Raft, figure 2, AppendEntries 5."""
        raise NotImplementedError("lab 3b: Raft._committed_of")
