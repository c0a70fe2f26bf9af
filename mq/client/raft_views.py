"""The nodes of a group, as plain data for those who look at them."""

from dataclasses import dataclass

from mq.client.views import OrganView

__all__ = ["AddressView", "MembersView", "PeerView", "PromotedView", "RaftView"]


_WITH_A_MASTER = {"leader": "master", "follower": "slave", "candidate": "slave"}


@dataclass(frozen=True, slots=True)
class MembersView:
    """Who belongs to a group. learners: they get the log, and have no vote."""

    voters: tuple[int, ...]
    learners: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PromotedView:
    """A node that is the master now. needs_slave: nothing is acknowledged without one."""

    node: int
    epoch: int
    needs_slave: bool


@dataclass(frozen=True, slots=True)
class AddressView:
    """Where a member is reached, as HOST:PORT; empty where that is not known."""

    node: int
    peer: str
    client: str


@dataclass(frozen=True, slots=True)
class PeerView:
    """What a leader knows of another member. lag: entries of the leader's log that it lacks."""

    node: int
    state: str
    match_index: int
    next_index: int
    in_flight: int
    is_active: bool
    lag: int


@dataclass(frozen=True, slots=True)
class RaftView:
    """One node of a group. vote, leader: of this term, or None. old_voters: while members are being changed.

    part: "full"; "asking", "rejoining" or "learning" of a node whose folder was empty; "alone" without a group.
    copy: "async" or "sync" of a master and its slaves: the leader is the master then, the term the epoch. is_stalled: this is a
    master that waits for a slave in vain.
    state_hash: of the state behind the entry `state_index`; None unless it was asked for.
    """

    name: str
    node: int
    role: str
    part: str
    term: int
    vote: int | None
    leader: int | None
    commit_index: int
    applied_index: int
    first_index: int
    last_index: int
    last_term: int
    durable_index: int
    snapshot_index: int
    voters: tuple[int, ...]
    old_voters: tuple[int, ...]
    learners: tuple[int, ...]
    is_changing: bool
    is_transferring: bool
    peers: tuple[PeerView, ...]
    addresses: tuple[AddressView, ...]
    state_hash: int | None
    state_index: int
    organs: tuple[OrganView, ...]
    copy: str = ""
    is_stalled: bool = False

    @property
    def role_name(self) -> str:
        """Its role in the words of its group: where there is a master, a node that follows is a slave."""
        return (
            {"leader": "master", "follower": "slave", "candidate": "slave"}.get(self.role, self.role) if self.copy else self.role
        )
