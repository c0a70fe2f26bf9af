"""Checkers by hand: what the log's own rules forestall in a run, and what a storage and a state must be."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.core.entry import Entry, EntryKind, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, Snapshot
from mq.raft.output import Chunk
from mq.raft.role import Role
from mq.sim.group.checkers import LeaderAppendOnly, SnapshotsNameMembers
from mq.sim.group.host import Host
from mq.sim.group.light_log import Group, LightLog
from mq.sim.group.options import FAULTS, draw_options
from mq.sim.group.promises import AcknowledgedIsKept
from mq.sim.group.storage import LightStorage, decode_state, encode_state
from mq.sim.group.watch import ViolationError

NOTHING = EntryId(Term(0), LogIndex(0))


def group(after: int, *, is_reset: bool = False) -> Group:
    """An append of one entry, or a log that begins anew."""
    entries = () if is_reset else (Entry(LogIndex(after + 1), Term(2), EntryKind.COMMAND, b""),)
    return Group(1, after, entries, None, EntryId(Term(2), LogIndex(after)) if is_reset else None)


def host(role: Role, last_index: int, term: int = 2) -> Host:
    """All that these checkers look at."""
    node = SimpleNamespace(role=role, term=term)
    log, place = SimpleNamespace(last_index=last_index), SimpleNamespace(configuration=Configuration.of(1, 2, 3))
    return cast(Host, SimpleNamespace(node_id=1, node=node, role=role, term=term, log=log, place=place))


@pytest.mark.parametrize(
    ("role", "append", "is_broken"),
    [
        (Role.LEADER, group(5), False),
        (Role.LEADER, group(4), True),
        (Role.LEADER, group(3, is_reset=True), True),
        (Role.FOLLOWER, group(4), False),
    ],
)
def test_a_leader_only_appends(role: Role, append: Group, is_broken: bool) -> None:
    checker = LeaderAppendOnly()
    checker.started(host(role, 5))
    if is_broken:
        with pytest.raises(ViolationError, match="its log ended at 5"):
            checker.appended(host(role, 5), append)
    else:
        checker.appended(host(role, 5), append)


@pytest.mark.parametrize(
    ("term", "append", "is_broken"),
    [
        (2, group(7), False),
        (2, group(6), True),
        (2, group(3, is_reset=True), True),
        (2, group(9, is_reset=True), False),
        (3, group(2), False),
    ],
)
def test_what_was_acknowledged_in_this_term_is_kept(term: int, append: Group, is_broken: bool) -> None:
    checker = AcknowledgedIsKept()
    reply = AppendReply(1, 2, Term(2), True, LogIndex(7), LogIndex(0), NOTHING, 0)
    checker.leaves(host(Role.FOLLOWER, 7), reply)
    checker.leaves(host(Role.FOLLOWER, 7), reply._replace(match_index=LogIndex(3)))
    checker.leaves(host(Role.FOLLOWER, 7), reply._replace(match_index=LogIndex(9), is_matching=False))
    if is_broken:
        with pytest.raises(ViolationError, match="acknowledged entries up to 7"):
            checker.appended(host(Role.FOLLOWER, 7, term), append)
    else:
        checker.appended(host(Role.FOLLOWER, 7, term), append)


@pytest.mark.parametrize(
    ("at", "index", "members", "said"),
    [
        (4, 4, (1, 2, 3), ""),
        (5, 5, (1, 2), ""),
        (9, 9, (1, 2), ""),
        (4, 4, (1, 2), "since entry 0"),
        (5, 5, (1, 2, 3), "since entry 5"),
        (9, 9, (1, 2, 4), "since entry 5"),
        (9, 8, (1, 2), "the one behind entry 8"),
    ],
)
def test_a_snapshot_names_its_entry_and_its_members(at: int, index: int, members: tuple[int, ...], said: str) -> None:
    checker = SnapshotsNameMembers()
    for entry_index in (5, 5, 3):  # others apply it, too, and one of them begins before it
        kind = EntryKind.CONFIGURATION if entry_index == 5 else EntryKind.NOOP
        payload = Configuration.of(1, 2).to_bytes() if entry_index == 5 else b""
        checker.applied(host(Role.FOLLOWER, 9), Entry(LogIndex(entry_index), Term(2), kind, payload), 0)
    taken = Snapshot(EntryId(Term(2), LogIndex(at)), Configuration.of(*members))
    if said:
        with pytest.raises(ViolationError, match=said):
            checker.has_snapshot(host(Role.FOLLOWER, 9), taken, index)
    else:
        checker.has_snapshot(host(Role.FOLLOWER, 9), taken, index)


# ---------------------------------------------------------------- states and storage


@pytest.mark.parametrize("words", [1, 2, 5, 300])
def test_a_state_is_read_back_and_a_mixed_up_one_is_refused(words: int) -> None:
    state, other = (encode_state(7, 0xABCD, words, maker=maker) for maker in (1, 2))
    assert decode_state(state) == decode_state(other) == (7, 0xABCD)
    assert len(state) == 12 * words
    for wrong in (b"", state[:-1], state + b"x", state + state[-12:], encode_state(8, 1, 1, maker=1) + state[12:] + b"y"):
        with pytest.raises(StateError, match="not one whole state"):
            decode_state(wrong)


@pytest.mark.parametrize("chunk_bytes", [12, 24, 50])
def test_of_chunks_none_may_be_lost_repeated_moved_or_taken_from_another_node(chunk_bytes: int) -> None:
    state, other = (encode_state(7, 0xABCD, 10, maker=maker) for maker in (1, 2))
    chunks, others = ([whole[at : at + chunk_bytes] for at in range(0, len(whole), chunk_bytes)] for whole in (state, other))
    for at in range(len(chunks)):
        for wrong in (
            chunks[:at] + chunks[at + 1 :],
            [*chunks[:at], chunks[at], *chunks[at:]],
            chunks[at + 1 :] + chunks[: at + 1] if at + 1 < len(chunks) else chunks[::-1],
            [*chunks[:at], others[at], *chunks[at + 1 :]],
        ):
            with pytest.raises(StateError, match="not one whole state"):
                decode_state(b"".join(wrong))


def snapshot(index: int) -> Snapshot:
    return Snapshot(EntryId(Term(1), LogIndex(index)), Configuration.of(1, 2, 3))


def test_a_snapshot_from_chunks_is_there_with_its_last_one_and_the_newest_is_opened() -> None:
    storage = LightStorage()
    storage.save_snapshot(snapshot(2), b"two")
    storage.save_chunk(Chunk(snapshot(5), 0, b"lost", is_last=False))
    storage.save_chunk(Chunk(snapshot(9), 0, b"ni", is_last=False))
    assert storage.open().snapshot == snapshot(2)
    storage.save_chunk(Chunk(snapshot(9), 0, b"ni", is_last=False))
    storage.save_chunk(Chunk(snapshot(9), 2, b"ne", is_last=True))
    opened = storage.open()
    assert (opened.snapshot, opened.state) == (snapshot(9), b"nine")
    storage.forget_snapshots(9)
    assert (storage.state_of(snapshot(2)), storage.state_of(snapshot(9))) == (None, b"nine")


def test_a_start_finds_the_configurations_behind_the_snapshot() -> None:
    storage = LightStorage()
    log = cast(LightLog, storage.open().log)
    configurations = [Configuration.of(1, 2), Configuration.of(1, 2, 3)]
    entries = [
        Entry(LogIndex(index), Term(1), EntryKind.CONFIGURATION, configuration.to_bytes())
        for index, configuration in enumerate(configurations, 1)
    ]
    log.append(LogIndex(0), entries, HardState(Term(1), None))
    assert storage.unsynced == 1
    storage.crash(1, is_power_lost=True)
    assert storage.open().later_configurations == ((1, configurations[0]), (2, configurations[1]))
    storage.save_snapshot(snapshot(1), b"")
    assert storage.open().later_configurations == ((2, configurations[1]),)


# ---------------------------------------------------------------- what seeds draw


def test_seeds_turn_all_knobs() -> None:
    drawn = [draw_options(seed) for seed in range(200)]
    assert {options.nodes for options in drawn} == {3, 5}
    assert {name for options in drawn for name in options.faults} == set(FAULTS)
    assert not any({"change", "damage"} <= set(options.faults) for options in drawn), "too few nodes would be left"
    assert draw_options(7) == draw_options(7)
    raft: Any = [options.raft for options in drawn]
    for name in ("has_pre_vote", "has_check_quorum", "entries_max", "in_flight_max", "chunk_bytes_max", "recent_bytes_max"):
        assert len({getattr(options, name) for options in raft}) > 1, name
    assert draw_options(7, steps=50) == replace(draw_options(7), steps=50)
