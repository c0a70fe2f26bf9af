"""`mq broker` on a disk whose syncs fail as long as a file `NAME.fails` lies beside the data folder NAME.

`python -m tests.cluster.failing_disk_broker FLAGS...`, with the flags of `mq broker`.
"""

import sys

from mq.cli.main import main
from mq.core.errors import DiskError
from mq.core.ports import Operation, Sync
from mq.server.disk import FileDisk

_perform = FileDisk.perform


def _fail(disk: FileDisk, operation: Operation) -> None:
    if isinstance(operation, Sync) and disk.folder.with_suffix(".fails").exists():
        raise DiskError(f"sync of {operation.file} in {disk.folder}: Input/output error")
    _perform(disk, operation)


if __name__ == "__main__":
    FileDisk.perform = _fail  # type: ignore[assignment, method-assign]
    sys.exit(main(["broker", *sys.argv[1:]]))
