"""What a process wrote into its log, line by line."""

import time
from collections.abc import Iterator
from pathlib import Path

from mq.cluster.polling import poll_until

__all__ = ["lines_of"]

_ANSWER_S_MAX = 10.0
_FOLLOW_S = 0.1


def lines_of(file: Path, *, is_followed: bool = False, since: int = 0) -> Iterator[str]:
    """The lines of a file, whole; is_followed: for ever. since: the byte to begin at."""
    if not file.exists() and not is_followed:
        return
    poll_until(file.exists, _ANSWER_S_MAX)
    with file.open(encoding="utf-8", errors="replace") as handle:
        handle.seek(since)
        begun = ""
        while True:
            begun += handle.readline()
            if begun.endswith("\n"):
                yield begun
                begun = ""
            elif not is_followed:
                if begun:
                    yield begun
                return
            else:
                time.sleep(_FOLLOW_S)
