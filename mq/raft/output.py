"""What a Raft node asks its host to do. It does nothing by itself: no clock, no disk, no network.

The order is the safety rule. A host, for each output:

1. carries out the plans in `saves`, in order, and calls `saved(sequence)` when one is durable;
2. loads the state of `install` into its state machine, when there is one, and calls `applied` with its index;
3. sends `send` at once, while the disk is still at work;
4. sends each message of `send_after` only when its sequence is durable: these are promises (votes, acknowledgements);
5. applies entries in index order up to `apply_to`, if it has not yet (0 says nothing new), and calls `applied(index)`;
6. answers the reads in `reads` as soon as the state machine has applied as far as each says;
7. fetches what `fetch` wants, and hands it in with `fetched` or `chunk_fetched`;
8. saves chunks of snapshots (`chunks`); when the last one is durable, it calls `snapshot_received`, when there is no room for
   one, `snapshot_failed`;
9. may carry out `forget` whenever it likes: nobody needs those segments any more.

Paper: Raft, section 5 and figure 2: "updated on stable storage before responding to RPCs"; thesis: section 10.2.1.
"""

from typing import NamedTuple

from mq.core.entry import Appended
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan
from mq.raft.messages import Message, Snapshot
from mq.raft.role import Role

__all__ = ["NOTHING", "Chunk", "ChunkWanted", "EntriesWanted", "Output", "ReadReady", "RoleChanged"]


class EntriesWanted(NamedTuple):
    """Old entries, `first` to `last` or some of the first of them, that are to be read from the log for a follower."""

    peer: int
    term: Term
    first: LogIndex
    last: LogIndex
    bytes_max: int


class ChunkWanted(NamedTuple):
    """Bytes of a saved snapshot that are to be read for a follower. Fewer than `bytes_max` come when it ends."""

    peer: int
    term: Term
    snapshot: Snapshot
    at: int
    bytes_max: int


class Chunk(NamedTuple):
    """Bytes of a snapshot that came from the leader. at 0: a new one begins, others that are not complete are dropped.

    When `is_last` is durable, and only then, the host calls `snapshot_received`.
    """

    snapshot: Snapshot
    at: int
    data: bytes
    is_last: bool


class ReadReady(NamedTuple):
    """A read that may be answered when `index` is applied. index -1: leadership was lost, the read must be asked again."""

    context: int
    index: LogIndex  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


class RoleChanged(NamedTuple):
    """leader: as far as this node knows."""

    role: Role
    term: Term
    leader: int | None


class Output(NamedTuple):
    """See the module. proposed: the first entry of what was proposed; the others follow it."""

    saves: tuple[Appended, ...] = ()
    send: tuple[Message, ...] = ()
    send_after: tuple[tuple[int, Message], ...] = ()
    apply_to: LogIndex = LogIndex(0)
    reads: tuple[ReadReady, ...] = ()
    fetch: tuple[EntriesWanted | ChunkWanted, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    install: Snapshot | None = None
    forget: Plan = ()
    changes: tuple[RoleChanged, ...] = ()
    proposed: EntryId | None = None


NOTHING = Output()
