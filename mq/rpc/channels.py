"""Connections to broker groups, made when they are needed, and kept. Any node of a group will do: all its addresses name it."""

from collections.abc import Sequence

import grpc.aio

from mq.core.address import parse_address
from mq.rpc.calling import CHANNEL_OPTIONS, targets_of

__all__ = ["Channels"]


class Channels:
    """By HOST:PORT of all nodes of a group, in whatever order."""

    def __init__(self) -> None:
        self._by_target: dict[str, grpc.aio.Channel] = {}

    def to(self, addresses: Sequence[str]) -> grpc.aio.Channel:
        """The one to this group."""
        target = targets_of([parse_address(one, "address") for one in sorted(addresses)])[0]
        if target not in self._by_target:
            self._by_target[target] = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        return self._by_target[target]

    async def close(self) -> None:
        """End all of them."""
        for channel in self._by_target.values():
            await channel.close()
