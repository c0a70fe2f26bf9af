"""The broker process: start, wait for a signal, finish, sync, exit 0.

A member of a group that finds its log damaged has several lives in one process: the next one begins with nothing stored.
"""

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from mq.core.address import show_address
from mq.core.errors import DamageError, IllegalArgumentError, MqError
from mq.core.quantity import show_bytes
from mq.server.broker import Broker
from mq.server.config import BrokerConfig
from mq.server.logs import set_up_logs
from mq.server.metrics import MetricsServer
from mq.server.opening import ASIDE, OpenedStore
from mq.server.setting_aside import EntriesGoneError, StateDiffersError, calls_for_repair, can_come_back, noted_damage, set_aside
from mq.server.signals import stop_at_signals

__all__ = ["Repairs", "run_broker"]

_AGAIN_S = 600.0
"""A log that is damaged so soon after a damaged one was put aside would be again: each time, that only fills the disk."""
_MEND = "; nothing was changed: `mq doctor --data {data}` shows every damaged place, and a copy of the folder mends it"
_log = logging.getLogger("mq.broker")


def run_broker(config: BrokerConfig) -> int:
    """Run until SIGTERM or SIGINT.

    Returns the exit status: 0 after a clean stop, 1 when the disk failed or the broker could not start, 2 when what it was told
    cannot be.
    """
    set_up_logs(config.log_level)
    _allow_many_files()
    # A thread that comes back from the disk should not wait 5 ms for its turn.
    sys.setswitchinterval(0.0005)
    run: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - optional

        run = uvloop.run
    try:
        return run(_serve(config))
    except MqError as error:
        advice = _MEND.format(data=config.data) if isinstance(error, DamageError) else ""
        _log.error("the broker cannot start: %s%s", error, advice)
        return 2 if isinstance(error, IllegalArgumentError) else 1


def _allow_many_files() -> None:
    """Raise the limit of open files to what the system allows: idle clients must not keep the log from its next file."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _greeting(config: BrokerConfig, port: int, metrics: MetricsServer | None) -> str:
    """Where the broker can be reached, for people."""
    listens, told = show_address((config.listen_address[0], port)), ", ".join(map(show_address, config.advertised(port)))
    parts = [f"{config.name} serves on {listens}", "" if told == listens else f"clients are told {told}"]
    if config.listen_outside:
        parts.append(f"on {config.listen_outside} they are told {', '.join(config.advertise_outside) or 'that one'}")
    if metrics is not None:
        parts.append(f"metrics on http://{show_address((metrics.host, metrics.port))}/metrics")
    return "; ".join(filter(None, parts))


def _opened(config: BrokerConfig, opened: OpenedStore) -> str:
    """What opening the data folder came to, for people."""
    log = opened.log
    if log.last_index < log.first_index and not opened.snapshot_index:
        return f"opened {config.data} in {opened.seconds:.2f} s: new, nothing is stored yet"
    return (
        f"opened {config.data} in {opened.seconds:.2f} s: log index {log.first_index} to {log.last_index}, "
        f"snapshot at {opened.snapshot_index}, {opened.replayed} entries replayed, "
        f"read {show_bytes(opened.recovery.scanned_bytes)} of the log's end"
    )


class Repairs:
    """What was put aside in this process. clock: seconds that only grow."""

    def __init__(self, config: BrokerConfig, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._damaged_s = -_AGAIN_S
        self._differed = False

    def why_no_more(self, damage: DamageError) -> str:
        """Why nothing is put aside this time; empty when it is."""
        if isinstance(damage, EntriesGoneError):
            return ""
        if isinstance(damage, StateDiffersError):
            again = "this node was given its state anew, and came to another one than the others again: is its program theirs?"
            return again if self._differed else ""
        since_s = self._clock() - self._damaged_s
        if since_s >= _AGAIN_S:
            return ""
        return (
            f"the log is damaged again ({damage}), {since_s:.0f} s after a damaged one was put aside: is the disk here broken, "
            f"or the memory? Nothing more is put aside; what was, is in {self._config.data / ASIDE}1 and so on"
        )

    def set_aside(self, damage: DamageError) -> None:
        """See `mq.server.setting_aside`."""
        if isinstance(damage, StateDiffersError):
            self._differed = True
        else:
            self._damaged_s = self._clock()
        set_aside(self._config.data, damage)


def _open(config: BrokerConfig, repairs: Repairs) -> Broker:
    """The broker, with its data; in a group, damaged data is put aside, and the others give it anew."""
    if (noted := noted_damage(config.data)) is not None and can_come_back(config, noted):
        repairs.set_aside(noted)
    try:
        return Broker(config)
    except DamageError as damage:
        if not can_come_back(config, damage):
            raise
        if told := repairs.why_no_more(damage):
            _log.error("%s", told)
            raise
        repairs.set_aside(damage)
        return Broker(config)


async def _serve(config: BrokerConfig) -> int:
    stop = stop_at_signals()
    repairs = Repairs(config)
    while (why := await _live(config, stop, repairs)) is not None:
        if stop.is_set() or not calls_for_repair(why, config):
            return 1
        if told := repairs.why_no_more(why):
            _log.error("%s", told)
            return 1
        repairs.set_aside(why)
        gc.unfreeze()
    return 0


async def _live(config: BrokerConfig, stop: asyncio.Event, repairs: Repairs) -> MqError | None:
    """One life of the broker, until `stop` is set or it fails; returns why it failed. Raises: MqError when it cannot start."""
    broker = _open(config, repairs)
    opened = broker.node.opened
    _log.info("%s", _opened(config, opened))
    metrics = MetricsServer(config.metrics_listen, broker) if config.metrics_listen else None
    try:
        port = await broker.start()
        if metrics is not None:
            metrics.start()
    except Exception as error:
        # An organ may break what is to end it as well; what it broke first is what counts.
        with suppress(Exception):
            await broker.stop()
        if (blamed := broker.node.organs.blamed(error)) is not error:
            raise blamed from error
        raise
    # What was made while starting lives for ever: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    _log.info("%s", _greeting(config, port, metrics))
    endings: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait()), broker.failed]
    await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    endings[0].cancel()
    why = broker.failed.result() if broker.failed.done() else None
    _log.info("stopping%s", f" because of this: {why}" if why is not None else "")
    if metrics is not None:
        metrics.stop()
    await broker.stop()
    _log.info("stopped")
    return why
