"""A broker that delivers at least once, a store that outlives every crash, and the consumer between them.

The broker here is scripted: which message comes next, and how often, is the schedule's affair, as long as a message that was
acknowledged stays away. The host carries plans out one operation after the other and may die anywhere. After each operation the
store's rows are held against the ledger.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from labs.grader.seams import Make
from labs.grader.space_time import SpaceTime
from labs.grader.suite import PromiseBrokenError, Run
from labs.stage1_single_node.lab1d_idempotent_consumer.model import Effects, Ledger, Outcome
from labs.stage1_single_node.lab1d_idempotent_consumer.names import PLAIN, Names
from labs.stage1_single_node.lab1d_idempotent_consumer.port import Ack, Delivery, GiveBack, Operation, Save
from labs.stage1_single_node.lab1d_idempotent_consumer.rules import broken, shown, shown_rows

__all__ = ["HANDLING_MS", "KEEP_MS", "USUAL", "Limits", "World"]

BROKER, CONSUMER, STORE = "the broker", "the consumer", "the store"
HANDLING_MS = 10
"""That a delivery takes, if nothing else is said."""
_BYTES_EACH, _BYTES_FREE = 120, 60
"""What may be noted: so many bytes for each order that must be remembered, and so many besides."""
_KEY_CHARS_MAX = 12


class Limits(NamedTuple):
    """What a consumer is told when it is made. begins_ms: the time by the clock then."""

    keep_ms: int = 60_000
    retry_ms: int = 1_000
    attempts_max: int = 3
    begins_ms: int = 1_000


USUAL = Limits()
KEEP_MS = USUAL.keep_ms


@dataclass(slots=True)
class _Message:
    message_id: str
    key: str
    body: str
    attempts: int = 0
    is_done: bool = False


class _Work(NamedTuple):
    """A plan that is not carried out yet. before, after: the ledger; left: of the plan, which has so many operations."""

    delivery: Delivery
    outcome: Outcome
    left: tuple[Operation, ...]
    before: Ledger
    after: Ledger
    operations: int

    @property
    def is_cut(self) -> bool:
        """It was begun, and something is still to be saved."""
        return len(self.left) < self.operations and any(isinstance(one, Save) for one in self.left)


class World:
    """ledger: what the rows say; ahead: what they will when all plans are carried out. waiting: those.

    cut: keys of orders whose consumer died between two saves.
    """

    def __init__(self, make: Make, run: Run, limits: Limits = USUAL, names: Names = PLAIN) -> None:
        self.make, self.run, self.limits, self.names = make, run, limits, names
        self.rows: dict[str, str] = {}
        self.ledger, self.ahead = Ledger(), Ledger()
        self.waiting: list[_Work] = []
        self.messages: list[_Message] = []
        self.cut: set[str] = set()
        self.now_ms, self.keys, self.deliveries, self.lives = limits.begins_ms, 0, 0, 0
        self.picture = SpaceTime((BROKER, CONSUMER, STORE), run.story)
        run.figure = self.picture
        if limits != USUAL:
            told = f"keep_ms={limits.keep_ms}, attempts_max={limits.attempts_max}, retry_ms={limits.retry_ms}"
            self.tell(f"a consumer is made, with {told}")
        self.consumer = self._made()

    def _made(self) -> Any:
        self.lives += 1
        keep_ms, retry_ms, attempts_max, _ = self.limits
        return self.make(rows=self.names.rows(self.rows), keep_ms=keep_ms, attempts_max=attempts_max, retry_ms=retry_ms)

    def key(self) -> tuple[Any, ...]:
        """All that may matter later."""
        messages = tuple((one.key, one.body, one.attempts, one.is_done) for one in self.messages)
        plans = tuple((work.delivery.message_id, len(work.left)) for work in self.waiting)
        settled = tuple(sorted((key, self.now_ms - at_ms) for key, (_, at_ms) in self.ledger.settled.items()))
        return messages, plans, settled, tuple(sorted(self.rows)), self.ledger.effects(), self.lives

    # --- producers

    def send(self, body: str, key: str = "") -> None:
        """A message comes into the queue. key: of an order that is there; else it is a new one."""
        if not key:
            self.keys += 1
        message = _Message(f"m{len(self.messages) + 1}", key or self.names.key(self.keys), body)
        self.messages.append(message)

    # --- the broker

    def deliverable(self, takes_ms: int = HANDLING_MS) -> list[_Message]:
        """What may come now: not acknowledged, and no copy of what was settled too long ago. takes_ms: until it has come."""
        return [one for one in self.messages if not one.is_done and not self._is_over(one.key, takes_ms)]

    def _is_over(self, key: str, takes_ms: int) -> bool:
        settled = self.ahead.settled.get(key)
        return settled is not None and self.now_ms + takes_ms - settled[1] > self.limits.keep_ms  # as its consumer would see it

    def deliver(self, message: _Message, takes_ms: int = HANDLING_MS) -> None:
        """The consumer is asked what has to be done; nothing of that is done yet."""
        message.attempts += 1
        self.deliveries += 1
        self.now_ms += takes_ms
        delivery = Delivery(message.message_id, message.key, message.body, f"d{self.deliveries}", message.attempts)
        attempt = f", attempt {message.attempts}" if message.attempts > 1 else ""
        self.tell(f"{message.message_id} is delivered ({delivery.handle}{attempt}): order {message.key}, {message.body!r}")
        self.picture.arrow(f"{delivery.handle}: {_short(message.key)}", BROKER, CONSUMER)
        before = self.ahead.copy()
        outcome = self.ahead.take(delivery, self.now_ms, self.limits.attempts_max)
        self._count(message, outcome)
        plan = tuple(self.consumer.handle(delivery, self.now_ms))
        self._judge_plan(delivery, outcome, plan)
        self.waiting.append(_Work(delivery, outcome, plan, before, self.ahead.copy(), len(plan)))

    def _count(self, message: _Message, outcome: Outcome) -> None:
        met = self.run.met
        met["deliveries"] += 1
        met["copies"] += outcome.word.startswith("a copy")
        met["copies at the last moment"] += self._is_last_moment(message, outcome)
        met["booked"] += outcome.word.endswith("booked")
        met["set aside"] += outcome.rule in (6, 7) or outcome.word.startswith("the last")
        met["given back"] += outcome.is_back
        met["again"] += message.attempts > 1

    def _is_last_moment(self, message: _Message, outcome: Outcome) -> bool:
        settled = self.ahead.settled.get(message.key)
        return outcome.word.startswith("a copy") and settled is not None and self.now_ms - settled[1] == self.limits.keep_ms

    def _judge_plan(self, delivery: Delivery, outcome: Outcome, plan: tuple[Operation, ...]) -> None:
        """What can be said before anything of it is carried out."""
        what = f"{delivery.message_id} ({outcome.word})"
        ends = [one for one in plan if not isinstance(one, Save)]
        wanted: Ack | GiveBack = GiveBack(delivery.handle, self.limits.retry_ms) if outcome.is_back else Ack(delivery.handle)
        if ends != [wanted]:
            number = 8 if outcome.is_back else 7 if outcome.rule == 7 else 3
            found = ", ".join(map(_told, ends)) or "neither an acknowledgement nor a giving back"
            raise self._bad(number, expected=f"{what}: the plan has one end, to {_told(wanted)}", found=f"it has: {found}")

    # --- the host

    def carry_out(self, count: int | None = None, *, is_ack_lost: bool = False) -> None:
        """Operations of the plans that wait, in order. count: so many of them, None for all. is_ack_lost: of the last plan."""
        while self.waiting and (count is None or count > 0):
            work = self.waiting[0]
            if work.left:
                self._do(work, work.left[0], is_lost=is_ack_lost and len(self.waiting) == 1)
                self.waiting[0] = work = work._replace(left=work.left[1:])
                count = None if count is None else count - 1
            if not work.left:
                self._judge_end(work)
                self.waiting.pop(0)

    @property
    def operations(self) -> int:
        """How many of them wait."""
        return sum(len(work.left) for work in self.waiting)

    def _do(self, work: _Work, operation: Operation, *, is_lost: bool) -> None:
        delivery = work.delivery
        match operation:
            case Save():
                self._save(work, operation)
            case Ack():
                self.tell(f"{delivery.message_id} is acknowledged ({delivery.handle})" + ("; that is lost" if is_lost else ""))
                self.picture.arrow(f"ack {delivery.handle}", CONSUMER, BROKER, is_lost=is_lost)
                self._judge_ack(work)
                self._message(delivery.message_id).is_done |= not is_lost
                self.run.met["acks lost"] += is_lost
            case GiveBack():
                self.tell(f"{delivery.message_id} is given back, for {operation.after_ms} ms")
                self.picture.arrow(f"back {delivery.handle}", CONSUMER, BROKER)
                self.now_ms += self.limits.retry_ms

    def _message(self, message_id: str) -> _Message:
        return next(one for one in self.messages if one.message_id == message_id)

    def _save(self, work: _Work, save: Save) -> None:
        self.tell(f"saved: {shown_rows(save.rows)}")
        self.picture.arrow("save", CONSUMER, STORE)
        for name, value in save.rows.items():
            if value is None:
                self.rows.pop(name, None)
            else:
                self.rows[name] = value
        found = self._found(work)
        if found == work.after.effects():
            self.ledger = work.after.copy()
            if work.before.settled.keys() != work.after.settled.keys():
                self._judge_size()
        elif found != work.before.effects():
            raise self._wrong_rows(work, found)

    def _found(self, work: _Work) -> Effects:
        found = Ledger.found_in(self.rows)
        if isinstance(found, str):
            raise self._bad(work.outcome.rule, expected="the store's rows can be read as the README says", found=found)
        return found

    def _judge_ack(self, work: _Work) -> None:
        found = self._found(work)
        if found != work.after.effects():
            is_too_soon = any(isinstance(one, Save) for one in work.left[1:])
            so = ". Should the consumer die now, nobody delivers it again" if is_too_soon else ", and nobody delivers it again"
            what = f"{work.delivery.message_id} ({work.outcome.word})"
            raise self._bad(
                3 if is_too_soon else self._rule_of(work),
                expected=f"{what} leaves its effect before it is acknowledged: {shown(work.after.effects())}",
                found=f"the rows say: {shown(found)}{so}",
            )  # fmt: skip

    def _judge_end(self, work: _Work) -> None:
        found = self._found(work)
        if found != work.after.effects():
            raise self._wrong_rows(work, found)
        self.ledger = work.after.copy()

    def _wrong_rows(self, work: _Work, found: Effects) -> PromiseBrokenError:
        is_between = bool(work.left) and any(isinstance(one, Save) for one in work.left[1:])
        number = 2 if is_between else self._rule_of(work)
        delivery = work.delivery
        word = f"{work.outcome.word}, since its key is not settled" if self._came_unsettled(work) else work.outcome.word
        expected = f"behind {delivery.message_id} ({word}) the rows say: {shown(work.after.effects())}"
        if is_between and work.before.effects() != work.after.effects():
            expected += f", or as before it: {shown(work.before.effects())}"
        return self._bad(number, expected=expected, found=f"they say: {shown(found)}")

    def _rule_of(self, work: _Work) -> int:
        """Of a wrong end."""
        if work.delivery.key in self.cut:
            return 2
        if work.outcome.word.startswith("a copy"):
            first = next(one for one in self.messages if one.key == work.delivery.key)
            return 5 if first.message_id != work.delivery.message_id else 4 if self.lives > 1 else 1
        if self._came_unsettled(work):
            return 6
        if work.outcome.rule == 1 and self.lives > 1:
            return 4
        return work.outcome.rule

    def _came_unsettled(self, work: _Work) -> bool:
        """Whether its key came with another order before, of which nothing came."""
        delivery = work.delivery
        others = [one for one in self.messages if one.key == delivery.key and one.body != delivery.body]
        return work.outcome.rule == 1 and "copy" not in work.outcome.word and any(one.attempts for one in others)

    def _judge_size(self) -> None:
        """What is noted, beside what people see."""
        own = {
            name: value for name, value in self.rows.items() if name != "total" and name.split(":")[0] not in ("account", "aside")
        }
        size = sum(len(name.encode()) + len(value.encode()) for name, value in own.items())
        keep_ms = self.limits.keep_ms
        young = sum(self.now_ms - at_ms <= 2 * keep_ms for _, at_ms in self.ledger.settled.values())
        limit = _BYTES_EACH * young + _BYTES_FREE
        if size > limit:
            raise self._bad(
                9, expected=f"{young} order(s) were settled in the last {2 * keep_ms} ms, and at most {limit} bytes are noted",
                found=f"{len(own)} rows with {size} bytes are",
            )  # fmt: skip
        self.run.met["forgotten"] += len(self.ledger.settled) > young

    def crash(self, after: int = 0) -> None:
        """The consumer dies after so many operations, and begins anew with the rows that are there."""
        self.carry_out(min(after, self.operations))
        self.run.met["crashes in between"] += bool(self.waiting)
        if self.waiting and self.waiting[0].is_cut:
            self.cut.add(self.waiting[0].delivery.key)
        order = ", by name" + (" from the last to the first" if self.names.is_backwards else "")
        self.tell(f"the consumer dies; another one begins, with what the store holds{order}")
        self.picture.mark(CONSUMER, "dies", is_end=True)
        self.waiting, self.ahead = [], self.ledger.copy()
        self.consumer = self._made()
        self.run.met["crashes"] += 1

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.now_ms += ms
        self.tell(f"{ms} ms pass")

    def drain(self) -> None:
        """To the end: what is not done is delivered, in the end all of it is acknowledged."""
        self.carry_out()
        for _ in range(self.limits.attempts_max * len(self.messages) + 1):
            left = self.deliverable()
            if not left:
                self.run.met["drained"] += 1
                return
            self.deliver(left[0])
            self.carry_out()
        left_ids = ", ".join(one.message_id for one in self.deliverable())
        raise self._bad(3, expected="in the end everything is acknowledged", found=f"{left_ids} is not")

    # --- telling

    def tell(self, line: str) -> None:
        """The next line of the story, with the time."""
        self.run.tell(f"{self.now_ms} ms: {line}")

    def _bad(self, number: int, *, expected: str, found: str) -> PromiseBrokenError:
        self.picture.wrong = len(self.run.story)
        return broken(number, expected=expected, found=found)


def _short(key: str) -> str:
    """For an arrow."""
    return key if len(key) <= _KEY_CHARS_MAX else f"{key[:3]}…{key[-5:]}"


def _told(operation: Operation) -> str:
    match operation:
        case Ack():
            return f"acknowledge {operation.handle}"
        case GiveBack():
            return f"give {operation.handle} back for {operation.after_ms} ms"
    return "save"
