"""Writes groups again that it read, and not the header before them: after a failed sync the segment is none."""

from collections.abc import Mapping
from dataclasses import replace

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.broker.store.record import SEGMENT_HEADER_BYTES
from mq.core.ports import Operation, Steps, Write

__all__ = ["CommitLog"]


def _without_header(operation: Operation) -> Operation:
    if not isinstance(operation, Write) or operation.at:
        return operation
    return Write(operation.file, SEGMENT_HEADER_BYTES, operation.data[SEGMENT_HEADER_BYTES:])


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        found = yield from super().recover(files, checkpoint)
        return replace(found, repairs=tuple(_without_header(one) for one in found.repairs))
