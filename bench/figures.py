"""The broker's figures against their peers. Each function starts what it needs, alternates between broker and peer, cleans up.

Broker and peer take turns round by round, the one that begins changing each time, so that what else happens on the
machine hits both; the ratio is the median of the rounds' own ratios.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from bench import floor, fsync, grpc_floor
from bench.broker import QUEUES, serving
from bench.common import Measured, Peer, data_folder, run_driver, started
from bench.echo import call, echo
from bench.table import Bar, Row

__all__ = [
    "Result", "Setup", "batch_call", "batches", "best_fsync", "column", "fill", "in_turns", "lone", "official", "progress",
    "receive", "single",
]  # fmt: skip

Result = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """How a run goes. parent: where all files are made. seconds: of each measurement. rounds: of each pair.

    memory_messages: the two numbers of stored messages between which memory is compared. log_bytes: of the log to be opened.
    faults: of each kind. minutes: of full load without any.
    """

    parent: Path
    seconds: float
    rounds: int
    window: int
    memory_messages: tuple[int, int]
    log_bytes: int
    faults: int = 20
    minutes: float = 20.0


def progress(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


def in_turns(rounds: int, **sides: Callable[[], Result]) -> list[dict[str, Result]]:
    """Run all sides once per round, in one order and in the other; returns the results of each round by side."""
    results = []
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        done = {name: sides[name]() for name in order}
        results.append(done)
        progress(f"  round {number + 1} of {rounds}: " + "; ".join(f"{name} {_short(done[name])}" for name in sides))
    return results


def _short(result: Result) -> str:
    keys = ("seconds", "messages_per_s", "per_s", "p50_us", "p99_us", "server_cores", "client_cores")
    return ", ".join(f"{key} {result[key]:g}" for key in keys if key in result)


def column(results: list[dict[str, Result]], side: str, key: str) -> list[float]:
    """One number of one side, round by round."""
    return [float(round_[side][key]) for round_ in results]


def fill(broker: Peer, messages: int, topic: str = "bench") -> Result:
    """Store so many messages by batches."""
    return run_driver(
        "bench.batches", "send", broker.endpoint, "--topic", topic, "--total", str(messages), timeout_s=60 + messages / 5000
    )


def batch_call(broker: Measured, what: str, setup: Setup) -> Result:
    """Let our batch client loose on a server; adds how busy the server was (1 = one core). what: "send" or "fetch"."""
    before = broker.cpu_s()
    result = run_driver("bench.batches", what, broker.endpoint, "--seconds", str(setup.seconds), "--window", str(setup.window))
    return {**result, "server_cores": round((broker.cpu_s() - before) / setup.seconds, 2)}


def batches(setup: Setup) -> list[Row]:
    """Batches of 100 by our client, pipelined, against the floor; batch fetch against a bare stream of the same bytes."""
    with data_folder(setup.parent) as folder, serving(folder) as broker, echo() as bare:
        progress("batch send")
        sent = in_turns(
            setup.rounds,
            broker=lambda: batch_call(broker, "send", setup),
            grpc_floor=lambda: grpc_floor.measure(folder, setup.seconds, window=setup.window),
            floor=lambda: floor.measure(folder, setup.seconds, window=setup.window),
            grouped=lambda: floor.measure(folder, setup.seconds, window=setup.window, is_grouped=True),
        )
        progress("batch fetch")
        fetched = in_turns(
            setup.rounds,
            broker=lambda: batch_call(broker, "fetch", setup),
            bare=lambda: batch_call(bare, "fetch", setup),
        )
    rates = column(sent, "broker", "messages_per_s")
    name = f"batch send, 100 a frame, {setup.window} on the way"
    return [
        Row(
            name, "messages/s", rates, "the floor", column(sent, "floor", "messages_per_s"),
            [Bar("value", "at least", 80_000), Bar("ratio", "at least", 0.4)], sent,
        ),
        Row(
            name, "messages/s", rates, "the floor, one sync for all that has come", column(sent, "grouped", "messages_per_s"),
            [Bar("ratio", "at least", 0.4)],
        ),
        Row(
            name, "messages/s", rates, "the same within gRPC", column(sent, "grpc_floor", "messages_per_s"),
        ),
        Row(
            f"batch fetch, {QUEUES} streams", "messages/s", column(fetched, "broker", "messages_per_s"),
            "bare stream of the same", column(fetched, "bare", "messages_per_s"), [Bar("value", "at least", 100_000)], fetched,
        ),
    ]  # fmt: skip


def single(setup: Setup) -> list[Row]:
    """Single sends at 64 callers against a bare echo, by a grpc.aio client and by the lightest one."""
    rows = []
    with data_folder(setup.parent) as folder, serving(folder) as broker, echo() as bare:
        for client in ("grpc.aio", "light"):
            progress(f"single sends, {client} client")
            results = in_turns(
                setup.rounds,
                broker=partial(call, broker, "send", 64, setup.seconds, client=client),
                echo=partial(call, bare, "send", 64, setup.seconds, client=client),
            )
            rows.append(
                Row(
                    f"single sends, 64 callers, {client} client", "calls/s", column(results, "broker", "per_s"), "bare echo",
                    column(results, "echo", "per_s"), [Bar("ratio", "at least", 0.8)], results,
                )
            )  # fmt: skip
    return rows


def receive(setup: Setup) -> list[Row]:
    """ReceiveMessage in batches of 32 against a bare stream of the same messages; each run reads as a group of its own."""
    rows, groups = [], count(1)

    def read(callers: int, client: str) -> Result:
        return call(broker, "receive", callers, setup.seconds, client=client, group=f"bench-{next(groups)}")

    with data_folder(setup.parent) as folder, serving(folder) as broker, echo() as bare:
        fill(broker, max(100_000, int(30_000 * (setup.seconds + 1))))
        for client, callers in (("grpc.aio", 1), ("grpc.aio", 8), ("light", 1), ("light", 8)):
            progress(f"receive, {callers} callers, {client} client")
            results = in_turns(
                setup.rounds,
                broker=partial(read, callers, client),
                echo=partial(call, bare, "receive", callers, setup.seconds, client=client),
            )
            rows.append(
                Row(
                    f"ReceiveMessage, {callers} callers, {client} client", "messages/s",
                    column(results, "broker", "messages_per_s"), "bare stream",
                    column(results, "echo", "messages_per_s"), [Bar("ratio", "at least", 0.5)], results,
                )
            )  # fmt: skip
    return rows


def best_fsync(folder: Path, seconds: float) -> Result:
    """The better kind of allocation in this folder."""
    return fsync.measure(folder, seconds)["best"]


def lone(setup: Setup) -> list[Row]:
    """One synchronous send after another, against one bare echo and one fsync."""
    rows = []
    with data_folder(setup.parent) as folder, serving(folder) as broker, echo() as bare:
        for client in ("grpc.aio", "light"):
            progress(f"lone sends, {client} client")
            results = in_turns(
                setup.rounds,
                broker=partial(call, broker, "send", 1, setup.seconds, client=client),
                echo=partial(call, bare, "send", 1, setup.seconds, client=client),
                fsync=partial(best_fsync, folder, setup.seconds / 2),
            )
            echoes, syncs = column(results, "echo", "p50_us"), column(results, "fsync", "p50_us")
            limits = [one + other for one, other in zip(echoes, syncs, strict=True)]
            rows.append(
                Row(
                    f"lone send, p50, {client} client", "us", column(results, "broker", "p50_us"), "echo + fsync", limits,
                    [Bar("ratio", "at most", 1.5)], results,
                )
            )  # fmt: skip
    rows.append(Row("write 400 B + fdatasync, p50", "us", syncs))
    return rows


def official(setup: Setup) -> list[Row]:
    """The official Python client against the broker and against a server that answers at once."""
    messages, rows, groups = int(1000 * setup.seconds), [], count(1)

    def run(server: Peer, how: str) -> Result:
        before = server.cpu_s()
        result = run_driver(
            "bench.official_client", server.endpoint, how, "--seconds", str(setup.seconds), "--messages", str(messages),
            "--group", f"bench-{next(groups)}",
        )  # fmt: skip
        return {**result, "server_cpu_s": round(server.cpu_s() - before, 2)}

    with data_folder(setup.parent) as folder, serving(folder) as broker, started("bench.stub_server") as stub:
        fill(broker, 200_000)  # the stub's messages never end; the broker's shall not, either
        for how, name in (
            ("lone", "one after another"), ("threads", "16 threads"), ("async", "256 in flight"), ("push", "push consumer"),
        ):  # fmt: skip
            progress(f"official client, {name}")
            results = in_turns(setup.rounds, broker=partial(run, broker, how), stub=partial(run, stub, how))
            rows.append(
                Row(
                    f"official client, {name}", "messages/s", column(results, "broker", "per_s"), "stub that answers at once",
                    column(results, "stub", "per_s"), [Bar("ratio", "at least", 0.8)], results,
                )
            )  # fmt: skip
    return rows
