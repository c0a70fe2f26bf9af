"""A leader's part in taking a wiped node back, one change of members after the other, as often as that node asks.

    voter --(its old promises must not count)--> no member --> learner --(it has caught up)--> voter

To have caught up is to hold all that was committed when it was told that it is a learner, and about all that came since. Raft's
own `learner_lag_max` is about the latter alone: to it a log that is short as a whole is but a small lag.

By way of "no member", so that a leader forgets what it knew of the log that is lost: else it would wait for ever behind an
entry that the node once had. Nothing is remembered here: whoever leads goes on from what the configuration says.
"""

from typing import NamedTuple

from mq.raft.configuration import Configuration
from mq.raft.view import NodeView

__all__ = ["Returning", "Standing", "next_members", "standing_of"]


class Returning(NamedTuple):
    """What a node says that comes back.

    was_voter: a leader told it so before. is_learning: it takes the log already. learner_at: as in its note
    (`mq.server.taking_part`); 0 from one that does not say.
    """

    node_id: int
    was_voter: bool
    is_learning: bool
    learner_at: int = 0


class Standing(NamedTuple):
    """What its leader answers. kind: "voter", "learner" or "none". at: the leader's commit index, in its term."""

    kind: str
    at: int
    term: int


def standing_of(view: NodeView, returning: Returning, *, is_settled: bool) -> Standing:
    """As far as it is committed. A learner of whom the leader still knows an older log is none yet."""
    members, node = view.configuration, returning.node_id
    kind = "none"
    if members.is_voter(node):
        kind = "voter"
    elif node in members.learners and is_settled and (returning.is_learning or not _has_stale_progress(view, node)):
        kind = "learner"
    return Standing(kind, view.commit_index, view.term)


def next_members(view: NodeView, returning: Returning, *, is_settled: bool) -> Configuration | None:
    """The members to change to now; None when there is nothing to do, or not yet."""
    now, node = view.configuration, returning.node_id
    if not is_settled:
        return None
    without = Configuration(tuple(v for v in now.voters if v != node), (), tuple(one for one in now.learners if one != node))
    if node in now.voters:
        may_go = returning.was_voter and not returning.is_learning and _is_majority_well(view, without)
        return without if may_go else None
    as_learner = Configuration(without.voters, (), tuple(sorted({*without.learners, node})))
    if node not in now.learners:
        return as_learner if returning.was_voter and not returning.is_learning else None
    if not returning.is_learning:
        return without if _has_stale_progress(view, node) else None
    if not returning.was_voter or _matched(view, node) < returning.learner_at:
        return None
    return Configuration(tuple(sorted({*now.voters, node})), (), without.learners)


def _has_stale_progress(view: NodeView, node: int) -> bool:
    """A silent node has acknowledged nothing: what is known of it is of a folder that is gone."""
    return _matched(view, node) > 0


def _matched(view: NodeView, node: int) -> int:
    """How far the node's log is known to be the leader's."""
    return max((peer.match_index for peer in view.peers if peer.node_id == node), default=0)


def _is_majority_well(view: NodeView, without: Configuration) -> bool:
    """Whether the others decide by themselves, also as the joint configuration needs it: a majority of all voters, too."""
    well = {view.node_id, *(peer.node_id for peer in view.peers if peer.is_active)} & set(without.voters)
    return without.has_quorum(well.__contains__) and view.configuration.has_quorum(well.__contains__)
