"""Takes back a group that stands on the disk, and writes no mark over it: at the next opening it is there again."""

from mq.broker.store.commit_log import CommitLog as Reference

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def abandon(self, sequence: int) -> None:
        super().abandon(sequence)
        self._must_mark = False
