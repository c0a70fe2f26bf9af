"""The bytes of the commit log: pinned, checked, refused when they come from another version."""

from struct import pack
from zlib import crc32

import pytest

from mq.broker.store.record import (
    GROUP_HEADER_BYTES,
    PLACE_KIND,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_group_header,
    decode_hard_state,
    decode_record,
    decode_segment_header,
    encode_group,
    encode_segment_header,
    records_of,
)
from mq.core.entry import HardState
from mq.core.errors import FormatError
from mq.core.ids import EntryId, LogIndex, Term
from tests.unit.store.helpers import LogOnDisk, entry

GOLDEN = """
# segment header
4d515347 7f8311f7           # "MQSG", checksum
01 000000                   # version, zeros
0000000000000000            # base position
0002000000000000            # size: 512
0100000000000000            # next index: 1
0000000000000000            # last term: 0
0000000000000000            # durable end: 0
0000000000000000            # hard state: term 0 ...
ffffffffffffffff            # ... and no vote
00000000
# group at 72: two entries of term 3
4d514752 a0f20a22           # "MQGR", checksum of the header
3b000000 02000000           # 59 bytes of records, two records
4800000000000000            # own position: 72
0000000000000000            # durable end: nothing is synced yet
01 00 0000                  # version, flags, zeros
91f966d4                    # checksum of the records' checksums
8a7bd958 07000000           # record: checksum, payload of 7 bytes
0300000000000000            # term 3
0100000000000000            # index 1
01 01                       # version, kind: command
6f7264657220 31             # "order 1"
68bd4628 00000000           # record: checksum, no payload
0300000000000000            # term 3
0200000000000000            # index 2
01 01
0000000000                  # up to a multiple of 8
# group at 176: hard state
4d514752 734f5a1b
2a000000 01000000           # 42 bytes, one record
b000000000000000            # own position: 176
b000000000000000            # durable end: everything before this
01 00 0000
90c57c4f
53e7bede 10000000           # record: checksum, payload of 16 bytes
0400000000000000            # term 4
0000000000000000            # no index: it is no entry
01 ff                       # version, kind: hard state
0400000000000000            # term 4
0200000000000000            # vote: node 2
000000000000
# mark at 264: a group without records
4d514752 fec73656
00000000 00000000
0801000000000000            # own position: 264
0801000000000000            # durable end: 264
01 00 0000
00000000
"""


def golden_bytes() -> bytes:
    lines = GOLDEN.splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def test_a_small_log_is_these_bytes() -> None:
    log = LogOnDisk(segment_bytes=512)
    log.append(b"order 1", b"", term=3)
    log.append(hard_state=HardState(Term(4), 2))
    log.mark()
    written = bytes(log.disk.data["log/00000000000000000000.log"])
    assert written.hex(" ", 4) == golden_bytes().ljust(512, b"\0").hex(" ", 4)


def test_these_bytes_are_a_small_log() -> None:
    log = LogOnDisk(segment_bytes=512)
    log.disk.data["log/00000000000000000000.log"] = bytearray(golden_bytes().ljust(512, b"\0"))
    found = log.reopened()
    assert found.everything() == [(1, 3, b"order 1"), (2, 3, b"")]
    assert found.recovery.hard_state == HardState(Term(4), 2)
    assert found.recovery.end_position == 264 + GROUP_HEADER_BYTES


# ---------------------------------------------------------------- checksums


GROUP, SIZES = encode_group(4096, 4000, [entry(1, b"one", 1), entry(2, b"twelve", 2)], HardState(Term(2), None))


def read_group(data: bytes) -> bool:
    header = decode_group_header("f", data)
    return header is not None and records_of(data, 0, header) is not None


def test_every_flipped_bit_of_a_group_is_noticed() -> None:
    assert read_group(GROUP)
    header = decode_group_header("f", GROUP)
    assert header is not None
    assert header.size_bytes == len(GROUP)
    for at in range(GROUP_HEADER_BYTES + header.body_bytes):
        for bit in range(8):
            flipped = bytearray(GROUP)
            flipped[at] ^= 1 << bit
            assert not read_group(bytes(flipped)), f"byte {at}, bit {bit}"


def test_a_group_that_is_cut_short_anywhere_is_no_group() -> None:
    header = decode_group_header("f", GROUP)
    assert header is not None
    for size in range(GROUP_HEADER_BYTES + header.body_bytes):
        assert not read_group(GROUP[:size]), size


