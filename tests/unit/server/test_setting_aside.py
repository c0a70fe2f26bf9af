"""Damaged data of a group's member is kept, out of the way, and the node knows that it is on its way back."""

import json
import os
from pathlib import Path

import pytest

from mq.core.errors import DamageError, DiskError, FormatError, IllegalArgumentError, MqError, StateError
from mq.server import process
from mq.server.broker import Broker
from mq.server.config import BrokerConfig
from mq.server.disk import FileDisk, FolderInUseError
from mq.server.setting_aside import (
    DAMAGE_FILE,
    EntriesGoneError,
    StateDiffersError,
    calls_for_repair,
    can_come_back,
    note_damage,
    noted_damage,
    set_aside,
)
from mq.server.synced import HALF_MADE
from mq.server.taking_part import NOTE_FILE, Note, Part, read_note
from mq.server.voters_note import VOTERS_FILE, noted_voters, settings_of

DAMAGE = DamageError("log/1.log", 77, "a bit was flipped")
THREE = ("1=127.0.0.1:1", "2=127.0.0.1:2", "3=127.0.0.1:3")


def fill(folder: Path, text: str) -> None:
    for name in ("log/1.log", "snapshots/2.snap", "LOCK"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def note_in(folder: Path) -> Note | None:
    disk = FileDisk(folder)
    try:
        return read_note(disk)
    finally:
        disk.close()


def test_everything_is_kept_as_it_was_and_the_folder_is_empty_but_for_the_note(tmp_path: Path) -> None:
    fill(tmp_path, "first")
    aside = set_aside(tmp_path, DAMAGE)
    assert aside == tmp_path / "damaged-1"
    assert (aside / "log/1.log").read_text() == (aside / "snapshots/2.snap").read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LOCK", "damaged-1", "rejoining"]
    note = note_in(tmp_path)
    assert note == Note()
    assert note.part is Part.REJOINING
    assert "a bit was flipped" in (aside / DAMAGE_FILE).read_text(), "whoever looks at the files later sees why they are there"


def test_what_is_not_ours_stays_where_it_is(tmp_path: Path) -> None:
    """Such as `lost+found`, which nobody but root may move."""
    fill(tmp_path, "first")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "cluster.secret").write_text("a secret")
    (tmp_path / VOTERS_FILE).write_text("{}")
    set_aside(tmp_path, DAMAGE)
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {"LOCK", "damaged-1", "rejoining", "lost+found", "cluster.secret", VOTERS_FILE}


def test_a_try_that_came_to_nothing_leaves_no_folder_more_each_time(tmp_path: Path) -> None:
    fill(tmp_path, "first")
    with pytest.MonkeyPatch.context() as patch:

        def refused(_path: Path, _to: Path) -> Path:
            raise PermissionError(13, "Permission denied")

        for _ in range(3):
            patch.setattr(Path, "rename", refused)
            with pytest.raises(DiskError, match="cannot be put aside"):
                set_aside(tmp_path, DAMAGE)
    assert [path.name for path in tmp_path.glob("damaged-*")] == ["damaged-1"]
    assert set_aside(tmp_path, DAMAGE) == tmp_path / "damaged-1"


def test_a_second_time_the_first_is_let_be(tmp_path: Path) -> None:
    for text in ("first", "second"):
        fill(tmp_path, text)
        set_aside(tmp_path, DAMAGE)
    assert (tmp_path / "damaged-1/log/1.log").read_text() == "first"
    assert (tmp_path / "damaged-2/log/1.log").read_text() == "second"


