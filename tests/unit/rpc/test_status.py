"""Errors as answers."""

import pytest

from mq.core.errors import Code, DamageError, DiskFullError, NotServingError, OutcomeUnknownError, RefusedError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.status import code_for, code_for_language, ok, status, status_for, text_for, top_code, top_status


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError(Code.ILLEGAL_TOPIC, "x"), 40002),
        (NotServingError("starting"), 50400),
        (OutcomeUnknownError("?"), 50401),
        (DiskFullError("full"), 50400),
        (DamageError("log/0", 7, "checksum"), 50001),
        (ValueError("secret"), 50001),
        (KeyError("secret"), 50001),
    ],
)
def test_each_error_has_its_number(error: Exception, code: int) -> None:
    assert code_for(error) == code
    assert status_for(error).code == code


def test_an_error_of_ours_is_told_in_full_and_another_one_only_by_its_kind() -> None:
    assert text_for(RefusedError(Code.BAD_REQUEST, "queues: 0 is outside of 1 to 1024")) == "queues: 0 is outside of 1 to 1024"
    assert text_for(NotServingError()) == "PROXY_TIMEOUT"
    assert text_for(ValueError("/root/secret")) == "internal error: ValueError"


def test_a_status_without_text_gets_the_name_of_its_code() -> None:
    assert status(40402).message == "TOPIC_NOT_FOUND"
    assert status(12345).message == "12345"
    assert (ok().code, ok().message) == (pb.OK, "OK")


def test_a_very_long_text_is_cut() -> None:
    assert len(status(40000, "x" * 5000).message) == 1000
    assert status(40000, "x" * 1000).message == "x" * 1000


def test_each_status_is_a_new_one() -> None:
    first = ok()
    first.message = "changed"
    assert ok().message == "OK"


@pytest.mark.parametrize(
    ("codes", "top"),
    [
        ([20000], 20000),
        ([20000, 20000], 20000),
        ([40013, 40013], 40013),
        ([40013, 20000], 30000),
        ([20000, 40013, 40013], 30000),
        ([], 50001),
    ],
)
def test_the_top_code_is_the_common_one_or_multiple_results(codes: list[int], top: int) -> None:
    assert top_code(codes) == top
    assert top_status(status(code) for code in codes).code == top


def test_the_top_status_keeps_the_text_of_entries_that_agree() -> None:
    assert top_status([status(40013, "run out"), status(40013, "unknown")]).message == "run out"
    assert top_status([status(40013, "run out"), ok()]).message == "MULTIPLE_RESULTS"


@pytest.mark.parametrize("code", [41302, 40019, 40020, 40021, 40404])
def test_rust_gets_an_old_code_for_a_young_one(code: int) -> None:
    assert code_for_language(code, "RUST") == 40000
    assert code_for_language(code, "rust") == 40000
    assert code_for_language(code, "PYTHON") == code


@pytest.mark.parametrize("code", [42900, 42901, 42902])
def test_rust_is_not_told_that_there_are_too_many_requests(code: int) -> None:
    assert code_for_language(code, "RUST") == 50400
    assert code_for_language(code, "") == code


@pytest.mark.parametrize("code", [20000, 30000, 40002, 40013, 40402, 50001, 50400])
def test_codes_that_rust_knows_stay(code: int) -> None:
    assert code_for_language(code, "RUST") == code
