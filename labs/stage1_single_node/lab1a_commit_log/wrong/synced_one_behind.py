"""Leaves out the append that `synced` names, and counts those before it alone."""

from mq.broker.store.commit_log import CommitLog as Reference

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def synced(self, sequence: int) -> None:
        super().synced(sequence - 1)
