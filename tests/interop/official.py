"""The official RocketMQ 5 client in a process of its own, told what to do by lines of JSON.

`python -m tests.interop.official ENDPOINT`. Each line on standard input is `{"id", "verb", "client", ...}`; each answer on
standard output is `{"id", "result"}` or `{"id", "error"}`. Verbs run side by side, so that a long poll holds up nobody.
The client's descriptors clash with ours: nothing of the product may be imported here.
"""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    SimpleConsumer,
)

Plain = dict[str, Any]


def new_message(
    topic: str, body: str, tag: str = "", keys: tuple[str, ...] = (), properties: Plain | None = None, message_group: str = ""
) -> Any:
    """A message of the client's own kind. body: bytes as Latin-1."""
    message = Message()
    message.topic, message.body = topic, body.encode("latin-1")
    if message_group:
        message.message_group = message_group
    if tag:
        message.tag = tag
    for key in keys:
        message.keys = key
    for name, value in (properties or {}).items():
        message.add_property(name, value)
    return message


def shown(message: Any) -> Plain:
    """What a consumer sees of a message, as plain data."""
    return {
        "body": bytes(message.body).decode("latin-1"), "message_id": message.message_id, "tag": message.tag,
        "keys": sorted(message.keys or ()), "properties": dict(message.properties or {}), "attempt": message.delivery_attempt,
        "handle": message.receipt_handle, "topic": message.topic,
    }  # fmt: skip


class Listener(MessageListener):  # type: ignore[misc]
    """Notes each delivery; then takes the message, or refuses it.

    take_from_attempt: earlier attempts fail; 0 = all fail. Those that the client makes by itself, in an ordered group, count,
    too, though the message does not say so. While `go_on` is not set, it sits on what it got.
    """

    def __init__(self, take_from_attempt: int, *, holds: bool) -> None:
        self.seen: list[tuple[float, str, int]] = []
        self._take_from = take_from_attempt
        self.go_on = threading.Event()
        if not holds:
            self.go_on.set()

    def consume(self, message: Any) -> Any:
        """One delivery."""
        body = bytes(message.body).decode("latin-1")
        self.seen.append((time.time(), body, message.delivery_attempt))
        self.go_on.wait()
        attempt = max(message.delivery_attempt, sum(body == seen for _, seen, _ in self.seen[:]))
        is_taken = 0 < self._take_from <= attempt
        return ConsumeResult.SUCCESS if is_taken else ConsumeResult.FAILURE


class Sending:
    """A producer that sends without end: one thread for each caller, each one message after the other.

    Bodies are `CALLER NUMBER`. notes: (began, ended, body, error or empty), times of the monotonic clock in s, which all
    processes of a machine share.
    """

    def __init__(self, producer: Any, topic: str, callers: list[str], pause_s: float, *, is_ordered: bool) -> None:
        self.notes: list[tuple[float, float, str, str]] = []
        self._producer, self._topic, self._pause_s, self._is_ordered = producer, topic, pause_s, is_ordered
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(caller,), daemon=True) for caller in callers]
        for thread in self._threads:
            thread.start()

    def _run(self, caller: str) -> None:
        for number in itertools.count():
            if self._over.is_set():
                return
            body, error = f"{caller} {number}", ""
            message = new_message(self._topic, body, message_group=caller if self._is_ordered else "")
            began_s = time.monotonic()
            try:
                self._producer.send(message)
            except Exception as failure:  # noqa: BLE001 - the client raises many kinds; the test judges
                error = f"{type(failure).__name__}: {failure}"
            self.notes.append((began_s, time.monotonic(), body, error))
            self._over.wait(0.05 if error else self._pause_s)

    def end(self) -> None:
        """No more; what is under way is waited for."""
        self._over.set()
        for thread in self._threads:
            thread.join()