def test_a_header_does_not_count_with_records_of_another_group() -> None:
    other, _ = encode_group(4096, 4000, [entry(1, b"one", 1), entry(2, b"eleven", 2)], HardState(Term(2), None))
    assert len(other) == len(GROUP)
    assert read_group(other)
    second = GROUP_HEADER_BYTES + SIZES[0]
    assert not read_group(GROUP[:second] + other[second:])
    assert not read_group(GROUP[:GROUP_HEADER_BYTES] + other[GROUP_HEADER_BYTES:])


def test_every_flipped_bit_of_a_record_is_noticed() -> None:
    record = GROUP[GROUP_HEADER_BYTES : GROUP_HEADER_BYTES + SIZES[0]]
    assert decode_record(record) == entry(1, b"one", 1)
    for bit in range(len(record) * 8):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        assert decode_record(bytes(flipped)) is None, bit
    assert decode_record(record + b"\0") is None
    assert decode_record(record[:-1]) is None
    assert decode_record(record[: RECORD_HEADER_BYTES - 1]) is None


def test_every_flipped_bit_of_a_segment_header_is_noticed_or_harmless() -> None:
    header = SegmentHeader(8192, 4096, 7, 3, 8000, HardState(Term(3), 1))
    data = encode_segment_header(header)
    assert len(data) == SEGMENT_HEADER_BYTES
    assert decode_segment_header("f", data) == header
    assert decode_segment_header("f", data[:-1]) is None
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        is_padding = bit // 8 >= SEGMENT_HEADER_BYTES - 4
        assert decode_segment_header("f", bytes(flipped)) == (header if is_padding else None), bit


def test_only_what_an_older_program_would_misread_has_the_newer_version() -> None:
    plain = SegmentHeader(8192, 4096, 7, 3, 8000, HardState(Term(3), 1))
    reset = encode_segment_header(plain._replace(is_reset=True))
    assert decode_segment_header("f", reset) == plain._replace(is_reset=True)
    assert (encode_segment_header(plain)[8], reset[8]) == (1, 2)
    going_back, _ = encode_group(0, 0, [entry(5, b"", 3)], before=EntryId(Term(2), LogIndex(4)))
    assert (GROUP[32], going_back[32]) == (1, 2)
    header = decode_group_header("f", going_back)
    assert header is not None
    records = records_of(going_back, 0, header)
    assert records is not None
    assert [(record.kind, record.index, record.term) for record in records] == [(1, 5, 3), (PLACE_KIND, 4, 2)]


def test_hard_state_without_a_vote_is_read_as_it_was_written() -> None:
    header = decode_group_header("f", GROUP)
    assert header is not None
    records = records_of(GROUP, 0, header)
    assert records is not None
    last = records[-1]
    assert decode_hard_state(GROUP[last.at : last.at + last.size_bytes]) == HardState(Term(2), None)


# ---------------------------------------------------------------- other versions


def with_version(data: bytes, version_at: int, covered: slice, crc_at: int) -> bytes:
    """The same bytes in version 3, with a right checksum."""
    changed = bytearray(data)
    changed[version_at] = 3
    changed[crc_at : crc_at + 4] = pack("<I", crc32(changed[covered]))
    return bytes(changed)


def test_a_segment_of_another_version_is_refused() -> None:
    data = encode_segment_header(SegmentHeader(0, 4096, 1, 0, 0, HardState(Term(0), None)))
    with pytest.raises(FormatError, match=r"f: segment format version 3 .* \(it knows 1 and 2\)"):
        decode_segment_header("f", with_version(data, 8, slice(8, SEGMENT_HEADER_BYTES - 4), 4))


def test_a_group_of_another_version_is_refused() -> None:
    with pytest.raises(FormatError, match=r"f: group format version 3 .* \(it knows 1 and 2\)"):
        decode_group_header("f", with_version(GROUP, 32, slice(8, GROUP_HEADER_BYTES), 4))


RECORD = GROUP[GROUP_HEADER_BYTES : GROUP_HEADER_BYTES + SIZES[0]]


def test_a_record_of_another_version_is_refused() -> None:
    with pytest.raises(FormatError, match=r"record format version 3 .* \(it knows 1\)"):
        decode_record(with_version(RECORD, 24, slice(4, len(RECORD)), 0))


def test_an_entry_of_an_unknown_kind_is_refused_with_a_sentence() -> None:
    unknown = bytearray(RECORD)
    unknown[25] = 77
    unknown[:4] = pack("<I", crc32(unknown[4:]))
    with pytest.raises(FormatError, match="entry kind 77"):
        decode_record(bytes(unknown))
