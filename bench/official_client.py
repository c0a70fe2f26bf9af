"""Drives a server with the official RocketMQ 5 Python client and prints what it reached.

    python -m bench.official_client HOST:PORT lone|threads|async|push [--topic T] [--group G] [--seconds S] [--messages N]

lone: synchronous sends, one after another. threads: 16 threads of them on one producer. async: 256 on the way by
`send_async`. push: a push consumer takes N messages that are there; the rate is from the first to the last call of the
listener. Knows nothing of the server, so the same run goes against the stub and against a broker.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rocketmq.v5.client import ClientConfiguration, Credentials
from rocketmq.v5.consumer import ConsumeResult, MessageListener, PushConsumer
from rocketmq.v5.model import FilterExpression, Message
from rocketmq.v5.producer import Producer

from bench.common import Latencies
from bench.messages import BODY_BYTES

__all__: list[str] = []

_THREADS = 16
_IN_FLIGHT = 256
_WARM_UP_S = 0.5
_BODY = os.urandom(BODY_BYTES)


def _message(topic: str) -> Any:
    message = Message()
    message.topic, message.body = topic, _BODY
    return message


class Clock:
    """Calls that begin and end within `seconds` after the warm-up count."""

    def __init__(self, seconds: float) -> None:
        self.begin = time.perf_counter() + _WARM_UP_S
        self.end = self.begin + seconds
        self.latencies = Latencies()
        self._seconds = seconds

    def note(self, start: float) -> None:
        now = time.perf_counter()
        if self.begin <= start and now <= self.end:
            self.latencies.seconds.append(now - start)

    def summary(self) -> dict[str, float]:
        return self.latencies.summary(self._seconds)


def _send_one_by_one(producer: Any, topic: str, clock: Clock) -> None:
    while (start := time.perf_counter()) < clock.end:
        producer.send(_message(topic))
        clock.note(start)


def _lone(producer: Any, topic: str, seconds: float) -> dict[str, float]:
    clock = Clock(seconds)
    _send_one_by_one(producer, topic, clock)
    return clock.summary()


def _threads(producer: Any, topic: str, seconds: float) -> dict[str, float]:
    clock, failures = Clock(seconds), list[BaseException]()

    def run() -> None:
        try:
            _send_one_by_one(producer, topic, clock)
        except Exception as error:  # noqa: BLE001 - raised again in the main thread
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return clock.summary()


def _async(producer: Any, topic: str, seconds: float) -> dict[str, float]:
    clock, free, failures = Clock(seconds), threading.Semaphore(_IN_FLIGHT), list[BaseException]()

    def note(future: "Future[Any]", start: float) -> None:
        clock.note(start)
        if (error := future.exception()) is not None:
            failures.append(error)
        free.release()

    while (start := time.perf_counter()) < clock.end and not failures:
        free.acquire()
        start = time.perf_counter()
        producer.send_async(_message(topic)).add_done_callback(lambda future, start=start: note(future, start))
    for _ in range(_IN_FLIGHT):
        free.acquire()
    if failures:
        raise failures[0]
    return clock.summary()


_SENDERS: dict[str, Callable[[Any, str, float], dict[str, float]]] = {"lone": _lone, "threads": _threads, "async": _async}


def send(endpoint: str, how: str, topic: str, seconds: float) -> dict[str, float]:
    """Send in one of three ways for `seconds`; calls per second and latencies."""
    producer = Producer(ClientConfiguration(endpoint, Credentials()), (topic,))
    producer.startup()
    try:
        return _SENDERS[how](producer, topic, seconds)
    finally:
        producer.shutdown()


class CountingListener(MessageListener):  # type: ignore[misc]
    """Takes everything; notes the first and the `wanted`-th message."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self.count = wanted, 0
        self._lock = threading.Lock()
        self.first = self.last = 0.0
        self.is_done = threading.Event()

    def consume(self, message: Any) -> Any:  # noqa: ARG002 - the client's signature
        with self._lock:
            self.count += 1
            if self.count == 1:
                self.first = time.perf_counter()
            elif self.count == self._wanted:
                self.last = time.perf_counter()
                self.is_done.set()
        return ConsumeResult.SUCCESS


def push(endpoint: str, topic: str, group: str, messages: int, cache: int, timeout_s: float) -> dict[str, float]:
    """Consume `messages` stored messages; messages per second from the first to the last."""
    listener = CountingListener(messages)
    consumer = PushConsumer(
        ClientConfiguration(endpoint, Credentials()), group, listener, {topic: FilterExpression()}, max_cache_message_count=cache
    )
    consumer.startup()
    if not listener.is_done.wait(timeout_s):
        raise TimeoutError(f"only {listener.count} of {messages} messages came within {timeout_s} s")
    elapsed = listener.last - listener.first
    return {"calls": messages, "per_s": round((messages - 1) / elapsed, 1), "seconds": round(elapsed, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description="what the official Python client reaches against a server")
    parser.add_argument("endpoint", metavar="HOST:PORT")
    parser.add_argument("how", choices=(*_SENDERS, "push"))
    parser.add_argument("--topic", default="bench")
    parser.add_argument("--group", default="bench-group")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument(
        "--cache", type=int, default=100_000, help="messages that the push consumer may hold; when full it sleeps 1 s"
    )
    o = parser.parse_args()
    if o.how == "push":
        result = push(o.endpoint, o.topic, o.group, o.messages, o.cache, timeout_s=120)
    else:
        result = send(o.endpoint, o.how, o.topic, o.seconds)
    used = time.process_time()
    print(json.dumps({**result, "client_cpu_s": round(used, 2)}), flush=True)
    sys.stdout.flush()
    os._exit(0)  # without the consumer's orderly end, which waits until all that it holds is consumed


if __name__ == "__main__":
    main()
