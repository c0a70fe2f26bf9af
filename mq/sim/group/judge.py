"""Judges a recorded trace by Raft's rules, from its lines alone: of a simulated group, or of real nodes that write such lines.

    .venv/bin/python -m mq.sim.group.judge trace.txt

It believes what nodes say they did, and holds it against what they and others said before. The first broken rule is told.
The trace must begin with the nodes' first starts. Lines of one node must be in their order; those of different nodes in an order
in which no message arrives before it was sent.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mq.sim.group.book import Book, Slot, split
from mq.sim.group.judge_messages import MessageRules
from mq.sim.group.watch import Violation, ViolationError
from mq.sim.trace import Event

__all__ = ["Judge", "judge", "main", "read_lines"]


class Judge(MessageRules):
    """Feed it events with `observe`. counts: of the events that it judged, by name."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[tuple[int, int], tuple[str, int | None, str]] = {}
        self._committed: dict[int, tuple[int, str]] = {}
        self._newest: list[tuple[int, int]] = []
        self._applied: dict[int, tuple[Slot, str]] = {}
        self._bodies: dict[str, str] = {}
        self._asked: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self._rules: dict[str, Callable[[Book, Event], None]] = {
            "start": self._start, "role": self._role, "vote": self._vote, "append": self._append, "save": self._save,
            "save-failed": self._save_failed, "commit": self._commit, "apply": self._apply, "snapshot": self._snapshot,
            "install": self._install, "forget": self._forget, "members": self._members, "send": self._send,
            "receive": self._receive, "propose": self._propose, "done": self._done, "read": self._read, "answer": self._answer,
        }  # fmt: skip

    def observe(self, event: Event) -> None:
        """Something happened. Raises: ViolationError; ValueError, KeyError when the line lacks what it must tell."""
        self.number += 1
        self.now = event
        rule = self._rules.get(event.name)
        if rule is not None:
            self.counts[event.name] = self.counts.get(event.name, 0) + 1
            rule(self.book(event.node), event)

    # --- lives

    def _start(self, book: Book, event: Event) -> None:
        term, last = event.number("term"), event.number("last")
        if term < max(book.saved_term, book.spoken):
            self.fail(
                "terms never fall, not even over a restart", "Paper: Raft, figure 2",
                f"{book.node} had saved, or spoken of, term {max(book.saved_term, book.spoken)}", f"it starts in term {term}",
            )  # fmt: skip
        last_term = event.details["last_term"]
        last_entry = (last, last_term if isinstance(last_term, int) else None)
        is_found = book.restart(event.number("first"), last_entry, event.number("snapshot"))
        if not is_found:
            self.fail(
                "what was durable is there after a restart", "Paper: Raft, figure 2",
                f"{book.node} had entries up to {book.saved_last} on its disk", f"it starts with a log that ends at {last}",
            )  # fmt: skip
        book.term = book.saved_term = term
        book.saved_vote = event.text("vote")
        if not any(book.members):
            book.members = (tuple(f"n{member}" for member in split(event.details["members"])), ())

    def _members(self, book: Book, event: Event) -> None:
        book.members = (
            tuple(f"n{member}" for member in split(event.details["voters"])),
            tuple(f"n{member}" for member in split(event.details["old"])),
        )

    def _role(self, book: Book, event: Event) -> None:
        term, role = event.number("term"), event.text("role")
        self.check_term(book, term)
        if role == "leader" and (book.role != "leader" or book.term != term):
            self.check_leader(term, book.node)
            self._check_complete(book, term)
        book.term, book.role, book.leader = term, role, event.text("leader")

    def _check_complete(self, book: Book, term: int) -> None:
        older = [index for at, index in self._newest if at < term]
        if not older:
            return
        index = older[-1]
        committed, by = self._committed[index]
        found = book.term_at(index)
        if index > book.base[0] and found != committed:
            self.fail(
                "a leader has every entry that was committed in an earlier term", "Leader Completeness; Paper: Raft, section 5.4",
                f"{by} held entry {index} of term {committed} to be committed",
                f"{book.node} leads term {term} with one of term {found} there",
            )  # fmt: skip

    def _vote(self, book: Book, event: Event) -> None:
        self.check_term(book, event.number("term"))
        book.term = term = event.number("term")
        candidate = f"n{event.number('for')}"
        first = book.votes.setdefault(term, candidate)
        if first != candidate:
            self.fail(
                "a vote changes only with the term", "Paper: Raft, section 5.2",
                f"{book.node} gave {first} its vote of term {term}", f"it gives that vote to {candidate}",
            )  # fmt: skip

    # --- logs

    def _append(self, book: Book, event: Event) -> None:
        after, terms, bodies = event.number("after"), split(event.details["terms"]), split(event.details["bodies"])
        if terms and book.role == "leader" and after < book.last:
            self.fail(
                "a leader only appends to its log", "Leader Append-Only; Paper: Raft, section 5.3",
                f"{book.node} leads term {book.term}, its log ends at {book.last}", f"it puts entries behind {after}",
            )  # fmt: skip
        before = book.term_at(after)
        if terms and after < book.commit:
            self.fail(
                "what is committed is never superseded", "Paper: Raft, section 5.4.3",
                f"{book.node} held entry {book.commit} to be committed", f"it puts entries behind {after}",
            )  # fmt: skip
        for number, (term, body) in enumerate(zip(map(int, terms), bodies, strict=True), 1):
            self._check_matching(book, (after + number, term), body, before)
            before = term
        book.append(after, terms, bodies, event.number("sequence"))

    def _check_matching(self, book: Book, entry: tuple[int, int], body: str, before: int | None) -> None:
        known_body, known_before, by = self._entries.setdefault(entry, (body, before, book.node))
        if known_body != body or (None not in (known_before, before) and known_before != before):
            self.fail(
                "logs that hold the same entry are equal up to it", "Log Matching; Paper: Raft, section 5.3",
                f"{by} has entry {entry[0]} of term {entry[1]} as {known_body}, behind one of term {known_before}",
                f"{book.node} has it as {body}, behind one of term {before}",
            )  # fmt: skip

    def _save(self, book: Book, event: Event) -> None:
        if event.number("term") < book.saved_term:
            self.fail(
                "the term on a disk never falls", "Paper: Raft, figure 2",
                f"{book.node} had saved term {book.saved_term}", f"it saves term {event.number('term')}",
            )  # fmt: skip
        book.save(event.number("sequence"), event.number("term"), event.text("vote"), event.number("durable"))

    def _save_failed(self, book: Book, event: Event) -> None:
        if event.number("definite"):
            book.take_back(event.number("sequence"))

    def _forget(self, book: Book, event: Event) -> None:
        book.forget(event.number("first"))

    # --- commits

    def _commit(self, book: Book, event: Event) -> None:
        index, before = event.number("index"), book.commit
        book.commit = index
        for at in range(before + 1, index + 1):
            term = book.term_at(at)
            if term is None:
                continue
            known, by = self._committed.setdefault(at, (term, book.node))
            if known != term:
                self.fail(
                    "all agree on what is committed", "State Machine Safety; Paper: Raft, section 5.4.3",
                    f"{by} held entry {at} of term {known} to be committed",
                    f"{book.node} holds one of term {term} to be committed",
                )  # fmt: skip
        term = book.term_at(index)
        if term is None or (self._newest and index <= self._newest[-1][1]):
            return
        self._newest.append((book.term, index))
        self._check_counted(book, index, term)

    def _check_counted(self, book: Book, index: int, term: int) -> None:
        if book.role == "leader" and term != book.term:
            self.fail(
                "a leader commits by counting only entries of its own term", "Paper: Raft, section 5.4.2 and figure 8",
                f"{book.node} leads term {book.term}", f"it holds entry {index} of term {term} to be committed",
            )  # fmt: skip
        for voters in book.members:
            holders = [voter for voter in voters if self.book(voter).has_durable(index, term)]
            if voters and 2 * len(holders) <= len(voters):
                self.fail(
                    "what is committed is durable on a quorum", "Paper: Raft, section 5.3",
                    f"{book.node} holds entry {index} of term {term} to be committed",
                    f"of {', '.join(voters)} only {', '.join(holders) or 'nobody'} said that it is on the disk",
                )  # fmt: skip

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

    def _snapshot(self, book: Book, event: Event) -> None:
        self._check_snapshot(book, event, "takes")

    def _install(self, book: Book, event: Event) -> None:
        index, term = event.number("index"), event.number("term")
        self._check_snapshot(book, event, "installs")
        if book.term_at(index) != term:
            book.reset(index, term)
        book.commit = max(book.commit, index)
        book.applied = index

    def _check_snapshot(self, book: Book, event: Event, does: str) -> None:
        index, term = event.number("index"), event.number("term")
        slot, by = self._applied.get(index, (Slot(-1, "nothing"), "nobody"))
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
        index, body = event.number("index"), self._bodies.get(event.text("request"))
        slot, by = self._applied.get(index, (Slot(-1, "nothing"), "nobody"))
        self.floor = max(self.floor, index)
        if slot != Slot(event.number("term"), str(body)):
            self.fail(
                "what a client is told to be done is applied", "Paper: Raft, section 8",
                f"request {event.text('request')} with {body} was done at {index} in term {event.number('term')}",
                f"there {by} applied {slot.body} of term {slot.term}",
            )  # fmt: skip

    def _read(self, _: Book, event: Event) -> None:
        self._asked[event.text("request")] = self.floor

    def _answer(self, book: Book, event: Event) -> None:
        floor, index = self._asked.get(event.text("request"), 0), event.number("index")
        self.floor = max(self.floor, index)
        if index < floor:
            self.fail(
                "a read is never stale", "Paper: Raft, section 8; thesis, section 6.4",
                f"entry {floor} was acknowledged before read {event.text('request')} was asked",
                f"{book.node} answers it with the state behind {index}",
            )  # fmt: skip


def judge(events: Iterable[Event]) -> Violation | None:
    """The first broken rule; None when all were kept."""
    found = Judge()
    try:
        for event in events:
            found.observe(event)
    except ViolationError as error:
        return error.violation
    return None


def read_lines(text: str) -> list[Event]:
    """Raises: ValueError for a line that is none."""
    lines = [line for line in text.split("\n") if line.strip()]
    return [Event.from_line(line) for line in lines if not line.startswith("time ")]


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0 all rules were kept, 1 one was broken or nothing was judged, 2 wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m mq.sim.group.judge TRACE\n")
        return 2
    try:
        events = read_lines(Path(arguments[0]).read_text(encoding="utf-8"))
        found = Judge()
        for event in events:
            found.observe(event)
    except ViolationError as error:
        sys.stderr.write(f"{error.violation.to_text()}\n")
        return 1
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 2
    judged = sum(found.counts.values())
    elections = found.counts.get("role", 0)
    sys.stdout.write(f"{judged} of {len(events)} events judged, every rule was kept\n")
    return 0 if elections and found.counts.get("commit", 0) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
