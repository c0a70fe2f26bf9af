"""The test that runs now, on the terminal: a long one is not taken for one that hangs."""

import sys
from types import TracebackType

from labs.grader.lab import Lab
from labs.grader.suite import Check

__all__ = ["UnderWay"]

_ERASE = "\r\x1b[K"


class UnderWay:
    """Use `with`. A line on standard error while a test runs, gone when it is over; nothing where nobody looks.

    Nor of a lab with runs of its own: it tells its story itself.
    """

    def __init__(self, lab: Lab) -> None:
        checks = lab.suite.checks
        self._behind = dict(zip([None, *(check.number for check in checks)], [*checks, None], strict=True))
        self._is_seen = sys.stderr.isatty() and lab.runs is None

    def __enter__(self) -> "UnderWay":
        self.show(None)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.erase()

    def show(self, over: str | None) -> None:
        """The test behind that number; the first one behind None."""
        check = self._behind.get(over)
        if self._is_seen and check is not None:
            _write(f"  ...  {_said(check)}")

    def erase(self) -> None:
        """Before anything else is printed."""
        if self._is_seen:
            _write(_ERASE)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _said(check: Check) -> str:
    many = f" and {check.sweep:,} schedules more" if check.sweep else ""
    return f"{check.number} {check.name[:60]}{many}"
