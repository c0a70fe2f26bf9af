"""What a forwarded call and its answers look like on the wire."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.errors import Code, FormatError, IllegalArgumentError
from mq.rpc import call_codec as codec

IDS = st.integers(0, 2**64 - 1)
TEXTS = st.text(max_size=12)
CALLS = st.builds(
    codec.Call,
    IDS,
    st.none() | st.floats(0, 1e9),
    TEXTS,
    st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    st.binary(max_size=50),
)


def encoded(call: codec.Call) -> bytes:
    return codec.encode_call_head(call.id, call.timeout_s, call.name, call.headers) + call.request


@given(CALLS)
def test_a_call_comes_back_as_it_was(call: codec.Call) -> None:
    assert codec.decode_call(memoryview(encoded(call))) == call


@given(IDS, st.binary(max_size=50), st.booleans())
def test_an_answer_comes_back_as_it_was_also_an_empty_one(call_id: int, part: bytes, is_last: bool) -> None:
    raw = codec.encode_answer_head(call_id, is_last=is_last) + part
    assert codec.decode_answer(memoryview(raw)) == (call_id, part, is_last)
    raw = codec.encode_answer_head(call_id, is_last=True, has_part=False)
    assert codec.decode_answer(memoryview(raw)) == (call_id, None, True)


@given(IDS, st.sampled_from(Code), st.booleans(), st.text(max_size=20).filter(lambda text: text.encode(errors="replace")))
def test_a_failure_a_cancel_and_what_was_taken_come_back(call_id: int, code: Code, is_definite: bool, text: str) -> None:
    failed = codec.Failed(call_id, code, is_definite, text)
    assert codec.decode_failed(memoryview(codec.encode_failed(failed))) == failed
    assert codec.decode_cancel(memoryview(codec.encode_cancel(call_id))) == call_id
    assert codec.decode_taken(memoryview(codec.encode_taken(call_id, 7))) == (call_id, 7)


def test_a_code_of_another_version_is_a_plain_failure() -> None:
    raw = codec.encode_failed(codec.Failed(1, Code.OK, True, "text")).replace(b"\x20\x4e\x00\x00", b"\x21\x4e\x00\x00")
    assert codec.decode_failed(memoryview(raw)).code is Code.INTERNAL_SERVER_ERROR


def test_headers_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(IllegalArgumentError, match="name or headers are too long"):
        codec.encode_call_head(1, None, "call", (("k" * 70_000, "v"),))


DECODERS: list[Callable[[memoryview], Any]] = [
    codec.decode_call,
    codec.decode_answer,
    codec.decode_failed,
    codec.decode_cancel,
    codec.decode_taken,
]


@pytest.mark.parametrize("decode", DECODERS)
def test_any_bytes_are_read_or_refused(decode: Callable[[memoryview], Any]) -> None:
    @given(st.binary(max_size=80))
    def check(body: bytes) -> None:
        try:
            assert decode(memoryview(body)) is not None
        except FormatError:
            assert True

    check()
    with pytest.raises(FormatError):
        decode(memoryview(b"short"))


@given(CALLS, st.data())
def test_a_call_that_ends_before_its_request_is_refused(call: codec.Call, data: st.DataObject) -> None:
    head = encoded(call._replace(request=b""))
    with pytest.raises(FormatError):
        codec.decode_call(memoryview(head[: data.draw(st.integers(0, len(head) - 1))]))
