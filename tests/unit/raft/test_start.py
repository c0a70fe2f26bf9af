"""What a node begins with has to fit together."""

import random
from collections.abc import Sequence

import pytest

from mq.core.entry import Entry, EntryKind
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.sim.group.light_log import LightLog, LightMedium

MEMBERS = Configuration.of(1, 2, 3)


def start(
    log: LightLog, snapshot: Snapshot | None, later_configurations: Sequence[tuple[LogIndex, Configuration]] = ()
) -> RaftNode:
    return RaftNode(
        1, log, random.Random(1), options=RaftOptions(), configuration=MEMBERS, snapshot=snapshot,
        later_configurations=later_configurations,
    )  # fmt: skip


def log_of_five() -> LightLog:
    log = LightLog(LightMedium())
    appended = log.append(LogIndex(0), [Entry(LogIndex(i), Term(0), EntryKind.COMMAND, b"") for i in range(1, 6)])
    log.synced(appended.sequence)
    return log


def test_a_log_that_begins_behind_the_snapshot_is_refused_and_not_forgotten() -> None:
    log = log_of_five()
    log.drop_before(LogIndex(4))
    with pytest.raises(StateError, match="the log begins at 4, and the newest snapshot stands for 2"):
        start(log, Snapshot(EntryId(Term(0), LogIndex(2)), MEMBERS))
    assert log.last_index == 5


def test_a_log_that_ends_before_the_snapshot_begins_anew_behind_it() -> None:
    node = start(log_of_five(), Snapshot(EntryId(Term(2), LogIndex(9)), MEMBERS))
    assert node.view().last == EntryId(Term(2), LogIndex(9))
    assert node.view().commit_index == 9


def test_what_a_start_leaves_to_be_saved_leaves_with_the_first_tick() -> None:
    """Else the host would hear of that write with whatever comes next, if anything does."""
    log = log_of_five()
    node = start(log, Snapshot(EntryId(Term(2), LogIndex(9)), MEMBERS))
    [begun_anew] = node.tick().saves
    node.saved(begun_anew.sequence)
    assert log.durable_index == 9
    assert node.tick().saves == ()


def test_a_configuration_that_stands_behind_the_end_of_the_log_is_refused() -> None:
    """It is of entries that are gone: with it in force, wrong majorities would count."""
    fewer = Configuration.of(1)
    assert start(log_of_five(), None, [(LogIndex(5), fewer)]).configuration == fewer
    with pytest.raises(StateError, match="a configuration of entry 6, where the log ends at 5"):
        start(log_of_five(), None, [(LogIndex(6), fewer)])
    with pytest.raises(StateError, match="a configuration of entry 10, where the log ends at 9"):
        start(log_of_five(), Snapshot(EntryId(Term(2), LogIndex(9)), MEMBERS), [(LogIndex(10), fewer)])
