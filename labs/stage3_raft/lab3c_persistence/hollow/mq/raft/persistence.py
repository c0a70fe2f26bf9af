"""Nothing is promised before it is durable: term, vote and log. Paper: Raft, figure 2; thesis: section 3.8.

A promise (a vote, an acknowledgement, a request for votes) names no write of its own: it waits for everything that the node
decided before it. So there is one rule, and one number to wait for. Thesis: section 10.2.1 on writing while sending.
"""

from collections import deque
from collections.abc import Sequence

from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import Term
from mq.raft.messages import Message
from mq.raft.output import NOTHING, Output
from mq.raft.role import Event, Role
from mq.raft.state import NodeState, Start

__all__ = ["Persistence"]


class Persistence(NodeState):
    """A node's part in remembering.

    _is_unsaved: term or vote changed since they were handed out to be saved. _last_sequence: of the newest save;
    _saved_sequence: of the newest that is durable. _promises: of the call that is under way. _own_promises: (sequence, message)
    that this node makes to itself: a candidate's own vote.
    """

    __slots__ = ("_is_unsaved", "_last_sequence", "_own_promises", "_promises", "_saved_sequence")

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self._is_unsaved = False
        self._last_sequence = self._saved_sequence = 0
        self._promises: list[Message] = []
        self._own_promises: deque[tuple[int, Message]] = deque()

    def _enter_term(self, term: Term, vote: int | None = None) -> None:
        """Terms only rise, and in a new one the vote is free again. Paper: Raft, section 5.1."""
        raise NotImplementedError("lab 3c: Persistence._enter_term")

    def _save(self, after_index: int, entries: Sequence[Entry]) -> None:
        """Entries for the log, and with them, in the same durable step, term and vote if they changed."""
        raise NotImplementedError("lab 3c: Persistence._save")

    def _hard_state(self) -> HardState:
        """What a restart must not forget."""
        raise NotImplementedError("lab 3c: Persistence._hard_state")

    def _note_save(self, appended: Appended) -> None:
        raise NotImplementedError("lab 3c: Persistence._note_save")

    # --- promises

    def _promise(self, message: Message) -> None:
        """It may leave only when everything that this node decided so far is durable.

        Requests for votes wait as well: a candidate that forgot its term and campaigned in it again could otherwise collect
        votes for two different logs.
        """
        raise NotImplementedError("lab 3c: Persistence._promise")

    def _finish(self) -> Output:
        if self._is_unsaved:
            self._save(self.log.last.index, ())
        if self._promises:
            self._hand_out_promises()
        return super()._finish()

    def _hand_out_promises(self) -> None:
        """A promise to oneself waits like all others, but does not travel."""
        raise NotImplementedError("lab 3c: Persistence._hand_out_promises")

    # --- what the disk says

    def saved(self, sequence: int) -> Output:
        """The saves up to this one are durable: entries count, promises to oneself come true."""
        if self.role is Role.MUTE:
            return NOTHING
        self.log.synced(sequence)
        self._saved_sequence = max(self._saved_sequence, sequence)
        self._has_work = True  # more may be applied
        while self._own_promises and self._own_promises[0][0] <= sequence:
            self._handle(self._own_promises.popleft()[1])
        self._on_saved()
        return self._finish()

    def save_failed(self, sequence: int) -> Output:
        """There was no room for the newest save. Of several that wait the newest is taken back first, nothing else in between.

        What was to be promised is not. A leader cannot go on: its followers may have entries that it lost itself. The commit
        index may go back to `apply_to`, which itself never does.
        """
        if self.role is Role.MUTE:
            return NOTHING
        # Of what this node knew to be committed only what is durable is here for sure: what the save superseded is back.
        self.commit_index = self.apply_to
        self.log.abandon(sequence)
        self._own_promises = deque(own for own in self._own_promises if own[0] < sequence)
        if not self.log.has(self.snapshot.last):
            return self.disk_failed()  # a snapshot was installed and the log cannot begin behind it: a start can mend that
        if self.role in {Role.LEADER, Role.CANDIDATE}:
            self._turn(Event.DISK_FULL)
        self._is_unsaved = False  # there is no room now
        output = self._finish()
        self._is_unsaved = True  # term and vote may have been in it: to be tried again with the next call
        return output

    def disk_failed(self) -> Output:
        """The disk cannot be trusted any more: nothing is promised from now on. What was not durable may be there or not."""
        raise NotImplementedError("lab 3c: Persistence.disk_failed")
