"""What the services of a node wait for."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mq.core.errors import NotServingError
from mq.server import services as module
from mq.server.moments import Moments
from mq.server.services import Services


async def test_a_group_that_was_made_and_does_not_come_here_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_INNER_S", 0.02)
    services, asked = object.__new__(Services), list[bytes]()
    machine = SimpleNamespace(groups={})

    async def pass_group(raw: bytes, _context: Any) -> bytes:
        asked.append(raw)
        return b""

    services._broker = cast(Any, SimpleNamespace(node=SimpleNamespace(until=Moments().until, machine=machine)))
    services._pass_group = pass_group
    with pytest.raises(NotServingError, match="group g was made, and this node did not hear of it"):
        await services._make_group("g")
    machine.groups["g"] = None
    await services._make_group("g")
    assert asked == [b"g", b"g"]
