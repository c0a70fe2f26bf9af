"""From errors to the answers that clients understand.

A `Status` is a code and a text for people. Whether an operation may be repeated is decided by the error
itself (`mq.core.errors`); here it only gets its number, for some clients an older one.
"""

from collections.abc import Iterable

from mq.core.errors import Code, MqError
from mq.proto import rocketmq_v2_pb2 as pb

__all__ = ["code_for", "code_for_language", "ok", "status", "status_for", "text_for", "top_code", "top_status"]

_TEXT_CHARS_MAX = 1000

# The Rust client ends its process on a code that is younger than itself.
_OLD_CODES_FOR_RUST = {
    40019: Code.BAD_REQUEST,
    40020: Code.BAD_REQUEST,
    40021: Code.BAD_REQUEST,
    40404: Code.BAD_REQUEST,
    41302: Code.BAD_REQUEST,
    42900: Code.PROXY_TIMEOUT,
    42901: Code.PROXY_TIMEOUT,
    42902: Code.PROXY_TIMEOUT,
}


def status(code: int, text: str = "") -> pb.Status:
    """A new Status. An empty text becomes the code's name; a very long one is cut."""
    if not text:
        text = pb.Code.Name(code) if code in pb.Code.values() else str(code)  # type: ignore[arg-type]
    if len(text) > _TEXT_CHARS_MAX:
        text = text[: _TEXT_CHARS_MAX - 3] + "..."
    return pb.Status(code=code, message=text)  # type: ignore[arg-type]


def ok() -> pb.Status:
    """A new Status that says that all went well."""
    return pb.Status(code=pb.OK, message="OK")


def code_for(error: BaseException) -> Code:
    """The number of an error: its own, or INTERNAL_SERVER_ERROR for one that is none of ours."""
    return error.code if isinstance(error, MqError) else Code.INTERNAL_SERVER_ERROR


def text_for(error: BaseException) -> str:
    """What the caller is told. Of an error that is none of ours only its kind: the rest belongs in our log."""
    if isinstance(error, MqError):
        return str(error) or code_for(error).name
    return f"internal error: {type(error).__name__}"


def status_for(error: BaseException) -> pb.Status:
    """The Status of an answer that reports an error."""
    return status(code_for(error), text_for(error))


def top_code(codes: Iterable[int]) -> int:
    """The code above several entries: the one that they share, else MULTIPLE_RESULTS.

    Without any entry it is INTERNAL_SERVER_ERROR: an answer about nothing is a bug of the caller of this.
    """
    distinct = set(codes)
    if not distinct:
        return Code.INTERNAL_SERVER_ERROR
    return distinct.pop() if len(distinct) == 1 else Code.MULTIPLE_RESULTS


def top_status(statuses: Iterable[pb.Status]) -> pb.Status:
    """The Status above several entries. A shared code keeps the first entry's text."""
    entries = list(statuses)
    code = top_code(entry.code for entry in entries)
    return status(code, entries[0].message if entries and code != Code.MULTIPLE_RESULTS else "")


def code_for_language(code: int, language: str) -> int:
    """The code as a client of this language can take it. language: metadata `x-mq-language`, in any case.

    Only Rust needs other numbers: codes that it does not know become the nearest one that it does.
    """
    return _OLD_CODES_FOR_RUST.get(code, code) if language.upper() == "RUST" else code
