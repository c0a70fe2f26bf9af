"""What the broker does beside its clients' calls goes on after whatever went wrong in it."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.core.errors import DiskFullError
from mq.server import broker
from mq.server.broker import Broker


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
