"""What a replaced Raft may not leave undone while it leads: a group whose leader does nothing stands still, and nobody is told.

A leader says that it leads, has an entry of its own term in its log, and sends to those who answer what they lack. That is
counted in answers and ticks, and not in time: a follower that is cut off, or whose disk hangs, does not answer, a leader whose
own disk hangs has nothing durable to send, and one that stood still for a while had no ticks. One that asks further and further
back where the logs agree is heard, too, however long that takes and without a single entry.
Paper: Raft, sections 5.2 and 5.3, and 8 on a new leader's first entry; thesis: section 3.5 on requests without entries.
"""

from typing import Any

from mq.raft.messages import AppendReply, AppendRequest, SnapshotReply, SnapshotRequest
from mq.raft.output import Output
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.server.by_log import ByLog
from mq.server.organ_looks import OrganError

__all__ = ["UNHEEDED_ANSWERS_MAX", "UNLED_TICKS_MAX", "check_leading"]

UNLED_TICKS_MAX = 60
"""For so many ticks a leader may leave undone what it could do at once."""
UNHEEDED_ANSWERS_MAX = 20
"""So often a follower may say that it lacks entries, and get none."""


class _Follower:
    """match: up to where it has the leader's log, as it said. sent: the last entry that was sent to it in this term.

    unheeded: how often it has answered since it was sent something, and lacked entries that were not on their way; since: the
    tick of the first of these answers. is_waiting: something is being read for it, or a snapshot is on its way. probed: how far
    back it was asked whether the logs agree, without entries; None when that begins anew.
    """

    __slots__ = ("is_waiting", "match", "probed", "sent", "since", "unheeded")

    def __init__(self) -> None:
        self.match = self.sent = self.unheeded = self.since = 0
        self.is_waiting = False
        self.probed: int | None = None

    def is_given(self, *, is_waiting: bool) -> None:
        """It gets what it lacks, or will."""
        self.unheeded, self.is_waiting, self.probed = 0, is_waiting, None

    def matches(self, index: int) -> None:
        """As it says."""
        if index > self.match:
            self.match, self.unheeded, self.probed = index, 0, None

    def is_probed(self, index: int) -> None:
        """A leader gets on by asking further back than ever before: that comes to an end. The same heartbeat would not.

        At 0 all logs agree; a heartbeat that says nothing else is no question.
        """
        if index > 0 and (self.probed is None or index < self.probed):
            self.unheeded, self.probed = 0, index


class _Reign:
    """What was heard and sent in a term. told: the role that the node said of itself last. ticks: of this node, ever.

    apply_to: as it was with the last tick. silent_ticks, bare_ticks: leading without a word of it, and without an own entry.
    """

    def __init__(self) -> None:
        self.term = self.ticks = self.apply_to = self.silent_ticks = self.bare_ticks = 0
        self.told: Role | None = None
        self.followers: dict[int, _Follower] = {}

    def follower(self, node_id: int, term: int) -> _Follower | None:
        """Of that term; None when it is over."""
        if term > self.term:
            self.term, self.followers = term, {}
        return self.followers.setdefault(node_id, _Follower()) if term == self.term else None


_reigns = ByLog(lambda _node: _Reign())


def check_leading(name: str, what: str, node: Any, arguments: tuple[Any, ...], found: Output, view: NodeView | None) -> None:
    """Of what a call returned. view: of the node, with a tick. Raises: OrganError."""
    storage = node.log.storage
    reign = _reigns.of(node)
    if name == "step":
        _hear(reign, arguments[0], storage)
    elif name in ("fetched", "chunk_fetched"):
        _note_waiting(reign, arguments[0], is_waiting=False)
    _note_output(reign, found)
    if view is not None:
        _tick(what, reign, storage, view)


def _note_output(reign: _Reign, found: Output) -> None:
    if found.changes:
        reign.told = found.changes[-1].role
    for message in (*found.send, *(later for _, later in found.send_after)):
        _note_sent(reign, message)
    for wanted in found.fetch:
        _note_waiting(reign, wanted, is_waiting=True)


