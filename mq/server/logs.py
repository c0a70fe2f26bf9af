"""Log lines that a person can read: time, level, component, text.

One line for each event, also for an error; the traceback behind it is shown only at level debug.
"""

import logging
import sys
import time
from typing import TextIO

from mq.core.errors import IllegalArgumentError

__all__ = ["LOG_LEVELS", "LineFormatter", "set_up_logs"]

LOG_LEVELS = ("debug", "info", "warning", "error")
_QUIET_LIBRARIES = ("asyncio", "grpc", "grpc._cython.cygrpc")


class LineFormatter(logging.Formatter):
    """`2026-01-31 12:00:00.250 INFO    broker: text`. The component is the last part of the logger's name.

    with_tracebacks: whether an exception's traceback follows in lines of its own, else only its kind and text.
    """

    def __init__(self, *, with_tracebacks: bool) -> None:
        super().__init__()
        self._with_tracebacks = with_tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines, of one record."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        component = record.name.rpartition(".")[2] or "mq"
        # What a client sent may be quoted here: it must not be able to forge a line.
        text = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        line = f"{stamp}.{int(record.msecs):03} {record.levelname:7} {component}: {text}"
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return line
        if self._with_tracebacks and record.exc_info:
            return f"{line}\n{self.formatException(record.exc_info)}"
        cause = f"{type(error).__name__}: {error}"
        return line if cause in line else f"{line}: {cause}".replace("\n", "\\n")


def set_up_logs(level: str = "info", stream: TextIO | None = None) -> None:
    """Send the logs of this process, from `level` on, to `stream` (standard error). May be called again.

    level: one of LOG_LEVELS in any case. Raises: IllegalArgumentError.
    """
    chosen = level.lower()
    if chosen not in LOG_LEVELS:
        raise IllegalArgumentError(f"log_level: {level!r} is not one of {', '.join(LOG_LEVELS)}")
    is_debug = chosen == "debug"
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(with_tracebacks=is_debug))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(chosen.upper())
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG if is_debug else logging.WARNING)
