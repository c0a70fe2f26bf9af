"""The official client while nodes fail: threads of one producer send one after another, and note when it was acknowledged.

    python -m bench.failover_client HOST:PORT[;HOST:PORT...] [--topic T] [--threads 4]

Says that it sends once each thread has had an answer. For each line on standard input it prints a line of JSON: what came since
the line before, `ends` (when a send succeeded) and `failed` (when it began, when it was given up, why). Moments are of the
monotonic clock, which all processes of the machine share. It ends with standard input.
"""

import argparse
import json
import os
import sys
import threading
import time
from typing import Any

from rocketmq.v5.client import ClientConfiguration, Credentials
from rocketmq.v5.model import Message
from rocketmq.v5.producer import Producer

from bench.common import announce
from bench.messages import BODY_BYTES

__all__: list[str] = []

_BODY = os.urandom(BODY_BYTES)
_PAUSE_AFTER_FAILURE_S = 0.01


class Notes:
    """What the threads have seen since they were asked last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[float] = []
        self._failed: list[tuple[float, float, str]] = []

    def succeeded(self, end: float) -> None:
        with self._lock:
            self._ends.append(end)

    def failed(self, begin: float, end: float, error: str) -> None:
        with self._lock:
            self._failed.append((begin, end, error))

    def take(self) -> dict[str, object]:
        with self._lock:
            ends, failed, self._ends, self._failed = self._ends, self._failed, [], []
        return {"ends": sorted(round(end, 6) for end in ends), "failed": failed}


def _send_forever(producer: Any, topic: str, notes: Notes, begun: threading.Semaphore) -> None:
    is_first = True
    while True:
        message = Message()
        message.topic, message.body = topic, _BODY
        begin = time.monotonic()
        try:
            producer.send(message)
        except Exception as error:  # noqa: BLE001 - the client raises many kinds; each means: not acknowledged
            notes.failed(begin, time.monotonic(), f"{type(error).__name__}: {error}"[:200])
            time.sleep(_PAUSE_AFTER_FAILURE_S)
            continue
        notes.succeeded(time.monotonic())
        if is_first:
            is_first = False
            begun.release()


def main() -> None:
    parser = argparse.ArgumentParser(description="the official Python client, sending until standard input ends")
    parser.add_argument("endpoint", metavar="HOST:PORT[;HOST:PORT...]")
    parser.add_argument("--topic", default="bench")
    parser.add_argument("--threads", type=int, default=4)
    o = parser.parse_args()
    producer = Producer(ClientConfiguration(o.endpoint, Credentials()), (o.topic,))
    producer.startup()
    notes, begun = Notes(), threading.Semaphore(0)
    for _ in range(o.threads):
        threading.Thread(target=_send_forever, args=(producer, o.topic, notes, begun), daemon=True).start()
    for _ in range(o.threads):
        begun.acquire()
    announce(is_sending=True)
    for _ in sys.stdin:
        print(json.dumps(notes.take()), flush=True)
    os._exit(0)  # the client's own threads would be waited for


if __name__ == "__main__":
    main()