def _tick(what: str, reign: _Reign, storage: Any, view: NodeView) -> None:
    reign.ticks += 1
    if view.role is Role.LEADER and view.apply_to <= reign.apply_to and not view.is_transferring:
        _check_told(what, reign)
        _check_own_entry(what, reign, storage, view)
        _check_fed(what, reign, storage, view)
    else:
        reign.silent_ticks = reign.bare_ticks = 0
        for follower in reign.followers.values():
            follower.unheeded = 0
    reign.apply_to = view.apply_to


def _hear(reign: _Reign, message: Any, storage: Any) -> None:
    if isinstance(message, SnapshotReply) and message.is_installed:
        follower = reign.follower(message.sender, message.term)
        if follower is not None:
            follower.matches(message.last.index)
            follower.is_waiting = False
    if not isinstance(message, AppendReply):
        return
    follower = reign.follower(message.sender, message.term)
    if follower is None:
        return
    if message.is_matching:
        follower.matches(message.match_index)
        lacks = follower.sent <= follower.match < storage.durable_index  # else it is on its way, or need not be yet
    else:
        lacks = True
    if not lacks or follower.is_waiting:
        follower.unheeded = 0
        return
    if not follower.unheeded:
        follower.since = reign.ticks
    follower.unheeded += 1


def _note_sent(reign: _Reign, message: Any) -> None:
    if not isinstance(message, AppendRequest | SnapshotRequest):
        return
    follower = reign.follower(message.to, message.term)
    if follower is None:
        return
    if isinstance(message, SnapshotRequest):
        follower.is_given(is_waiting=True)
    elif message.entries:
        follower.is_given(is_waiting=False)
        follower.sent = max(follower.sent, message.entries[-1].index)
    else:
        follower.is_probed(message.previous.index)


def _note_waiting(reign: _Reign, wanted: Any, *, is_waiting: bool) -> None:
    follower = reign.follower(wanted.peer, wanted.term)
    if follower is not None:
        follower.is_given(is_waiting=is_waiting)


def _check_told(what: str, reign: _Reign) -> None:
    reign.silent_ticks = reign.silent_ticks + 1 if reign.told is not Role.LEADER else 0
    if reign.silent_ticks > UNLED_TICKS_MAX:
        raise OrganError(
            f"{what}: this node leads, as its `view` says, since {reign.silent_ticks} ticks, and no Output says so in `changes`: "
            "nobody would be told where to send"
        )


def _check_own_entry(what: str, reign: _Reign, storage: Any, view: NodeView) -> None:
    """Where a quorum has all of a log that ends with another term, and not all of it is applied, only a new entry helps."""
    end = storage.last_index
    is_bare = (
        view.term == reign.term
        and view.apply_to < end == storage.durable_index
        and (storage.term_at(end) or 0) < view.term
        and view.configuration.has_quorum(lambda one: one == view.node_id or _match_of(reign, one) >= end)
    )
    reign.bare_ticks = reign.bare_ticks + 1 if is_bare else 0
    if reign.bare_ticks > UNLED_TICKS_MAX:
        raise OrganError(
            f"{what} leads term {view.term} since {reign.bare_ticks} ticks without an entry of that term in its log, which ends "
            f"with entry {end}: what is there from before can never be committed"
        )


def _match_of(reign: _Reign, node_id: int) -> int:
    follower = reign.followers.get(node_id)
    return 0 if follower is None else follower.match


def _check_fed(what: str, reign: _Reign, storage: Any, view: NodeView) -> None:
    if view.term != reign.term or storage.durable_index <= view.apply_to:
        return

    def is_unheeded(node_id: int) -> bool:
        follower = reign.followers.get(node_id)
        return (
            follower is not None and follower.unheeded > UNHEEDED_ANSWERS_MAX and reign.ticks - follower.since > UNLED_TICKS_MAX
        )

    if view.configuration.has_quorum(lambda one: one == view.node_id or is_unheeded(one)):
        others = [one for one in view.configuration.members if is_unheeded(one)]
        if others:
            raise OrganError(
                f"{what} leads and sends no entries to {' and '.join(f'node {one}' for one in others)}, which answered "
                f"{reign.followers[others[0]].unheeded} times and lacks those behind {_match_of(reign, others[0])}: nothing of "
                f"the log up to {storage.durable_index} would ever be committed"
            )
