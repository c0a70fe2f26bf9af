"""Judges a recorded trace by Raft's rules, from its lines alone: of a simulated group, or of real nodes that write such lines.

    .venv/bin/python -m mq.sim.group.judge trace.txt

It believes what nodes say of themselves, and holds it against what they and others said before: a node that does something must
have a cause for it, and what it sends must stand in its own log. The first broken rule is told. The rules: `judge_elections`,
`judge_replication`, `judge_messages`, `judge_machine`, and here the log and the lives of a node.

The trace must begin with the nodes' first starts. Lines of one node must be in their order, a cause before what follows from it;
those of different nodes in an order in which no message arrives before it was sent. The trace is read once; what is remembered
is what the logs hold, and the newest messages (`judge_heard`).

What it cannot see, as no line tells it:

* time: whether a campaign, a heartbeat or a step down came too early, too late, or never; so, whether anything goes on at all;
* what is left out: an answer that was never given, a refusal for no reason, a commit that could be known, a line that was lost
  and of which nothing follows;
* the disk: a `save` that says too much is believed, until a restart finds less, and so are those of a mute node; that a
  real node starts mute (one of the world says so); a vote that a full disk refused, when a later term was saved before it left;
* where a step ends: what a leader that stepped down commits and sends is of its last step until it hears something;
* what is in a snapshot, but for where it ends; and whether all of its parts came, but for the last;
* which entries are commands: one that no client asked for, or that stands in the log twice for one request, is seen only when
  it takes the place of another;
* what a snapshot's answer is for: one that nobody asked for is believed when the state is there;
* that members were to change: only those of a `members` line are in force, and one that is missing is not missed;
* whether a read asked a quorum, or a leader: only that its answer is not stale; rounds of heartbeats, hints in refusals;
* whether a campaign was a hand-over, as its requests say;
* votes that were asked for before the trace began, and messages older than the newest 100,000.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mq.raft.configuration import Configuration
from mq.sim.group.book import Book, split
from mq.sim.group.judge_heard import Heard
from mq.sim.group.judge_machine import MachineRules
from mq.sim.group.trace import body_of
from mq.sim.group.watch import Violation, ViolationError
from mq.sim.trace import Event

__all__ = ["Judge", "judge", "main", "read_lines"]


class Judge(MachineRules):
    """Feed it events with `observe`. counts: of the events that it judged, by name."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[tuple[int, int], tuple[str, int | None, str]] = {}
        self._configurations: set[str] = set()
        self._have_members: set[str] = set()
        self._forgotten = 0
        self.counts: dict[str, int] = {}
        self._rules: dict[str, Callable[[Book, Event], None]] = {
            "start": self._start, "kill": self._die, "power-loss": self._die, "wipe": self._wipe, "role": self._role,
            "vote": self._vote,
            "append": self._append, "save": self._save, "save-failed": self._save_failed, "commit": self._commit,
            "apply": self._apply, "snapshot": self._snapshot, "install": self._install, "forget": self._forget,
            "members": self._members, "send": self._send, "receive": self._receive, "propose": self._propose, "done": self._done,
            "unknown": self._unknown, "refuse": self._refuse, "read": self._read, "answer": self._answer,
        }  # fmt: skip

    def observe(self, event: Event) -> None:
        """Something happened. Raises: ViolationError; ValueError, KeyError when the line lacks what it must tell."""
        self.number += 1
        self.now = event
        rule = self._rules.get(event.name)
        if rule is not None:
            self.counts[event.name] = self.counts.get(event.name, 0) + 1
            self._check_lives(event)
            rule(self.book(event.node), event)

    # --- lives

    def _check_lives(self, event: Event) -> None:
        if event.node != "-" and event.name not in {"start", "wipe"} and not self.heard(event.node).is_up:
            self.fail(
                "a dead node does nothing", "Paper: Raft, section 2",
                f"{event.node} was not started" + (", or died" if self.book(event.node).is_known else ""),
                f"of it is told: {event.name}",
            )  # fmt: skip

    def _die(self, book: Book, _: Event) -> None:
        self.heard(book.node).is_up = False

    def _wipe(self, book: Book, _: Event) -> None:
        """Only real nodes lose their disks. It knows nothing any more; what others heard of it stays said."""
        self._books[book.node], self._heard[book.node] = Book(book.node), Heard()
        self._have_members.discard(book.node)

    def _start(self, book: Book, event: Event) -> None:
        self._check_start_term(book, event.number("term"))
        if book.is_known:
            self._check_disk_vote(book, event.number("term"), event.text("vote"))
        self._check_start_snapshot(book, event.number("snapshot"))
        last, last_term = event.number("last"), event.details["last_term"]
        last_entry = (last, last_term if isinstance(last_term, int) else None)
        is_found = book.restart(event.number("first"), last_entry, event.number("snapshot"))
        if not is_found:
            self.fail(
                "what was durable is there after a restart", "Paper: Raft, figure 2",
                f"{book.node} had entries up to {book.saved_last} on its disk", f"it starts with a log that ends at {last}",
            )  # fmt: skip
        book.term = book.saved_term = event.number("term")
        book.saved_vote = event.text("vote")
        if book.saved_vote != "-":
            book.votes[book.term] = f"n{book.saved_vote}"
        self.note_saved_votes(book)
        heard = self._heard[book.node] = Heard(event.number("snapshot"), last)
        heard.is_up = True
        if not any(book.members):
            book.members = (tuple(f"n{member}" for member in split(event.details["members"])), ())

    def _check_start_term(self, book: Book, term: int) -> None:
        if term < max(book.saved_term, book.spoken):
            self.fail(
                "terms never fall, not even over a restart", "Paper: Raft, figure 2",
                f"{book.node} had saved, or spoken of, term {max(book.saved_term, book.spoken)}", f"it starts in term {term}",
            )  # fmt: skip
        if book.is_known and term > book.term:
            self.fail(
                "a restart begins no term", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} was in term {book.term}", f"it starts in term {term}",
            )  # fmt: skip

    def _check_disk_vote(self, book: Book, term: int, vote: str) -> None:
        """What the disk says of a vote: once it is there, it stays for that term."""
        given = book.votes.get(term, "nobody")
        is_lost = term == book.saved_term and book.saved_vote not in {"-", vote}
        if is_lost or (vote != "-" and f"n{vote}" != given):
            self.fail(
                "a vote on the disk is the one that was given, and stays", "Paper: Raft, figure 2 (persistent state)",
                f"{book.node} gave its vote of term {term} to {given}; saved was {book.saved_vote}, in term {book.saved_term}",
                f"the vote on its disk is {vote} in term {term}",
            )  # fmt: skip

    def _check_start_snapshot(self, book: Book, index: int) -> None:
        """One that came may be on the disk though it was not installed before the crash."""
        heard = self.heard(book.node)
        newest = max([heard.snapshot, *(at for at, _ in heard.complete)])
        if book.is_known and index > newest:
            self.fail(
                "a node starts with a snapshot that it had", "Paper: Raft, section 7",
                f"the newest that {book.node} took, or received all of, is that of entry {newest}",
                f"it starts with one of entry {index}",
            )  # fmt: skip

    def _members(self, book: Book, event: Event) -> None:
        voters, old, learners = (split(event.details[name]) for name in ("voters", "old", "learners"))
        self._check_configuration(book, Configuration(*(tuple(map(int, ids)) for ids in (voters, old, learners))))
        book.members = tuple(f"n{member}" for member in voters), tuple(f"n{member}" for member in old)

    def _check_configuration(self, book: Book, configuration: Configuration) -> None:
        """It is an entry of the log; or an older one, from a snapshot, say; or the node's first, with which its trace begins."""
        body = body_of(configuration.to_bytes())
        is_there = any(slot.body == body for slot in book.slots.values())
        is_first = book.node not in self._have_members
        if not (is_first or is_there or body in self._configurations):
            self.fail(
                "members in force stand in the log", "Paper: Raft, section 6",
                f"no entry of the log of {book.node} holds these members, and no older configuration does",
                f"in force there are: {configuration}",
            )  # fmt: skip
        self._have_members.add(book.node)
        self._configurations.add(body)

    # --- logs

    def _append(self, book: Book, event: Event) -> None:
        after, terms, bodies = event.number("after"), split(event.details["terms"]), split(event.details["bodies"])
        self.check_not_mute(book, "puts something into its log")
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
        if terms:
            self.check_appended(book, after, terms, bodies)
            self.check_cut_off(book, after, int(terms[0]))
            self.heard(book.node).waiting.append((event.number("sequence"), after + len(terms)))
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
        self._check_disk_vote(book, event.number("term"), event.text("vote"))
        book.save(event.number("sequence"), event.number("term"), event.text("vote"), event.number("durable"))
        self.note_saved_votes(book)
        heard = self.heard(book.node)
        heard.begin_step()
        heard.save(event.number("sequence"), event.number("durable"))
        heard.deciding = book.members

    def _save_failed(self, book: Book, event: Event) -> None:
        heard, sequence = self.heard(book.node), event.number("sequence")
        heard.begin_step()
        if event.number("definite"):
            book.take_back(sequence)
            heard.waiting = [(at, end) for at, end in heard.waiting if at != sequence]
            heard.may_fall = True

    def _forget(self, book: Book, event: Event) -> None:
        if event.number("first") > self.heard(book.node).snapshot + 1:
            self.fail(
                "a log lets go only of what a snapshot stands for", "Paper: Raft, section 7",
                f"the newest snapshot of {book.node} is that of entry {self.heard(book.node).snapshot}",
                f"its log begins at {event.number('first')} now",
            )  # fmt: skip
        book.forget(event.number("first"))
        first = min(one.base[0] for one in self.books)
        if first > self._forgotten:  # nobody's log holds what stood before
            self._forgotten = first
            self.forget_below(first)
            for entry in [entry for entry in self._entries if entry[0] < first]:
                del self._entries[entry]


def judge(events: Iterable[Event]) -> Violation | None:
    """The first broken rule; None when all were kept."""
    found = Judge()
    try:
        for event in events:
            found.observe(event)
    except ViolationError as error:
        return error.violation
    return None


def _read(lines: Iterable[str]) -> Iterator[Event]:
    """Headings and remarks (`#`) are left out."""
    for line in lines:
        if line.strip() and not line.startswith(("time ", "#")):
            yield Event.from_line(line)


def read_lines(text: str) -> list[Event]:
    """Raises: ValueError for a line that is none."""
    return list(_read(text.split("\n")))


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0 all rules were kept, 1 one was broken or nothing was judged, 2 wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m mq.sim.group.judge TRACE\n")
        return 2
    found = Judge()
    try:
        with Path(arguments[0]).open(encoding="utf-8") as lines:
            for event in _read(lines):
                found.observe(event)
    except ViolationError as error:
        sys.stderr.write(f"{error.violation.to_text()}\n")
        return 1
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 2
    judged = sum(found.counts.values())
    elections = found.counts.get("role", 0)
    sys.stdout.write(f"{judged} of {found.number} events judged, every rule was kept\n")
    return 0 if elections and found.counts.get("commit", 0) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
