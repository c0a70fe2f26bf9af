"""Carries its repairs out and does not sync them: what was read may be gone after the next loss of power."""

from collections.abc import Mapping
from dataclasses import replace

from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.commit_log import CommitLog as Reference
from mq.broker.store.log_view import Recovery
from mq.core.ports import Steps, Sync

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        found = yield from super().recover(files, checkpoint)
        return replace(found, repairs=tuple(one for one in found.repairs if not isinstance(one, Sync)))
