"""Ring 1, what is at a border: told too late, one short of a file's end, in another one's place, in the middle of a read."""

from collections.abc import Iterator
from functools import partial
from itertools import count

from labs.grader.seams import made_by
from labs.grader.suite import PromiseBrokenError
from labs.stage1_single_node.lab1b_consume_queue import judge
from labs.stage1_single_node.lab1b_consume_queue.bench import in_folder, plan_told
from labs.stage1_single_node.lab1b_consume_queue.rules import broken
from labs.stage1_single_node.lab1b_consume_queue.sentences import Hand, sentence
from labs.stage1_single_node.lab1b_consume_queue.sentences_last import SENTENCES
from labs.stage1_single_node.lab1b_consume_queue.sentences_more import overtaken, reads_of, written_by
from mq.broker.store.queue_entry import QueueEntry, queue_folder
from mq.core.errors import DamageError
from mq.core.ports import Plan, Remove, Write
from mq.sim.crash import Survival, after_power_loss
from mq.sim.disk import SimDisk

__all__ = ["SENTENCES"]

_TWICE_MAX = 5
"""Retention comes twice behind so many reads, and so many later, at most."""


# ---------------------------------------------------------------- into files, and out of the memory


@sentence("1.33", 6)
def a_count_that_is_told_late_takes_nothing_back(hand: Hand) -> None:
    hand.put(*[1] * 3)
    hand.tell("a plan is made, and waits")
    plans, early = [hand.plan()], hand.queue.entry_count
    hand.put(*[1] * 6, store_ms=1100)
    hand.tell("another one; both are carried out, and the newer one is told first")
    plans.append(hand.plan())
    late = hand.queue.entry_count
    for plan in plans:
        hand.perform(plan)
    for told in (late, early, late):
        hand.queue.flushed(told)
        hand.same(6, "flushed_count", late, hand.queue.flushed_count)
        hand.same(6, "what there is to be written then", (), written_by(hand.plan()))
    hand.put(1, 1, store_ms=1500)
    hand.all_is_found(6)
    hand.reopened()
    hand.all_is_found(6)
    _a_sync_that_is_told_late(hand)


def _a_sync_that_is_told_late(hand: Hand) -> None:
    """The plan was one with sync, and what the other one wrote behind it is not durable: not before the next sync is."""
    hand.begin()
    hand.put(*[1] * 3)
    hand.tell("a plan with sync is made, and waits")
    plans, early = [hand.plan(sync=True)], hand.queue.entry_count
    hand.put(*[1] * 6, store_ms=1100)
    hand.tell("one without sync; both are carried out, and the newer one is told first")
    plans.append(hand.plan())
    late = hand.queue.entry_count
    for plan in plans:
        hand.perform(plan)
    hand.queue.flushed(late)
    hand.queue.flushed(early, is_synced=True)
    hand.same(6, "flushed_count", late, hand.queue.flushed_count)
    hand.flush(sync=True)
    plain = hand.queue.to_plain()
    hand.tell("the power is lost; of what was not synced nothing is left")
    hand.disk = after_power_loss(hand.disk, Survival())
    hand.reopened(plain)
    hand.all_is_found(6)


@sentence("1.34", 7)
def each_of_the_newest_is_in_memory(hand: Hand) -> None:
    for newest in (3, 1, 2, 5, 8):
        hand.tell(f"a queue is made of which the {newest} newest stay in memory")
        hand.begin(tail_min=newest)
        for number in range(12):
            hand.put(1, store_ms=1000 + 10 * number)
            hand.flush()
            for offset in range(max(0, number + 1 - newest), number + 1):
                _in_memory(hand, offset)
    hand.begin_as_in_a_broker()
    for offset in (1376, 1377, 2000, 2399):
        _in_memory(hand, offset)


def _in_memory(hand: Hand, offset: int) -> None:
    """Each entry holds one message."""
    if reads_of(hand.queue.entries(offset, 1), hand.disk):
        hand.shelf.mark(offset, "read")
        expected = f"message {offset}, one of the {hand.sizes['tail_min']} newest of {hand.model.max_offset}, is in memory"
        raise broken(7, expected=expected, found="it is read from its file")


_ALIKE = ("orders-late", "Orders", "%retry%orders", "orders|late", "orders.v2", "v2 orders")
"""Topics with all kinds of signs."""


