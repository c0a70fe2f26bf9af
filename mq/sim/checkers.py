"""Checkers: one promise of the broker each, held against what happens.

A checker is shown every event of the trace as it happens, and all that is stored each time a node has opened its
store. It knows only what clients and the disk know, never the inside of the node. A broken promise is a sentence.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from mq.sim.store_view import StoreView
from mq.sim.trace import Event

__all__ = ["BrokenPromiseError", "Checker", "VacuousRunError", "all_checkers", "check_not_vacuous"]

_Place = tuple[str, str, int, int]
"""(group, topic, queue id, offset)."""


class BrokenPromiseError(Exception):
    """What must never happen did. The message says what, in a sentence."""

    def __init__(self, promise: str, sentence: str) -> None:
        super().__init__(f"{promise}: {sentence}")
        self.promise, self.sentence = promise, sentence


class VacuousRunError(Exception):
    """The run never met what it is about, so that it proves nothing."""


class Checker(Protocol):
    """One promise. Both methods raise BrokenPromiseError."""

    def observe(self, event: Event) -> None:
        """Something happened."""

    def examine(self, view: StoreView) -> None:
        """A node opened its store: this is all of it."""


class AcknowledgedIsKept:
    """Nothing that was acknowledged is lost: it stays at its place with its bytes, and each group gets it."""

    promise = "nothing acknowledged is lost"

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._acknowledged: dict[tuple[str, int, int], str] = {}
        self._delivered: set[_Place] = set()

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name == "send":
            self._bodies[event.text("message")] = event.text("body")
        elif event.name == "sent":
            self._acknowledged[event.text("topic"), event.number("queue"), event.number("offset")] = event.text("message")
        elif event.name == "delivered":
            self._delivered.add(_place(event))
        elif event.name == "drained":
            group = event.text("group")
            for (topic, queue_id, offset), message in self._acknowledged.items():
                if (group, topic, queue_id, offset) not in self._delivered:
                    raise BrokenPromiseError(
                        self.promise,
                        f"message {message}, acknowledged at {topic}/{queue_id}:{offset}, was never given to group {group}",
                    )

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""
        stored = {
            (topic, queue_id, m.offset): (m.message_id, m.body) for (topic, queue_id), queue in view.queues.items() for m in queue
        }
        for place, message in self._acknowledged.items():
            found = stored.get(place)
            if found != (message, self._bodies[message]):
                topic, queue_id, offset = place
                what = "nothing is there" if found is None else f"message {found[0]} with bytes {found[1]} is there"
                raise BrokenPromiseError(
                    self.promise, f"message {message} was acknowledged at {topic}/{queue_id}:{offset}, after opening {what}"
                )


class NothingIsInvented:
    """Nothing is stored or delivered that nobody sent, nothing twice, nothing with other bytes."""

    promise = "nothing is invented"

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name == "send":
            self._bodies[event.text("message")] = event.text("body")
        elif event.name == "delivered":
            self._check(event.text("message"), event.text("body"), "delivered")

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""
        counts = Counter(m.message_id for queue in view.queues.values() for m in queue)
        for queue in view.queues.values():
            for message in queue:
                self._check(message.message_id, message.body, "stored")
                if counts[message.message_id] > 1:
                    raise BrokenPromiseError(
                        self.promise, f"message {message.message_id} is stored {counts[message.message_id]} times"
                    )

    def _check(self, message: str, body: str, what: str) -> None:
        if message not in self._bodies:
            raise BrokenPromiseError(self.promise, f"message {message} was {what}, and nobody ever sent it")
        if body != self._bodies[message]:
            raise BrokenPromiseError(
                self.promise, f"message {message} was sent with bytes {self._bodies[message]} and {what} with {body}"
            )


class OffsetsAreDense:
    """In each queue the offsets count from 0 without a gap, and each belongs to one message for ever."""

    promise = "offsets are dense"

    def __init__(self) -> None:
        self._owners: dict[tuple[str, int, int], str] = {}
        self._places: dict[str, tuple[str, int, int]] = {}

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name != "sent":
            return
        place, message = (event.text("topic"), event.number("queue"), event.number("offset")), event.text("message")
        owner, first = self._owners.setdefault(place, message), self._places.setdefault(message, place)
        if owner != message:
            raise BrokenPromiseError(
                self.promise, f"offset {place[2]} of {place[0]}/{place[1]} was given to {owner} and to {message}"
            )
        if first != place:
            raise BrokenPromiseError(self.promise, f"message {message} was acknowledged at {first} and again at {place}")

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""
        for (topic, queue_id), queue in view.queues.items():
            for wanted, message in enumerate(queue):
                if message.offset != wanted:
                    raise BrokenPromiseError(self.promise, f"offset {wanted} of {topic}/{queue_id} is missing")


class OrderIsKept:
    """In each queue the messages of one producer, who waits for each answer, stand in the order of sending."""

    promise = "order per queue is kept"

    def __init__(self) -> None:
        self._producers: dict[str, tuple[str, int]] = {}

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name == "send":
            self._producers.setdefault(event.text("message"), (event.text("producer"), len(self._producers)))

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""
        for (topic, queue_id), queue in view.queues.items():
            newest: dict[str, tuple[int, str]] = {}
            for message in queue:
                producer, number = self._producers.get(message.message_id, ("", 0))
                before = newest.get(producer, (-1, ""))
                if number <= before[0]:
                    raise BrokenPromiseError(
                        self.promise,
                        f"in {topic}/{queue_id} message {message.message_id} stands behind {before[1]}, which was sent later",
                    )
                newest[producer] = (number, message.message_id)


class LogIsAPrefix:
    """A log that was opened is a prefix of what was written into it, and holds all that was synced."""

    promise = "a recovered log is a prefix that holds all that was synced"

    def __init__(self) -> None:
        self._written: dict[int, str] = {}
        self._last = self._synced = 0

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name == "append":
            self._last = event.number("index")
            self._written[self._last] = event.text("body")
        elif event.name == "abandon":
            self._last = event.number("last")
        elif event.name == "synced":
            self._synced = event.number("index")

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""
        if view.last_index < self._synced:
            raise BrokenPromiseError(self.promise, f"entry {self._synced} was synced, the log ends at {view.last_index}")
        if view.last_index > self._last:
            raise BrokenPromiseError(self.promise, f"{self._last} entries were written, the log holds {view.last_index}")
        for index, body in view.entries.items():
            if self._written.get(index) != body:
                raise BrokenPromiseError(self.promise, f"entry {index} was written as {self._written.get(index)}, it is {body}")
        # What was found is durable by now, whether it was synced before or not.
        self._last = self._synced = view.last_index


class DamageIsReported:
    """Damage is reported where it is, and never where there is none."""

    promise = "damage is reported, not cut"

    def __init__(self) -> None:
        self._flips: list[tuple[str, int]] = []

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name == "bit-flip":
            self._flips.append((event.text("file"), event.number("at")))
        elif event.name == "damage":
            file, at = event.text("file"), event.number("at")
            if not self._flips:
                raise BrokenPromiseError(self.promise, f"{file}, byte {at} was reported damaged, and no bit was flipped")
            if not any(file == flipped and at <= flipped_at for flipped, flipped_at in self._flips):
                raise BrokenPromiseError(self.promise, f"{file}, byte {at} was reported damaged, flipped was {self._flips[-1]}")

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""


class HiddenStaysHidden:
    """Nobody gets a message inside another one's invisible time, or after it was acknowledged."""

    promise = "no delivery inside an invisible time"

    def __init__(self) -> None:
        self._until: dict[_Place, int] = {}
        self._done: set[_Place] = set()

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name == "delivered":
            place, now_ms = _place(event), event.number("now")
            if place in self._done:
                raise BrokenPromiseError(self.promise, f"{_words(place)} was acknowledged and delivered again")
            if now_ms < self._until.get(place, 0):
                raise BrokenPromiseError(
                    self.promise, f"{_words(place)} was delivered at {now_ms} ms, hidden until {self._until[place]} ms"
                )
            self._until[place] = event.number("deadline")
        elif event.name == "acked" and event.number("done"):
            self._done.add(_place(event))
        elif event.name == "hide":
            # Whether it is carried out may stay unknown: until the answer comes the earlier end counts.
            self._until[_place(event)] = min(event.number("deadline"), self._until.get(_place(event), 0))
        elif event.name == "hidden" and event.number("stamp"):
            self._until[_place(event)] = event.number("deadline")

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""


