"""How a process of ours is told to end."""

import asyncio
import signal

__all__ = ["stop_at_signals"]


def stop_at_signals() -> asyncio.Event:
    """Set when SIGTERM or SIGINT comes. To be called inside the running event loop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop
