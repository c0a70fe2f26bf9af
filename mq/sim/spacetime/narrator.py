"""Reads a trace event by event and makes a story of it. Whatever stands in the trace is in the story."""

from collections.abc import Callable, Iterable

from mq.sim.spacetime.logbook import LogBook
from mq.sim.spacetime.story import Banner, Condition, Flight, Moment, Note, Story
from mq.sim.spacetime.wording import flag, members_text, name_of, numbers, short_body
from mq.sim.trace import Event

__all__ = ["tell"]


def _voted(event: Event) -> str:
    name = name_of(event.details["for"])
    return "itself" if name == event.node else name


_TOLD: dict[str, Callable[[Event], Note]] = {
    "vote": lambda e: Note(f"votes for {_voted(e)}", "vote"),
    "snapshot": lambda e: Note(f"snapshot of 1-{e.details['index']}"),
    "done": lambda e: Note(f"client: entry {e.details['index']} done", "client"),
    "unknown": lambda _: Note("client: unknown", "client"),
    "answer": lambda e: Note(f"client: state {e.details['index']}", "client"),
    "slow-disk": lambda e: Note(f"disk +{e.details['ms']} ms", "fault"),
    "sync-fails": lambda _: Note("next fsync fails", "fault"),
    "disk-full": lambda _: Note("disk full", "fault"),
    "disk-free": lambda _: Note("disk has room", "fault"),
    "drift": lambda e: Note(f"clock at {e.details['percent']} %", "fault"),
    "campaign": lambda _: Note("told to campaign"),
    "transfer": lambda e: Note(f"told: {name_of(e.details['to'])} shall lead"),
    "change": lambda e: Note(f"told: members {members_text(e)}"),
    "members": lambda e: Note(f"members {members_text(e)}"),
}
"""Events that come to one line and change nothing that the story keeps."""

_ASIDES: dict[str, Callable[[Event], Note]] = {
    "propose": lambda e: Note(f"client: {short_body(e)}", "client"),
    "read": lambda _: Note("client reads", "client"),
    "refuse": lambda _: Note("client: refused", "client"),
}
"""The same, but not worth drawing by themselves: clients ask again and again while there is no leader."""

_NETWORK = {"cut": "cut", "mend": "mended", "hold": "held back", "release": "released"}
_TRIGGERS = frozenset({
    "start", "receive", "save", "save-failed", "propose", "read", "kill", "power-loss", "pause", "resume", "campaign", "transfer",
    "change",
})  # fmt: skip
"""Events that begin a step of a node."""


