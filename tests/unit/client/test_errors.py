import pytest

from mq.client.errors import (
    BrokerFailedError,
    ConnectionLostError,
    NoAnswerError,
    UnreachableError,
    check_code,
    error_of_code,
    is_worth_repeating,
)
from mq.core.errors import Code, NotServingError, OutcomeUnknownError, RefusedError


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (40402, RefusedError),
        (42900, RefusedError),
        (49999, RefusedError),
        (50100, RefusedError),
        (50400, NotServingError),
        (50401, OutcomeUnknownError),
        (50001, BrokerFailedError),
        (60000, BrokerFailedError),
        (0, BrokerFailedError),
    ],
)
def test_each_code_becomes_its_kind_of_error(code: int, kind: type) -> None:
    error = error_of_code(code, "why")
    assert type(error) is kind
    assert str(error) == "why"


def test_an_error_keeps_a_known_code_and_has_a_text_without_one() -> None:
    assert error_of_code(40402, "").code == Code.TOPIC_NOT_FOUND
    assert str(error_of_code(40402, "")) == "TOPIC_NOT_FOUND"
    assert str(error_of_code(40999, "")) == "status 40999"


def test_ok_is_no_error() -> None:
    check_code(20000, "whatever")
    with pytest.raises(RefusedError, match="why"):
        check_code(40000, "why")


@pytest.mark.parametrize(
    ("error", "anyhow", "if_idempotent"),
    [
        (UnreachableError(), True, True),
        (NotServingError(), True, True),
        (ConnectionLostError(), False, True),
        (NoAnswerError(), False, True),
        (OutcomeUnknownError(), False, True),
        (BrokerFailedError(50001, ""), False, True),
        (RefusedError(Code.FORBIDDEN, ""), False, False),
        (ValueError(), False, False),
    ],
)
def test_only_what_cannot_do_harm_is_repeated(error: Exception, anyhow: bool, if_idempotent: bool) -> None:
    assert is_worth_repeating(error, is_idempotent=False) is anyhow
    assert is_worth_repeating(error, is_idempotent=True) is if_idempotent
