"""The simulated disk: what is durable, what a power loss may take, how it fails."""

from random import Random

import pytest

from mq.core.errors import DiskError, DiskFullError
from mq.core.ports import Create, Read, Remove, Replace, Sync, Write, perform
from mq.sim.crash import CrashPoints, Survival, after_power_loss, draw_survival
from mq.sim.disk import SECTOR_BYTES, SimDisk


def disk_with(*operations: Create | Write | Sync | Replace | Remove) -> SimDisk:
    disk = SimDisk()
    perform(disk, operations)
    return disk


def states(disk: SimDisk, subsets_max: int = 64) -> list[dict[str, bytes]]:
    """Every state that a power loss can leave now."""
    return [point.disk.contents() for point in CrashPoints(Random(1), subsets_max=subsets_max).at(disk, "now")]


# ---------------------------------------------------------------- what is durable


def test_what_is_written_is_read_at_once_and_durable_after_a_sync() -> None:
    disk = disk_with(Create("log/a", 8), Write("log/a", 2, b"xy"))
    assert disk.read(Read("log/a", 0, 100)) == b"\0\0xy\0\0\0\0"
    assert not disk.is_all_durable()
    assert after_power_loss(disk, Survival()).contents() == {"log/a": bytes(8)}
    disk.perform(Sync("log/a"))
    assert disk.is_all_durable()
    assert states(disk) == [{"log/a": b"\0\0xy\0\0\0\0"}]


def test_a_write_of_one_sector_is_torn_at_any_byte() -> None:
    disk = disk_with(Create("log/a", 4), Write("log/a", 0, b"abcd"))
    assert {state["log/a"] for state in states(disk)} == {b"abcd"[:n].ljust(4, b"\0") for n in range(5)}


def test_the_sectors_of_unsynced_writes_survive_in_any_combination() -> None:
    disk = disk_with(Create("log/a", 3 * SECTOR_BYTES), Write("log/a", 0, b"1" * (2 * SECTOR_BYTES)))
    disk.perform(Write("log/a", 2 * SECTOR_BYTES, b"2" * SECTOR_BYTES))
    marks = {bytes(state["log/a"][i * SECTOR_BYTES] or 48 for i in range(3)) for state in states(disk)}
    assert marks >= {a + b + c for a in (b"0", b"1") for b in (b"0", b"1") for c in (b"0", b"2")}


def test_a_sector_that_was_written_twice_holds_no_one_or_both_writes() -> None:
    disk = disk_with(Create("log/a", 4), Write("log/a", 0, b"ab"), Write("log/a", 1, b"xy"))
    found = {state["log/a"] for state in states(disk)}
    assert found >= {b"\0\0\0\0", b"ab\0\0", b"axy\0"}
    assert b"\0xy\0" not in found, "the later write alone: a page is written back as a whole"


def test_a_new_name_may_vanish_and_a_removed_file_may_come_back_in_order() -> None:
    disk = disk_with(Replace("log/old", b"old"), Write("log/a", 0, b"a"), Remove("log/old"), Write("log/b", 0, b"b"))
    names = {tuple(sorted(state)) for state in states(disk)}
    assert names == {("log/old",), ("log/a", "log/old"), ("log/a",), ("log/a", "log/b")}
    disk.perform(Sync("log/b"))
    assert {tuple(sorted(state)) for state in states(disk)} == {("log/a", "log/b")}


def test_a_file_that_grew_may_keep_its_size_and_lose_its_data() -> None:
    disk = disk_with(Create("log/a", 0), Write("log/a", 0, b"data"))
    found = {state["log/a"] for state in states(disk)}
    assert {b"", b"data", bytes(4), b"da"} <= found


def test_replace_is_there_as_a_whole_or_not_at_all() -> None:
    disk = disk_with(Replace("s", b"one"))
    points = CrashPoints(Random(1))
    assert {p.disk.contents()["s"] for p in points.during(disk, (Replace("s", b"another"),))} == {b"one", b"another"}


def test_a_file_that_is_being_made_is_missing_empty_or_whole() -> None:
    disk = SimDisk()
    points = CrashPoints(Random(1))
    assert [p.disk.contents() for p in points.during(disk, (Create("log/a", 4),))] == [{}, {"log/a": b""}, {"log/a": bytes(4)}]


def test_a_kill_loses_nothing_that_was_written() -> None:
    disk = disk_with(Write("log/a", 0, b"data"))
    assert disk.copy().contents() == disk.contents()
    assert after_power_loss(disk, Survival()).contents() == {}


