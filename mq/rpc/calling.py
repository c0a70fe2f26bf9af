"""How our own client reaches a broker: endpoints, headers, time limits, and errors as the retry rule needs them."""

import itertools
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import grpc

from mq import __version__
from mq.client.errors import BrokerFailedError, ConnectionLostError, NoAnswerError, UnreachableError, is_worth_repeating
from mq.core.address import Address, is_ip, parse_address, show_address
from mq.core.errors import Code, IllegalArgumentError, MqError, RefusedError
from mq.core.limits import FRAME_BYTES_MAX
from mq.rpc import methods

__all__ = ["CHANNEL_OPTIONS", "Connection", "client_headers", "error_of_rpc", "new_client_id", "parse_endpoints", "targets_of"]

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.min_reconnect_backoff_ms", 5000),  # also how long one attempt to connect may take
)
_PAUSES_S = (0.1, 0.3)
_HELD_S = 1.5
"""A node that answers a failure only after this has tried by itself for as long as is worthwhile."""
_READS = ("List", "Describe", "Peek", "Get", "Query")
"""How the names of calls begin that change nothing."""
_NOT_CONNECTED = (
    "failed to connect", "DNS resolution failed", "errors resolving", "name resolution", "Name or service not known",
)  # fmt: skip
_REASON = re.compile(
    r"Connection refused|No route to host|Network is unreachable|timed out|Timeout|"
    r"Domain name not found|DNS resolution failed[^;]*"
)
_SERVING = b"\x08\x01"
_client_numbers = itertools.count(1)


def parse_endpoints(text: str) -> tuple[Address, ...]:
    """Addresses of `HOST:PORT[,HOST:PORT...]`; `;` separates too. Raises: IllegalArgumentError."""
    addresses = tuple(parse_address(part, "endpoint") for part in re.split("[,;]", text) if part.strip())
    if not addresses:
        raise IllegalArgumentError("endpoint: there is none; it is HOST:PORT[,HOST:PORT...]")
    return addresses


def targets_of(addresses: Sequence[Address]) -> tuple[str, ...]:
    """The addresses as gRPC targets, to be tried in turn: IP addresses of one version share a target."""
    groups: dict[str, list[str]] = {}
    for address in addresses:
        scheme = "ipv4:" if is_ip(address[0], 4) else "ipv6:" if is_ip(address[0], 6) else f"dns:///{show_address(address)}"
        groups.setdefault(scheme, []).append(show_address(address))
    return tuple(scheme if scheme.startswith("dns") else scheme + ",".join(shown) for scheme, shown in groups.items())


def new_client_id() -> str:
    """An id in the form of RocketMQ's clients: host @ process @ number @ random. RocketMQ: ClientId."""
    return f"{socket.gethostname()[:100]}@{os.getpid()}@{next(_client_numbers)}@{secrets.token_hex(6)}"


def client_headers(client_id: str) -> tuple[tuple[str, str], ...]:
    """The metadata of each call. RocketMQ: Signature."""
    return (
        ("x-mq-client-id", client_id),
        ("x-mq-language", "PYTHON"),
        ("x-mq-client-version", __version__),
        ("x-mq-protocol", "GRPC_V2"),
        ("x-mq-date-time", datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")),
        ("x-mq-request-id", secrets.token_hex(16)),
    )


def error_of_rpc(error: grpc.RpcError, where: str, timeout_s: float | None, *, is_read: bool = False) -> MqError:
    """A failed call as an error of ours. where: the endpoints, for people. is_read: it changes nothing, so none is in doubt."""
    code, details = error.code(), error.details() or ""
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return _connection_error(details, where, is_read=is_read)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"{where} did not answer within {timeout_s or 0:g} s"
            return NoAnswerError(
                f"{text} (is it stopped?)" if is_read else f"{text}; whether the call was carried out is unknown"
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return RefusedError(Code.NOT_IMPLEMENTED, f"{where} does not know this call: {details or 'is it a RaftMQ broker?'}")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return RefusedError(Code.PAYLOAD_TOO_LARGE, f"too much for one call: {details}")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return RefusedError(Code.BAD_REQUEST, details)
    return BrokerFailedError(Code.INTERNAL_SERVER_ERROR, f"{where}: {code.name}: {details}")


def _connection_error(details: str, where: str, *, is_read: bool) -> MqError:
    """No connection came about, so nothing was done; or one broke, and nobody knows."""
    if any(text in details for text in _NOT_CONNECTED):
        reason = _REASON.search(details)
        return UnreachableError(f"cannot reach {where}: {reason[0].strip() if reason else 'no connection'}")
    text = f"the connection to {where} broke during the call"
    return ConnectionLostError(text if is_read else f"{text}; whether it was carried out is unknown")


class Connection:
    """Blocking calls to one of several endpoints: the first that can be reached, until it cannot.

    endpoints: as for `parse_endpoints`. timeout_s: for one call with all its attempts. Close it, or use `with`.
    on_old: called with the reason when an answer may be old: from a slave that has lost its master.
    """

    def __init__(self, endpoints: str, *, timeout_s: float = 10.0, client_id: str | None = None) -> None:
        self.timeout_s = timeout_s
        self.client_id = client_id or new_client_id()
        self.on_old: Callable[[str], None] = lambda _told: None
        addresses = parse_endpoints(endpoints)
        self.where = ", ".join(map(show_address, addresses))
        self._channels = [grpc.insecure_channel(target, options=CHANNEL_OPTIONS) for target in targets_of(addresses)]

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Ctrl-C can hit gRPC amid its own bookkeeping. Such a channel waits for ever for a call that is over; it ends with
        # the process instead.
        if kind is None or issubclass(kind, Exception):
            self.close()

    def close(self) -> None:
        """Close all connections."""
        for channel in self._channels:
            channel.close()

    def call(
        self,
        name: str,
        request: Any,
        *,
        is_idempotent: bool,
        check: Callable[[Any], None] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """One unary call by its RPC's name; returns the response, whatever its status says unless `check` looks at it.

        is_idempotent: whether it may be repeated when its outcome is unknown. check: raises the error that a response tells,
        which is repeated by the same rule: a node that stops, or that lost its leader during the call. Raises: MqError.
        """
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        end = time.monotonic() + limit_s
        for pause_s in (*_PAUSES_S, None):
            response, begun = None, time.monotonic()
            try:
                response = self._try_each(
                    lambda channel: methods.unary(channel, name), request, end, limit_s, is_read=name.startswith(_READS)
                )
                if check is not None:
                    check(response)
            except MqError as error:
                left_s = end - time.monotonic()
                was_held = response is not None and time.monotonic() - begun > _HELD_S
                if pause_s is None or left_s <= pause_s or was_held or not is_worth_repeating(error, is_idempotent=is_idempotent):
                    raise
            else:
                return response
            time.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def _try_each(
        self,
        callable_of: Callable[[grpc.Channel], Callable[..., Any]],
        request: Any,
        end: float,
        limit_s: float,
        *,
        is_read: bool,
    ) -> Any:
        unreachable: MqError | None = None
        for channel in self._channels[:]:
            try:
                left_s = max(0.001, end - time.monotonic())
                response, call = callable_of(channel).with_call(  # type: ignore[attr-defined]
                    request, timeout=left_s, metadata=client_headers(self.client_id)
                )
                self._look_for_age(call)
            except grpc.RpcError as error:
                failure = error_of_rpc(error, self.where, limit_s, is_read=is_read)
                if not isinstance(failure, UnreachableError):
                    raise failure from None
                unreachable = failure
            else:
                self._prefer(channel)
                return response
        assert unreachable is not None
        raise unreachable

    def _look_for_age(self, call: Any) -> None:
        for key, value in call.trailing_metadata() or ():
            if key == methods.OLD_HEADER:
                self.on_old(str(value))

    def _prefer(self, channel: grpc.Channel) -> None:
        if self._channels[0] is not channel:
            self._channels.remove(channel)
            self._channels.insert(0, channel)

    def stream(self, name: str, request: Any, *, timeout_s: float) -> Iterator[Any]:
        """The responses of a server stream. Raises: MqError, while iterating; after the first response nothing is repeated."""
        for number, channel in enumerate(self._channels[:], 1):
            call = methods.server_stream(channel, name)(request, timeout=timeout_s, metadata=client_headers(self.client_id))
            has_begun = False
            try:
                for response in call:
                    has_begun = True
                    yield response
            except grpc.RpcError as error:
                failure = error_of_rpc(error, self.where, timeout_s)
                if has_begun or number == len(self._channels) or not isinstance(failure, UnreachableError):
                    raise failure from None
                continue
            finally:
                call.cancel()
            self._prefer(channel)
            return

    def is_serving(self) -> bool:
        """What gRPC's health service says of the whole server. Raises: MqError."""
        answer = self._try_each(_health_check, b"", time.monotonic() + self.timeout_s, self.timeout_s, is_read=True)
        return bool(answer == _SERVING)


def _health_check(channel: grpc.Channel) -> Callable[..., bytes]:
    # Request and answer are so small that they need no description: `status` is field 1, and 1 is SERVING.
    return channel.unary_unary("/grpc.health.v1.Health/Check")
