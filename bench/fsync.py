"""The price of durability: one small write and one fdatasync, by itself.

    python -m bench.fsync [--folder DIR] [--seconds S] [--bytes N]

A record of about 400 bytes, as a message of 256 bytes makes, is appended to a file whose space is allocated
beforehand, then synced; nothing else runs in the process. Two kinds of allocation take turns, since file
systems may charge for the first write to allocated space: `allocated` (as the broker does) and `zero_filled`.
The limit is the better of the two.
"""

import argparse
import json
import os
import time
from pathlib import Path

from bench.common import MIB, Latencies, data_folder

__all__ = ["measure"]

_FILE_BYTES = 16 * MIB
_ROUNDS = 6


def prepare(path: Path, *, is_zero_filled: bool, file_bytes: int = _FILE_BYTES) -> int:
    """Open a new file with its space allocated and synced; returns the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    if is_zero_filled or not hasattr(os, "posix_fallocate"):
        for at in range(0, file_bytes, MIB):
            os.pwrite(descriptor, bytes(min(MIB, file_bytes - at)), at)
    else:
        os.posix_fallocate(descriptor, 0, file_bytes)
    os.fsync(descriptor)
    return descriptor


def _series(descriptor: int, record: bytes, seconds: float, into: Latencies) -> float:
    sync = getattr(os, "fdatasync", os.fsync)
    at, begin = 0, time.perf_counter()
    while (start := time.perf_counter()) - begin < seconds and at + len(record) <= _FILE_BYTES:
        os.pwrite(descriptor, record, at)
        sync(descriptor)
        into.seconds.append(time.perf_counter() - start)
        at += len(record)
    return time.perf_counter() - begin


def measure(folder: Path, seconds: float, record_bytes: int = 400) -> dict[str, dict[str, float]]:
    """p50 and p99 of write + fdatasync in `folder`, for both kinds of allocation and the better as `best`."""
    record = os.urandom(record_bytes)
    kinds = {"allocated": Latencies(), "zero_filled": Latencies()}
    elapsed = dict.fromkeys(kinds, 0.0)
    for number in range(_ROUNDS):
        for kind, latencies in kinds.items():
            path = folder / f"fsync-{number}-{kind}"
            descriptor = prepare(path, is_zero_filled=kind == "zero_filled")
            try:
                elapsed[kind] += _series(descriptor, record, seconds / _ROUNDS / 2, latencies)
            finally:
                os.close(descriptor)
                path.unlink()
    result = {kind: latencies.summary(elapsed[kind]) for kind, latencies in kinds.items()}
    result["best"] = min(result.values(), key=lambda one: one["p50_us"])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="p50 and p99 of write + fdatasync")
    parser.add_argument("--folder", type=Path, help="where the broker's data would be; default: the temporary folder")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--bytes", type=int, default=400)
    options = parser.parse_args()
    with data_folder(options.folder) as folder:
        print(json.dumps(measure(folder, options.seconds, options.bytes)))


if __name__ == "__main__":
    main()
