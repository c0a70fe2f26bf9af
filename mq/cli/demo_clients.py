"""The demo's two customers: an official RocketMQ 5 producer and push consumer, each in a process of its own.

`python -m mq.cli.demo_clients produce|offer|consume ENDPOINT TOPIC GROUP COUNT FILE`. `produce` sends one order after the other,
`offer` one each few milliseconds, whoever has answered by then. Each writes one line per event into FILE: milliseconds of the
wall clock, the order's number, `done` or `failed`, and with `offer` the broker group that acknowledged it. All end with their
standard input, at the latest: so none outlives a demo that was killed. The product itself does not need the official client;
only the demo, the lessons and the tests do.
"""

import os
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

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
_EVERY_S = 0.005
_AT_ONCE = 40
"""So many may wait for an answer: enough to go on with the other group for a while when one has no leader, and so few that a
slow machine answers all of them in time."""


def _note(file: IO[str], number: int, outcome: str = DONE, *group: str) -> None:
    file.write(f"{time.time_ns() // 1_000_000} {number} {' '.join((outcome, *group))}\n")
    file.flush()


def _configuration(endpoint: str) -> ClientConfiguration:
    return ClientConfiguration(endpoint, Credentials("", ""))


def _order(topic: str, number: int) -> Message:
    message = Message()
    message.topic, message.tag, message.keys = topic, "order", f"order-{number}"
    message.body = f"order {number}: {number % 7 + 1} loaves of bread".encode()
    return message


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


class _Orders:
    """Sends orders without waiting for answers; an order counts when it is acknowledged, until then it is sent again."""

    def __init__(self, producer: Any, topic: str, count: int, file: IO[str]) -> None:
        self._producer, self._topic, self._file = producer, topic, file
        self._lock, self._slots, self._left = threading.Lock(), threading.Semaphore(_AT_ONCE), count
        self.is_over = threading.Event()

    def send(self, number: int) -> None:
        """One order is on its way; comes back later while too many are."""
        self._slots.acquire()
        self._try(number)

    def _try(self, number: int) -> None:
        try:
            self._producer.send_async(_order(self._topic, number)).add_done_callback(lambda future: self._ended(number, future))
        except Exception as error:  # noqa: BLE001 - the client raises many kinds; each means: not acknowledged
            self._failed(number, error)

    def _ended(self, number: int, future: "Future[Any]") -> None:
        error = future.exception()
        if error is not None:
            self._failed(number, error)
            return
        with self._lock:
            _note(self._file, number, DONE, future.result().message_queue.message_queue0().broker.name)
            self._left -= 1
            if not self._left:
                self.is_over.set()
        self._slots.release()

    def _failed(self, number: int, error: BaseException) -> None:
        with self._lock:
            _note(self._file, number, FAILED)
        print(f"order {number} was not acknowledged ({type(error).__name__}), sending it again", file=sys.stderr)
        again = threading.Timer(_RETRY_S, self._try, (number,))
        again.daemon = True
        again.start()


def offer(endpoint: str, topic: str, count: int, file: IO[str]) -> None:
    """Send `count` orders, one each few milliseconds, whoever has answered by then; until all are acknowledged."""
    producer = Producer(_configuration(endpoint), (topic,))
    producer.startup()
    orders = _Orders(producer, topic, count, file)
    for number in range(count):
        orders.send(number)
        time.sleep(_EVERY_S)
    orders.is_over.wait()
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
    """Run one of them."""
    role, endpoint, topic, group, count, path = sys.argv[1:]
    with Path(path).open("w", encoding="utf-8") as file:
        if role == "consume":
            consume(endpoint, topic, group, file)
        else:
            threading.Thread(target=_end_with_input, daemon=True).start()
            send = produce if role == "produce" else offer
            send(endpoint, topic, int(count), file)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # The official clients leave threads behind that would keep the process alive.
    os._exit(status)
