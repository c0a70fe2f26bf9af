"""What can go wrong between a client and a broker, and what may be repeated.

The retry rule: an error that is *definite* may be repeated by anyone; an *indefinite* one only when doing the
call twice does no harm. A refusal is not repeated at all: the caller has to change something first.
"""

from typing import Any

from mq.core.errors import Code, Fault, MqError, NotServingError, OutcomeUnknownError, RefusedError

__all__ = [
    "BrokerFailedError",
    "ConnectionLostError",
    "NoAnswerError",
    "UnreachableError",
    "check_answer",
    "check_code",
    "error_of_code",
    "is_worth_repeating",
]


class UnreachableError(MqError):
    """No broker could be connected to; nothing was sent."""

    code = Code.PROXY_TIMEOUT
    fault = Fault.PEER


class ConnectionLostError(MqError):
    """The connection broke while a call was under way."""

    code = Code.PROXY_TIMEOUT
    fault = Fault.PEER
    definite = False


class NoAnswerError(MqError):
    """The broker did not answer in time."""

    code = Code.PROXY_TIMEOUT
    fault = Fault.PEER
    definite = False


class BrokerFailedError(MqError):
    """The broker answered that something went wrong on its side. `code` as it came, where we know it."""

    fault = Fault.PEER
    definite = False

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = _known(code, Code.INTERNAL_SERVER_ERROR)


def _known(code: int, otherwise: Code) -> Code:
    return Code(code) if code in Code.__members__.values() else otherwise


def error_of_code(code: int, message: str) -> MqError:
    """The error that a status other than OK stands for."""
    text = message or (_known(code, Code.INTERNAL_SERVER_ERROR).name if code in Code.__members__.values() else f"status {code}")
    if 40000 <= code < 50000:
        return RefusedError(_known(code, Code.BAD_REQUEST), text)
    match code:
        case Code.NOT_IMPLEMENTED:
            return RefusedError(Code.NOT_IMPLEMENTED, text)
        case Code.PROXY_TIMEOUT:
            return NotServingError(text)
        case Code.MASTER_PERSISTENCE_TIMEOUT:
            return OutcomeUnknownError(text)
    return BrokerFailedError(code, text)


def check_code(code: int, message: str) -> None:
    """Raise what a status other than OK stands for."""
    if code != Code.OK:
        raise error_of_code(code, message)


def check_answer(response: Any) -> None:
    """The same of an answer of our own services, whose first two fields are `code` and `message`."""
    check_code(response.code, response.message)


def is_worth_repeating(error: BaseException, *, is_idempotent: bool) -> bool:
    """Whether the same call may be tried once more. is_idempotent: doing it twice does no harm."""
    return isinstance(error, MqError) and error.fault is not Fault.CALLER and (error.definite or is_idempotent)