class Clients:
    """The clients of this process by name; each public method is a verb."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._by_name: dict[str, Any] = {}
        self._listeners: dict[str, Listener] = {}
        self._received: dict[str, Any] = {}
        self._sendings: dict[str, Sending] = {}

    def _start(self, name: str, make: Callable[[Any], Any]) -> None:
        client = make(ClientConfiguration(self._endpoint, Credentials("ak", "sk")))
        client.startup()
        self._by_name[name] = client

    def producer(self, client: str, topic: str) -> None:
        """Start a producer."""
        self._start(client, lambda configuration: Producer(configuration, (topic,)))

    def send(self, client: str, **message: Any) -> Plain:
        """Send, and wait for the receipt."""
        receipt = self._by_name[client].send(new_message(**message))
        return {"message_id": receipt.message_id, "transaction_id": receipt.transaction_id, "offset": receipt.offset}

    def send_all_at_once(self, client: str, topic: str, bodies: list[str]) -> list[str]:
        """Send all asynchronously before waiting for the first receipt; their message ids."""
        futures = [self._by_name[client].send_async(new_message(topic, body)) for body in bodies]
        return [future.result(timeout=30).message_id for future in futures]

    def keep_sending(
        self, client: str, topic: str, callers: list[str], pause_s: float = 0.01, *, is_ordered: bool = False
    ) -> None:
        """Send without end, each caller by itself. is_ordered: a caller's name is its message group."""
        self._sendings[client] = Sending(self._by_name[client], topic, callers, pause_s, is_ordered=is_ordered)

    def acknowledged(self, client: str) -> int:
        """How many messages were, so far."""
        return sum(not error for _, _, _, error in self._sendings[client].notes[:])

    def stop_sending(self, client: str) -> list[tuple[float, float, str, str]]:
        """The notes of all that was sent."""
        sending = self._sendings.pop(client)
        sending.end()
        return sending.notes

    def simple(self, client: str, topic: str, group: str, expression: str = "*", await_s: int = 5) -> None:
        """Start a simple consumer."""
        subscription = {topic: FilterExpression(expression)}
        self._start(client, lambda configuration: SimpleConsumer(configuration, group, subscription, await_duration=await_s))

    def receive(self, client: str, count: int = 32, invisible_s: int = 15) -> Plain:
        """One receive: the messages, and how long it took."""
        began_s = time.monotonic()
        messages = self._by_name[client].receive(count, invisible_s)
        took_s = time.monotonic() - began_s
        self._received.update((message.receipt_handle, message) for message in messages)
        return {"messages": list(map(shown, messages)), "took_s": took_s}

    def ack(self, client: str, handle: str) -> None:
        """Acknowledge what was received with this handle."""
        self._by_name[client].ack(self._received[handle])

    def change(self, client: str, handle: str, invisible_s: int) -> str:
        """Hide a received message for another span; the new handle."""
        message = self._received[handle]
        self._by_name[client].change_invisible_duration(message, invisible_s)
        self._received[message.receipt_handle] = message
        return str(message.receipt_handle)

    def push(self, client: str, topic: str, group: str, take_from_attempt: int = 1, *, holds: bool = False) -> None:
        """Start a push consumer with a `Listener`."""
        listener = self._listeners[client] = Listener(take_from_attempt, holds=holds)
        subscription = {topic: FilterExpression("*")}
        self._start(client, lambda configuration: PushConsumer(configuration, group, listener, subscription))

    def seen(self, client: str) -> list[tuple[float, str, int]]:
        """What a push consumer was given so far: (Unix time in s, body, attempt)."""
        return self._listeners[client].seen[:]

    def go_on(self, client: str) -> None:
        """A listener that holds may return now."""
        self._listeners[client].go_on.set()

    def shut_down(self, client: str) -> float:
        """Close a client; how many seconds that took."""
        began_s = time.monotonic()
        self._by_name.pop(client).shutdown()
        return time.monotonic() - began_s


def main() -> None:
    """Carry out one verb after the other until standard input ends."""
    clients, write_lock = Clients(sys.argv[1]), threading.Lock()

    def carry_out(request: Plain) -> None:
        number, verb = request.pop("id"), request.pop("verb")
        try:
            answer = {"id": number, "result": getattr(clients, verb)(**request)}
        except Exception as error:  # noqa: BLE001 - the client raises many kinds; the test judges
            answer = {"id": number, "error": f"{type(error).__name__}: {error}"}
        with write_lock:
            print(json.dumps(answer), flush=True)

    with ThreadPoolExecutor(32) as pool:
        for line in sys.stdin:
            pool.submit(carry_out, json.loads(line))
        os._exit(0)  # the official clients leave threads behind that would keep the process alive


if __name__ == "__main__":
    main()
