"""What a replaced Raft hands out to be applied, looked at from outside: not too little, and never too much.

Too little: what a quorum has on disk is applied before long, for nothing is left to wait for; and so is what a leader told of, up
to where the log is like that leader's.

Too much: what is applied before it is committed may be acknowledged, and lost. What a node can know to be committed, it was told:
by snapshots, by its host (`applied`), as a follower by a leader, of the entries in which its log is like that leader's, and as a
leader by a quorum that acknowledged an entry of its term, where its own disk counts like any other. All that comes by way of
arguments, so that it is counted here as well, when it arrives: a Raft may make use of it at once, later, or never.
Paper: Raft, sections 5.3 and 5.4.2, and 6 on two majorities.
"""

from typing import Any

from mq.core.ids import EntryId
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, Message, SnapshotReply
from mq.raft.output import NOTHING, Output
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.server.by_log import ByLog
from mq.server.organ_looks import OrganError

__all__ = ["UNAPPLIED_TICKS_MAX", "check_applying"]

UNAPPLIED_TICKS_MAX = 60
"""For so many ticks in a row a node may leave unapplied what a quorum has on disk, or what it was told: it waits for no message,
and for no disk."""


class _Known:
    """Of one node, node_id, by what it was told.

    to_apply: up to where its Raft has said that entries are to be applied. ticks: since more could have been.
    committed: up to where this node can know entries to be committed; it never falls. configuration: as the last call left it.
    term: the highest of a request or an answer. acknowledged: in that term, by node. agreed: up to here this log is that of
    the leader of that term.
    ends: index and term where requests of that term ended with which the log did not agree when they came.
    told: the highest commit index that a leader spoke of, whether the log here reaches so far or not. due: up to where a single
    message of that term said it, so that a follower has to take it for committed.
    """

    __slots__ = (
        "acknowledged", "agreed", "committed", "configuration", "due", "ends", "node_id", "term", "ticks", "to_apply", "told",
    )  # fmt: skip

    def __init__(self, node_id: int, configuration: Configuration) -> None:
        self.node_id = node_id
        self.to_apply = self.ticks = self.committed = self.term = self.agreed = self.told = self.due = 0
        self.acknowledged: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.configuration = configuration

    def hear(self, message: Message, storage: Any) -> bool:
        """Whether more may be committed by what it says."""
        if not isinstance(message, AppendRequest | AppendReply | SnapshotReply):
            return False  # votes: of a term that a node need not enter
        if message.term > self.term:
            self.term, self.agreed, self.acknowledged, self.ends, self.due = message.term, 0, {}, {}, 0
        if message.term < self.term:
            return False
        match message:
            case AppendRequest(previous=previous, entries=entries, commit_index=told):
                self.told = max(self.told, told)
                end = EntryId(entries[-1].term, entries[-1].index) if entries else previous
                self._note_end(end, storage)
                if end.index <= self.agreed:
                    self.due = max(self.due, min(told, end.index))
            case AppendReply(sender=sender, is_matching=True, match_index=index):
                self.acknowledged[sender] = max(index, self.acknowledged.get(sender, 0))
                return True
            case SnapshotReply(sender=sender, is_installed=True, last=last):
                self.acknowledged[sender] = max(last.index, self.acknowledged.get(sender, 0))
                return True
        return False

    def _note_end(self, end: EntryId, storage: Any) -> None:
        """Where an entry is the same in two logs, all before it is. Paper: Raft, section 5.3, Log Matching."""
        if end.index > self.agreed:
            if storage.term_at(end.index) == end.term:
                self.agreed = end.index
                if self.ends:
                    self.ends = {index: term for index, term in self.ends.items() if index > end.index}
            else:
                self.ends[end.index] = end.term
        self.committed = max(self.committed, min(self.told, self.agreed))

    def count(self, node: Any, storage: Any) -> None:
        """What a quorum has now, by the configuration before this call or the one behind it."""
        has = {**self.acknowledged, self.node_id: int(storage.durable_index)}
        now, before = node.configuration, self.configuration
        for configuration in (now,) if now is before else (now, before):
            index = configuration.quorum_value(lambda one: has.get(one, 0))
            if index > self.committed and storage.term_at(index) in (self.term, storage.hard_state.term):
                self.committed = index

    def reach(self, index: int, node: Any, storage: Any) -> bool:
        """Whether so much can be known to be committed, when everything is looked at once more, and closely."""
        self.count(node, storage)
        for end, term in self.ends.items():
            if storage.term_at(end) == term:
                self.agreed = max(self.agreed, end)
        # A leader has all that is committed. Paper: Raft, section 5.4.3.
        agreed = storage.last_index if node.view().role is Role.LEADER else self.agreed
        self.committed = max(self.committed, min(self.told, agreed))
        return self.committed >= index


