"""Entries that could not be read are asked for again at once, and so for ever: a bad sector keeps the leader busy.

Breaks: a node that decides comes to an end, and does other things too. Paper: Raft, section 5.3: retries, from time to time.
"""

from collections.abc import Sequence

from mq.core.entry import Entry
from mq.raft.node import RaftNode
from mq.raft.output import EntriesWanted, Output

__all__ = ["Raft"]


class Raft(RaftNode):
    """See above."""

    __slots__ = ()

    def fetched(self, wanted: EntriesWanted, entries: Sequence[Entry]) -> Output:
        peer = self.peers.get(wanted.peer)
        if peer is None or peer.fetching != wanted:
            return self._finish()
        peer.fetching = None
        previous, is_current = self._entry_before(peer.next_index), peer.next_index == wanted.first
        if entries and previous is not None and is_current:
            self._send_entries(peer, previous, tuple(entries))
        self._feed(peer)
        return self._finish()
