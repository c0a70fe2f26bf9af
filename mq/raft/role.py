"""The roles of a node, and what turns one into another. Paper: Raft, figure 4; thesis: section 9.6."""

from enum import StrEnum

__all__ = ["TRANSITIONS", "Event", "Role"]


class Role(StrEnum):
    """MUTE: its disk failed or its log is damaged: it neither votes nor answers, until it is started anew."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"
    MUTE = "mute"


class Event(StrEnum):
    """What happens to a role."""

    TIMES_OUT = "hears from no leader for too long"
    TIMES_OUT_UNASKED = "hears from no leader for too long, where pre-vote is off"
    TIMES_OUT_WITHOUT_VOTE = "hears from no leader for too long, and is no voter"
    WOULD_WIN = "hears that a quorum would vote for it"
    WINS = "gets the votes of a quorum"
    HEARS_HIGHER_TERM = "hears of a higher term, or of this term's leader"
    LOSES = "cannot win any more"
    LOSES_QUORUM = "hears from no quorum for too long"
    IS_ASKED_TO_LEAD = "is asked by the leader to take over"
    IS_REMOVED = "is a member no more"
    DISK_FULL = "has no room to save what it was about to promise"
    DISK_FAILS = "cannot trust its disk any more"


TRANSITIONS: dict[tuple[Role, Event], Role] = {
    (Role.FOLLOWER, Event.TIMES_OUT): Role.PRE_CANDIDATE,
    (Role.FOLLOWER, Event.TIMES_OUT_UNASKED): Role.CANDIDATE,
    (Role.FOLLOWER, Event.TIMES_OUT_WITHOUT_VOTE): Role.FOLLOWER,
    (Role.FOLLOWER, Event.IS_ASKED_TO_LEAD): Role.CANDIDATE,
    (Role.FOLLOWER, Event.HEARS_HIGHER_TERM): Role.FOLLOWER,
    (Role.PRE_CANDIDATE, Event.TIMES_OUT): Role.PRE_CANDIDATE,
    (Role.PRE_CANDIDATE, Event.TIMES_OUT_UNASKED): Role.CANDIDATE,
    (Role.PRE_CANDIDATE, Event.TIMES_OUT_WITHOUT_VOTE): Role.FOLLOWER,
    (Role.PRE_CANDIDATE, Event.WOULD_WIN): Role.CANDIDATE,
    (Role.PRE_CANDIDATE, Event.IS_ASKED_TO_LEAD): Role.CANDIDATE,
    (Role.PRE_CANDIDATE, Event.LOSES): Role.FOLLOWER,
    (Role.PRE_CANDIDATE, Event.HEARS_HIGHER_TERM): Role.FOLLOWER,
    (Role.CANDIDATE, Event.TIMES_OUT): Role.PRE_CANDIDATE,
    (Role.CANDIDATE, Event.TIMES_OUT_UNASKED): Role.CANDIDATE,
    (Role.CANDIDATE, Event.TIMES_OUT_WITHOUT_VOTE): Role.FOLLOWER,
    (Role.CANDIDATE, Event.WINS): Role.LEADER,
    (Role.CANDIDATE, Event.IS_ASKED_TO_LEAD): Role.CANDIDATE,
    (Role.CANDIDATE, Event.LOSES): Role.FOLLOWER,
    (Role.CANDIDATE, Event.DISK_FULL): Role.FOLLOWER,
    (Role.CANDIDATE, Event.HEARS_HIGHER_TERM): Role.FOLLOWER,
    (Role.LEADER, Event.LOSES_QUORUM): Role.FOLLOWER,
    (Role.LEADER, Event.IS_REMOVED): Role.FOLLOWER,
    (Role.LEADER, Event.DISK_FULL): Role.FOLLOWER,
    (Role.LEADER, Event.HEARS_HIGHER_TERM): Role.FOLLOWER,
    **{(role, Event.DISK_FAILS): Role.MUTE for role in Role if role is not Role.MUTE},
}
"""Of (role, event); what is not in it does not happen."""