class AttemptsAreCounted:
    """The attempt of a delivery is the number of times that the message was handed out to the group, from 1."""

    promise = "attempts are counted right"

    def __init__(self) -> None:
        self._picks: Counter[_Place] = Counter()
        self._attempts: dict[_Place, int] = {}
        self._open: dict[str, list[_Place]] = {}

    def observe(self, event: Event) -> None:
        """See `Checker`."""
        if event.name == "pick":
            place = _place(event)
            self._picks[place] += 1
            self._open.setdefault(event.text("receive"), []).append(place)
        elif event.name == "receive-failed":
            for place in self._open.pop(event.text("receive"), []):
                self._picks[place] -= event.number("definite")
        elif event.name == "delivered":
            place, attempt = _place(event), event.number("attempt")
            before, most = self._attempts.get(place, 0), self._picks[place]
            if not before < attempt <= most:
                raise BrokenPromiseError(
                    self.promise,
                    f"{_words(place)} was delivered with attempt {attempt}; before it had {before}, "
                    f"and it was handed out {most} times at most",
                )
            self._attempts[place] = attempt

    def examine(self, view: StoreView) -> None:
        """See `Checker`."""


def _place(event: Event) -> _Place:
    return event.text("group"), event.text("topic"), event.number("queue"), event.number("offset")


def _words(place: _Place) -> str:
    group, topic, queue_id, offset = place
    return f"message {topic}/{queue_id}:{offset} of group {group}"


def all_checkers() -> list[Checker]:
    """A fresh one of each."""
    return [
        AcknowledgedIsKept(), NothingIsInvented(), OffsetsAreDense(), OrderIsKept(), LogIsAPrefix(), DamageIsReported(),
        HiddenStaysHidden(), AttemptsAreCounted(),
    ]  # fmt: skip


def check_not_vacuous(counts: Mapping[str, int], wanted: Iterable[str]) -> None:
    """Raises: VacuousRunError when an event that the run is about never came."""
    missing = [name for name in wanted if not counts.get(name)]
    if missing:
        raise VacuousRunError(f"the run proves nothing: it never met {', '.join(missing)}")