@pytest.mark.parametrize(
    ("settings", "can"),
    [
        ({"peers": THREE}, True),
        ({"peers": THREE[:2]}, False),
        ({"peers": THREE[:1]}, False),
        ({"replication": "raft"}, False),
        ({}, False),
    ],
)
def test_only_where_the_others_are_a_majority_by_themselves(settings: dict[str, object], can: bool, tmp_path: Path) -> None:
    assert can_come_back(BrokerConfig(data=tmp_path / "data", **settings)) is can  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("voters", "old_voters", "can"),
    [
        ([1], [], False),
        ([1, 3], [], False),
        ([1, 2, 3], [], True),
        ([1, 2, 3], [1, 2], False),
        ([2], [], True),
        ([2, 3], [1, 2, 3], True),
    ],
)
def test_a_group_that_became_smaller_counts_as_it_is_now(
    voters: list[int], old_voters: list[int], can: bool, tmp_path: Path
) -> None:
    (tmp_path / VOTERS_FILE).write_text(json.dumps({"voters": voters, "old_voters": old_voters}))
    assert can_come_back(BrokerConfig(data=tmp_path, peers=THREE)) is can


PAIR = ("1=127.0.0.1:1", "2=127.0.0.1:2")


def with_a_master(folder: Path, *peers: str) -> BrokerConfig:
    return BrokerConfig(data=folder, peers=peers or PAIR, replication="master_slave")


def test_of_a_master_and_a_slave_only_what_is_gone_from_the_group_is_put_aside(tmp_path: Path) -> None:
    gone, damage = EntriesGoneError("3 entries are gone"), DamageError("log/0.log", 5, "bad")
    assert calls_for_repair(gone, with_a_master(tmp_path))
    assert not calls_for_repair(damage, with_a_master(tmp_path)), "nobody else may have what it holds"
    note_damage(tmp_path, gone)
    noted = noted_damage(tmp_path)
    assert noted is not None
    assert str(noted) == "3 entries are gone"
    assert can_come_back(with_a_master(tmp_path), noted)


def test_a_folder_stays_with_its_way_of_copying_and_a_master_with_its_nodes(tmp_path: Path) -> None:
    (tmp_path / VOTERS_FILE).write_text(json.dumps({"voters": [1, 2], "old_voters": [], "has_master": True}))
    assert settings_of(with_a_master(tmp_path)) is not None
    with pytest.raises(IllegalArgumentError, match=r"replication: .* by master_slave"):
        settings_of(BrokerConfig(data=tmp_path, peers=PAIR))
    with pytest.raises(IllegalArgumentError, match=r"peers: .* of a group of nodes 1, 2"):
        settings_of(with_a_master(tmp_path, *PAIR, "3=127.0.0.1:3"))
    (tmp_path / VOTERS_FILE).write_text(json.dumps({"voters": [1, 2], "old_voters": []}))
    with pytest.raises(IllegalArgumentError, match=r"replication: .* by raft"):
        settings_of(with_a_master(tmp_path))


@pytest.mark.parametrize("note", ["", "{", "[]", '{"voters": 3}', '{"voters": ["a"], "old_voters": []}'])
def test_a_note_that_cannot_be_read_says_nothing(note: str, tmp_path: Path) -> None:
    (tmp_path / VOTERS_FILE).write_text(note)
    assert noted_voters(tmp_path) is None
    assert can_come_back(BrokerConfig(data=tmp_path, peers=THREE))


@pytest.mark.parametrize(("peers", "can"), [({"2": "127.0.0.1:2", "3": "127.0.0.1:3"}, True), ({"2": "127.0.0.1:2"}, False)])
def test_a_group_that_grew_counts_too_as_far_as_the_node_knows_where_they_are(
    peers: dict[str, str], can: bool, tmp_path: Path
) -> None:
    (tmp_path / VOTERS_FILE).write_text(json.dumps({"voters": [1, 2, 3], "old_voters": [], "peers": peers}))
    config = BrokerConfig(data=tmp_path, peers=THREE[:1], replication="raft")
    assert can_come_back(config) is can
    assert settings_voters(config) == (1,), "it takes part as it was started, as long as it is not on its way back"
    (tmp_path / NOTE_FILE).write_text("{}")
    assert settings_voters(config) == (1, 2, 3)


