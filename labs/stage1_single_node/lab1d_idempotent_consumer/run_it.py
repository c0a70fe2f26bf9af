"""Your consumer at work: messages of a real broker by the official RocketMQ client, rows in an SQLite file.

    python -m labs.stage1_single_node.lab1d_idempotent_consumer.run_it work/lab1d_idempotent_consumer --send 20 --die-after 7

It is the host: it carries out what your consumer plans, one operation after the other. It ends when nothing comes for a while.
"""

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

from labs.grader.loading import organ_in
from labs.stage1_single_node.lab1d_idempotent_consumer.orders import Order, read_order
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Consumer, Delivery, GiveBack, Operation, Save
from mq.core.errors import IllegalArgumentError

__all__ = ["DIED", "Store", "main", "orders_to_send", "right_rows"]

DIED = 9
"""The exit code of a consumer that was told to die."""
_KEEP_MS = 3 * 24 * 3600 * 1000
_RETRY_MS = 2_000
_ATTEMPTS_MAX = 16
_AT_ONCE = 8
_AWAIT_S = 3
_CUSTOMERS = ("anna", "ben", "carl")


class Store:
    """Rows of text in a file. When `save` returns all of it is there; when it does not return, all of it or nothing."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(file)
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._connection:
            self._connection.execute("CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, value TEXT NOT NULL)")

    def rows(self) -> dict[str, str]:
        """All of them."""
        return dict(self._connection.execute("SELECT name, value FROM rows ORDER BY name"))

    def save(self, rows: Mapping[str, str | None]) -> None:
        """In one transaction."""
        with self._connection:
            self._connection.executemany("DELETE FROM rows WHERE name = ?", [(name,) for name in rows])
            kept = [(name, value) for name, value in rows.items() if value is not None]
            self._connection.executemany("INSERT INTO rows VALUES (?, ?)", kept)

    def close(self) -> None:
        """Nothing more is saved."""
        self._connection.close()


# --- what is sent


def orders_to_send(count: int) -> Iterator[tuple[str, str]]:
    """(key, body) of each message. Every third order is sent twice, as by a producer that got no answer; one says nothing."""
    yield from ((f"open-{customer}", f"open {customer}") for customer in _CUSTOMERS[:2])
    for number in range(count):
        loaves = number % 5 + 1
        body = f"{_CUSTOMERS[number % 3]}: {loaves} {'loaf' if loaves == 1 else 'loaves'}"
        yield from [(f"order-{number}", body)] * (2 if number % 3 == 0 else 1)
    yield "order-unreadable", "as many loaves as you have"
    yield f"open-{_CUSTOMERS[2]}", f"open {_CUSTOMERS[2]}"


def right_rows(count: int) -> dict[str, str]:
    """What the accounts and the total must say when all of these were sent and consumed."""
    booked = dict.fromkeys(_CUSTOMERS, 0)
    for body in dict(orders_to_send(count)).values():
        order = read_order(body) if not body.startswith("as many") else None
        if isinstance(order, Order):
            booked[order.customer] += order.loaves
    return {**{f"account:{customer}": str(loaves) for customer, loaves in booked.items()}, "total": str(sum(booked.values()))}


def _send(endpoint: str, topic: str, count: int) -> int:
    from rocketmq import Message, Producer  # noqa: PLC0415 - the official client is slow to load, and not always there

    producer = Producer(_configuration(endpoint), (topic,))
    producer.startup()
    messages = list(orders_to_send(count))
    for key, body in messages:
        message = Message()
        message.topic, message.keys, message.body = topic, key, body.encode()
        producer.send(message)
    producer.shutdown()
    return len(messages)


def _configuration(endpoint: str) -> Any:
    from rocketmq import ClientConfiguration, Credentials  # noqa: PLC0415 - see above

    return ClientConfiguration(endpoint, Credentials("", ""))


# --- the host


def _made(organ: Any, rows: Mapping[str, str]) -> Consumer:
    made: Consumer = organ(rows, keep_ms=_KEEP_MS, attempts_max=_ATTEMPTS_MAX, retry_ms=_RETRY_MS)
    return made


def _try(organ: Any) -> None:
    """Two messages and a restart in between, for nobody: whether so much is written, before anything is sent.

    Raises: NotImplementedError. What else may be wrong shows in the run.
    """
    rows: dict[str, str] = {}
    try:
        for body in ("open anna", "anna: 1 loaf"):
            plan = _made(organ, dict(rows)).handle(Delivery(body, body, body, body, 1), time_ns() // 1_000_000)
            saved = [save.rows for save in plan if isinstance(save, Save)]
            rows |= {name: value for one in saved for name, value in one.items() if value is not None}
    except NotImplementedError:
        raise
    except Exception:  # noqa: BLE001 - it is shown where it happens
        return


class _Host:
    """Carries plans out. die_after: so many operations, and the process ends; 0 for never."""

    def __init__(self, store: Store, organ: Any, client: Any, die_after: int) -> None:
        self.store, self.client, self.die_after, self.done = store, client, die_after, 0
        self.consumer = _made(organ, store.rows())

    def handle(self, message: Any) -> None:
        """One message."""
        keys = sorted(message.keys or ())
        delivery = Delivery(
            message.message_id, keys[0] if keys else message.message_id, bytes(message.body).decode("utf-8", "replace"),
            message.receipt_handle, message.delivery_attempt,
        )  # fmt: skip
        _say(f"{delivery.key}, attempt {delivery.attempt}: {delivery.body!r}")
        for operation in self.consumer.handle(delivery, time_ns() // 1_000_000):
            self._do(operation, message)
            self.done += 1
            if self.done == self.die_after:
                _say(f"dies after {self.done} operations, as it was told to")
                os._exit(DIED)

    def _do(self, operation: Operation, message: Any) -> None:
        match operation:
            case Save():
                self.store.save(operation.rows)
                _say(f"    saved {json.dumps(dict(operation.rows))}")
            case Ack():
                self.client.ack(message)
                _say("    acknowledged")
            case GiveBack():
                self.client.change_invisible_duration(message, max(1, operation.after_ms // 1000))
                _say("    given back")


def _consume(options: argparse.Namespace, store: Store, organ: Any) -> None:
    from rocketmq import FilterExpression, SimpleConsumer  # noqa: PLC0415 - see above

    subscription = {options.topic: FilterExpression("*")}
    client = SimpleConsumer(_configuration(options.endpoint), options.group, subscription, await_duration=_AWAIT_S)
    client.startup()
    host, last = _Host(store, organ, client, options.die_after), monotonic()
    _say(f"receives, and ends when nothing came for {options.idle_s:g} s")
    while monotonic() - last < options.idle_s:
        for message in client.receive(_AT_ONCE, options.invisible_s):
            host.handle(message)
            last = monotonic()
    client.shutdown()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run_it", description="Run your consumer of orders against a real broker.")
    parser.add_argument("work", type=Path, help="your folder, or one Python file")
    endpoint = os.environ.get("MQ_ENDPOINT", "127.0.0.1:8081")
    parser.add_argument("--endpoint", default=endpoint, help="the broker's address; else MQ_ENDPOINT says it")
    parser.add_argument("--topic", default="orders")
    parser.add_argument("--group", default="bakery")
    parser.add_argument("--store", type=Path, default=Path(".mq/bakery.db"), help="the file that the rows are kept in")
    parser.add_argument("--send", type=int, default=0, metavar="N", help="first send N orders, some of them twice")
    parser.add_argument("--die-after", type=int, default=0, metavar="N", help="end the process after N operations")
    parser.add_argument("--invisible-s", type=int, default=10, help="how long a message is hidden, once it was received")
    parser.add_argument("--idle-s", type=float, default=20, help="end when nothing came for so long")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 when there is no consumer to run, or it is not written yet."""
    options = _options(arguments)
    try:
        organ = organ_in(options.work, "consumer.py", "OrderConsumer")
    except IllegalArgumentError as error:
        _say(str(error))
        return 1
    store = Store(options.store)
    try:
        _try(organ)
        if options.send:
            sent = _send(options.endpoint, options.topic, options.send)
            _say(f"sent {sent} messages; right will be: {right_rows(options.send)}")
        _consume(options, store, organ)
    except NotImplementedError as error:
        name = str(error).rpartition(": ")[2] or "a method"
        _say(f"Your consumer is not done: `{name}` is not written yet. `mq lab check lab1d` says what comes next.")
        return 1
    _say("\nWhat the store says:")
    for name, value in store.rows().items():
        _say(f"  {name} = {value}")
    store.close()
    return 0


if __name__ == "__main__":
    status = main()
    # The official clients leave threads behind that would keep the process alive.
    os._exit(status)
