"""The checks of `mq doctor`."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from mq.cli.data_folder import ReadOnlyFolder, describe_damage, describe_torn, locked_folder
from mq.cli.options import Session
from mq.client.errors import UnreachableError
from mq.core.errors import MqError
from mq.core.quantity import show_bytes, show_duration_ms
from mq.server.disk import FolderInUseError

if TYPE_CHECKING:
    from mq.broker.store.commit_log import CommitLog

__all__ = ["Check", "run_checks"]

_PYTHON_MIN = (3, 11)
_PACKAGES = ("click", "grpcio", "grpcio-health-checking", "prometheus-client", "protobuf", "PyYAML", "rich")
_FREE_BYTES_LOW, _FREE_BYTES_MIN = 1 << 30, 128 << 20
_SYNCS, _SYNC_LIMIT_S = 50, 1.0
_SYNC_MS_SLOW = 10.0
_SYNC_MS_UNBELIEVABLE = 0.02
_VERIFY_BYTES, _VERIFY_LIMIT_S = 1 << 20, 20.0
_OPEN_FILES_LOW = 1024
_CLOCK_S_MIN = 1_750_000_000
_CLOCK_BEHIND_S = 60.0


@dataclass(frozen=True)
class Check:
    """What a check found. status: ok, warn or bad. advice: what to do, "" when nothing is."""

    name: str
    status: str
    text: str
    advice: str = ""


def run_checks(session: Session, data: Path | None) -> Iterator[Check]:
    """All checks, one after the other."""
    yield _check_python()
    yield _check_packages()
    yield _check_open_files()
    yield from _check_broker(session)
    place = _nearest_folder(data or Path())
    yield _check_space(place)
    yield _check_sync(place)
    yield _check_clock(data)
    if data is not None:
        yield from _check_data(data)


def _check_python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= _PYTHON_MIN:
        return Check("python", "ok", f"Python {version}, {sys.executable}")
    return Check("python", "bad", f"Python {version} is too old", f"use Python {'.'.join(map(str, _PYTHON_MIN))} or newer")


def _check_packages() -> Check:
    versions, missing = [], []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "bad", f"missing: {', '.join(missing)}", f"{sys.executable} -m pip install {' '.join(missing)}")
    try:
        versions.append(f"uvloop {metadata.version('uvloop')}")
    except metadata.PackageNotFoundError:
        versions.append("no uvloop (optional, a little faster)")
    return Check("packages", "ok", ", ".join(versions))


def _check_open_files() -> Check:
    try:
        import resource  # noqa: PLC0415 - does not exist on Windows
    except ImportError:
        return Check("files", "ok", "no limit to look at on this system")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY or limit >= _OPEN_FILES_LOW:
        return Check("files", "ok", f"up to {limit} open files")
    return Check("files", "warn", f"only {limit} open files are allowed", "raise it (ulimit -n 65536): each connection needs one")


def _check_broker(session: Session) -> Iterator[Check]:
    from mq.rpc.admin_client import AdminClient  # noqa: PLC0415 - gRPC must not be loaded before it was looked for

    began = time.perf_counter()
    try:
        with session.connect() as connection:
            if not connection.is_serving():
                yield Check("broker", "warn", f"{session.endpoint} answers, but does not serve", "look at the broker's log")
                return
            broker = AdminClient(connection).describe_broker()
    except UnreachableError as error:
        yield Check(
            "broker", "warn", str(error), "start one (mq broker --data DIR), or give its address with --endpoint or MQ_ENDPOINT"
        )
    except MqError as error:
        yield Check("broker", "bad", str(error), "is it a RaftMQ broker of this version? look at its log")
    else:
        took_ms = (time.perf_counter() - began) * 1000
        what = f"{broker.name} node {broker.node} serves on {session.endpoint} as {broker.role}, version {broker.version}"
        yield Check("broker", "ok", f"{what}, up {show_duration_ms(broker.uptime_ms)}; it answered after {took_ms:.0f} ms")


def _nearest_folder(path: Path) -> Path:
    """The folder itself, or the first one above it that is there."""
    path = path.absolute()
    while not path.is_dir():
        path = path.parent
    return path


def _check_space(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    text = f"{show_bytes(free)} free at {folder}"
    if free < _FREE_BYTES_MIN:
        return Check(
            "space", "bad", text, "free some: a broker needs room for at least one segment (64 MiB) and refuses sends without"
        )
    return (
        Check("space", "warn", text, "soon too little; --retention-bytes limits the log")
        if free < _FREE_BYTES_LOW
        else Check("space", "ok", text)
    )


def _check_sync(folder: Path) -> Check:
    """How long an appended page takes to be durable, which each acknowledgement waits for."""
    sync = getattr(os, "fdatasync", os.fsync)
    took_ms: list[float] = []
    try:
        with NamedTemporaryFile(dir=folder, prefix=".mq-doctor-") as handle:
            end = time.perf_counter() + _SYNC_LIMIT_S
            while len(took_ms) < _SYNCS and (began := time.perf_counter()) < end:
                os.write(handle.fileno(), bytes(4096))
                sync(handle.fileno())
                took_ms.append((time.perf_counter() - began) * 1000)
    except OSError as error:
        return Check("disk", "bad", f"cannot write at {folder}: {error.strerror}", "choose a folder that this user can write to")
    took_ms.sort()
    median_ms = took_ms[len(took_ms) // 2]
    text = f"a sync takes {median_ms:.2f} ms at {folder} (median of {len(took_ms)}, slowest {took_ms[-1]:.2f} ms)"
    if median_ms > _SYNC_MS_SLOW:
        return Check("disk", "warn", text, "a slow disk; many callers or batches share one sync, a lone sender waits for each")
    if median_ms < _SYNC_MS_UNBELIEVABLE:
        return Check("disk", "warn", text, "too fast to be true: a disk in memory forgets all in a power failure")
    return Check("disk", "ok", text)


def _check_clock(data: Path | None) -> Check:
    now_s = time.time()
    text = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now_s))
    if now_s < _CLOCK_S_MIN:
        return Check("clock", "bad", f"{text} cannot be right", "set it; delivery times of delayed messages follow it")
    files = [path.stat().st_mtime for path in data.rglob("*") if path.is_file()] if data is not None else []
    newest_s = max(files, default=0.0)
    if newest_s > now_s + _CLOCK_BEHIND_S:
        behind = show_duration_ms(int((newest_s - now_s) * 1000))
        return Check(
            "clock",
            "warn",
            f"{text}, which is {behind} before the newest file in {data}",
            "the clock was set back; let ntp keep it",
        )
    return Check("clock", "ok", text)


def _check_data(data: Path) -> Iterator[Check]:
    if not data.exists():
        yield Check("data", "ok", f"{data} is not there yet; the broker makes it")
        return
    if not data.is_dir():
        yield Check("data", "bad", f"{data} is a file, not a folder", "give the folder that a broker's --data names")
        return
    try:
        with locked_folder(data) as disk:
            yield from _check_log(disk)
    except FolderInUseError as error:
        yield Check(
            "data", "ok", f"{error.args[0].partition(';')[0]}: a broker works in it; its log can be checked when it is stopped"
        )
    except MqError as error:
        yield Check("data", "bad", str(error), "do not start a broker on it; keep a copy")


def _check_log(disk: ReadOnlyFolder) -> Iterator[Check]:
    """What a start would find, and whether every record is what was written."""
    from mq.broker.store.commit_log import CommitLog  # noqa: PLC0415 - the log is large
    from mq.core.ports import drive  # noqa: PLC0415
    from mq.server.durable_note import DURABLE_FILE, proves_loss  # noqa: PLC0415

    log = CommitLog()
    recovery = drive(log.recover(disk.files()), disk)
    for damage in recovery.damage:
        yield Check("data", "bad", describe_damage(damage), "restore the folder from a copy; nothing is cut by itself")
    if recovery.torn is not None:
        yield Check(
            "data", "warn", describe_torn(recovery.torn), "nothing to do: a crash left it, and no one was told that it is stored"
        )
    lost = None if recovery.damage else proves_loss(disk, disk.files(), log.last_index)
    if lost is not None:
        yield Check(
            "data", "bad", f"the log ends with entry {log.last_index}, and entries up to {lost} were durable: they are lost",
            f"restore the folder from a copy; a broker by itself goes on without them when the file `{DURABLE_FILE}` is removed",
        )  # fmt: skip
    if recovery.damage or lost is not None:
        return
    if log.last_index < log.first_index:
        yield Check("data", "ok", f"the log in {disk.folder} is empty")
        return
    verified = _verify(log, disk)
    size = show_bytes(log.end_position - log.first_position)
    text = f"the log holds entries {log.first_index} to {log.last_index} in {len(log.segments())} segment(s), {size}; "
    if verified == log.last_index:
        yield Check("data", "ok", f"{text}every record is what was written")
    else:
        yield Check(
            "data", "ok", f"{text}records up to {verified} were read within {_VERIFY_LIMIT_S:g} s, the rest was not looked at"
        )


def _verify(log: "CommitLog", disk: ReadOnlyFolder) -> int:
    """Read records from the first one on; returns the last index that was verified. Raises: DamageError."""
    from mq.core.ids import LogIndex  # noqa: PLC0415
    from mq.core.ports import drive  # noqa: PLC0415

    end, index = time.monotonic() + _VERIFY_LIMIT_S, int(log.first_index) - 1
    while index < log.last_index and time.monotonic() < end:
        index += len(drive(log.entries(LogIndex(index + 1), log.last_index, _VERIFY_BYTES), disk))
    return index