_known = ByLog(lambda node: _Known(node.view().node_id, node.configuration))


def check_applying(name: str, what: str, node: Any, arguments: tuple[Any, ...], found: Output, view: NodeView | None) -> None:
    """Of what a call returned. view: of the node, with a tick. Raises: OrganError."""
    storage = node.log.storage
    known = _known.of(node)
    known.committed = max(known.committed, node.snapshot.last.index, arguments[0] if name == "applied" else 0)
    if (name == "step" and known.hear(arguments[0], storage)) or (name == "saved" and known.acknowledged):
        known.count(node, storage)
    if name == "save_failed":
        known.due = 0  # what that save superseded is back: where the log is the leader's, is to be found out anew
    if found is not NOTHING:
        _check_too_much(what, node, known, found)
        known.configuration = node.configuration
    _check_too_little(what, node, known, found, view)


def _check_too_much(what: str, node: Any, known: _Known, found: Output) -> None:
    storage = node.log.storage
    if found.apply_to > known.committed and not known.reach(found.apply_to, node, storage):
        raise OrganError(f"{what} wants entry {found.apply_to} to be applied, {_by_whom(node, known)}")
    for message in found.send:
        told = message.commit_index if isinstance(message, AppendRequest) else 0
        if told > known.committed and not known.reach(told, node, storage):
            raise OrganError(f"{what} tells node {message.to} that entry {told} is committed, {_by_whom(node, known)}")


def _by_whom(node: Any, known: _Known) -> str:
    leads = node.view().role is Role.LEADER
    who = "a quorum has" if leads else "a leader has told this node of"
    return f"and {who} only those up to {known.committed}: it may be lost yet"


def _check_too_little(what: str, node: Any, known: _Known, found: Output, view: NodeView | None) -> None:
    storage = node.log.storage
    to_apply = max(known.to_apply, found.apply_to, node.snapshot.last.index)
    if to_apply > known.to_apply:
        known.to_apply, known.ticks = to_apply, 0
    elif view is not None:
        could, why = _may_be_applied(known, storage, view) if storage.durable_index > to_apply else (0, "")
        known.ticks = known.ticks + 1 if could > to_apply else 0
        if known.ticks > UNAPPLIED_TICKS_MAX:
            raise OrganError(
                f"{what} leaves entries unapplied: those up to {could} are {why} since {known.ticks} ticks, and "
                f"only those up to {to_apply} were to be applied"
            )


def _may_be_applied(known: _Known, storage: Any, view: NodeView) -> tuple[int, str]:
    """Up to where, and why.

    Of a leader what a quorum has, if it has it itself; of a follower what it was told of, if it has that.
    Paper: Raft, sections 5.3 and 5.4.2.
    """
    durable, is_same_term = int(storage.durable_index), view.term == known.term
    if view.role is Role.LEADER:
        has = {**(known.acknowledged if is_same_term else {}), view.node_id: durable}
        index = min(durable, view.configuration.quorum_value(lambda one: has.get(one, 0)))
        return (index if storage.term_at(index) == view.term else 0), "durable with a quorum"
    due = min(durable, known.due) if is_same_term and view.role is not Role.MUTE else 0
    return due, "durable here and committed, as a leader said,"
