"""What a node was told in this life, as far as it may have to explain itself with it: the causes of what it does.

The messages on their way are remembered here, too. All of it comes from `send` and `receive` lines.
"""

from collections import deque
from typing import NamedTuple

from mq.sim.group.book import split
from mq.sim.trace import Event, Value

__all__ = ["FORGOTTEN", "Heard", "Post", "Sent"]


class Sent(NamedTuple):
    """A message. details: of its line."""

    sender: str
    kind: str
    to: str
    term: int
    details: dict[str, Value]

    @classmethod
    def of(cls, event: Event) -> "Sent":
        """From a "send"."""
        return cls(event.node, event.text("kind"), event.text("to"), event.number("term"), event.details)

    def number(self, key: str) -> int:
        """A detail that is a number."""
        return int(self.details[key])

    @property
    def is_pre_vote(self) -> bool:
        """Whether it only asks what would be, or answers that."""
        return bool(self.details.get("pre", 0))

    @property
    def is_of_no_term(self) -> bool:
        """A pre-vote names a term that nobody has entered, and so does the answer that it would be given."""
        return self.is_pre_vote and (self.kind == "vote-request" or bool(self.number("granted")))

    @property
    def end(self) -> int:
        """Of an append-request: the index of its last entry, or of the one before it when it has none."""
        return self.number("previous_index") + len(split(self.details["terms"]))


FORGOTTEN = Sent("-", "forgotten", "-", -1, {})
"""Stands for a message that is older than all that are remembered: it explains anything."""

_REMEMBERED_MAX = 100_000
"""Messages; one that is older when it arrives is believed."""


class Post:
    """The messages that were sent, by number: the newest of them."""

    def __init__(self, remembered_max: int = _REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._sent: dict[int, Sent] = {}
        self._order: deque[int] = deque()
        self._forgotten = -1

    def send(self, number: int, sent: Sent) -> None:
        """It is on its way now."""
        self._sent[number] = sent
        self._order.append(number)
        if len(self._order) > self._remembered_max:
            oldest = self._order.popleft()
            self._sent.pop(oldest, None)
            self._forgotten = max(self._forgotten, oldest)

    def find(self, number: int) -> Sent | None:
        """None when it was never sent."""
        sent = self._sent.get(number)
        return FORGOTTEN if sent is None and number <= self._forgotten else sent


class Heard:
    """Of one life of a node; only `snapshot`, the newest one that is on its disk, is of all lives.

    cause: the newest message that arrived. campaigns: the terms in which it was a candidate, and how its log ended then, as
    (index, term or None). led_term: the one that it leads. is_leaving: it does not any more, but the step in which it stopped
    may go on: what that step commits and sends is told behind its new role.
    grants, pre_grants: who said yes, by the term that was asked for. requests: (is it a pre-vote, term, candidate), and
    whether that candidate's log lacked nothing then. equal_to: by term, how far requests agreed with the log. acked: in the
    term that it leads, how far others said that they are. acknowledged: (term, index) of the newest that it said itself.
    deciding: the members in force when it last heard something, of others or of its disk. complete: snapshots of which the
    last part came, as (index, term).
    durable_end: the highest index that was ever on its disk; waiting: (sequence, end) of appends that are not. may_fall: its
    disk refused something, so its commit index may fall.
    """

    def __init__(self, snapshot: int = 0, durable_end: int = 0) -> None:
        self.is_up = self.is_leaving = self.may_fall = False
        self.snapshot = snapshot
        self.cause: Sent | None = None
        self.campaigns: dict[int, tuple[int, int | None]] = {}
        self.led_term = -1
        self.grants: dict[int, set[str]] = {}
        self.pre_grants: dict[int, set[str]] = {}
        self.requests: dict[tuple[bool, int, str], bool] = {}
        self.equal_to: dict[int, int] = {}
        self.acked: dict[str, int] = {}
        self.acknowledged = (0, 0)
        self.deciding: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self.complete: set[tuple[int, int]] = set()
        self.durable_end = durable_end
        self.waiting: list[tuple[int, int]] = []

    def caused(self, *kinds: str) -> Sent | None:
        """The newest message, if it is of one of these kinds or forgotten."""
        cause = self.cause
        return cause if cause is not None and (cause.kind in kinds or cause is FORGOTTEN) else None

    def leads(self, term: int) -> bool:
        """It is the leader of this term, and did not step down."""
        return self.led_term == term and not self.is_leaving

    def begin_step(self) -> None:
        """It hears something, of others or of its disk: what it did before is over."""
        if self.is_leaving:
            self.led_term, self.is_leaving = -1, False

    def save(self, sequence: int, durable: int) -> None:
        """Appends up to this one were on the disk, if only for a moment: the last of them may have cut off the others."""
        self.durable_end = max([self.durable_end, durable, *(end for at, end in self.waiting if at <= sequence)])
        self.waiting = [(at, end) for at, end in self.waiting if at > sequence]

    def has_acked(self, voter: str, index: int) -> bool:
        """Whether this voter told the leader that it has entries up to here."""
        return self.acked.get(voter, -1) >= index
