"""The leader's choice: which messages the next receive of a group hands out.

Choosing reads the consume queues (and, with a filter, the stored tags), but changes no state. What was chosen
is *reserved* until the command that says so is applied or refused, so that two polls never choose the same
message. Only a leader has a picker; a new leader starts with an empty one, since the commands in the log are
all that counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mq.broker.batch import decode_tags
from mq.broker.commands import DeadPlace, QueuePick
from mq.broker.delivery.table import DeliveryTable
from mq.broker.filters.tag import MIXED_TAGS, tag_code
from mq.broker.machine import BrokerMachine
from mq.broker.state import Group
from mq.broker.store.consume_queue import ConsumeQueue, QueueEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.ids import QueueOffset
from mq.core.limits import IN_FLIGHT_PER_QUEUE_MAX
from mq.core.ports import Steps

__all__ = ["Choice", "Look", "Picker", "dead_place"]

_ENTRIES_PER_LOOK = 64
_BYTES_MAX = 8 << 20
"""Of messages in one answer: all are read before the first byte of it leaves, and over a slow line the rest comes too late."""
_SCAN_MAX = 2048
"""Messages of one queue that a filter may leave out in one look; the next look goes on from there."""

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a topic's queues is for: up to `count_max` messages for a group.

    tags: those wanted, None for all. now_ms: log time. attempt_id: of a FIFO caller, who keeps it when it asks again
    after a lost reply. queue_ids: where to look, in this order; None for all queues, in turn.
    """

    group: Group
    topic: str
    count_max: int
    tags: frozenset[str] | None
    now_ms: int
    attempt_id: str = ""
    queue_ids: tuple[int, ...] | None = None


@dataclass(slots=True)
class Choice:
    """What a look at the queues came to.

    picks: for the command; entries: the consume-queue entry that covers each picked (queue id, offset).
    count: messages picked. size_bytes: about so much they come to. has_more: another look may find more at once.
    """

    picks: tuple[QueuePick, ...] = ()
    entries: dict[tuple[int, int], QueueEntry] = field(default_factory=dict)
    count: int = 0
    size_bytes: int = 0
    has_more: bool = False

    def is_full(self, count_max: int) -> bool:
        """Whether nothing more fits into one answer."""
        return self.count >= count_max or self.size_bytes >= _BYTES_MAX

    def take(self, queue_id: int, offset: int, entry: QueueEntry) -> None:
        """One message more. entry: the one that covers it."""
        self.entries[queue_id, offset] = entry
        self.count += 1
        self.size_bytes += entry.size_bytes // entry.count


@dataclass(slots=True)
class _Reservation:
    """Of one (group, topic, queue): the next offset as if all pending picks were applied, and what they hold."""

    next_offset: int
    again: set[int]
    pending: int = 0


def dead_place(offset: int, entry: QueueEntry) -> DeadPlace:
    """What holds a message that dies. entry: the one that covers it."""
    return DeadPlace(offset, entry.size_bytes, entry.log_index, entry.number_of(offset), entry.tag_code)