@sentence("1.35", 6)
def what_is_deleted_is_this_queue_and_none_beside_it(hand: Hand) -> None:
    files: dict[str, int] = {}
    for topic, queue_id in (("orders", 1), ("orders", 10), ("orders", 12), *((topic, 1) for topic in _ALIKE)):
        hand.tell(f"five messages are put into queue {queue_id} of {topic}, and flushed")
        queue = hand.make(topic, queue_id, **hand.sizes)
        for offset in range(5):
            queue.append(QueueEntry(offset, 100 + 64 * offset, offset + 1, 1000, 50, 1, 0, 0))
        plan = in_folder(queue.flush(), folder=queue_folder(topic, queue_id))
        files |= {each.file: len(each.data) for each in plan if isinstance(each, Write)}
    hand.tell("queue 1 of orders is deleted")
    plan = hand.make("orders", 1, **hand.sizes).delete(files)
    own = {file for file in files if file.startswith(queue_folder("orders", 1) + "/")}
    removed = {each.file for each in plan if isinstance(each, Remove)}
    is_so = removed == own and len(removed) == len(plan) > 0
    hand.holds(6, f"all files in {queue_folder('orders', 1)} are removed, and no others", f"the plan: {plan}"[:300], is_so=is_so)


# ---------------------------------------------------------------- damage


def _is_told(hand: Hand, disk: SimDisk, what: str, offset: int, most: int) -> bool:
    """Whether a read there is refused; if not, it finds what was put."""
    before, hand.disk = hand.disk, disk
    try:
        hand.tried(offset, most)
    except DamageError:
        return True
    except PromiseBrokenError as error:
        raise broken(8, expected=f"{what}; a DamageError tells of it", found=error.found) from None
    finally:
        hand.disk = before
    return False


