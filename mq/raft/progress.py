"""What a leader knows of one follower, and how much it may send unanswered. Paper: Raft, figure 2; thesis: section 10.2."""

from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from mq.core.entry import Entry
from mq.core.ids import LogIndex
from mq.raft.messages import Snapshot
from mq.raft.output import EntriesWanted
from mq.raft.view import PeerView

__all__ = ["PeerState", "Progress"]


class PeerState(StrEnum):
    """PROBE: where the logs agree is not known, so one request at a time. REPLICATE: it is, so many.

    SNAPSHOT: the follower needs entries that are not kept any more.
    """

    PROBE = "probe"
    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


class Progress:
    """match_index < next_index always; in REPLICATE everything from match_index + 1 to next_index - 1 is on its way.

    in_flight: the last index of each request that was not answered. is_waiting: in PROBE, nothing is sent before an answer.
    fetching: nor before these old entries were read from the disk. again_in_ticks: until a chunk that nobody answered, or old
    entries that could not be read, are asked for again; 0 when there are none.
    is_active: heard of since the last look at the quorum; was_active: between that and the one before it.
    acked_round: the newest round of heartbeats that the follower answered.
    snapshot, sent_bytes: what is being sent in SNAPSHOT, and how much of it the follower has.
    """

    __slots__ = (
        "acked_round",
        "again_in_ticks",
        "fetching",
        "in_flight",
        "is_active",
        "is_waiting",
        "match_index",
        "next_index",
        "node_id",
        "sent_bytes",
        "snapshot",
        "state",
        "was_active",
    )

    def __init__(self, node_id: int, next_index: int) -> None:
        self.node_id, self.match_index, self.next_index = node_id, 0, next_index
        self.state = PeerState.PROBE
        self.in_flight: deque[int] = deque()
        self.is_waiting = self.is_active = self.was_active = False
        self.fetching: EntriesWanted | None = None
        self.acked_round = self.again_in_ticks = 0
        self.snapshot: Snapshot | None = None
        self.sent_bytes = 0

    def may_send(self, in_flight_max: int) -> bool:
        """Whether another request with entries may leave."""
        if self.state is PeerState.REPLICATE:
            return self.fetching is None and len(self.in_flight) < in_flight_max
        return self.state is PeerState.PROBE and not self.is_waiting and self.fetching is None

    def sent(self, entries: Sequence[Entry]) -> None:
        """A request with these entries left."""
        if self.state is PeerState.REPLICATE:
            self.next_index = entries[-1].index + 1
            self.in_flight.append(entries[-1].index)
        else:
            self.is_waiting = True

    def matched(self, index: int) -> bool:
        """The follower's log is durable and equal to ours up to `index`. True when that was not known before."""
        is_news, is_late = index > self.match_index, index < self.next_index - 1
        self.match_index = max(self.match_index, index)
        self.next_index = max(self.next_index, self.match_index + 1)
        while self.in_flight and self.in_flight[0] <= index:
            self.in_flight.popleft()
        if self.state is PeerState.PROBE and is_late:
            return is_news  # an answer from before the probe; taken for its answer, all would be sent again with each of them
        self.is_waiting = False
        if self.state is PeerState.PROBE or (self.snapshot is not None and self.match_index >= self.snapshot.last.index):
            self.state, self.snapshot, self.again_in_ticks = PeerState.REPLICATE, None, 0
            self.next_index = self.match_index + 1
        return is_news

    def probe_from(self, next_index: int) -> None:
        """The logs do not agree where it was thought, or something was lost: ask again from here, one at a time."""
        self.state = PeerState.PROBE
        self.next_index = max(next_index, self.match_index + 1)
        self.in_flight.clear()
        self.is_waiting, self.fetching = False, None

    def needs(self, snapshot: Snapshot) -> None:
        """Only a snapshot helps."""
        self.state, self.snapshot, self.sent_bytes = PeerState.SNAPSHOT, snapshot, 0
        self.in_flight.clear()
        self.is_waiting, self.fetching = False, None

    def view(self) -> PeerView:
        """For others to see."""
        match_index, next_index = LogIndex(self.match_index), LogIndex(self.next_index)
        return PeerView(self.node_id, str(self.state), match_index, next_index, len(self.in_flight), self.is_active)
