"""The registry process: start, wait for a signal, stop, exit 0."""

import asyncio
import logging

from mq.core.address import parse_address, show_address
from mq.core.errors import MqError
from mq.registry.registration import times_of
from mq.server.logs import set_up_logs
from mq.server.registry import RegistryNode
from mq.server.signals import stop_at_signals

__all__ = ["run_registry"]

_log = logging.getLogger("mq.registry")


def run_registry(listen: str, times: str, log_level: str = "info", *, outside: str = "") -> int:
    """Run until SIGTERM or SIGINT; the exit status: 0 after a clean stop, 1 when it could not start.

    listen, outside: HOST:PORT; see `RegistryNode`. times: a profile of
    `mq.registry.registration.times_of`. Raises: IllegalArgumentError.
    """
    address, profile = parse_address(listen, "listen", is_zero_port_allowed=True), times_of(times)
    address_outside = parse_address(outside, "listen_outside", is_zero_port_allowed=True) if outside else None
    set_up_logs(log_level)

    async def serve() -> int:
        stop = stop_at_signals()
        node = RegistryNode(address, profile, outside=address_outside)
        try:
            port = await node.start()
        except MqError as error:
            _log.error("the registry cannot start: %s", error)
            return 1
        _log.info("the registry serves on %s", show_address((address[0], port)))
        await stop.wait()
        _log.info("stopping")
        await node.stop()
        return 0

    return asyncio.run(serve())