# ---------------------------------------------------------------- enumeration


def test_few_sectors_are_tried_out_and_many_are_sampled_from_the_seed() -> None:
    few = disk_with(Create("log/a", 4 * SECTOR_BYTES), Write("log/a", 0, b"1" * (4 * SECTOR_BYTES)))
    many = disk_with(Create("log/a", 40 * SECTOR_BYTES), Write("log/a", 0, b"1" * (40 * SECTOR_BYTES)))
    exhaustive, sampled, again = (CrashPoints(Random(7), subsets_max=20, every_byte=False) for _ in range(3))
    assert len(list(exhaustive.at(few, "now"))) >= 2**4
    first = [(p.note, p.disk.contents()) for p in sampled.at(many, "now")]
    assert first == [(p.note, p.disk.contents()) for p in again.at(many, "now")]
    assert (exhaustive.exhaustive, exhaustive.sampled, sampled.exhaustive, sampled.sampled) == (1, 0, 0, 1)
    assert sampled.states == len(first) > 100
    assert len({state["log/a"] for _, state in first}) == len(first), "a state came twice"


def test_what_chance_draws_is_among_what_is_enumerated() -> None:
    disk = disk_with(Replace("log/old", b"o"), Create("log/a", 700), Write("log/a", 500, b"x" * 20), Write("log/b", 0, b"y"))
    disk.perform(Remove("log/old"))
    possible = [state.get("log/a") for state in states(disk)]
    rng = Random(4)
    drawn = [after_power_loss(disk, draw_survival(disk, rng)).contents() for _ in range(300)]
    assert all(state.get("log/a") in possible for state in drawn)
    assert len({tuple(state.items()) for state in drawn}) > 20
    assert {"log/old" in state for state in drawn} == {"log/b" in state for state in drawn} == {True, False}


# ---------------------------------------------------------------- failures


def test_after_a_failed_sync_the_bytes_are_read_but_only_writing_again_makes_them_durable() -> None:
    disk = disk_with(Create("log/a", 8), Write("log/a", 0, b"abcd"))
    disk.failing_syncs = 1
    with pytest.raises(DiskError, match="sync of log/a"):
        disk.perform(Sync("log/a"))
    disk.perform(Sync("log/a"))  # succeeds, and proves nothing
    assert disk.read(Read("log/a", 0, 4)) == b"abcd"
    assert bytes(8) in {state["log/a"] for state in states(disk)}
    perform(disk, (Write("log/a", 0, b"abcd"), Sync("log/a")))
    assert states(disk) == [{"log/a": b"abcd\0\0\0\0"}]


def test_after_a_failed_sync_other_sectors_are_still_synced() -> None:
    disk = disk_with(Create("log/a", 2 * SECTOR_BYTES), Write("log/a", 0, b"lost"))
    disk.failing_syncs = 1
    with pytest.raises(DiskError):
        disk.perform(Sync("log/a"))
    perform(disk, (Write("log/a", SECTOR_BYTES, b"kept"), Sync("log/a")))
    left = after_power_loss(disk, Survival())
    assert left.read(Read("log/a", 0, 4)) == bytes(4)
    assert left.read(Read("log/a", SECTOR_BYTES, 4)) == b"kept"


def test_a_full_disk_refuses_files_as_a_whole_and_takes_the_part_of_a_write_that_fits() -> None:
    disk = disk_with(Replace("a", b"12345"))
    disk.capacity_bytes = 8
    for refused in (Create("log/b", 4), Replace("a", b"1234")):  # the old and the new one are there at once
        with pytest.raises(DiskFullError) as raised:
            disk.perform(refused)
        assert raised.value.definite
    assert disk.contents() == {"a": b"12345"}
    disk.perform(Write("a", 0, b"54321"))  # needs no room
    with pytest.raises(DiskFullError):
        disk.perform(Write("a", 3, b"abcdefgh"))
    assert disk.contents() == {"a": b"543abcde"}


def test_a_bit_is_flipped_for_good() -> None:
    disk = disk_with(Replace("a", b"\x00\x0f"))
    disk.flip_bit("a", 1, 4)
    assert disk.contents() == after_power_loss(disk, Survival()).contents() == {"a": b"\x00\x1f"}
    with pytest.raises(IndexError):
        disk.flip_bit("a", 2, 0)
