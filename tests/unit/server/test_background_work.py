"""What the broker does beside its clients' calls goes on after whatever went wrong in it."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.core.errors import DiskFullError
from mq.server import broker
from mq.server.broker import Broker
from mq.server.config import BrokerConfig
from mq.server.hung_disk import HungDiskWatch
from tests.cluster.broker_process import free_port


async def test_it_is_tried_again_after_any_error_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(broker, "_AGAIN_S", 0.0)
    errors = [DiskFullError("no space left"), RuntimeError("dictionary changed size"), RuntimeError("dictionary changed size")]
    went_on = asyncio.Event()

    async def work() -> None:
        if errors:
            raise errors.pop(0)
        went_on.set()
        await asyncio.Event().wait()

    node = SimpleNamespace(node=SimpleNamespace(failure=None))
    task = asyncio.create_task(Broker._guarded(cast(Any, node), work))
    async with asyncio.timeout(10):
        await went_on.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    told = [(record.levelno, record.message) for record in caplog.records]
    assert told == [
        (logging.WARNING, "background work failed and is tried again: no space left"),
        (
            logging.ERROR,
            "background work failed and is tried again: background work failed: RuntimeError: dictionary changed size",
        ),
    ]


async def test_a_disk_is_watched_before_the_first_reign_of_its_node_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node whose first entry as a leader hangs never gets ready, and must be replaced all the same."""
    looks = asyncio.Event()

    async def work(_watch: HungDiskWatch) -> None:
        looks.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(HungDiskWatch, "work_forever", work)
    peers = tuple(f"{node}=127.0.0.1:{free_port()}" for node in (1, 2))
    one_of_two = Broker(BrokerConfig(data=tmp_path, listen="127.0.0.1:0", metrics_listen="", peers=peers))
    try:
        await one_of_two.start()
        async with asyncio.timeout(10):
            await looks.wait()
        assert one_of_two.node.reign.leader is None
    finally:
        await one_of_two.stop()
