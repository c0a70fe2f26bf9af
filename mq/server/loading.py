"""Loading somebody's own organs: what their files do while they are imported is watched, as any call of an organ is.

An import that never ends must not hang the node without a word, and one that ends the process must not do so without one.
"""

from functools import cache

from mq.parts import Parts, load_parts
from mq.server.watchdog import Watchdog, onlooker_if_possible

__all__ = ["load_watched"]

_LIMIT_S = 10.0


@cache
def load_watched(where: str) -> Parts:
    """The organs at a place, loaded once in a process. Raises: IllegalArgumentError naming `parts`.

    An import that takes longer than 10 s ends the process, which has to be the node's own.
    """
    watchdog = Watchdog(onlooker=onlooker_if_possible())
    outer = watchdog.begin("parts", f"parts: the import of {where}", _LIMIT_S)
    try:
        return load_parts(where)
    finally:
        watchdog.finish(outer)
        watchdog.stop()
