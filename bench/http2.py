"""The lightest client of gRPC calls: a plain socket, ready-made HTTP/2 frames, one thread, no library.

    python -m bench.http2 send|receive HOST:PORT [--topic T] [--group G] [--callers N] [--seconds S]

A grpc.aio client costs as much as the server that it measures, so with it a slow server can look as good as a
fast one. This one costs a few microseconds per frame: the server alone is the limit. It encodes each header
once, reads of the answers only the frame heads, and checks status codes after the clock has stopped.
"""

import argparse
import json
import socket
import struct
import time
from collections.abc import Iterator

from bench.callers import SERVICE
from bench.common import Latencies
from bench.messages import METADATA, OK, MessageTemplate, receive_request
from mq.proto import rocketmq_v2_pb2 as v2

__all__ = ["drive", "unary"]

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_HEAD = struct.Struct(">IBI")  # length and type, flags, stream
_WINDOW_MAX = (1 << 31) - 1
_WARM_UP_S = 0.3


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return _HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def _text(value: str) -> bytes:
    """A string of HPACK, without Huffman coding."""
    raw = value.encode()
    if len(raw) < 127:
        return bytes((len(raw),)) + raw
    rest, encoded = len(raw) - 127, bytearray((127,))
    while rest >= 128:
        encoded.append(rest & 127 | 128)
        rest >>= 7
    return bytes(encoded) + bytes((rest,)) + raw


