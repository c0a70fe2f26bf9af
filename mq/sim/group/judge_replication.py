"""The part of the judge that knows how a leader's log becomes everyone's: what it sends, what followers take, what commits.

Paper: Raft, sections 5.3, 5.4.2 and 7.
"""

from mq.sim.group.book import Book, split
from mq.sim.group.judge_base import is_majority
from mq.sim.group.judge_elections import ElectionRules
from mq.sim.group.judge_heard import FORGOTTEN, Sent

__all__ = ["ReplicationRules"]

Entries = tuple[tuple[int, int, str], ...]
"""(index, term, body) of each."""


def _entries(after: int, terms: tuple[str, ...], bodies: tuple[str, ...]) -> Entries:
    return tuple((after + at, int(term), body) for at, (term, body) in enumerate(zip(terms, bodies, strict=True), 1))


def _of_request(sent: Sent) -> Entries:
    return _entries(sent.number("previous_index"), split(sent.details["terms"]), split(sent.details["bodies"]))


class ReplicationRules(ElectionRules):
    """Requests, entries, acknowledgements, commits."""

    # --- a leader speaks

    def check_speaks_as_leader(self, book: Book, sent: Sent) -> None:
        """Requests with entries or snapshots, and orders to campaign, come from who leads their term."""
        led_term = self.heard(book.node).led_term
        if led_term != sent.term:
            self.fail(
                "only who leads a term speaks as its leader", "Paper: Raft, section 5.2",
                f"{book.node} led " + ("no term" if led_term < 0 else f"term {led_term}"),
                f"it sends {sent.to} a {sent.kind} of term {sent.term}",
            )  # fmt: skip

    def check_append_request(self, book: Book, sent: Sent) -> None:
        """It tells what stands in the leader's own book."""
        commit = sent.number("commit")
        if commit > book.commit:
            self.fail(
                "a leader tells of no commit that it does not know of itself", "Paper: Raft, figure 2 (AppendEntries)",
                f"{book.node} knows entries up to {book.commit} to be committed", f"it tells {sent.to} of {commit}",
            )  # fmt: skip
        self._check_sent_entry(book, sent, sent.number("previous_index"), sent.number("previous_term"), None)
        for index, term, body in _of_request(sent):
            self._check_sent_entry(book, sent, index, term, body)

    def _check_sent_entry(self, book: Book, sent: Sent, index: int, term: int, body: str | None) -> None:
        """What stands before the book's log is not known any more."""
        own_term, slot = book.term_at(index), book.slots.get(index)
        is_known = index > book.last or own_term is not None
        own_body = body if slot is None else slot.body
        if is_known and index and (own_term != term or (body is not None and own_body != body)):
            self.fail(
                "a leader sends what its log holds", "Paper: Raft, section 5.3",
                f"the log of {book.node} ends at {book.last}, with {own_body or 'an entry'} of term {own_term} at {index}",
                f"it sends {sent.to} {body or 'an entry'} of term {term} for that",
            )  # fmt: skip

    def check_snapshot_request(self, book: Book, sent: Sent) -> None:
        """It is one that the leader has."""
        index, newest = sent.number("index"), self.heard(book.node).snapshot
        if index > newest:
            self.fail(
                "a leader sends only snapshots that it has", "Paper: Raft, section 7",
                f"the newest snapshot of {book.node} is that of entry {newest}", f"it sends {sent.to} one of entry {index}",
            )  # fmt: skip

    def check_timeout_now(self, book: Book, sent: Sent) -> None:
        """Its receiver lacks nothing."""
        if not self.heard(book.node).has_acked(sent.to, book.last):
            self.fail(
                "leadership is handed only to one whose log is complete", "Thesis: section 3.10",
                f"the log of {book.node} ends at {book.last}",
                f"{sent.to} is asked to take over, and acknowledged entries up to {self.heard(book.node).acked.get(sent.to, 0)}",
            )  # fmt: skip

    # --- a follower hears, and takes

    def hear_append_request(self, book: Book, sent: Sent) -> None:
        """Where it agrees with the log, both are equal up to its end as soon as that is taken over."""
        heard, previous = self.heard(book.node), sent.number("previous_index")
        own_term = book.term_at(previous)
        is_unknown = own_term is None and previous <= book.last
        if previous <= heard.snapshot or is_unknown or own_term == sent.number("previous_term"):
            heard.equal_to[sent.term] = max(sent.end, heard.equal_to.get(sent.term, 0))

    def check_appended(self, book: Book, after: int, terms: tuple[str, ...], bodies: tuple[str, ...]) -> None:
        """Behind what is there; a leader's own are of its term, all others were brought by a request."""
        if after > book.last:
            self.fail(
                "a log has no gaps", "Paper: Raft, section 5.3",
                f"the log of {book.node} ends at {book.last}", f"it puts entries behind {after}",
            )  # fmt: skip
        if self.heard(book.node).leads(book.term):
            self._check_own_entries(book, terms)
        else:
            self._check_brought(book, _entries(after, terms, bodies))

    def check_cut_off(self, book: Book, after: int, term: int) -> None:
        """Only what contradicts the leader is thrown away, and never what was acknowledged to it."""
        own_term = book.term_at(after + 1)
        if after < book.last and own_term == term:
            self.fail(
                "a follower throws away only what contradicts its leader", "Paper: Raft, figure 2 (AppendEntries 3)",
                f"{book.node} has an entry of term {own_term} at {after + 1}, and its log ends at {book.last}",
                f"it puts entries behind {after}, the first of them of term {term}, too",
            )  # fmt: skip
        in_term, acknowledged = self.heard(book.node).acknowledged
        if in_term == book.term and after < acknowledged:
            self.fail(
                "what was acknowledged is kept in that term", "Paper: Raft, section 5.3",
                f"{book.node} acknowledged entries up to {acknowledged} in term {in_term}", f"it puts entries behind {after}",
            )  # fmt: skip

    def _check_own_entries(self, book: Book, terms: tuple[str, ...]) -> None:
        if any(int(term) != book.term for term in terms):
            self.fail(
                "a leader's new entries are of its own term", "Paper: Raft, section 5.3",
                f"{book.node} leads term {book.term}", f"it puts entries of the terms {', '.join(terms)} into its log",
            )  # fmt: skip

    def _check_brought(self, book: Book, entries: Entries) -> None:
        cause = self.heard(book.node).caused("append-request")
        if cause is FORGOTTEN:
            return
        brought = set(_of_request(cause)) if cause is not None and cause.term == book.term else set()
        foreign = [entry for entry in entries if entry not in brought]
        if foreign:
            index, term, body = foreign[0]
            told = f"held {len(brought)} entries, not this one" if brought else "was no such request"
            self.fail(
                "a follower's entries come from its leader's request", "Paper: Raft, section 5.3",
                f"{book.node} puts {body} of term {term} into its log at {index}, and does not lead",
                f"the newest message that it received in term {book.term} {told}",
            )  # fmt: skip

    def check_answers_request(self, book: Book, sent: Sent) -> None:
        """What is acknowledged was found equal to the leader's log."""
        index, heard = sent.number("match"), self.heard(book.node)
        equal_to = heard.equal_to.get(sent.term, 0)
        if index > equal_to and heard.cause is not FORGOTTEN:
            self.fail(
                "only what agrees with a leader's request is acknowledged", "Paper: Raft, section 5.3",
                f"requests of term {sent.term} agree with the log of {book.node} up to {equal_to}",
                f"it acknowledges entries up to {index}",
            )  # fmt: skip

    # --- a leader hears

    def hear_acknowledged(self, book: Book, sent: Sent, index: int) -> None:
        """A follower has entries up to here: the leader may count that."""
        heard = self.heard(book.node)
        if sent.term == heard.led_term:
            heard.acked[sent.sender] = max(index, heard.acked.get(sent.sender, 0))

    # --- commits

    def check_commit_cause(self, book: Book, index: int) -> None:
        """A leader counts, a follower is told."""
        term = book.term_at(index)
        if index > book.last:
            self.fail(
                "nothing is committed that is not in the log", "Paper: Raft, figure 2",
                f"the log of {book.node} ends at {book.last}", f"it holds entry {index} to be committed",
            )  # fmt: skip
        if self.heard(book.node).led_term != book.term:
            self._check_told(book, index)
        elif term is not None:
            self._check_own_term(book, index, term)
            self._check_acknowledged_by_quorum(book, index, term)

    def _check_told(self, book: Book, index: int) -> None:
        cause = self.heard(book.node).caused("append-request")
        if cause is FORGOTTEN:
            return
        told = -1 if cause is None or cause.term != book.term else min(cause.number("commit"), cause.end)
        if index > told:
            self.fail(
                "a follower commits only what its leader's request tells and reaches", "Paper: Raft, figure 2 (AppendEntries 5)",
                f"{book.node} holds entry {index} to be committed, and does not lead term {book.term}",
                "it received no such request" if told < 0 else f"the newest request tells of entries up to {told}",
            )  # fmt: skip

    def _check_own_term(self, book: Book, index: int, term: int) -> None:
        if term != book.term:
            self.fail(
                "a leader commits by counting only entries of its own term", "Paper: Raft, section 5.4.2 and figure 8",
                f"{book.node} leads term {book.term}", f"it holds entry {index} of term {term} to be committed",
            )  # fmt: skip

    def _check_acknowledged_by_quorum(self, book: Book, index: int, term: int) -> None:
        """By the majorities that were in force when the last acknowledgement came: a commit may itself end a change."""
        heard = self.heard(book.node)
        for voters in heard.deciding:
            have = [
                voter
                for voter in voters
                if (book.has_durable(index, term) if voter == book.node else heard.has_acked(voter, index))
            ]
            if voters and not is_majority(len(have), voters):
                self.fail(
                    "a leader commits what a quorum acknowledged", "Paper: Raft, sections 5.3 and 6",
                    f"{book.node} holds entry {index} of term {term} to be committed",
                    f"of {', '.join(voters)} it was acknowledged by {', '.join(have) or 'nobody'}",
                )  # fmt: skip