class _Narrator:
    """Reads events one by one. conditions, books: of each node as they are now."""

    def __init__(self) -> None:
        self.story = Story()
        self.conditions: dict[str, Condition] = {}
        self.books: dict[str, LogBook] = {}
        self._count = 0
        self._started: set[str] = set()
        self._fed: set[tuple[str, str, int]] = set()
        self._acknowledged: dict[tuple[str, str, int], int] = {}
        self._arrived: dict[tuple[str, str], int] = {}
        self._handlers: dict[str, Callable[[Event, Moment], None]] = {
            "start": self._start, "role": self._role, "append": self._append, "save": self._save,
            "save-failed": self._save_failed, "commit": self._commit, "install": self._install, "forget": self._forget,
            "kill": self._stop, "power-loss": self._stop, "pause": self._pause, "resume": self._pause,
            "send": self._send, "receive": self._receive,
        }  # fmt: skip

    def read(self, event: Event) -> None:
        """The next event."""
        self._count += 1
        if event.name == "lose":
            if (flight := self.story.flights.get(event.text("id"))) is not None:
                flight.lost = event.text("why")
        elif event.name in _NETWORK:
            self._change_network(event)
        elif event.node == "-":
            self._tell_client(event)
        else:
            moment = self._moment_of(event)
            moment.events.append(event)
            if (handler := self._handlers.get(event.name)) is not None:
                handler(event, moment)
            elif (note := _TOLD.get(event.name)) is not None:
                moment.notes.append(note(event))
            elif (note := _ASIDES.get(event.name)) is not None:
                moment.asides.append(note(event))
            moment.after = self.conditions[event.node]

    def _tell_client(self, event: Event) -> None:
        """A client learned how its request ended: drawn with the node whose step brought that about."""
        last, note = self.story.steps[-1] if self.story.steps else None, _TOLD.get(event.name)
        if note is not None and isinstance(last, Moment) and last.at_ms == event.at_ms:
            last.events.append(event)
            last.notes.append(note(event))

    def _change_network(self, event: Event) -> None:
        way = (name_of(event.details["sender"]), name_of(event.details["to"]))
        steps, what = self.story.steps, _NETWORK[event.name]
        last = steps[-1] if steps else None
        if isinstance(last, Banner) and last.at_ms == event.at_ms and last.what == what:
            last.ways.append(way)
            last.events.append(event)
        else:
            steps.append(Banner(len(steps), event.at_ms, self._count, what, [way], [event]))

    def _moment_of(self, event: Event) -> Moment:
        """The step that this event belongs to: the last one, if it goes on."""
        node, steps = event.node, self.story.steps
        if node not in self.conditions:
            role = "down" if event.name == "start" else "follower"  # a trace may begin in the middle
            self.conditions[node], self.books[node] = Condition(role, 0), LogBook()
        last = steps[-1] if steps else None
        is_open = isinstance(last, Moment) and last.node == node and last.at_ms == event.at_ms
        if isinstance(last, Moment) and is_open and not (event.name in _TRIGGERS and self._is_done(last, event)):
            return last
        moment = Moment(len(steps), node, event.at_ms, self._count, self.conditions[node])
        steps.append(moment)
        return moment

    @staticmethod
    def _is_done(moment: Moment, event: Event) -> bool:
        """Whether a step is over when this begins: it has come to something, or a save begins the answers to what was saved."""
        return bool(moment.sent) or (moment.has_effect and event.name != "save")

    # ------------------------------------------------------------ one node

    def _start(self, event: Event, moment: Moment) -> None:
        self.books[event.node].started(event.number("first"), event.number("last"), event.number("last_term"))
        if event.number("last") or event.number("first") > 1:
            moment.strip = self.books[event.node].strip()
        if event.node in self._started:
            moment.notes.append(Note("starts again", "fault"))
        self._started.add(event.node)
        self._become(moment, Condition("follower", event.number("term")))

    def _become(self, moment: Moment, condition: Condition) -> None:
        if condition[:2] != self.conditions[moment.node][:2]:
            moment.chip = condition
        self.conditions[moment.node] = condition

    def _role(self, event: Event, moment: Moment) -> None:
        is_paused = self.conditions[event.node].is_paused
        self._become(moment, Condition(event.text("role"), event.number("term"), is_paused))

    def _append(self, event: Event, moment: Moment) -> None:
        book, terms = self.books[event.node], numbers(event.details["terms"])
        struck = book.append(event.number("after"), terms, event.number("sequence"))
        if terms:
            already = moment.strip.struck if moment.strip else ()
            moment.strip = book.strip(already + struck, event.number("after") + 1)

    def _save(self, event: Event, moment: Moment) -> None:
        book = self.books[event.node]
        book.saved(event.number("sequence"))
        if moment.strip is not None:
            moment.strip = book.strip(moment.strip.struck, moment.strip.new_from)
        elif not moment.has_effect:
            moment.asides.append(Note("saved"))

    def _save_failed(self, event: Event, moment: Moment) -> None:
        is_definite = flag(event.details["definite"])
        if is_definite:
            self.books[event.node].abandoned(event.number("sequence"))
            moment.strip = self.books[event.node].strip()
        moment.notes.append(Note("not saved: disk full" if is_definite else "fsync failed", "fault"))

    def _commit(self, event: Event, moment: Moment) -> None:
        book = self.books[event.node]
        book.commit_index = event.number("index")
        moment.notes = [note for note in moment.notes if note.tone != "commit"]
        moment.notes.append(self._committed(self.conditions[event.node], book))
        was = moment.strip
        moment.strip = book.strip(was.struck, was.new_from) if was else book.strip()

    @staticmethod
    def _committed(condition: Condition, book: LogBook) -> Note:
        """Of a leader that ends at an entry of an earlier term, which it may not do: both terms. Paper: Raft, section 5.4.2."""
        index = book.commit_index
        term = book.term_at(index)
        if condition.role == "leader" and 0 < term < condition.term:
            return Note(f"commit {index}.{term} in T{condition.term}", "commit")
        return Note(f"commit {index}", "commit")

    def _install(self, event: Event, moment: Moment) -> None:
        self.books[event.node].installed(event.number("index"))
        moment.notes.append(Note(f"installs snapshot {event.details['index']}"))
        moment.strip = self.books[event.node].strip()

    def _forget(self, event: Event, moment: Moment) -> None:
        self.books[event.node].forgotten(event.number("first"))
        moment.notes.append(Note(f"log from {event.details['first']} on"))
        moment.strip = self.books[event.node].strip()

    def _stop(self, event: Event, moment: Moment) -> None:
        moment.notes.append(Note("crash" if event.name == "kill" else "power loss", "fault"))
        self.conditions[event.node] = Condition("down", self.conditions[event.node].term)

    def _pause(self, event: Event, moment: Moment) -> None:
        is_paused = event.name == "pause"
        moment.notes.append(Note("paused" if is_paused else "goes on", "fault"))
        self.conditions[event.node] = self.conditions[event.node]._replace(is_paused=is_paused)

    # ------------------------------------------------------------ messages

    def _send(self, event: Event, moment: Moment) -> None:
        flight = Flight(event.text("id"), event, moment.number)
        if event.text("kind") == "append-reply" and flag(event.details["matching"]):
            key = (event.node, flight.to, event.number("term"))
            match = event.number("match")
            flight.is_news = key in self._fed and match > self._acknowledged.get(key, -1)
            if flight.is_news:
                self._acknowledged[key] = match
        elif event.text("kind") == "append-request":
            flight.is_news = bool(numbers(event.details["terms"]))
        self.story.flights[flight.message] = flight
        moment.sent.append(flight.message)

    def _receive(self, event: Event, moment: Moment) -> None:
        flight = self.story.flights.get(event.text("id"))
        if flight is None:
            return
        moment.received.append(flight.message)
        way = (flight.send.node, event.node)
        flight.is_overtaken |= flight.sent < self._arrived.get(way, -1)
        self._arrived[way] = max(flight.sent, self._arrived.get(way, -1))
        flight.is_stale = flight.send.number("term") < self.conditions[event.node].term
        flight.arrivals.append(moment.number)
        if flight.send.text("kind") == "append-request" and flight.is_news:
            self._fed.add((event.node, flight.send.node, flight.send.number("term")))


def _place(node: str) -> tuple[int, str]:
    digits = "".join(letter for letter in node if letter.isdigit())
    return (int(digits or 0), node)


def tell(events: Iterable[Event]) -> Story:
    """The story of a trace. Raises: KeyError, ValueError when an event lacks a detail that it must have."""
    narrator = _Narrator()
    for event in events:
        narrator.read(event)
    narrator.story.nodes = sorted(narrator.conditions, key=_place)
    return narrator.story
