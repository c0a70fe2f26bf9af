"""Replaced organs are tried before any node of a local cluster starts: a wrong name, or one that a file lacks, is told at once.

    python -m mq.cluster.trying_parts PLACE     what is wrong with the organs there; nothing, and 0, when a node takes them

In a process of its own: it is somebody's code, and it has to be found from where nodes find it.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mq.cluster.errors import ClusterError
from mq.cluster.files import ClusterFile
from mq.core.errors import IllegalArgumentError
from mq.parts import check_place
from mq.server.loading import load_watched

__all__ = ["main", "try_parts"]

_TRY_S_MAX = 60.0


def try_parts(cluster: ClusterFile, environment: Mapping[str, str], folder: Path) -> None:
    """All that nodes of this cluster take. environment, folder: a node's. Raises: ClusterError with what a node would say."""
    for place in sorted(set(cluster.parts.values())):
        try:
            check_place(place)
            done = subprocess.run(
                [sys.executable, "-m", "mq.cluster.trying_parts", place],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment, cwd=folder,
                timeout=_TRY_S_MAX,
            )  # fmt: skip
        except IllegalArgumentError as error:
            raise ClusterError(str(error)) from None
        except subprocess.TimeoutExpired:
            raise ClusterError(f"parts: {place} is not imported within {_TRY_S_MAX:g} s") from None
        if done.returncode:
            raise ClusterError(done.stderr.strip() or f"parts: the import of {place} ended its process")


def main(arguments: list[str] | None = None) -> int:
    """Look at one place."""
    (place,) = sys.argv[1:] if arguments is None else arguments
    try:
        load_watched(place)
    except IllegalArgumentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
