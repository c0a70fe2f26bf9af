"""The file of a snapshot: whole or not used at all."""

from struct import pack
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.broker.store.commit_log import Checkpoint
from mq.broker.store.snapshot import (
    Snapshot,
    decode_snapshot,
    encode_snapshot,
    snapshot_file,
    snapshots_in,
    superfluous_snapshots,
)
from mq.core.entry import HardState
from mq.core.errors import DamageError, FormatError
from mq.core.ids import Term

SNAPSHOT = Snapshot(42, 3, b"checkpoint", b"state of the machine")
FILE = "snapshots/00000000000000000042.snap"


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 1 << 60), st.integers(0, 1 << 60))
def test_a_snapshot_is_read_as_it_was_written(checkpoint: bytes, body: bytes, index: int, term: int) -> None:
    snapshot = Snapshot(index, term, checkpoint, body)
    assert decode_snapshot(snapshot_file(index), encode_snapshot(snapshot)) == snapshot


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    data = encode_snapshot(SNAPSHOT)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamageError):
            decode_snapshot(FILE, bytes(flipped))
    for size in range(len(data)):
        with pytest.raises(DamageError):
            decode_snapshot(FILE, data[:size])
    with pytest.raises(DamageError):
        decode_snapshot(FILE, data + b"\0")


def test_a_snapshot_under_another_name_is_not_taken_for_that_index() -> None:
    with pytest.raises(DamageError, match="do not fit the file"):
        decode_snapshot(snapshot_file(43), encode_snapshot(SNAPSHOT))


def test_a_snapshot_of_another_version_is_refused() -> None:
    data = bytearray(encode_snapshot(SNAPSHOT))
    data[8] = 9
    data[4:8] = pack("<I", crc32(data[8:]))
    with pytest.raises(FormatError, match="snapshot format version 9"):
        decode_snapshot(FILE, bytes(data))


def test_only_files_with_a_snapshots_name_are_snapshots() -> None:
    names = [FILE, "snapshots/42.snap", "snapshots/0000000000000000004x.snap", "log/00000000000000000042.snap", FILE + ".new"]
    assert snapshots_in(dict.fromkeys([*names, snapshot_file(7), snapshot_file(100)], 10)) == [
        (100, snapshot_file(100)),
        (42, FILE),
        (7, snapshot_file(7)),
    ]


@pytest.mark.parametrize(
    ("indexes", "first_index", "kept"),
    [
        ([], 1, []),
        ([10], 1, [10]),
        ([10, 20], 1, [10, 20]),
        ([10, 20, 30, 40], 1, [30, 40]),
        ([10, 20, 30, 40], 11, [10, 30, 40]),
        ([10, 20, 30, 40], 25, [20, 30, 40]),
        ([10, 20, 30, 40], 41, [30, 40]),
    ],
)
def test_kept_are_the_newest_two_and_one_that_lies_before_the_first_entry(
    indexes: list[int], first_index: int, kept: list[int]
) -> None:
    files = [(index, snapshot_file(index)) for index in indexes]
    gone = superfluous_snapshots(files, first_index)
    assert [index for index, file in files if file not in gone] == kept


PAIRS = st.lists(st.tuples(st.integers(0, 1 << 60), st.integers(0, 1 << 60)), max_size=5).map(tuple)
HARD_STATES = st.builds(HardState, st.integers(0, 1 << 60).map(Term), st.one_of(st.none(), st.integers(0, 1000)))


@given(st.builds(Checkpoint, st.integers(0, 1 << 60), st.integers(0, 1 << 60), HARD_STATES, PAIRS, PAIRS))
def test_a_checkpoint_is_read_as_it_was_written(checkpoint: Checkpoint) -> None:
    data = checkpoint.to_bytes()
    assert Checkpoint.from_bytes(data) == checkpoint
    for at in range(len(data)):
        with pytest.raises((DamageError, FormatError)):
            Checkpoint.from_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises((DamageError, FormatError)):
            Checkpoint.from_bytes(data[:at])
