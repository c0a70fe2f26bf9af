"""What the nodes of a group say to each other.

| message           | from, to              | asks or says                                             | source                 |
|-------------------|-----------------------|----------------------------------------------------------|------------------------|
| `VoteRequest`     | candidate -> everyone | your vote in this term? (pre-vote: would you give it?)   | section 5.2, thesis 9.6 |
| `VoteReply`       | voter -> candidate    | yes or no                                                | section 5.2            |
| `AppendRequest`   | leader -> follower    | put these entries behind that one; without entries: a heartbeat | section 5.3     |
| `AppendReply`     | follower -> leader    | my log agrees with yours up to here, or: it does not     | section 5.3            |
| `SnapshotRequest` | leader -> follower    | the next chunk of a snapshot                             | section 7              |
| `SnapshotReply`   | follower -> leader    | so much of it is here                                    | section 7              |
| `TimeoutNow`      | leader -> follower    | campaign at once, I am leaving                           | thesis 3.10            |

All are plain data. The first three fields are the same everywhere: who says it, to whom, and in which term.
"""

from typing import NamedTuple, TypeAlias

from mq.core.entry import Entry
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration

__all__ = [
    "AppendReply",
    "AppendRequest",
    "Message",
    "Snapshot",
    "SnapshotReply",
    "SnapshotRequest",
    "TimeoutNow",
    "VoteReply",
    "VoteRequest",
]


class VoteRequest(NamedTuple):
    """last: the candidate's last entry. is_pre_vote: only asks what would happen, in the term *after* the sender's own.

    is_transfer: the leader itself asked for this campaign, so nobody has to protect it.
    """

    sender: int
    to: int
    term: Term
    last: EntryId
    is_pre_vote: bool = False
    is_transfer: bool = False


class VoteReply(NamedTuple):
    """term: of a pre-vote that is granted, the term that was asked for; else the voter's."""

    sender: int
    to: int
    term: Term
    is_granted: bool
    is_pre_vote: bool = False


class AppendRequest(NamedTuple):
    """previous: the entry that `entries` follow. commit_index: the leader's. round: of heartbeats, is sent back."""

    sender: int
    to: int
    term: Term
    previous: EntryId
    entries: tuple[Entry, ...]
    commit_index: LogIndex
    round: int


class AppendReply(NamedTuple):
    """The follower's log and the leader's are equal up to `match_index` when `is_matching`, and that is durable.

    Else the entry before the new ones (`rejected_index`) is missing or of another term, and `hint` is the follower's last
    entry that may agree with the leader's log: no entry behind it can. round: of the request.
    """

    sender: int
    to: int
    term: Term
    is_matching: bool
    match_index: LogIndex
    rejected_index: LogIndex
    hint: EntryId
    round: int


class Snapshot(NamedTuple):
    """A state machine's state behind the entry `last`, and the configuration that was in force there."""

    last: EntryId
    configuration: Configuration


class SnapshotRequest(NamedTuple):
    """Bytes of a snapshot from byte `at` on. is_last: no more follow."""

    sender: int
    to: int
    term: Term
    snapshot: Snapshot
    at: int
    data: bytes
    is_last: bool


class SnapshotReply(NamedTuple):
    """received_bytes: how much of it is here; is_installed: it took the place of the follower's log (or was not needed)."""

    sender: int
    to: int
    term: Term
    last: EntryId
    received_bytes: int
    is_installed: bool


class TimeoutNow(NamedTuple):
    """The receiver is as far as the leader and shall campaign at once."""

    sender: int
    to: int
    term: Term


Message: TypeAlias = VoteRequest | VoteReply | AppendRequest | AppendReply | SnapshotRequest | SnapshotReply | TimeoutNow
