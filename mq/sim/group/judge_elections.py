"""The part of the judge that knows terms, roles and votes. Paper: Raft, sections 5.1, 5.2 and 5.4.1; thesis: section 9.6."""

from mq.sim.group.book import Book
from mq.sim.group.judge_base import JudgeBase, is_majority
from mq.sim.group.judge_heard import FORGOTTEN, Sent
from mq.sim.trace import Event

__all__ = ["ElectionRules"]


class ElectionRules(JudgeBase):
    """Who may be in which term and role, and whose vote goes to whom."""

    def __init__(self) -> None:
        super().__init__()
        self._leaders: dict[int, str] = {}
        self._votes: dict[tuple[str, int], str] = {}

    # --- lines

    def _role(self, book: Book, event: Event) -> None:
        term, role, leader = event.number("term"), event.text("role"), event.text("leader")
        heard = self.heard(book.node)
        self.check_not_mute(book, f"becomes a {role}")
        self.check_term(book, term)
        self._check_term_cause(book, term, role)
        if role == "leader" and not heard.leads(term):
            self._check_was_candidate(book, term)
            self._check_won(book, term)
            self.check_leader(term, book.node)
            heard.led_term, heard.acked, heard.is_leaving = term, {}, False
        elif role == "candidate":
            self._check_asked_first(book, term)
            heard.campaigns[term] = (book.last, book.term_at(book.last))
        elif role == "follower" and leader != "-":
            self._check_follows(book, term, leader)
        self._check_leads_itself(book, role, leader)
        if role != "leader" and heard.led_term >= 0:
            heard.is_leaving = True
            if role == "mute" or term > heard.led_term:
                heard.begin_step()
        book.term, book.role, book.leader = term, role, leader

    def _vote(self, book: Book, event: Event) -> None:
        term, candidate = event.number("term"), f"n{event.number('for')}"
        self.check_not_mute(book, "votes")
        self.check_term(book, term)
        if term > book.term:
            self._fail_term(book, term, "it votes in that term, and was never said to be in it")
        first = book.votes.setdefault(term, candidate)
        if first != candidate:
            self.fail(
                "a vote changes only with the term", "Paper: Raft, section 5.2",
                f"{book.node} gave {first} its vote of term {term}", f"it gives that vote to {candidate}",
            )  # fmt: skip
        if candidate != book.node:
            self.check_asked_for_vote(book, term, candidate)
        elif book.role not in {"candidate", "leader"}:
            self.fail(
                "only who campaigns votes for itself", "Paper: Raft, section 5.2",
                f"{book.node} is a {book.role} in term {term}", "it votes for itself",
            )  # fmt: skip

    # --- terms

    def check_term(self, book: Book, term: int) -> None:
        """It is not below the node's."""
        if term < book.term:
            self.fail(
                "terms never fall", "Paper: Raft, section 5.1",
                f"{book.node} was in term {book.term}", f"it is in term {term} now",
            )  # fmt: skip

    def _check_term_cause(self, book: Book, term: int, role: str) -> None:
        """A campaign raises the term by one; else it is the one that a message told of."""
        cause = self.heard(book.node).cause
        if term == book.term or cause is FORGOTTEN or (role == "candidate" and term == book.term + 1):
            return
        # Asked to take over, a node enters the leader's term and the next one at once.
        is_handed_over = cause is not None and cause.kind == "timeout-now" and role == "candidate" and term == cause.term + 1
        if not is_handed_over and (cause is None or cause.is_of_no_term or cause.term != term):
            told = "nothing" if cause is None else f"a {cause.kind} of term {cause.term}"
            self._fail_term(book, term, f"it is a {role} in term {term}, and the newest that it received is {told}")

    def _fail_term(self, book: Book, term: int, other: str) -> None:
        self.fail(
            "a term begins with a campaign, or with a message of that term", "Paper: Raft, section 5.1",
            f"{book.node} was in term {book.term}, {term - book.term} below", other,
        )  # fmt: skip

    # --- roles

    def check_not_mute(self, book: Book, does: str) -> None:
        """It does nothing any more that others could rely on."""
        if book.role == "mute":
            self.fail(
                "a node that cannot trust its disk is silent", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} is mute until it is started anew", f"it {does}",
            )  # fmt: skip

    def _check_was_candidate(self, book: Book, term: int) -> None:
        if term not in self.heard(book.node).campaigns or book.role != "candidate":
            self.fail(
                "only a candidate becomes a leader", "Paper: Raft, figure 4",
                f"{book.node} is a {book.role} in term {book.term}", f"it leads term {term}",
            )  # fmt: skip

    def _check_won(self, book: Book, term: int) -> None:
        """Of every majority: of the old voters and of the new ones while members change."""
        granted = set(self.heard(book.node).grants.get(term, ()))
        if book.saved_term == term and f"n{book.saved_vote}" == book.node:
            granted.add(book.node)
        for voters in book.members:
            votes = [voter for voter in voters if voter in granted]
            if voters and not is_majority(len(votes), voters):
                self.fail(
                    "a leader has the votes of a quorum", "Paper: Raft, sections 5.2 and 6",
                    f"{book.node} leads term {term}",
                    f"of {', '.join(voters)} it has the votes of {', '.join(votes) or 'nobody'}",
                )  # fmt: skip

    def _check_leads_itself(self, book: Book, role: str, leader: str) -> None:
        """Only a follower has another leader, and a leader has itself."""
        if role != "follower" and leader != (book.node[1:] if role == "leader" else "-"):
            self.fail(
                "only a follower follows somebody", "Paper: Raft, section 5.2",
                f"{book.node} is a {role}", f"it takes {'nobody' if leader == '-' else 'n' + leader} for its leader",
            )  # fmt: skip

    def check_leader(self, term: int, node: str) -> None:
        """It is the only one of this term, and begins to lead it only once."""
        if self._leaders.get(term) == node:
            self.fail(
                "nobody comes to lead the same term again", "Paper: Raft, section 5.2",
                f"{node} led term {term}, and stepped down or died", f"it begins to lead term {term}",
            )  # fmt: skip
        first = self._leaders.setdefault(term, node)
        if first != node:
            self.fail(
                "in each term there is at most one leader", "Election Safety; Paper: Raft, section 5.2",
                f"{first} leads term {term}", f"{node} leads term {term}, too",
            )  # fmt: skip

    def _check_asked_first(self, book: Book, term: int) -> None:
        """Who asks what would be, campaigns only when it would win, or when the leader wants it to."""
        heard = self.heard(book.node)
        if book.role != "pre-candidate" or heard.caused("timeout-now"):
            return
        would = {*heard.pre_grants.get(term, ()), book.node}
        for voters in book.members:
            if voters and not is_majority(len(would & set(voters)), voters):
                self.fail(
                    "who asks first campaigns only when a quorum would vote for it", "Thesis: section 9.6",
                    f"{book.node} asked for the votes of term {term} before that began",
                    f"of {', '.join(voters)} these would give it theirs: {', '.join(sorted(would & set(voters))) or 'nobody'}",
                )  # fmt: skip

    def _check_follows(self, book: Book, term: int, leader: str) -> None:
        cause = self.heard(book.node).caused("append-request", "snapshot-request")
        if cause is not FORGOTTEN and (cause is None or (cause.sender, cause.term) != (f"n{leader}", term)):
            told = "is no message of a leader" if cause is None else f"came from {cause.sender}, of term {cause.term}"
            self.fail(
                "a follower takes for its leader whom it heard lead", "Paper: Raft, section 5.2",
                f"{book.node} takes n{leader} for the leader of term {term}", f"the newest that it received {told}",
            )  # fmt: skip

    # --- votes

    def hear_vote_request(self, book: Book, sent: Sent) -> None:
        """Somebody asks for a vote; what counts is the voter's log as it is now."""
        last = sent.number("last_term"), sent.number("last_index")
        own_term = book.term_at(book.last)
        is_complete = own_term is None or last >= (own_term, book.last)
        requests, key = self.heard(book.node).requests, (sent.is_pre_vote, sent.term, sent.sender)
        requests[key] = requests.get(key, False) or is_complete

    def hear_vote_reply(self, book: Book, sent: Sent) -> None:
        """A vote came, or word of one that would be given."""
        if sent.number("granted"):
            heard = self.heard(book.node)
            grants = heard.pre_grants if sent.is_pre_vote else heard.grants
            grants.setdefault(sent.term, set()).add(sent.sender)

    def check_vote(self, node: str, term: int, candidate: str) -> None:
        """It is the only one of this node in this term."""
        first = self._votes.setdefault((node, term), candidate)
        if first != candidate:
            self.fail(
                "a node votes for at most one candidate in a term", "Paper: Raft, section 5.2",
                f"{node} voted for {first} in term {term}", f"it votes for {candidate} in term {term}, too",
            )  # fmt: skip

    def check_asked_for_vote(self, book: Book, term: int, candidate: str, *, is_pre_vote: bool = False) -> None:
        """The candidate asked for it, and its log lacked nothing of the voter's."""
        heard = self.heard(book.node)
        is_complete = heard.requests.get((is_pre_vote, term, candidate))
        if is_complete is None and heard.cause is not FORGOTTEN:
            self.fail(
                "a vote goes only to a candidate that asked for it", "Paper: Raft, section 5.2",
                f"{book.node} received no request of {candidate} for a vote in term {term}", "it gives it that vote",
            )  # fmt: skip
        if is_complete is False:
            self.fail(
                "a vote goes only to a log that lacks nothing of the voter's", "Paper: Raft, section 5.4.1",
                f"{book.node} had a log that ended later than that of {candidate} when it was asked",
                f"it gives it its vote in term {term}",
            )  # fmt: skip
