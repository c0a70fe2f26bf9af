"""The demo's two customers: an official RocketMQ 5 producer and push consumer, each in a process of its own.

`python -m mq.cli.demo_clients produce|consume ENDPOINT TOPIC GROUP COUNT FILE`. Each writes one line per event
into FILE: milliseconds of the wall clock, the order's number, and `done` or `failed`. Both end with their standard input, at the
latest: so neither outlives a demo that was killed. The product itself does not need the official client; only the demo and the
tests do.
"""

import os
import sys
import threading
import time
from pathlib import Path
from typing import IO

from rocketmq import (
    ClientConfiguration,
    ConsumeResult,
    Credentials,
    FilterExpression,
    Message,
    MessageListener,
    Producer,
    PushConsumer,
)

from mq.cli.demo_record import DONE, FAILED

__all__ = ["main"]

_RETRY_S = 0.1


def _note(file: IO[str], number: int, outcome: str = DONE) -> None:
    file.write(f"{time.time_ns() // 1_000_000} {number} {outcome}\n")
    file.flush()


def _configuration(endpoint: str) -> ClientConfiguration:
    return ClientConfiguration(endpoint, Credentials("", ""))


def produce(endpoint: str, topic: str, count: int, file: IO[str]) -> None:
    """Send `count` orders one after the other; an order counts when it is acknowledged, until then it is sent again."""
    producer = Producer(_configuration(endpoint), (topic,))
    producer.startup()
    for number in range(count):
        message = Message()
        message.topic, message.tag, message.keys = topic, "order", f"order-{number}"
        message.body = f"order {number}: {number % 7 + 1} loaves of bread".encode()
        while True:
            try:
                producer.send(message)
            except Exception as error:  # noqa: BLE001 - the client raises many kinds; each means: not acknowledged
                _note(file, number, FAILED)
                print(f"order {number} was not acknowledged ({type(error).__name__}), sending it again", file=sys.stderr)
                time.sleep(_RETRY_S)
                continue
            _note(file, number)
            break
    producer.shutdown()


class _Listener(MessageListener):  # type: ignore[misc]
    def __init__(self, file: IO[str]) -> None:
        self._file, self._lock = file, threading.Lock()

    def consume(self, message: Message) -> ConsumeResult:
        """One order arrived."""
        with self._lock:
            _note(self._file, int(bytes(message.body).split(b":")[0].split()[1]))
        return ConsumeResult.SUCCESS


def consume(endpoint: str, topic: str, group: str, file: IO[str]) -> None:
    """Consume orders until standard input ends."""
    consumer = PushConsumer(_configuration(endpoint), group, _Listener(file), {topic: FilterExpression("*")})
    consumer.startup()
    print("consuming", flush=True)
    sys.stdin.read()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)  # it may be amid a send that is never answered


def main() -> int:
    """Run one of the two."""
    role, endpoint, topic, group, count, path = sys.argv[1:]
    with Path(path).open("w", encoding="utf-8") as file:
        if role == "produce":
            threading.Thread(target=_end_with_input, daemon=True).start()
            produce(endpoint, topic, int(count), file)
        else:
            consume(endpoint, topic, group, file)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # The official clients leave threads behind that would keep the process alive.
    os._exit(status)
