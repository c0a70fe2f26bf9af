"""Nodes as checkers see them, put together by hand, and the failure that a test wants of a checker."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.role import Role
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group, LightLog, LightMedium
from mq.sim.group.watch import Checker, ViolationError

__all__ = ["appends", "command", "compacted", "entry_id", "fails", "host", "on_disk"]


def entry_id(index: int, term: int) -> EntryId:
    return EntryId(Term(term), LogIndex(index))


def command(index: int, term: int, payload: bytes = b"x") -> Entry:
    return Entry(LogIndex(index), Term(term), EntryKind.COMMAND, payload)


def appends(*entries: Entry, is_reset: bool = False) -> Group:
    """What was put into a log: these entries, or (is_reset) a log that begins anew behind the one that is given."""
    first = entries[0]
    if is_reset:
        return Group(1, first.index, (), None, entry_id(first.index, first.term))
    return Group(1, first.index - 1, entries, None)


def host(
    node_id: int = 1,
    role: Role = Role.FOLLOWER,
    term: int = 2,
    *,
    saved: Sequence[int] = (),
    unsaved: Sequence[int] = (),
    vote: int | None = None,
    is_damaged: bool = False,
    **others: Any,
) -> Host:
    """saved, unsaved: terms of its log's entries, on its disk and behind those only in memory. vote: on its disk, of that term.

    others: `was_...` how it was after the step before (role, term, vote, commit_index), `disk_term`, and fields of the host.
    """
    medium = LightMedium()
    log = LightLog(medium)
    disk_term = others.pop("disk_term", term)
    log.append(LogIndex(0), [command(index, of) for index, of in enumerate(saved, 1)], HardState(Term(disk_term), vote))
    medium.sync(1)
    log.synced(1)
    if unsaved:
        first = len(saved) + 1
        log.append(
            LogIndex(first - 1), [command(index, of) for index, of in enumerate(unsaved, first)], HardState(Term(term), vote)
        )
    commit_index = others.pop("commit_index", 0)
    none = Snapshot(entry_id(0, 0), Configuration.of(1, 2, 3))
    node = SimpleNamespace(role=role, term=term, vote=vote, commit_index=commit_index, snapshot=none)
    fields = {
        "node_id": node_id,
        "node": None if others.pop("is_down", False) else node,
        "role": others.pop("was_role", role),
        "term": others.pop("was_term", term),
        "vote": others.pop("was_vote", vote),
        "commit_index": others.pop("was_commit_index", commit_index),
        "is_taking_back": False,
        "log": log,
        "storage": SimpleNamespace(durable=medium, is_damaged=is_damaged),
        "deciding": Configuration.of(1, 2, 3),
        "applied": 0,
        "snapshot_index": 0,
        "installed_index": 0,
    }
    return cast(Host, SimpleNamespace(**{**fields, **others}))


def compacted(node: Host, index: int, term: int) -> Host:
    """Its log begins anew behind that entry, which is in memory only."""
    node.log.reset(entry_id(index, term), node.log.hard_state)
    return node


def on_disk(node: Host) -> None:
    """All that is in memory only is durable now."""
    medium = node.storage.durable
    assert isinstance(medium, LightMedium)
    medium.sync(medium.waiting[-1].sequence)


@contextmanager
def fails(checker: Checker, one: str, other: str) -> Iterator[None]:
    """The checker says that its promise is broken, and these words are in the two facts that it gives."""
    with pytest.raises(ViolationError) as broken:
        yield
    violation = broken.value.violation
    assert violation.promise == checker.promise
    assert one in violation.facts[0]
    assert other in violation.facts[1]