def _changes(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """What, where, and what stands there then: bytes change places, and some are zeros. No bit flips alone.

    There are so many of them that a checksum of eight bits does not see them all.
    """
    for gap in (1, 8, 13):
        for at in range(len(data) - gap):
            if data[at] != data[at + gap]:
                piece = bytes([data[at + gap], *data[at + 1 : at + gap], data[at]])
                yield f"bytes {at} and {at + gap} have changed places", at, piece
    for size in (2, 5, 12):
        for at in range(0, len(data) - size, 3):
            if any(data[at : at + size]):
                yield f"{size} bytes from byte {at} on are zeros", at, bytes(size)


@sentence("1.36", 8)
def bytes_that_changed_places_and_parts_that_are_zeros_are_refused(hand: Hand) -> None:
    hand.put(2, 1, 3)
    hand.reopened()
    file, told = min(hand.files()), 0
    data = hand.disk.contents()[file]
    for what, at, piece in _changes(data):
        damaged = SimDisk.of_contents({**hand.disk.contents(), file: data[:at] + piece + data[at + len(piece) :]})
        told += _is_told(hand, damaged, f"{what} in {file}", 0, 50)
    hand.holds(8, "of many changes some are told of", "no DamageError was raised", is_so=told > 0)


@sentence("1.37", 8)
def an_entry_in_the_place_of_another_one_is_refused(hand: Hand) -> None:
    hand.put(*[1] * 12)
    hand.reopened()
    size = max(1, max(hand.files().values()) // 4)
    contents, plain = hand.disk.contents(), hand.queue.to_plain()
    pieces = [(file, at) for file, data in contents.items() for at in range(0, len(data) - size + 1, size)]
    for number, (file, at) in enumerate(pieces):
        for by in (1, 2, 4):
            source, begin = pieces[(number + by) % len(pieces)]
            piece, data = contents[source][begin : begin + size], contents[file]
            damaged = SimDisk.of_contents({**contents, file: data[:at] + piece + data[at + size :]})
            what = f"at byte {at} of {file} stand the {size} bytes from byte {begin} of {source}"
            for offset, most in ((number, 1), (max(0, number - 1), 2), (max(0, number - 1), 3)):
                hand.queue = made_by(hand.make, "from_plain", "orders", 0, plain, **hand.sizes)
                _is_told(hand, damaged, what, offset, most)


# ---------------------------------------------------------------- retention


@sentence("1.38", 9)
def a_file_goes_as_soon_as_no_message_in_it_is_left(hand: Hand) -> None:
    hand.put(*[1] * 9, gap_ms=20)
    hand.reopened()
    plain, whole, gone = hand.queue.to_plain(), hand.disk, set[str]()
    for begin in range(1, 9):
        hand.queue = made_by(hand.make, "from_plain", "orders", 0, plain, **hand.sizes)
        hand.disk = whole.copy()
        plan = hand.drop_before(begin)
        hand.perform(plan)
        hand.entries(begin, 1, 9)
        new = sorted({each.file for each in plan if isinstance(each, Remove)} - gone)
        gone.update(new)
        for file in new:
            if begin > 1 and not _is_needed(hand, plain, whole, file, begin - 1):
                expected = (
                    f"{file} goes when the queue begins at message {begin - 1}: all messages from there on are found without it"
                )
                raise broken(9, expected=expected, found=f"it stays then, and goes when the queue begins at message {begin}")


def _is_needed(hand: Hand, plain: object, whole: SimDisk, file: str, begin: int) -> bool:
    """Whether a message is lost with a file, when the queue begins there."""
    hand.queue = made_by(hand.make, "from_plain", "orders", 0, plain, **hand.sizes)
    hand.model.min_offset = begin
    hand.disk = whole.copy()
    hand.perform(hand.queue.drop_before(begin))
    hand.disk.perform(Remove(file))
    try:
        for offset in range(begin, hand.model.max_offset):
            hand.tried(offset, 1)
    except (DamageError, PromiseBrokenError):
        return True
    return False


@sentence("1.39", 9)
def a_file_that_went_is_neither_written_nor_synced_any_more(hand: Hand) -> None:
    hand.put(*[1] * 9, gap_ms=20)
    went = _went(hand, 8)
    _keep_off(hand, went)
    hand.flush()
    hand.put(*[1] * 7, store_ms=1500)
    hand.flush()
    went |= _went(hand, 13)
    _keep_off(hand, went)
    hand.put(*[1] * 3, store_ms=1800)
    went |= _went(hand, 17)
    _keep_off(hand, went)
    hand.reopened()
    hand.all_is_found(9)


def _went(hand: Hand, offset: int) -> set[str]:
    plan = hand.drop_before(offset)
    hand.perform(plan)
    return {each.file for each in plan}


def _keep_off(hand: Hand, went: set[str]) -> None:
    for sync in (False, True):
        plan: Plan = hand.plan(sync=sync)
        if bad := [each.file for each in plan if each.file in went]:
            name = "flush and sync" if sync else "flush"
            raise broken(9, expected=f"{bad[0]} went: no plan names it", found=f"the plan of a {name}: {plan_told(plan)}")


@sentence("1.40", 9)
def a_read_that_is_under_way_when_retention_comes_looks_again(hand: Hand) -> None:
    hand.put(*[1] * 21, gap_ms=20)
    hand.reopened()
    plain, whole = hand.queue.to_plain(), hand.disk
    for name, asked in (("entries", (1, 3)), ("entries", (9, 2)), ("offset_at", (1100,))):
        for reads in count():
            if not _overtaken(hand, (plain, whole), name, asked, {reads: 18}):
                break
    for reads in range(_TWICE_MAX):
        for later in range(1, _TWICE_MAX + 1):
            if not _overtaken(hand, (plain, whole), "entries", (1, 3), {reads: 10, reads + later: 18}):
                break


def _overtaken(hand: Hand, begins: tuple[object, SimDisk], name: str, asked: tuple[int, ...], drops: dict[int, int]) -> bool:
    """Retention comes behind so many reads. Returns whether the read was still under way.

    begins: a snapshot, and the disk. drops: what is before which message goes, by the number of reads. What is found is right
    as things were before, or after one of these.
    """
    plain, whole = begins
    hand.model.min_offset, hand.disk = 0, whole.copy()
    hand.queue = made_by(hand.make, "from_plain", "orders", 0, plain, **hand.sizes)
    what = f"`{name}({', '.join(map(str, asked))})`"
    meanwhile = {reads: partial(_drop, hand, offset) for reads, offset in drops.items()}
    try:
        found, is_dropped = overtaken(hand, getattr(hand.queue, name)(*asked), what, meanwhile)
    except DamageError as error:
        gone = ", then ".join(f"messages 0 to {offset - 1}" for offset in drops.values())
        expected = (
            f"{what} is under way when {gone} go: it finds what was there, or looks again and begins at"
            f" {' or '.join(map(str, drops.values()))}"
        )
        raise broken(9, expected=expected, found=f"DamageError: {error}") from None
    if not is_dropped:
        return False
    *some, last = (0, *drops.values())
    for begin in some:
        hand.model.min_offset = begin
        try:
            _judge(hand, name, asked, found)
        except PromiseBrokenError:
            continue
        return True
    for reads, offset in drops.items():
        hand.tell(f"{what} is under way; behind {reads} reads retention takes messages 0 to {offset - 1}, and their files go")
    hand.model.min_offset = last
    _judge(hand, name, asked, found)
    return True


def _drop(hand: Hand, offset: int) -> None:
    for operation in hand.kept(hand.queue.drop_before(offset)):
        hand.disk.perform(operation)


def _judge(hand: Hand, name: str, asked: tuple[int, ...], found: object) -> None:
    if name == "entries":
        judge.entries(9, hand.model, asked, found, hand.shelf)  # type: ignore[arg-type] # it is what the seam lets through
    else:
        judge.time(9, hand.model, asked[0], found, hand.shelf)  # type: ignore[arg-type]
