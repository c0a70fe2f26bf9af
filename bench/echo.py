"""A bare grpc.aio server: what gRPC in Python costs when nothing is done.

    python -m bench.echo [--seconds S]

Generic handlers, bytes in and bytes out, no protobuf: `SendMessage` answers each request with the same ready-made
reply, `ReceiveMessage` streams a status, 32 messages and a delivery time, `FetchBatches` 20 frames of 1 MiB. Names,
metadata and sizes are those of the real calls, so that the same clients drive this server and the broker.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from bench.batches import BROKER_SERVICE
from bench.callers import CHANNEL_OPTIONS, SERVICE
from bench.common import Measured, Peer, announce, run_driver, run_in_loop, started
from bench.messages import batch_frame, receive_reply, send_reply

__all__ = ["call", "echo"]

Handlers = dict[str, "grpc.RpcMethodHandler[bytes, bytes]"]


async def _serve() -> None:
    reply = send_reply("01" + "0" * 32).SerializeToString()
    parts = [part.SerializeToString() for part in receive_reply("bench")]

    frames = [batch_frame(number * 3000).SerializeToString() for number in range(20)]

    async def send(_request: bytes, _context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        return reply

    async def receive(_request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        for part in parts:
            await context.write(part)

    async def fetch(_request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        for frame in frames:
            await context.write(frame)

    handlers: Handlers = {
        "SendMessage": grpc.unary_unary_rpc_method_handler(send),
        "ReceiveMessage": grpc.unary_stream_rpc_method_handler(receive),
    }
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    fetching: Handlers = {"FetchBatches": grpc.unary_stream_rpc_method_handler(fetch)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(BROKER_SERVICE, fetching),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    announce(port=port)
    await server.wait_for_termination()


@contextmanager
def echo() -> Iterator[Peer]:
    """The echo server, for the length of the block."""
    with started("bench.echo", "--serve") as server:
        yield server


def call(
    server: Measured,
    what: str,
    callers: int,
    seconds: float,
    *,
    client: str = "grpc.aio",
    topic: str = "bench",
    group: str = "bench-group",
) -> dict[str, float]:
    """Drive the echo or a broker; adds how busy the server was (1 = one core).

    client: "grpc.aio" (`bench.callers`) or "light" (`bench.http2`).
    """
    before = server.cpu_s()
    result = run_driver(
        "bench.callers" if client == "grpc.aio" else "bench.http2", what, server.endpoint, "--callers", str(callers),
        "--seconds", str(seconds), "--topic", topic, "--group", group,
    )  # fmt: skip
    result["server_cores"] = round((server.cpu_s() - before) / (seconds + 0.3), 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="rate and latencies of a bare grpc.aio server")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_in_loop(_serve())
        return
    with echo() as server:
        for client in ("grpc.aio", "light"):
            for what, callers in (("send", 1), ("send", 64), ("receive", 1), ("receive", 8)):
                print(client, what, callers, json.dumps(call(server, what, callers, options.seconds, client=client)), flush=True)


if __name__ == "__main__":
    main()
