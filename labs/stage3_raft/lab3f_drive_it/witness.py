"""The witness: an official RocketMQ 5 producer and push consumer, in a process of their own, outside of the cluster.

    python -m labs.stage3_raft.lab3f_drive_it.witness ENDPOINT TOPIC GROUP WORD CALLER...

Each caller sends one order after the other, the next one when this one is acknowledged; an order that was not is sent again. All
that happens is told on standard output, a line of JSON each: `sent`, `failed`, `got`. `stop` on standard input ends the
sending, and `stopped` says that no answer is under way any more; the end of standard input ends the process: it outlives
nobody. Nothing of ours that speaks the protocol may be imported here: the client's own descriptors would clash with it.
"""

import json
import os
import sys
import threading
import time
from typing import Any

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

__all__ = ["main"]

_RETRY_S = 0.1
_REST_S = 0.02
"""Between two orders of a caller: it is a witness, and no measurement of speed."""
_write_lock = threading.Lock()


def _tell(what: str, **facts: Any) -> None:
    line = json.dumps({"what": what, "at_s": time.monotonic(), **facts})
    with _write_lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _message(topic: str, caller: str, body: str) -> Any:
    message = Message()
    message.topic, message.tag, message.message_group, message.body = topic, "order", caller, body.encode()
    return message


def _keep_sending(producer: Any, topic: str, word: str, caller: str, is_over: threading.Event) -> None:
    number = 0
    while not is_over.is_set():
        began_s = time.monotonic()
        order = {"caller": caller, "number": number, "began_s": began_s}
        try:
            receipt = producer.send(_message(topic, caller, f"{word} {caller} {number}"))
        except Exception as error:  # noqa: BLE001 - the client raises many kinds; each means: not acknowledged
            _tell("failed", **order, error=f"{type(error).__name__}: {error}"[:200])
            is_over.wait(_RETRY_S)
            continue
        _tell("sent", **order, offset=receipt.offset)
        number += 1
        is_over.wait(_REST_S)


class _Listener(MessageListener):  # type: ignore[misc]
    def consume(self, message: Any) -> Any:
        """One order arrived."""
        _tell("got", body=bytes(message.body).decode("utf-8", "replace"), attempt=message.delivery_attempt)
        return ConsumeResult.SUCCESS


def main() -> None:
    """See above."""
    endpoint, topic, group, word, *callers = sys.argv[1:]
    configuration = ClientConfiguration(endpoint, Credentials("", ""))
    consumer = PushConsumer(configuration, group, _Listener(), {topic: FilterExpression("*")})
    consumer.startup()
    producer = Producer(configuration, (topic,))
    producer.startup()
    is_over = threading.Event()
    sending = [
        threading.Thread(target=_keep_sending, args=(producer, topic, word, caller, is_over), daemon=True) for caller in callers
    ]
    for thread in sending:
        thread.start()
    _tell("began")
    for line in sys.stdin:
        if line.strip() == "stop":
            is_over.set()
            for thread in sending:
                thread.join()
            _tell("stopped")


if __name__ == "__main__":
    try:
        main()
    finally:
        os._exit(0)  # the official clients leave threads behind that would keep the process alive
