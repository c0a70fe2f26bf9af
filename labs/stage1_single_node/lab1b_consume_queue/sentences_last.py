"""Ring 1, the last part: retention, snapshots, crashes, and what the log makes anew."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from labs.grader.seams import Call, at_once, drive_on, made_beside, made_by
from labs.grader.suite import PromiseBrokenError
from labs.stage1_single_node.lab1b_consume_queue.rules import broken, shown
from labs.stage1_single_node.lab1b_consume_queue.sentences import FAR, Hand, sentence
from labs.stage1_single_node.lab1b_consume_queue.sentences_more import SENTENCES
from mq.broker.store.queue_entry import QueueEntry
from mq.core.errors import DamageError
from mq.core.ports import Remove
from mq.sim.disk import SimDisk

__all__ = ["SENTENCES", "further"]


# ---------------------------------------------------------------- retention


@sentence("1.24", 9)
def retention_moves_the_beginning_and_what_is_asked_for_before_it_begins_there(hand: Hand) -> None:
    hand.put(2, 2, 2, 2, 2, 2, gap_ms=100)
    hand.drop_before(5)
    hand.ends(9)
    for offset in (0, 4, 5, 6):
        hand.entries(offset, 2, 9)
    for store_ms in (0, 1000, 1200, 1201, 1300):
        hand.offset_at(store_ms, 9)


@sentence("1.25", 9)
def the_beginning_never_moves_back_and_never_behind_the_end(hand: Hand) -> None:
    hand.put(2, 2, 2)
    for offset in (3, 1, 100):
        hand.drop_before(offset)
        hand.ends(9)
    hand.entries(0, 5, 9)
    hand.offset_at(0, 9)
    hand.put(1, store_ms=2000)
    hand.entries(0, 5, 9)
    hand.offset_at(0, 9)


@sentence("1.26", 9)
def files_that_hold_only_older_entries_go_and_no_others(hand: Hand) -> None:
    hand.put(*[1] * 21, gap_ms=20)
    hand.reopened()
    before = sum(hand.disk.files().values())
    for offset in (3, 4, 5, 10, 13, 18):
        plan = hand.drop_before(offset)
        for operation in plan:
            if not isinstance(operation, Remove):
                raise broken(9, expected="a plan that removes files", found=f"it has {operation}"[:200])
        hand.perform(plan)
        for wanted in range(offset, 21):
            hand.entries(wanted, 1, 9)
        hand.offset_at(1000 + 20 * offset, 9)
    after = sum(hand.disk.files().values())
    hand.holds(
        9,
        "18 of 21 messages went, and half of their files' bytes with them",
        f"{after} of {before} bytes are there",
        is_so=after <= before // 2,
    )
    hand.reopened()
    hand.all_is_found(9)
    _beside_each_other(hand)


def _beside_each_other(hand: Hand) -> None:
    """Queues in one process, as in a broker: what befalls one of them is nothing to the other."""
    hand.tell("queues 1 and 2 are made in the same process, and are used by turns")
    make = partial(made_beside, hand.queue, hand.make)
    one, two = Hand(make, hand.run, queue_id=1), Hand(make, hand.run, queue_id=2)
    for number in range(4):
        one.put(1, 1, 1, store_ms=1000 + 100 * number)
        two.put(3, 3, 3, store_ms=1050 + 100 * number)
        (one, two)[number % 2].flush(sync=True)
    one.flush()
    for begin in (4, 9):
        for each, messages in ((one, 1), (two, 3)):
            hand.run.figure = each.shelf
            each.perform(each.drop_before(begin * messages))
            each.ends(9)
            each.entries(begin * messages, 2, 9)
        for each in (one, two):
            hand.run.figure = each.shelf
            each.all_is_found(9)
    hand.run.figure = hand.shelf


# ---------------------------------------------------------------- snapshots, crashes


@sentence("1.27", 10)
def what_is_made_of_a_snapshot_goes_on_as_the_old_queue(hand: Hand) -> None:
    hand.put(2, 1, 1, 3, 1, 1)
    hand.drop_before(4)
    hand.reopened()
    hand.ends(10)
    hand.same(10, "what is written by then", hand.queue.entry_count, hand.queue.flushed_count)
    hand.all_is_found(10)
    hand.tell("the clock was set back meanwhile")
    hand.put(1, 2, store_ms=900)
    hand.all_is_found(10)
    hand.reopened()
    hand.all_is_found(10)
    _far_behind_the_beginning(hand)


def _far_behind_the_beginning(hand: Hand) -> None:
    """So it is behind more messages than 32 bits can count.

    What stands in a snapshot then is read off those of shorter queues, if each number in it grows in step with the queue.
    """
    end = FAR - FAR % 4
    try:
        plain = further({files: _snapshot_behind(hand, files) for files in (2, 3, 7, 70)}, end // 4)
    except ValueError:
        return
    hand.tell(f"the same behind {end:,} messages, which went: a queue is made of such a snapshot, with hollow files")
    hand.queue, hand.disk = made_by(hand.make, "from_plain", "orders", 0, plain, **hand.sizes), SimDisk()
    hand.perform(hand.queue.hollow())
    wanted = [QueueEntry(end + 2 * n, 100 + 60 * n, 1 + n, 2000 + n, 50 + n, 2, 0, n) for n in range(6)]
    hand.tell(f"put six batches of 2 messages, from {end:,} on")
    for entry in wanted:
        hand.queue.append(entry)
    for _ in range(2):
        for entry in wanted:
            at = entry.base_offset + 1
            found = drive_on(hand.queue, "entries", hand.disk, at, 1)
            hand.same(10, f"what `entries({at}, 1)` finds", _as_found(at, entry), _as_found(at, *found))
            found_at = drive_on(hand.queue, "offset_at", hand.disk, entry.store_ms)
            hand.same(10, f"what `offset_at({entry.store_ms})` finds", entry.base_offset, found_at)
        hand.reopened()


def _snapshot_behind(hand: Hand, files: int) -> Any:
    """Of a queue that filled so many files in one millisecond, and retention took all that is in them."""
    queue, count = hand.make("orders", 0, **hand.sizes), 4 * files
    at_once(queue, [Call("append", (QueueEntry(n, 100 + 64 * n, 1 + n, 1070, 50, 1, 0, 0),)) for n in range(count)])
    queue.flush(sync=True)
    queue.flushed(queue.entry_count, is_synced=True)
    queue.drop_before(count)
    return queue.to_plain()


def further(samples: Mapping[int, Any], at: int) -> Any:
    """What a value comes to there, if all numbers in it grow in step. Raises: ValueError when one does not."""
    (here, one), (there, other), *_ = samples.items()
    values = list(samples.values())
    if any(type(value) is not type(one) for value in values):
        raise ValueError(f"not in step: {values}"[:200])
    if type(one) is int:
        step, rest = divmod(other - one, there - here)
        if rest or any(value != one + step * (number - here) for number, value in samples.items()):
            raise ValueError(f"not in step: {values}"[:200])
        return one + step * (at - here)
    if isinstance(one, dict) and all(list(value) == list(one) for value in values):
        return {key: further({number: value[key] for number, value in samples.items()}, at) for key in one}
    if isinstance(one, list | tuple) and all(len(value) == len(one) for value in values):
        return type(one)(further({number: value[i] for number, value in samples.items()}, at) for i in range(len(one)))
    if any(value != one for value in values):
        raise ValueError(f"not in step: {values}"[:200])
    return one


def _as_found(offset: int, *found: QueueEntry) -> str:
    """What there is to know of a message; an answer may be finer than what was put."""
    for entry in found[:1]:
        if entry.base_offset <= offset < entry.base_offset + entry.count:
            told = entry._replace(base_offset=0, count=0, first=entry.number_of(offset))
            return f"message {offset}: {told.first} of the record at {told.position}, {told[2:]}"
    return f"no message {offset}: {shown(found)}"


@sentence("1.28", 10)
def a_snapshot_says_nothing_of_one_nodes_own(hand: Hand) -> None:
    other = Hand(hand.make, hand.run)
    hand.tell("another replica carries out the same; its log lies elsewhere, and it flushes at another time")
    for number, count in enumerate((2, 1, 1, 3, 1, 2)):
        entry = hand.entry(count, 1000 + 10 * number)
        hand.model.put(entry)
        hand.queue.append(entry)
        other.queue.append(entry._replace(position=entry.position + 9000))
        if number == 2:
            other.flush()
    for each in (hand, other):
        each.queue.drop_before(5)
    hand.flush(sync=True)
    hand.same(10, "its snapshot", str(hand.queue.to_plain()), str(other.queue.to_plain()))
    again = made_by(hand.make, "from_plain", "orders", 0, hand.queue.to_plain(), **hand.sizes)
    hand.same(10, "the snapshot of what is made of it", str(hand.queue.to_plain()), str(again.to_plain()))


@sentence("1.29", 11)
def what_files_hold_beyond_the_snapshot_does_not_count(hand: Hand) -> None:
    hand.put(1, 1, 1)
    hand.flush(sync=True)
    plain = hand.queue.to_plain()
    hand.tell("later, more is put and written, which no snapshot knows of")
    hand.put(1, 1, 1, store_ms=1500)
    hand.flush(sync=True)
    hand.model.facts[3:] = []
    hand.shelf.synced = hand.shelf.written = 3
    hand.reopened(plain)
    hand.ends(11)
    hand.same(11, "what is `missing`", None, hand.queue.missing(dict(hand.disk.files())))
    hand.entries(0, 50, 11)
    hand.entries(3, 50, 11)
    hand.put(4, 1, store_ms=1300)
    hand.all_is_found(11)
    hand.reopened()
    hand.all_is_found(11)


# ---------------------------------------------------------------- what is missing


def _without(files: dict[str, int]) -> Iterable[tuple[str, str, dict[str, int]]]:
    """Which file is gone or too short, in words, and what is left then."""
    for gone, size in files.items():
        yield gone, f"without {gone}", {file: size for file, size in files.items() if file != gone}
        for left in (0, size - 1, size - 3, size - 4):
            yield gone, f"with {gone} of {left} of {size} bytes", {**files, gone: left}


def _disk_with(disk: SimDisk, files: dict[str, int]) -> SimDisk:
    """A copy on which these files are left, so long."""
    left = disk.copy()
    for file, size in disk.files().items():
        if file not in files:
            left.perform(Remove(file))
        elif files[file] < size:
            left.cut_short(file, files[file])
    return left


@sentence("1.30", 12)
def a_file_that_is_needed_and_not_there_is_named(hand: Hand) -> None:
    hand.put(*[1] * 10)
    hand.reopened()
    files = dict(hand.disk.files())
    hand.same(12, "what is `missing` when all is there", None, hand.queue.missing(files))
    named = 0
    for gone, what, left in _without(files):
        missing = hand.queue.missing(left)
        if missing is not None:
            named += 1
            if missing != gone:
                raise broken(12, expected=f"{what} it is this file that is `missing`", found=f"it says {missing!r}"[:200])
            continue
        whole, hand.disk = hand.disk, _disk_with(hand.disk, left)
        try:
            hand.all_is_found(12)  # then it is not needed
        except (DamageError, PromiseBrokenError):
            raise broken(12, expected=f"{what} something is `missing`", found="it says None") from None
        hand.disk = whole
    hand.holds(12, "a file that is needed is named", "`missing` says None, whatever is gone", is_so=named > 0)
    hand.tell("more than is needed does no harm")
    hand.same(12, "what is `missing`", None, hand.queue.missing({file: size + 480 for file, size in files.items()}))


@sentence("1.31", 12)
def the_log_makes_the_same_queue_anew_over_whatever_files_there_are(hand: Hand) -> None:
    hand.put(2, 1, 1, 3, 1, 1, 2)
    hand.drop_before(3)
    hand.flush(sync=True)
    plain = hand.queue.to_plain()
    lost = min(hand.files())
    hand.disk.perform(Remove(lost))
    hand.tell(f"{lost} is gone; a new queue is made, and the log's commands are carried out once more")
    hand.queue = hand.make("orders", 0, **hand.sizes)
    for one in hand.model.history:
        if isinstance(one, int):
            hand.queue.drop_before(one)
        else:
            hand.queue.append(one)
    hand.ends(12)
    hand.all_is_found(12)
    hand.same(12, "its snapshot", str(plain), str(hand.queue.to_plain()))
    hand.reopened()
    hand.all_is_found(12)


@sentence("1.32", 13)
def a_queue_of_another_nodes_snapshot_says_what_it_does_not_have(hand: Hand) -> None:
    hand.put(1, 2, 1, 1, 1, 1)
    plain = hand.queue.to_plain()
    hand.tell("another node is given this snapshot, without the log before it, and makes hollow files")
    hand.disk = SimDisk()
    hand.queue = made_by(hand.make, "from_plain", "orders", 0, plain, **hand.sizes)
    hand.perform(hand.queue.hollow())
    hand.ends(13)
    hand.same(13, "what is `missing`", None, hand.queue.missing(dict(hand.disk.files())))
    hand.put(2, 1, store_ms=2000)
    for offset in (7, 8, 9):
        hand.entries(offset, 1, 13)
    hand.reopened()
    hand.same(13, "what is `missing`", None, hand.queue.missing(dict(hand.disk.files())))
    for offset in (7, 8, 9):
        hand.entries(offset, 1, 13)
    hand.offset_at(2000, 13)
    for offset in (0, 3, 6):
        try:
            found = hand.tried(offset, 1, 13)
        except DamageError:
            continue
        raise broken(13, expected=f"a DamageError: message {offset} was never here", found=f"{found}"[:200])
