"""Our errors: each knows whose fault it is and whether it is definite.

*Definite* means that the operation did not and will not happen, so it may be repeated without harm;
*indefinite* that it may have happened or may still happen. `code` is what goes on the wire, in
RocketMQ's numbers (`Code`).
"""

from enum import Enum, IntEnum
from typing import ClassVar

__all__ = [
    "Code",
    "DamageError",
    "DiskError",
    "DiskFullError",
    "Fault",
    "FormatError",
    "IllegalArgumentError",
    "MqError",
    "NotServingError",
    "OutcomeUnknownError",
    "RefusedError",
    "StateError",
]


class Code(IntEnum):
    """Status codes of the RocketMQ 5 protocol. RocketMQ: enum Code in definition.proto (v2)."""

    OK = 20000
    MULTIPLE_RESULTS = 30000
    BAD_REQUEST = 40000
    ILLEGAL_ACCESS_POINT = 40001
    ILLEGAL_TOPIC = 40002
    ILLEGAL_CONSUMER_GROUP = 40003
    ILLEGAL_MESSAGE_TAG = 40004
    ILLEGAL_MESSAGE_KEY = 40005
    ILLEGAL_MESSAGE_GROUP = 40006
    ILLEGAL_MESSAGE_PROPERTY_KEY = 40007
    INVALID_TRANSACTION_ID = 40008
    ILLEGAL_MESSAGE_ID = 40009
    ILLEGAL_FILTER_EXPRESSION = 40010
    ILLEGAL_INVISIBLE_TIME = 40011
    ILLEGAL_DELIVERY_TIME = 40012
    INVALID_RECEIPT_HANDLE = 40013
    MESSAGE_PROPERTY_CONFLICT_WITH_TYPE = 40014
    UNRECOGNIZED_CLIENT_TYPE = 40015
    MESSAGE_CORRUPTED = 40016
    CLIENT_ID_REQUIRED = 40017
    ILLEGAL_POLLING_TIME = 40018
    ILLEGAL_OFFSET = 40019
    INVALID_CLIENT_PROPERTIES = 40021
    FORBIDDEN = 40300
    NOT_FOUND = 40400
    MESSAGE_NOT_FOUND = 40401
    TOPIC_NOT_FOUND = 40402
    CONSUMER_GROUP_NOT_FOUND = 40403
    OFFSET_NOT_FOUND = 40404
    PAYLOAD_TOO_LARGE = 41300
    MESSAGE_BODY_TOO_LARGE = 41301
    MESSAGE_BODY_EMPTY = 41302
    TOO_MANY_REQUESTS = 42900
    MESSAGE_PROPERTIES_TOO_LARGE = 43101
    INTERNAL_SERVER_ERROR = 50001
    NOT_IMPLEMENTED = 50100
    PROXY_TIMEOUT = 50400
    MASTER_PERSISTENCE_TIMEOUT = 50401


class Fault(Enum):
    """Who has to change something before the same call can succeed."""

    CALLER = "caller"
    PEER = "peer"
    US = "us"


class MqError(Exception):
    """Base of all our errors; raise one of its kinds, never itself."""

    code: Code = Code.INTERNAL_SERVER_ERROR
    fault: ClassVar[Fault] = Fault.US
    definite: ClassVar[bool] = True


class RefusedError(MqError):
    """The request is understood and will not be carried out; nothing changed.

    `code` says why, in RocketMQ's numbers.
    """

    fault = Fault.CALLER

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class IllegalArgumentError(RefusedError):
    """An argument is outside its limits; the message names the field and the limit."""

    def __init__(self, message: str, code: Code = Code.BAD_REQUEST) -> None:
        super().__init__(code, message)


class NotServingError(MqError):
    """The node cannot take requests now (starting, stopping, or its disk failed); nothing was done."""

    code = Code.PROXY_TIMEOUT


class OutcomeUnknownError(MqError):
    """The node failed while the request was under way: it may or may not be in the log."""

    code = Code.MASTER_PERSISTENCE_TIMEOUT
    definite = False


class DiskError(MqError):
    """The disk refused an operation; what was not synced before it must not be trusted."""

    code = Code.MASTER_PERSISTENCE_TIMEOUT
    definite = False


class DiskFullError(DiskError):
    """No space left; nothing of the operation counts, and it may be repeated when there is space."""

    code = Code.PROXY_TIMEOUT  # as for every node that cannot take a request now: clients know that nothing was done
    definite = True


class FormatError(MqError):
    """Stored bytes have a format version, or a number in them, that this program does not know."""


class DamageError(MqError):
    """Stored bytes are not what was written. Never repaired silently, never cut away.

    file: where; at: first byte of the damaged record or group within the file;
    position: the same place as a commit-log position, or None outside the log.
    """

    def __init__(self, file: str, at: int, reason: str, position: int | None = None) -> None:
        super().__init__(f"{file}, byte {at}: {reason}")
        self.file, self.at, self.reason, self.position = file, at, reason, position


class StateError(MqError):
    """A rule of our own was broken: a bug, or an organ that does not keep its contract."""
