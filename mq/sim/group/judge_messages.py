"""The part of the judge that listens to what nodes say to each other: promises, votes, and who speaks as a leader."""

from typing import NoReturn

from mq.sim.group.book import Book
from mq.sim.group.watch import Violation, ViolationError
from mq.sim.trace import Event

__all__ = ["MessageRules"]


class MessageRules:
    """number, now: the event that is judged. floor: the newest entry that a client knows of."""

    def __init__(self) -> None:
        self.number = self.floor = 0
        self.now = Event(0, "-", "start", {})
        self._books: dict[str, Book] = {}
        self._leaders: dict[int, str] = {}
        self._votes: dict[tuple[str, int], str] = {}
        self._sent: dict[int, tuple[str, str, str]] = {}

    def book(self, node: str) -> Book:
        """Of a node."""
        if node not in self._books:
            self._books[node] = Book(node)
        return self._books[node]

    def fail(self, promise: str, section: str, one: str, other: str) -> NoReturn:
        """Raises: ViolationError."""
        raise ViolationError(Violation(promise, (one, other), section, self.number, self.now.at_ms))

    # --- terms and votes

    def check_term(self, book: Book, term: int) -> None:
        """It is not below the node's."""
        if term < book.term:
            self.fail(
                "terms never fall",
                "Paper: Raft, section 5.1",
                f"{book.node} was in term {book.term}",
                f"it is in term {term} now",
            )

    def check_leader(self, term: int, node: str) -> None:
        """It is the only one of this term."""
        first = self._leaders.setdefault(term, node)
        if first != node:
            self.fail(
                "in each term there is at most one leader", "Election Safety; Paper: Raft, section 5.2",
                f"{first} leads term {term}", f"{node} leads term {term}, too",
            )  # fmt: skip

    def check_vote(self, node: str, term: int, candidate: str) -> None:
        """It is the only one of this node in this term."""
        first = self._votes.setdefault((node, term), candidate)
        if first != candidate:
            self.fail(
                "a node votes for at most one candidate in a term", "Paper: Raft, section 5.2",
                f"{node} voted for {first} in term {term}", f"it votes for {candidate} in term {term}, too",
            )  # fmt: skip

    # --- messages

    def _receive(self, book: Book, event: Event) -> None:
        sent = self._sent.get(event.number("id"))
        if sent != (event.text("sender"), event.text("kind"), book.node):
            self.fail(
                "nothing is received that was not sent", "Paper: Raft, section 2",
                f"message {event.number('id')} was sent as {sent}", f"{book.node} received it from {event.text('sender')}",
            )  # fmt: skip

    def _send(self, book: Book, event: Event) -> None:
        kind, term = event.text("kind"), event.number("term")
        self._sent[event.number("id")] = (book.node, kind, event.text("to"))
        if event.details.get("pre", 0):
            return
        if term > book.saved_term:
            self.fail(
                "a node speaks of no term that is not on its disk", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} had saved term {book.saved_term}", f"it sends a {kind} of term {term}",
            )  # fmt: skip
        book.spoken = max(book.spoken, term)
        match kind:
            case "append-request" | "snapshot-request":
                self.check_leader(term, book.node)
            case "vote-request":
                self.check_vote(book.node, term, book.node)
                self._check_saved_vote(book, term, book.node)
                self._check_campaign(book, event)
            case "vote-reply" if event.number("granted"):
                self.check_vote(book.node, term, event.text("to"))
                self._check_saved_vote(book, term, event.text("to"))
            case "append-reply" if event.number("matching"):
                self._check_acknowledged(book, event)

    def _check_saved_vote(self, book: Book, term: int, candidate: str) -> None:
        if term == book.saved_term and f"n{book.saved_vote}" != candidate:
            self.fail(
                "no vote leaves before it is on the disk", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} votes for {candidate} in term {term}", f"on its disk the vote of that term is {book.saved_vote}",
            )  # fmt: skip

    def _check_campaign(self, book: Book, event: Event) -> None:
        index, term = event.number("last_index"), event.number("last_term")
        is_candidate = book.role == "candidate" and event.number("term") == book.saved_term  # else its log may have changed since
        if is_candidate and not book.has_durable(index, term):
            self.fail(
                "a candidate asks for votes only for a log that is on its disk", "Paper: Raft, section 5.4.1 and figure 2",
                f"{book.node} asks for a log that ends with entry {index} of term {term}",
                f"its disk holds entries up to {book.saved_last}, and one of term {book.disk_term_at(index)} at {index}",
            )  # fmt: skip

    def _check_acknowledged(self, book: Book, event: Event) -> None:
        index = event.number("match")
        on_disk = book.disk_term_at(index)
        is_kept = index <= book.base[0] or (index <= book.saved_last and on_disk == book.term_at(index))
        if event.number("term") == book.saved_term == book.term and not is_kept:
            self.fail(
                "nothing is acknowledged that is not on the disk", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} acknowledges entries up to {index}",
                f"its disk holds entries up to {book.saved_last}, and one of term {on_disk} at {index}",
            )  # fmt: skip
