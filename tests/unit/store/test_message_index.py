"""Look-up by message id in a sealed segment: what is there is found, what is damaged is reported."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.broker.store.message_index import IndexedRecord, IndexHit, build_index, find_in_index
from mq.core.errors import DamageError, FormatError
from mq.core.ports import Steps

FILE = "index/00000000000000000000.idx"


def run(steps: "Steps[tuple[IndexHit, ...]]", data: bytes) -> tuple[tuple[IndexHit, ...], int]:
    """The result, and how many bytes were read."""
    size = 0
    try:
        wanted = next(steps)
        while True:
            size += wanted.size_bytes
            wanted = steps.send(data[wanted.at : wanted.at + wanted.size_bytes])
    except StopIteration as done:
        return done.value, size


def find(data: bytes, topic: str, message_id: str) -> list[int]:
    """Positions of the records in which the message may be."""
    return [hit.position for hit in run(find_in_index(FILE, topic, message_id), data)[0]]


RECORDS = [
    IndexedRecord("orders", ("a", "b", "c"), 100, 50),
    IndexedRecord("other", ("a",), 200, 60),
    IndexedRecord("orders", ("d", "a"), 300, 70),
]


def test_every_record_that_holds_an_id_is_found_in_log_order() -> None:
    data = build_index(RECORDS)
    assert find(data, "orders", "a") == [100, 300]
    assert find(data, "orders", "d") == [300]
    assert find(data, "other", "a") == [200]
    assert find(data, "other", "b") == []
    assert run(find_in_index(FILE, "other", "a"), data)[0] == (IndexHit(200, 60),)
    assert find(build_index([]), "orders", "a") == []


@given(st.lists(st.tuples(st.sampled_from("tu"), st.lists(st.text(max_size=5), min_size=1, max_size=5)), max_size=40))
def test_nothing_stored_is_ever_missed(batches: list[tuple[str, list[str]]]) -> None:
    records = [IndexedRecord(topic, ids, 1000 * n, 10) for n, (topic, ids) in enumerate(batches)]
    data = build_index(records)
    for topic in "tu":
        for wanted in {one for _, ids in batches for one in ids}:
            assert {r.position for r in records if r.topic == topic and wanted in r.ids} <= set(find(data, topic, wanted))


def test_a_look_up_reads_a_small_part() -> None:
    records = [IndexedRecord("t", [f"{n:05}-{i}" for i in range(100)], n, 1) for n in range(1000)]
    data = build_index(records)
    hits, read_bytes = run(find_in_index(FILE, "t", "00500-7"), data)
    assert IndexHit(500, 1) in hits
    assert len(hits) < 4
    assert read_bytes < len(data) / 50


def test_ids_that_share_a_hash_are_both_offered() -> None:
    # Found by search: both have the same CRC-32 behind "t\\0".
    seen: dict[int, str] = {}
    for number in range(200_000):
        one = f"id-{number}"
        hashed = crc32(one.encode(), crc32(b"t\0"))
        if hashed in seen:
            break
        seen[hashed] = one
    data = build_index([IndexedRecord("t", (seen[hashed],), 1, 1), IndexedRecord("t", (one,), 2, 1)])
    assert find(data, "t", one) == find(data, "t", seen[hashed]) == [1, 2]


def test_any_flipped_bit_is_reported_or_does_not_matter() -> None:
    data = build_index(RECORDS)
    reported: list[str] = []
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert find(bytes(damaged), "orders", "a") == [100, 300]
        except DamageError as error:
            reported.append(error.file)
    assert set(reported) == {FILE}
    assert len(reported) > 0.9 * 2100 * 8  # the head is most of a small file, and all of it is covered


@pytest.mark.parametrize("size", [0, 7, 100, 2080, 2090, 2095])
def test_a_file_cut_short_is_reported(size: int) -> None:
    assert len(build_index(RECORDS[1:2])) == 2096
    with pytest.raises(DamageError):
        find(build_index(RECORDS[1:2])[:size], "other", "a")


def test_an_unknown_format_version_is_refused() -> None:
    data = bytearray(build_index(RECORDS))
    data[8] = 9
    head_bytes = len(build_index([]))
    data[4:8] = crc32(data[8:head_bytes]).to_bytes(4, "little")
    with pytest.raises(FormatError, match="version 9"):
        find(bytes(data), "orders", "a")
