"""A bakery with three front doors: it takes orders over a socket, by remote calls, or from a message queue.

    python -m lessons.bakery socket|rpc|queue ADDRESS FOLDER

One baker, one order at a time. FOLDER/mood says how many milliseconds a bread takes now; FOLDER/book gets one line for each
order that was baked.
"""

import os
import socket
import sys
import time
from pathlib import Path

TOPIC, GROUP, METHOD = "orders", "bakery", "/bakery/Bake"


def set_mood(folder: Path, bread_ms: int) -> None:
    """From now on a bread takes so long. It is written over what is there, so that a baker who reads it finds a number."""
    handle = os.open(folder / "mood", os.O_WRONLY | os.O_CREAT)
    os.write(handle, b"%6d" % bread_ms)
    os.close(handle)


class Kitchen:
    """Where the work is done."""

    def __init__(self, folder: Path) -> None:
        self.mood_file = folder / "mood"
        self.book = (folder / "book").open("ab", buffering=0)

    def bake(self, order: bytes) -> None:
        time.sleep(int(self.mood_file.read_text()) / 1000)
        self.book.write(b"%d %s\n" % (time.time_ns() // 1_000_000, order))


def over_socket(kitchen: Kitchen, address: str) -> None:
    host, _, port = address.partition(":")
    with socket.create_server((host, int(port))) as door:
        while True:
            connection, _ = door.accept()
            with connection, connection.makefile("rb") as lines:
                for order in lines:
                    kitchen.bake(order.strip())


def over_rpc(kitchen: Kitchen, address: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    def bake(order, _):
        kitchen.bake(order)
        return b"baked"

    service, method = METHOD.strip("/").split("/")
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    handler = grpc.unary_unary_rpc_method_handler(bake)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


def from_queue(kitchen: Kitchen, address: str) -> None:
    from mq.rpc.calling import Connection
    from mq.rpc.message_client import MessageClient

    with Connection(address) as connection:
        client = MessageClient(connection)
        while True:
            for received in client.receive(TOPIC, GROUP, count=1, wait_ms=1000, invisible_ms=10_000):
                kitchen.bake(received.message.body)
                client.ack(TOPIC, GROUP, [received])


DOORS = {"socket": over_socket, "rpc": over_rpc, "queue": from_queue}

if __name__ == "__main__":
    DOORS[sys.argv[1]](Kitchen(Path(sys.argv[3])), sys.argv[2])
