"""Does not take back an append that the full disk refused."""

from mq.broker.store.commit_log import CommitLog as Reference

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def abandon(self, sequence: int) -> None:
        self.synced(sequence)
