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


def run_registry(
    listen: str, times: str, log_level: str = "info", *, outside: str = "", advertise: str = "", advertise_outside: str = ""
) -> int:
    """Run until SIGTERM or SIGINT; the exit status: 0 after a clean stop, 1 when it could not start.

    listen, outside, advertise, advertise_outside: HOST:PORT, see `RegistryNode`; empty for none. times: a profile of
    `mq.registry.registration.times_of`. Raises: IllegalArgumentError.
    """
    address, profile = parse_address(listen, "listen", is_zero_port_allowed=True), times_of(times)
    given = (("listen_outside", outside), ("advertise", advertise), ("advertise_outside", advertise_outside))
    other = [parse_address(text, name, is_zero_port_allowed=name == "listen_outside") if text else None for name, text in given]
    set_up_logs(log_level)

    async def serve() -> int:
        stop = stop_at_signals()
        node = RegistryNode(address, profile, outside=other[0], advertise=other[1], advertise_outside=other[2])
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
