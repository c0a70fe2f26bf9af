"""Takes back an append that had begun a segment, and writes the next one into the old segment: the new file is still there."""

from mq.broker.store.commit_log import CommitLog as Reference

__all__ = ["CommitLog"]


class CommitLog(Reference):
    """See above."""

    def abandon(self, sequence: int) -> None:
        must_roll = self._must_roll
        super().abandon(sequence)
        self._must_roll = must_roll
