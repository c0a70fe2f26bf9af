"""What can be set in a Raft node, and what more or less of it costs."""

from dataclasses import dataclass

from mq.core.errors import IllegalArgumentError

__all__ = ["RaftOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaftOptions:
    """The same for all nodes of a group. The host calls `tick` at a steady interval; times are counted in that.

    election_ticks: silence after which a follower campaigns: a random number of ticks from this to twice this. Less finds a
    dead leader sooner, and takes a busy one for dead sooner. A leader without a quorum goes on for once to twice as long.
    heartbeat_ticks: between two heartbeats. Must be well below `election_ticks`.
    entries_max, append_bytes_max: in one AppendRequest; one entry always fits.
    in_flight_max: AppendRequests to one follower without an answer. More hides a long way, and costs memory.
    recent_bytes_max: entries kept in memory for sending; what is older is read from the disk.
    chunk_bytes_max: of a snapshot in one request.
    learner_lag_max: entries that a learner may be behind when it becomes a voter.
    has_pre_vote: ask whether an election could be won before disturbing anyone with a new term. Thesis: section 9.6.
    has_check_quorum: a leader that hears of no quorum from one look to the next steps down; it looks every `election_ticks`.
    Thesis: section 6.2. Only with it is a leader that is well protected from candidates that do not hear it: one that nobody
    hears would be protected for ever.
    """

    election_ticks: int = 10
    heartbeat_ticks: int = 2
    entries_max: int = 1024
    append_bytes_max: int = 1 << 20
    in_flight_max: int = 64
    recent_bytes_max: int = 8 << 20
    chunk_bytes_max: int = 256 << 10
    learner_lag_max: int = 1000
    has_pre_vote: bool = True
    has_check_quorum: bool = True

    def __post_init__(self) -> None:
        for name in self.__slots__:
            least = 0 if name in {"has_pre_vote", "has_check_quorum", "learner_lag_max"} else 1
            if getattr(self, name) < least:
                raise IllegalArgumentError(f"{name} is {getattr(self, name)}, it must be at least {least}")
        if self.election_ticks <= self.heartbeat_ticks:
            raise IllegalArgumentError(
                f"election_ticks is {self.election_ticks}, it must be more than heartbeat_ticks ({self.heartbeat_ticks})"
            )
