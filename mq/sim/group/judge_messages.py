"""The part of the judge that listens to what nodes say: nothing is said without a ground, on the disk or in the log."""

from collections.abc import Callable

from mq.sim.group.book import Book
from mq.sim.group.judge_heard import FORGOTTEN, Sent
from mq.sim.group.judge_replication import ReplicationRules
from mq.sim.trace import Event

__all__ = ["MessageRules"]


class MessageRules(ReplicationRules):
    """One method for each kind of message that is sent, and one for each that arrives."""

    def __init__(self) -> None:
        super().__init__()
        self._saved_votes: dict[str, set[tuple[int, str]]] = {}
        self._when_sent: dict[str, Callable[[Book, Sent], None]] = {
            "append-request": self._append_request, "append-reply": self._append_reply, "vote-request": self._vote_request,
            "vote-reply": self._vote_reply, "snapshot-request": self._snapshot_request, "snapshot-reply": self._snapshot_reply,
            "timeout-now": self._timeout_now,
        }  # fmt: skip
        self._when_received: dict[str, Callable[[Book, Sent], None]] = {
            "append-request": self.hear_append_request, "append-reply": self._hear_append_reply,
            "vote-request": self.hear_vote_request, "vote-reply": self.hear_vote_reply,
            "snapshot-request": self._hear_snapshot_request, "snapshot-reply": self._hear_snapshot_reply,
        }  # fmt: skip

    # --- arrivals

    def _receive(self, book: Book, event: Event) -> None:
        sent = self.post.find(event.number("id"))
        said = (event.text("sender"), event.text("kind"), book.node)
        if sent is None or (sent is not FORGOTTEN and (sent.sender, sent.kind, sent.to) != said):
            was = "never" if sent is None else f"by {sent.sender} to {sent.to}, as a {sent.kind}"
            self.fail(
                "nothing is received that was not sent", "Paper: Raft, section 2",
                f"message {event.number('id')} was sent {was}", f"{book.node} received it from {said[0]}, as a {said[1]}",
            )  # fmt: skip
        heard = self.heard(book.node)
        heard.begin_step()
        heard.cause, heard.deciding = sent, book.members
        hear = self._when_received.get(sent.kind)
        if hear is not None:
            hear(book, sent)

    def _hear_append_reply(self, book: Book, sent: Sent) -> None:
        if sent.number("matching"):
            self.hear_acknowledged(book, sent, sent.number("match"))

    def _hear_snapshot_request(self, book: Book, sent: Sent) -> None:
        if sent.number("is_last"):
            self.heard(book.node).complete.add((sent.number("index"), sent.number("snapshot_term")))

    def _hear_snapshot_reply(self, book: Book, sent: Sent) -> None:
        if sent.number("installed"):
            self.hear_acknowledged(book, sent, sent.number("index"))

    # --- departures

    def _send(self, book: Book, event: Event) -> None:
        sent = Sent.of(event)
        self.post.send(event.number("id"), sent)
        self.check_not_mute(book, f"sends a {sent.kind}")
        if not sent.is_of_no_term:
            self._check_term_is_saved(book, sent)
        self._when_sent[sent.kind](book, sent)

    def _check_term_is_saved(self, book: Book, sent: Sent) -> None:
        if sent.term > book.saved_term:
            self.fail(
                "a node speaks of no term that is not on its disk", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} had saved term {book.saved_term}", f"it sends a {sent.kind} of term {sent.term}",
            )  # fmt: skip
        book.spoken = max(book.spoken, sent.term)

    def _append_request(self, book: Book, sent: Sent) -> None:
        self.check_speaks_as_leader(book, sent)
        self.check_append_request(book, sent)

    def _snapshot_request(self, book: Book, sent: Sent) -> None:
        self.check_speaks_as_leader(book, sent)
        self.check_snapshot_request(book, sent)

    def _timeout_now(self, book: Book, sent: Sent) -> None:
        self.check_speaks_as_leader(book, sent)
        self.check_timeout_now(book, sent)

    def _vote_request(self, book: Book, sent: Sent) -> None:
        self._check_campaigns(book, sent)
        if not sent.is_pre_vote:
            self.check_vote(book.node, sent.term, book.node)
            self._check_saved_vote(book, sent.term, book.node)
            self._check_campaign_log(book, sent)
        self._check_named_end(book, sent)

    def _vote_reply(self, book: Book, sent: Sent) -> None:
        if not sent.number("granted"):
            return
        if not sent.is_pre_vote:
            self.check_vote(book.node, sent.term, sent.to)
            self._check_saved_vote(book, sent.term, sent.to)
        self.check_asked_for_vote(book, sent.term, sent.to, is_pre_vote=sent.is_pre_vote)

    def _append_reply(self, book: Book, sent: Sent) -> None:
        if sent.number("matching"):
            self._check_acknowledged(book, sent)
            self.check_answers_request(book, sent)
            heard = self.heard(book.node)
            heard.acknowledged = max(heard.acknowledged, (sent.term, sent.number("match")))

    def _snapshot_reply(self, book: Book, sent: Sent) -> None:
        if sent.number("installed") and sent.number("index") > book.commit:
            self.fail(
                "a snapshot is said to be installed only when its state is there", "Paper: Raft, figure 13",
                f"{book.node} holds entries up to {book.commit} to be committed",
                f"it says that it has the snapshot of entry {sent.number('index')}",
            )  # fmt: skip
        elif sent.number("installed") and not book.has_durable(sent.number("index"), sent.number("snapshot_term")):
            self.fail(
                "a snapshot is said to be installed only when a crash leaves it there", "Paper: Raft, figure 13",
                f"the log that begins behind entry {sent.number('index')} is not on the disk of {book.node}",
                "it says that it has the snapshot of that entry",
            )  # fmt: skip

    # --- what must be on the disk first

    def _check_campaigns(self, book: Book, sent: Sent) -> None:
        """A real request may leave later than the campaign, when the disk is slow."""
        if sent.is_pre_vote:
            is_so = book.role == "pre-candidate" and sent.term == book.term + 1
        else:
            is_so = sent.term in self.heard(book.node).campaigns
        if not is_so:
            self.fail(
                "only who campaigns asks for votes", "Paper: Raft, section 5.2",
                f"{book.node} is a {book.role} in term {book.term}, and did not campaign for term {sent.term}",
                f"it asks {sent.to} for the vote of that term",
            )  # fmt: skip

    def _check_named_end(self, book: Book, sent: Sent) -> None:
        """Of the log as it was when the campaign began; whoever asks first, asks at once."""
        now = book.last, book.term_at(book.last)
        last, last_term = now if sent.is_pre_vote else self.heard(book.node).campaigns[sent.term]
        named, named_term = sent.number("last_index"), sent.number("last_term")
        if named != last or last_term not in {None, named_term}:
            self.fail(
                "a candidate names the end of its own log", "Paper: Raft, section 5.4.1",
                f"the log of {book.node} ended with entry {last} of term {last_term}",
                f"it asks for votes for one that ends with entry {named} of term {named_term}",
            )  # fmt: skip

    def _check_saved_vote(self, book: Book, term: int, candidate: str) -> None:
        """It may leave in a later term, of which the disk knows by then; but it was there."""
        vote = book.saved_vote if term == book.saved_term else "-"
        if f"n{vote}" != candidate and (term == book.saved_term or (term, candidate) not in self._saved_votes[book.node]):
            self.fail(
                "no vote leaves before it is on the disk", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} votes for {candidate} in term {term}",
                f"on its disk the vote of that term is {vote}" if term == book.saved_term else "its disk never held that vote",
            )  # fmt: skip

    def note_saved_votes(self, book: Book) -> None:
        """The one that is on the disk now, and those of older terms: they went there before it."""
        saved = self._saved_votes.setdefault(book.node, set())
        saved.add((book.saved_term, f"n{book.saved_vote}"))
        saved.update((term, candidate) for term, candidate in book.votes.items() if term < book.saved_term)

    def _check_campaign_log(self, book: Book, sent: Sent) -> None:
        index, term = sent.number("last_index"), sent.number("last_term")
        is_candidate = book.role == "candidate" and sent.term == book.saved_term  # else its log may have changed since
        # A snapshot that took the place of its log stands for an entry which that lacked: who has it votes for no such log.
        is_replaced = 0 < book.installed == book.last
        if is_candidate and not is_replaced and not book.has_durable(index, term):
            self.fail(
                "a candidate asks for votes only for a log that is on its disk", "Paper: Raft, section 5.4.1 and figure 2",
                f"{book.node} asks for a log that ends with entry {index} of term {term}",
                f"its disk holds entries up to {book.saved_last}, and one of term {book.disk_term_at(index)} at {index}",
            )  # fmt: skip

    def _check_acknowledged(self, book: Book, sent: Sent) -> None:
        index = sent.number("match")
        on_disk = book.disk_term_at(index)
        is_kept = index <= book.base[0] or (index <= book.saved_last and on_disk == book.term_at(index))
        if index > max(book.base[0], self.heard(book.node).durable_end):
            self.fail(
                "nothing is acknowledged that is not on the disk", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} acknowledges entries up to {index}",
                f"its disk never held any behind {self.heard(book.node).durable_end}",
            )  # fmt: skip
        if sent.term == book.saved_term == book.term and not is_kept:
            self.fail(
                "nothing is acknowledged that is not on the disk", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} acknowledges entries up to {index}",
                f"its disk holds entries up to {book.saved_last}, and one of term {on_disk} at {index}",
            )  # fmt: skip
