"""What all handlers share: errors become answers, and tables become gRPC handlers.

Nothing that a client sends may end in a traceback: an error of ours becomes its status, any other one is
logged in a line and answered with 50001.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from mq.core.errors import MqError
from mq.rpc.methods import MESSAGING, OLD_HEADER, Cardinality, Method
from mq.rpc.status import code_for, code_for_language, text_for

__all__ = [
    "Context",
    "Handler",
    "Refuse",
    "client_id_of",
    "generic_handler",
    "guarded",
    "headers_of",
    "language_of",
    "log_failure",
    "tell_old",
]

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Any]
Refuse = Callable[[str, int, str], Message]
"""Makes the response message that reports an error, from the RPC's name, a code and a text."""
_CHANGE = "ChangeInvisibleDuration"
_log = logging.getLogger(__name__)


def headers_of(context: Context) -> dict[str, str]:
    """The request's metadata. Binary headers are left out."""
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def client_id_of(context: Context) -> str:
    """The client that calls, as it names itself; "" when it does not."""
    for key, value in context.invocation_metadata() or ():
        if key == "x-mq-client-id" and isinstance(value, str):
            return value
    return ""


def language_of(context: Context) -> str:
    """The client's language, as it says itself in `x-mq-language`; empty when it does not."""
    return headers_of(context).get("x-mq-language", "")


def tell_old(context: Context, told: str) -> None:
    """An answer will be from a state that may be old: said in the call's trailing metadata, which clients may pass over."""
    context.set_trailing_metadata(((OLD_HEADER, told),))


def log_failure(name: str, error: BaseException) -> None:
    """One line for an error that no client is to blame for. A call whose connection broke meanwhile is none."""
    if isinstance(error, grpc.aio.InternalError):
        _log.debug("%s: nobody is there any more: %s", name, error)
    elif not isinstance(error, MqError):
        _log.error("%s failed unexpectedly: %s: %s", name, type(error).__name__, error, exc_info=_log.isEnabledFor(logging.DEBUG))
    elif error.fault.name != "CALLER":
        _log.warning("%s failed: %s", name, error)


def generic_handler(
    service: str, methods: Mapping[str, Method], handlers: Mapping[str, Handler], refuse: Refuse
) -> grpc.GenericRpcHandler:
    """A gRPC handler for a whole service.

    handlers: by RPC name; unary ones and those of server streams get the request's bytes.
    """
    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for name, method in methods.items():
        handler = handlers[name]
        match method.cardinality:
            case Cardinality.UNARY:
                table[name] = grpc.unary_unary_rpc_method_handler(guarded(name, handler, refuse))
            case Cardinality.SERVER_STREAM:
                table[name] = grpc.unary_stream_rpc_method_handler(handler)
            case Cardinality.BOTH_STREAMS:
                table[name] = grpc.stream_stream_rpc_method_handler(handler)
    return grpc.method_handlers_generic_handler(service, table)


def guarded(
    name: str, handler: Handler, refuse: Refuse, *, passes: tuple[type[MqError], ...] = ()
) -> Callable[[bytes, Context], Awaitable[bytes]]:
    """The handler, with an answer for whatever goes wrong in it. passes: errors that are raised instead."""

    async def call(raw: bytes, context: Context) -> bytes:
        try:
            answer: bytes = await handler(raw, context)
        except asyncio.CancelledError:
            raise
        except passes:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            log_failure(name, error)
            code = code_for_language(code_for(error), language_of(context))
            refusal = refuse(name, code, text_for(error))
            _give_handle_back(name, raw, refusal)
            return refusal.SerializeToString()
        return answer

    return call


def _give_handle_back(name: str, raw: bytes, refusal: Message) -> None:
    """Clients take whatever handle comes with a change's answer before they look at its status: theirs is to stay what it was.

    RocketMQ: ChangeInvisibleDurationResponse.receipt_handle.
    """
    if name == _CHANGE:
        with suppress(DecodeError):  # then there is none
            request: Any = MESSAGING[_CHANGE].request.FromString(raw)
            refusal.MergeFrom(MESSAGING[_CHANGE].response(receipt_handle=request.receipt_handle))
