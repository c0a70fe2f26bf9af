"""The part of the judge that watches what becomes of commits: state machines, snapshots of them, and what clients are told.

Paper: Raft, sections 5.4, 7 and 8.
"""

from mq.sim.group.book import Book, Slot
from mq.sim.group.judge_base import is_majority
from mq.sim.group.judge_heard import FORGOTTEN, Sent
from mq.sim.group.judge_messages import MessageRules
from mq.sim.trace import Event

__all__ = ["MachineRules"]

_NOTHING = (Slot(-1, "nothing"), "nobody")


class MachineRules(MessageRules):
    """All state machines take the same commands, and clients are told of no others."""

    def __init__(self) -> None:
        super().__init__()
        self._committed: dict[int, tuple[int, str]] = {}
        self._newest: list[tuple[int, int]] = []
        self._applied: dict[int, tuple[Slot, str]] = {}
        self._bodies: dict[str, str] = {}
        self._asked: dict[str, int] = {}
        self._known_from = 0

    # --- commits

    def _commit(self, book: Book, event: Event) -> None:
        index, before, heard = event.number("index"), book.commit, self.heard(book.node)
        self.check_not_mute(book, "commits")
        if index < (book.applied if heard.may_fall else before):
            self.fail(
                "the commit index never falls", "Paper: Raft, figure 2 (commitIndex)",
                f"{book.node} held entry {before} to be committed, and has applied up to {book.applied}",
                f"its commit index is {index}",
            )  # fmt: skip
        heard.may_fall = False
        if index > before:
            self.check_commit_cause(book, index)
        book.commit = index
        for at in range(before + 1, index + 1):
            self._check_agreed(book, at)
        term = book.term_at(index)
        if term is None or (self._newest and index <= self._newest[-1][1]):
            return
        if self._newest and self._newest[-1][0] == book.term:
            self._newest.pop()  # the newest of each term is enough
        self._newest.append((book.term, index))
        self._check_durable(book, index, term)

    def _check_agreed(self, book: Book, index: int) -> None:
        term = book.term_at(index)
        if term is None:
            return
        known, by = self._committed.setdefault(index, (term, book.node))
        if known != term:
            self.fail(
                "all agree on what is committed", "State Machine Safety; Paper: Raft, section 5.4.3",
                f"{by} held entry {index} of term {known} to be committed",
                f"{book.node} holds one of term {term} to be committed",
            )  # fmt: skip

    def _check_durable(self, book: Book, index: int, term: int) -> None:
        for voters in book.members:
            holders = [voter for voter in voters if self.book(voter).has_durable(index, term)]
            if voters and not is_majority(len(holders), voters):
                self.fail(
                    "what is committed is durable on a quorum", "Paper: Raft, section 5.3",
                    f"{book.node} holds entry {index} of term {term} to be committed",
                    f"of {', '.join(voters)} only {', '.join(holders) or 'nobody'} said that it is on the disk",
                )  # fmt: skip

    def _role(self, book: Book, event: Event) -> None:
        is_new = event.text("role") == "leader" and not self.heard(book.node).leads(event.number("term"))
        super()._role(book, event)
        if is_new:
            self._check_complete(book, event.number("term"))

    def _check_complete(self, book: Book, term: int) -> None:
        older = [index for at, index in self._newest if at < term]
        if not older or older[-1] <= book.base[0] or older[-1] not in self._committed:
            return
        committed, by = self._committed[older[-1]]
        found = book.term_at(older[-1])
        if found != committed:
            self.fail(
                "a leader has every entry that was committed in an earlier term", "Leader Completeness; Paper: Raft, section 5.4",
                f"{by} held entry {older[-1]} of term {committed} to be committed",
                f"{book.node} leads term {term} with one of term {found} there",
            )  # fmt: skip

    # --- state machines

    def _apply(self, book: Book, event: Event) -> None:
        index, slot = event.number("index"), Slot(event.number("term"), event.text("body"))
        if index != book.applied + 1 or index > book.commit:
            self.fail(
                "entries are applied in their order, and not before they are committed", "Paper: Raft, figure 2 (all servers)",
                f"{book.node} has applied up to {book.applied}, and entry {book.commit} is committed",
                f"it applies entry {index}",
            )  # fmt: skip
        book.applied = index
        known, by = self._applied.setdefault(index, (slot, book.node))
        if known != slot:
            self.fail(
                "no two nodes apply different commands for one index", "State Machine Safety; Paper: Raft, section 5.4.3",
                f"{by} applied {known.body} of term {known.term} at {index}",
                f"{book.node} applied {slot.body} of term {slot.term}",
            )  # fmt: skip
        own = book.slots.get(index, slot)
        if own != slot:
            self.fail(
                "a node applies what its log holds", "Paper: Raft, figure 2 (all servers)",
                f"the log of {book.node} holds {own.body} of term {own.term} at {index}",
                f"it applies {slot.body} of term {slot.term}",
            )  # fmt: skip

    # --- snapshots

    def _snapshot(self, book: Book, event: Event) -> None:
        self._check_snapshot(book, event, "takes")
        heard = self.heard(book.node)
        if event.number("index") > book.applied:
            self.fail(
                "a node takes a snapshot of what it applied itself", "Paper: Raft, section 7",
                f"{book.node} has applied entries up to {book.applied}", f"it takes a snapshot of entry {event.number('index')}",
            )  # fmt: skip
        heard.snapshot = max(heard.snapshot, event.number("index"))

    def _install(self, book: Book, event: Event) -> None:
        index, term = event.number("index"), event.number("term")
        self._check_arrived(book, index, term)
        self._check_snapshot(book, event, "installs")
        if book.term_at(index) != term:
            book.reset(index, term)
        book.commit = max(book.commit, index)
        book.applied = index
        heard = self.heard(book.node)
        heard.snapshot = max(heard.snapshot, index)

    def _check_arrived(self, book: Book, index: int, term: int) -> None:
        heard = self.heard(book.node)
        if (index, term) not in heard.complete and heard.cause is not FORGOTTEN:
            self.fail(
                "a snapshot is installed only when all of it came", "Paper: Raft, figure 13",
                f"{book.node} did not receive the last part of a snapshot of entry {index} of term {term}", "it installs it",
            )  # fmt: skip

    def check_snapshot_request(self, book: Book, sent: Sent) -> None:
        """And it stands for what was committed there."""
        super().check_snapshot_request(book, sent)
        index, term = sent.number("index"), sent.number("snapshot_term")
        committed, by = self._committed.get(index, (term, "nobody"))
        if committed != term:
            self.fail(
                "a snapshot that is sent stands for what was committed", "Paper: Raft, section 7",
                f"{by} held entry {index} of term {committed} to be committed",
                f"{book.node} sends {sent.to} a snapshot of one of term {term}",
            )  # fmt: skip

    def _check_snapshot(self, book: Book, event: Event, does: str) -> None:
        index, term = event.number("index"), event.number("term")
        if index < self._known_from:  # a slow disk is done with it long after a newer one came
            return
        slot, by = self._applied.get(index, _NOTHING)
        if slot.term != term:
            self.fail(
                "a snapshot stands for what was applied", "Paper: Raft, section 7",
                f"{by} applied {slot.body} of term {slot.term} at {index}",
                f"{book.node} {does} a snapshot of entry {index} of term {term}",
            )  # fmt: skip

    # --- clients

    def _propose(self, _: Book, event: Event) -> None:
        self._bodies[event.text("request")] = event.text("body")

    def _done(self, _: Book, event: Event) -> None:
        index, body = event.number("index"), self._bodies.pop(event.text("request"), None)
        slot, by = self._applied.get(index, _NOTHING)
        self.floor = max(self.floor, index)
        if slot != Slot(event.number("term"), str(body)):
            self.fail(
                "what a client is told to be done is applied", "Paper: Raft, section 8",
                f"request {event.text('request')} with {body} was done at {index} in term {event.number('term')}",
                f"there {by} applied {slot.body} of term {slot.term}",
            )  # fmt: skip

    def _unknown(self, _: Book, event: Event) -> None:
        self._bodies.pop(event.text("request"), None)

    def _refuse(self, _: Book, event: Event) -> None:
        self._bodies.pop(event.text("request"), None)
        self._asked.pop(event.text("request"), None)

    def _read(self, _: Book, event: Event) -> None:
        self._asked[event.text("request")] = self.floor

    def _answer(self, book: Book, event: Event) -> None:
        floor, index = self._asked.pop(event.text("request"), 0), event.number("index")
        self.floor = max(self.floor, index)
        if index < floor:
            self.fail(
                "a read is never stale", "Paper: Raft, section 8; thesis, section 6.4",
                f"entry {floor} was acknowledged before read {event.text('request')} was asked",
                f"{book.node} answers it with the state behind {index}",
            )  # fmt: skip
        if index > book.applied:
            self.fail(
                "a read is answered from a state that is there", "Paper: Raft, section 8; thesis, section 6.4",
                f"{book.node} has applied entries up to {book.applied}",
                f"it answers read {event.text('request')} with the state behind {index}",
            )  # fmt: skip

    # --- what no log holds any more

    def forget_below(self, index: int) -> None:
        """What stood there is in everybody's snapshots, and nobody speaks of it any more."""
        self._known_from = index
        for known in (self._committed, self._applied):
            for at in [at for at in known if at < index]:
                del known[at]
