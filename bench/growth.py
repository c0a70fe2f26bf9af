"""What grows with the number of stored messages, and what must not: memory, and the time to open a log after a crash."""

import subprocess
import time

from bench.broker import bytes_read, describe, forget_cached, kill, serving
from bench.common import MIB, Peer, data_folder, spawn, stop
from bench.figures import Setup, fill, progress
from bench.table import Bar, Row

__all__ = ["memory", "opening"]

_PORTION = 250_000
_SETTLE_S = 2.0


def _settled_mib(broker: Peer) -> float:
    """Resident memory once it no longer moves, in MiB."""
    last = broker.memory_bytes()
    for _ in range(10):
        time.sleep(_SETTLE_S / 4)
        now = broker.memory_bytes()
        if abs(now - last) < MIB // 4:
            break
        last = now
    return last / MIB


def memory(setup: Setup) -> list[Row]:
    """Resident memory of the broker with a few and with many stored messages."""
    few, many = setup.memory_messages
    with data_folder(setup.parent) as folder, serving(folder) as broker:
        sizes, stored, details = [_settled_mib(broker)], 0, []
        for wanted in (few, many):
            while stored < wanted:
                portion = min(_PORTION, wanted - stored)
                fill(broker, portion)
                stored += portion
                details.append({"messages": stored, "resident_mib": round(broker.memory_bytes() / MIB, 1)})
                progress(f"memory: {stored} messages, {details[-1]['resident_mib']} MiB resident")
            sizes.append(_settled_mib(broker))
        log_bytes = describe(broker).durable_end
    empty, at_few, at_many = sizes
    return [
        Row(f"memory with {few} messages", "MiB", [at_few], "empty broker", [empty]),
        Row(f"memory with {many} messages", "MiB", [at_many], f"{few} messages", [at_few], (), details),
        Row(
            f"growth from {few} to {many}",
            "MiB",
            [at_many - at_few],
            "MiB of log",
            [log_bytes / MIB],
            [Bar("value", "at most", 64)],
        ),
    ]


def _crash_under_load(broker: Peer) -> None:
    """SIGKILL while batches arrive."""
    sender = spawn(
        ["-m", "bench.batches", "send", broker.endpoint, "--seconds", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        before, end = describe(broker).durable_end, time.perf_counter() + 20
        while describe(broker).durable_end == before and time.perf_counter() < end:
            time.sleep(0.05)
        kill(broker)
    finally:
        stop(sender, grace_s=0.5)


def opening(setup: Setup) -> list[Row]:
    """From process start to the first answer: a big log after a crash, none of it cached; beside an empty start."""
    seconds, empty_seconds, read, details = [], [], [], []
    with data_folder(setup.parent) as folder, data_folder(setup.parent) as empty:
        with serving(folder) as broker:
            while (size := describe(broker).durable_end) < setup.log_bytes:
                progress(f"opening: log of {size / MIB:,.0f} MiB")
                fill(broker, _PORTION)
            _crash_under_load(broker)
        for number in range(setup.rounds):
            forget_cached(folder)
            with serving(empty, with_topic=False) as fresh:
                fresh_read = bytes_read(fresh)[0]
            with serving(folder, with_topic=False) as broker:
                by_calls, from_disk = bytes_read(broker)
                described = describe(broker)
                kill(broker)
            if described.durable_end < size:
                raise RuntimeError(f"the log was {size} bytes long and is {described.durable_end} after the crash")
            seconds.append(broker.ready["seconds"])
            empty_seconds.append(fresh.ready["seconds"])
            read.append((by_calls - fresh_read) / MIB)
            details.append({"read_mib": read[-1], "from_disk_mib": from_disk / MIB, "log_mib": described.durable_end / MIB})
            progress(f"  round {number + 1}: {seconds[-1]:.2f} s, empty {empty_seconds[-1]:.2f} s, {read[-1]:.1f} MiB read")
    mib = described.durable_end / MIB
    return [
        Row(
            f"open a log of {mib:,.0f} MiB after a crash",
            "s",
            seconds,
            "empty start",
            empty_seconds,
            [Bar("value", "at most", 2)],
            details,
        ),
        Row("bytes read by it", "MiB", read, "MiB of log", [mib] * len(read)),
    ]