def _header_block(path: str, endpoint: str) -> bytes:
    """Headers of a call, each a literal that the server need not remember."""
    pseudo = ((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", endpoint))
    return b"".join(
        b"\x00" + _text(name) + _text(value)
        for name, value in (*pseudo, ("content-type", "application/grpc"), ("te", "trailers"), *METADATA)
    )


class Connection:
    """One HTTP/2 connection with calls on it. `replies`: DATA payloads of the call's answer, by stream."""

    def __init__(self, endpoint: str, path: str, requests: Iterator[bytes], timeout_s: float | None = None) -> None:
        host, port = endpoint.split(":")
        self._socket = socket.create_connection((host, int(port)), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._header_block, self._requests = _header_block(path, endpoint), requests
        settings = struct.pack(">HIHI", 4, _WINDOW_MAX, 5, (1 << 24) - 1)  # initial window, largest frame
        window = _frame(_WINDOW, 0, 0, struct.pack(">I", _WINDOW_MAX - 65535))
        self._outgoing = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _frame(_SETTINGS, 0, 0, settings), window]
        self._window, self._consumed, self._next_stream = 65535, 0, 1
        self._waiting = 0
        self._rest = b""
        self._starts: dict[int, float] = {}
        self._data: dict[int, list[bytes]] = {}

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def begin_call(self) -> None:
        """One more call; it waits when the server's window is full."""
        self._waiting += 1
        while self._waiting and self._window >= 4096:
            self._waiting -= 1
            stream, self._next_stream = self._next_stream, self._next_stream + 2
            request = next(self._requests)
            body = struct.pack(">BI", 0, len(request)) + request
            self._window -= len(body)
            self._outgoing.append(_frame(_HEADERS, _END_HEADERS, stream, self._header_block))
            self._outgoing.append(_frame(_DATA, _END_STREAM, stream, body))
            self._starts[stream], self._data[stream] = time.perf_counter(), []

    def flush(self) -> None:
        """Hand to the system what is to be sent."""
        if self._outgoing:
            outgoing, self._outgoing = self._outgoing, []
            self._socket.sendall(b"".join(outgoing))

    def ended_calls(self) -> list[tuple[float, list[bytes]]]:
        """Wait for bytes; returns (start time, answer's parts) of the calls that ended with them."""
        received = self._socket.recv(1 << 20)
        if not received:
            raise ConnectionError("the server closed the connection")
        buffer, at, ended = self._rest + received, 0, []
        while len(buffer) - at >= 9:
            head, flags, stream = _HEAD.unpack_from(buffer, at)
            end = at + 9 + (head >> 8)
            if end > len(buffer):
                break
            kind = head & 255
            if kind == _DATA:
                self._data[stream].append(buffer[at + 9 : end])
                self._consume(end - at - 9)
            elif kind == _HEADERS:
                if flags & _END_STREAM:
                    ended.append((self._starts.pop(stream), self._data.pop(stream)))
            else:
                self._on_control(kind, flags, stream, buffer[at + 9 : end])
            at = end
        self._rest = buffer[at:]
        return ended

    def _consume(self, size: int) -> None:
        self._consumed += size
        if self._consumed > _WINDOW_MAX // 2:
            self._outgoing.append(_frame(_WINDOW, 0, 0, struct.pack(">I", self._consumed)))
            self._consumed = 0

    def _on_control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            self._outgoing.append(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _WINDOW and stream == 0:
            self._window += struct.unpack(">I", payload)[0]
        elif kind in (_RESET, _GOAWAY):
            raise ConnectionError(f"the server gave up: frame type {kind}, {payload!r}")


def _parts(data: list[bytes]) -> list[bytes]:
    """The gRPC messages in the DATA frames of one answer."""
    joined, at, parts = b"".join(data), 0, []
    while at < len(joined):
        (size,) = struct.unpack_from(">I", joined, at + 1)
        parts.append(joined[at + 5 : at + 5 + size])
        at += 5 + size
    return parts


def _check(what: str, answers: list[list[bytes]]) -> int:
    """Messages in all answers. Raises: SystemExit when one is not OK."""
    count = 0
    for parts in map(_parts, answers):
        kind: type[v2.SendMessageResponse] | type[v2.ReceiveMessageResponse]
        kind = v2.SendMessageResponse if what == "send" else v2.ReceiveMessageResponse
        if not parts or (first := kind.FromString(parts[0])).status.code != OK:
            raise SystemExit(f"an answer was not OK: {first if parts else 'empty, so the call failed'}")
        count += 1 if what == "send" else len(parts) - 2
    return count


def _requests(what: str, topic: str, group: str) -> Iterator[bytes]:
    if what == "send":
        template = MessageTemplate.request(topic)
        while True:
            yield template.next()
    request = receive_request(topic, group).SerializeToString()
    while True:
        yield request


def unary(endpoint: str, path: str, request: bytes, timeout_s: float = 10.0) -> bytes:
    """One call on a connection of its own. Raises: OSError when the server cannot be reached, or the call failed."""
    connection = Connection(endpoint, path, iter((request,)), timeout_s)
    try:
        connection.begin_call()
        connection.flush()
        while not (ended := connection.ended_calls()):
            connection.flush()
    finally:
        connection.close()
    parts = _parts(ended[0][1])
    if not parts:
        raise ConnectionError(f"{path} at {endpoint} failed")
    return parts[0]


def drive(what: str, endpoint: str, *, topic: str, group: str, callers: int, seconds: float) -> dict[str, object]:
    """Keep `callers` calls on the way for `seconds`; calls and messages per second, and latencies."""
    path = f"/{SERVICE}/{'SendMessage' if what == 'send' else 'ReceiveMessage'}"
    connection = Connection(endpoint, path, _requests(what, topic, group))
    latencies, answers, outside = Latencies(), list[list[bytes]](), list[list[bytes]]()
    begin = time.perf_counter() + _WARM_UP_S
    used = time.process_time()
    for _ in range(callers):
        connection.begin_call()
    connection.flush()
    while (now := time.perf_counter()) < begin + seconds:
        for start, data in connection.ended_calls():
            connection.begin_call()
            now = time.perf_counter()
            if start >= begin and now <= begin + seconds:
                latencies.seconds.append(now - start)
                answers.append(data)
            else:
                outside.append(data)
        connection.flush()
    used = time.process_time() - used
    messages = _check(what, answers)
    _check(what, outside)
    cores = used / (seconds + _WARM_UP_S)
    return {**latencies.summary(seconds), "messages_per_s": round(messages / seconds), "client_cores": round(cores, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description="the lightest client of SendMessage or ReceiveMessage")
    parser.add_argument("what", choices=("send", "receive"))
    parser.add_argument("endpoint", metavar="HOST:PORT")
    parser.add_argument("--topic", default="bench")
    parser.add_argument("--group", default="bench-group")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    o = parser.parse_args()
    print(json.dumps(drive(o.what, o.endpoint, topic=o.topic, group=o.group, callers=o.callers, seconds=o.seconds)))


if __name__ == "__main__":
    main()