class Picker:
    """Chooses messages for receives, remembering what is on its way into the log."""

    def __init__(self, machine: BrokerMachine, reader: RecordReader) -> None:
        self._machine = machine
        self._reader = reader
        self._reserved: dict[Key, _Reservation] = {}
        self._turn: dict[tuple[str, str], int] = {}

    def choose(self, look: Look) -> Steps[Choice]:
        """Look for messages in a topic's queues, in turn.

        The result must be handed to `reserve` before anything else is chosen.
        """
        group, topic = look.group, look.topic
        queues = self._machine.topic(topic).queues
        turn = self._turn.get((group.name, topic), 0)
        self._turn[group.name, topic] = turn + 1
        choice, picks = Choice(), []
        order = look.queue_ids if look.queue_ids is not None else [(turn + i) % len(queues) for i in range(len(queues))]
        choose_one = self._choose_in_order if group.is_fifo else self._choose_any
        for queue_id in order:
            if choice.is_full(look.count_max):
                break
            pick = yield from choose_one(look, queues[queue_id], group.look(topic), choice)
            if pick is not None:
                picks.append(pick)
        choice.picks = tuple(picks)
        return choice

    def reserve(self, group: str, topic: str, picks: tuple[QueuePick, ...]) -> None:
        """Keep what was picked from other looks until `release`."""
        for pick in picks:
            held = self._reserved.setdefault((group, topic, pick.queue_id), _Reservation(pick.from_offset, set()))
            held.next_offset = pick.next_offset
            held.again.update(pick.again, (d.offset for d in pick.dead))
            held.pending += 1

    def release(self, group: str, topic: str, picks: tuple[QueuePick, ...]) -> None:
        """The command with these picks was applied, or will never be."""
        for pick in picks:
            key = (group, topic, pick.queue_id)
            held = self._reserved.get(key)
            if held is None:
                continue
            held.pending -= 1
            held.again.difference_update(pick.again, (d.offset for d in pick.dead))
            if held.pending == 0:
                del self._reserved[key]

    # --- one queue

    def _choose_any(self, look: Look, queue: ConsumeQueue, table: DeliveryTable, choice: Choice) -> Steps[QueuePick | None]:
        held = self._reserved.get((look.group.name, look.topic, queue.queue_id))
        expired = [o for o in table.expired(queue.queue_id, look.now_ms) if held is None or o not in held.again]
        again, dead = yield from self._take_again(look, queue, table, expired, choice)
        from_offset = held.next_offset if held is not None else table.next_offset(queue.queue_id)
        # Retention may have passed a group that reads here for the first time.
        first = max(from_offset, queue.min_offset)
        after, skipped = first, list[int]()
        if len(table.flights(queue.queue_id)) < IN_FLIGHT_PER_QUEUE_MAX:
            after, skipped = yield from self._take_new(look, queue, first, choice)
        if after == first and not again and not dead:
            return None
        return QueuePick(queue.queue_id, from_offset, first, after, tuple(skipped), tuple(again), tuple(dead))

    def _choose_in_order(self, look: Look, queue: ConsumeQueue, table: DeliveryTable, choice: Choice) -> Steps[QueuePick | None]:
        """A queue of an ordered group is closed while anything received from it is hidden and not acknowledged.

        RocketMQ: ConsumerOrderInfoManager; the whole queue is closed there, too.
        """
        if (look.group.name, look.topic, queue.queue_id) in self._reserved:
            return None
        flights = table.flights(queue.queue_id)
        if not flights:
            return (yield from self._choose_any(look, queue, table, choice))
        is_repeat = bool(look.attempt_id) and table.attempt_id(queue.queue_id) == look.attempt_id
        if not is_repeat and any(flight.deadline_ms > look.now_ms for flight in flights.values()):
            return None
        again, dead = yield from self._take_again(look, queue, table, sorted(flights), choice, may_die=not is_repeat)
        offset = table.next_offset(queue.queue_id)
        return QueuePick(queue.queue_id, offset, offset, offset, (), tuple(again), tuple(dead), is_repeat)

    def _take_again(
        self,
        look: Look,
        queue: ConsumeQueue,
        table: DeliveryTable,
        offsets: list[int],
        choice: Choice,
        *,
        may_die: bool = True,
    ) -> Steps[tuple[list[int], list[DeadPlace]]]:
        flights = table.flights(queue.queue_id)
        again: list[int] = []
        dead: list[DeadPlace] = []
        for offset in offsets:
            if choice.is_full(look.count_max):
                choice.has_more = True
                break
            found = yield from queue.entries(QueueOffset(offset), 1)
            if not found or found[0].base_offset > offset or self._reader.is_gone(found[0]):
                continue
            entry = found[0]
            flight = flights.get(offset)
            if flight is None:  # acknowledged while its entry was read
                continue
            if may_die and flight.attempt >= look.group.max_attempts:
                dead.append(dead_place(offset, entry))
                continue
            again.append(offset)
            choice.take(queue.queue_id, offset, entry)
        return again, dead

    def _take_new(self, look: Look, queue: ConsumeQueue, start: int, choice: Choice) -> Steps[tuple[int, list[int]]]:
        """From `start` on: (the next offset afterwards, offsets that the filter left out)."""
        count_max, tags = look.count_max, look.tags
        offset, skipped = start, list[int]()
        while not choice.is_full(count_max) and offset < queue.max_offset:
            if len(skipped) >= _SCAN_MAX:
                choice.has_more = True
                break
            wanted = min(_ENTRIES_PER_LOOK, count_max - choice.count) if tags is None else _ENTRIES_PER_LOOK
            for entry in (yield from queue.entries(QueueOffset(offset), wanted)):
                if self._reader.is_gone(entry):
                    matches: list[bool] | None = [False] * entry.count
                else:
                    matches = None if tags is None else (yield from self._matches(entry, tags))
                end = entry.base_offset + entry.count
                while offset < end and not choice.is_full(count_max):
                    if matches is None or matches[offset - entry.base_offset]:
                        choice.take(queue.queue_id, offset, entry)
                    else:
                        skipped.append(offset)
                    offset += 1
        return offset, skipped

    def _matches(self, entry: QueueEntry, tags: frozenset[str]) -> Steps[list[bool]]:
        """For each message of an entry whether its tag is wanted.

        The code in the consume queue rules most out without a look at the log; a hit is compared exactly,
        since different tags may share a code.
        """
        if entry.tag_code != MIXED_TAGS and entry.tag_code not in {tag_code(tag) for tag in tags}:
            return [False] * entry.count
        found = decode_tags((yield from self._reader.payload(entry)))
        stored: Iterator[str] = (found if isinstance(found, str) else found[entry.first + i] for i in range(entry.count))
        return [tag in tags for tag in stored]