def settings_voters(config: BrokerConfig) -> tuple[int, ...]:
    settings = settings_of(config)
    assert settings is not None
    return settings.voters


def test_a_crash_in_the_midst_leaves_a_silent_node_and_the_next_start_does_the_rest(tmp_path: Path) -> None:
    for crash_at in range(3):
        folder = tmp_path / str(crash_at)
        fill(folder, "first")
        (folder / "damaged-2").mkdir()  # so the first free number is 1, and then 3
        (folder / "damaged-2" / "kept").touch()
        with pytest.MonkeyPatch.context() as patch:
            left, rename = [crash_at], Path.rename

            def falling(path: Path, to: Path) -> Path:
                if not left[0]:  # noqa: B023 - used in this turn
                    raise OSError(5, "the power is gone")
                left[0] -= 1  # noqa: B023
                return rename(path, to)  # noqa: B023

            patch.setattr(Path, "rename", falling)
            with pytest.raises(DiskError, match="the power is gone"):
                set_aside(folder, DAMAGE)
        noted, note = noted_damage(folder), note_in(folder)
        assert str(noted) == str(DAMAGE)
        assert note is not None
        assert note.part is Part.REJOINING
        assert noted is not None
        set_aside(folder, noted)
        assert noted_damage(folder) is None
        again = {"damaged-3"} if crash_at else set()  # nothing stood in the first folder yet
        assert {path.name for path in folder.iterdir()} == {"LOCK", NOTE_FILE, "damaged-1", "damaged-2", *again}
        assert sorted(path.name for path in folder.rglob("*.[ls]*") if path.is_file()) == ["1.log", "2.snap"]


@pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="folders cannot be synced there")
def test_both_notes_are_durable_before_anything_is_moved_and_that_too_before_the_damage_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the power goes, and the node takes part with half of what it had: its folder says nothing of it."""
    fill(tmp_path, "first")
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def noted_sync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        (path,) = (one for one in (tmp_path, *tmp_path.rglob("*")) if os.path.samestat(one.stat(), status))
        done.append(f"sync {path.relative_to(tmp_path).as_posix()}")
        assert path.is_dir() or status.st_size, "what is to be durable is written already"
        sync(descriptor)

    def noted_rename(path: Path, to: Path) -> Path:
        done.append(f"move {path.name}")
        return rename(path, to)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    note_damage(tmp_path, DAMAGE)
    assert done == [f"sync {DAMAGE_FILE}{HALF_MADE}", "sync ."]
    done.clear()
    set_aside(tmp_path, DAMAGE)
    assert done == [
        f"sync {NOTE_FILE}{HALF_MADE}", "sync .", "move log", "move snapshots", "sync damaged-1", "sync .",
        f"move {DAMAGE_FILE}", "sync .",
    ]  # fmt: skip


def test_a_node_that_knows_that_it_was_a_voter_still_knows(tmp_path: Path) -> None:
    """Else it would stay a learner: its leader does not call it a voter any more."""
    fill(tmp_path, "first")
    (tmp_path / NOTE_FILE).write_text(json.dumps(Note(was_voter=True, learner_at=7, term=2)._asdict()))
    set_aside(tmp_path, DAMAGE)
    assert note_in(tmp_path) == Note(was_voter=True)


def test_nothing_is_moved_while_a_process_works_there(tmp_path: Path) -> None:
    fill(tmp_path, "first")
    disk = FileDisk(tmp_path)
    note_damage(tmp_path, DAMAGE)
    with pytest.raises(FolderInUseError):
        set_aside(tmp_path, DAMAGE)
    disk.close()
    assert (tmp_path / "log/1.log").read_text() == "first"


@pytest.mark.parametrize("text", ["", "{}", '["log"]', '{"file": 1}'])
def test_a_note_of_damage_that_is_damaged_is_one_all_the_same(text: str, tmp_path: Path) -> None:
    assert noted_damage(tmp_path) is None
    (tmp_path / DAMAGE_FILE).write_text(text)
    assert noted_damage(tmp_path) is not None


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (DAMAGE, True),
        (DamageError("index/1.idx", 0, "a slot"), False),
        (DamageError("queues/t/0/0.cq", 0, "a hole"), False),
        (DamageError("snapshots/2.snap", 0, "cut short"), False),
        (StateDiffersError("snapshots/2.snap", 0, "the others have another state"), True),
        (StateError("a rule of our own was broken"), False),
        (DiskError("read of log/1.log"), False),
        (FormatError("log/1.log: version 9"), False),
    ],
)
def test_only_damage_of_the_log_takes_a_running_node_out_and_only_where_it_can_come_back(
    error: MqError, calls: bool, tmp_path: Path
) -> None:
    assert calls_for_repair(error, BrokerConfig(data=tmp_path, peers=THREE)) is calls
    assert not calls_for_repair(error, BrokerConfig(data=tmp_path, peers=THREE[:2]))
    assert not calls_for_repair(error, BrokerConfig(data=tmp_path))


async def broker_that_reads_damage(config: BrokerConfig, damage: DamageError, *, as_leader: bool) -> Broker:
    """It has read it for a client or in the background, or as a leader for a follower that lags behind."""
    broker = Broker(config)
    (broker.node.host if as_leader else broker.node.reader).on_damage(damage)
    broker.node.begin_ticking()
    broker.node.campaign()
    await broker.node.carry_out_plan(())
    return broker


@pytest.mark.parametrize("as_leader", [False, True])
async def test_a_member_that_reads_damage_is_out_at_once_and_a_crash_does_not_bring_it_back(
    as_leader: bool, tmp_path: Path
) -> None:
    broker = await broker_that_reads_damage(BrokerConfig(data=tmp_path, peers=THREE), DAMAGE, as_leader=as_leader)
    assert broker.failed.result() is DAMAGE
    assert broker.node.failure is DAMAGE
    assert broker.node.view().term == 0, "it does not even campaign"
    assert str(noted_damage(tmp_path)) == str(DAMAGE)
    await broker.node.close()


async def test_the_next_start_does_what_a_crash_left_undone(tmp_path: Path) -> None:
    config = BrokerConfig(data=tmp_path, peers=THREE)
    fill(tmp_path, "damaged")
    note_damage(tmp_path, DAMAGE)
    broker = process._open(config, process.Repairs(config))
    await broker.node.close()
    assert (tmp_path / "damaged-1/log/1.log").read_text() == "damaged"
    assert noted_damage(tmp_path) is None
    assert note_in(tmp_path) == Note()
    broker = process._open(config, process.Repairs(config))
    await broker.node.close()
    assert not (tmp_path / "damaged-2").exists(), "only once"


async def test_a_note_of_damage_means_nothing_to_a_node_by_itself(tmp_path: Path) -> None:
    note_damage(tmp_path, DAMAGE)
    config = BrokerConfig(data=tmp_path)
    broker = process._open(config, process.Repairs(config))
    await broker.node.close()
    assert not (tmp_path / "damaged-1").exists()


async def test_a_bug_takes_no_folder_away(tmp_path: Path) -> None:
    broker = Broker(BrokerConfig(data=tmp_path, peers=THREE))
    broker.node.breaks_down(StateError("a rule of our own was broken"))
    assert broker.failed.done()
    assert noted_damage(tmp_path) is None
    await broker.node.close()


@pytest.mark.parametrize("peers", [(), THREE[:2]])
async def test_a_node_whose_others_cannot_mend_it_goes_on(peers: tuple[str, ...], tmp_path: Path) -> None:
    broker = await broker_that_reads_damage(BrokerConfig(data=tmp_path, peers=peers), DAMAGE, as_leader=False)
    assert not broker.failed.done()
    assert broker.node.failure is None
    assert noted_damage(tmp_path) is None
    await broker.node.close()
