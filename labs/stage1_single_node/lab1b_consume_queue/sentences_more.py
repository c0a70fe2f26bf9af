"""Ring 1, the second half: files, memory, damage, retention, snapshots, and what the log makes anew."""

from collections.abc import Iterable
from typing import Any

from labs.grader.seams import made_by
from labs.grader.suite import PromiseBrokenError
from labs.stage1_single_node.lab1b_consume_queue.rules import broken
from labs.stage1_single_node.lab1b_consume_queue.sentences import SENTENCES, Hand, sentence
from mq.core.errors import DamageError
from mq.core.ports import Plan, Read, Remove, Replace, Steps, Write
from mq.sim.crash import Survival, after_power_loss
from mq.sim.disk import SimDisk

__all__ = ["SENTENCES"]


def reads_of(steps: Steps[Any], disk: SimDisk) -> list[Read]:
    """What is asked of the disk on the way."""
    reads: list[Read] = []
    data = None
    try:
        while True:
            wanted = steps.send(data)  # type: ignore[arg-type] # None at the beginning
            reads.append(wanted)
            data = disk.read(wanted)
    except StopIteration:
        return reads


def bytes_in(plan: Plan) -> int:
    """What a plan writes."""
    return sum(len(operation.data) for operation in plan if isinstance(operation, Write | Replace))


# ---------------------------------------------------------------- into files


@sentence("1.11", 6)
def a_flush_writes_what_is_in_no_file_yet_and_says_how_far(hand: Hand) -> None:
    hand.put(*[1] * 6)
    plan = hand.flush()
    written = bytes_in(plan)
    hand.holds(6, "the plan writes six entries", "it writes nothing", is_so=written > 0)
    hand.same(6, "flushed_count", hand.queue.entry_count, hand.queue.flushed_count)
    hand.same(6, "what there is to be written then", (), tuple(hand.plan()))
    hand.put(1)
    found = f"`flushed_count` is {hand.queue.flushed_count}, `entry_count` is {hand.queue.entry_count}"
    hand.holds(6, "what came later is in no file", found, is_so=hand.queue.flushed_count < hand.queue.entry_count)
    again = bytes_in(hand.plan())
    found = f"the plan for one entry has {again} bytes, the plan for six had {written}"
    hand.holds(6, "only what is in no file is written", found, is_so=0 < again < written)


@sentence("1.12", 5)
def what_is_on_its_way_into_files_can_be_read_all_the_time(hand: Hand) -> None:
    hand.put(1, 2, 1, 3, 1, 1)
    hand.tell("a plan is made, and waits")
    plan = hand.plan()
    hand.put(2, 1, store_ms=1200)
    hand.all_is_found(5)
    count = hand.queue.entry_count
    hand.tell("it is carried out; that was not told yet")
    hand.perform(plan)
    hand.all_is_found(5)
    hand.queue.flushed(count - 2)
    hand.all_is_found(5)


@sentence("1.13", 5, points=2)
def what_is_in_files_alone_is_found_by_offset_and_by_time(hand: Hand) -> None:
    hand.put(1, 2, 1, 3, 1, 1, 2, 1, 1, gap_ms=30)
    hand.reopened()
    hand.all_is_found(5)
    hand.put(1, 2, store_ms=1500)
    hand.all_is_found(5)
    hand.flush()
    hand.all_is_found(5)
    hand.entries(0, 50, 5)


@sentence("1.14", 6)
def a_plan_that_was_never_carried_out_is_written_again(hand: Hand) -> None:
    hand.put(1, 1, 1)
    hand.tell("a plan is made, and the disk refuses it")
    hand.plan()
    hand.put(2)
    hand.reopened()
    hand.all_is_found(6)


@sentence("1.15", 6)
def with_sync_also_what_was_written_before_is_durable(hand: Hand) -> None:
    hand.put(*[1] * 6)
    hand.flush()
    hand.put(1)
    hand.flush(sync=True)
    plain = hand.queue.to_plain()
    hand.tell("the power is lost; of what was not synced nothing is left")
    hand.disk = after_power_loss(hand.disk, Survival())
    hand.reopened(plain)
    hand.same(6, "what is `missing`", None, hand.queue.missing(dict(hand.disk.files())))
    hand.all_is_found(6)


@sentence("1.16", 7)
def what_is_in_files_leaves_the_memory_but_for_the_newest(hand: Hand) -> None:
    for number in range(10):
        hand.put(*[1] * 6, store_ms=1000 + 60 * number)
        hand.flush()
    reads = reads_of(hand.queue.entries(0, 1), hand.disk)
    hand.holds(7, "message 0, of 60 that are in files, is read from its file", "nothing is read", is_so=bool(reads))
    reads = reads_of(hand.queue.entries(58, 2), hand.disk)
    hand.same(7, "what is read from files for the newest", [], reads)


@sentence("1.17", 7)
def a_message_is_found_in_a_dozen_small_reads(hand: Hand) -> None:
    hand.sizes = {"entries_per_file": 64, "tail_min": 3}
    hand.queue = hand.make("orders", 0, **hand.sizes)
    for number in range(4):
        hand.put(*[1 + number % 2] * 100, store_ms=1000 + 1000 * number)
    hand.reopened()
    total = sum(hand.disk.files().values())
    for name, asked in (("entries", (150, 1)), ("entries", (590, 1)), ("offset_at", (2345,)), ("offset_at", (4990,))):
        reads = reads_of(getattr(hand.queue, name)(*asked), hand.disk)
        read_bytes = sum(read.size_bytes for read in reads)
        what = f"`{name}{asked if len(asked) > 1 else f'({asked[0]})'}` of 400 entries"
        hand.tell(f"{what}: {len(reads)} reads, {read_bytes} of {total} bytes")
        if not 0 < len(reads) <= 30:
            raise broken(7, expected=f"{what} takes a few reads, 30 at most", found=f"it takes {len(reads)}")
        if read_bytes > total // 3:
            raise broken(7, expected=f"{what} reads little of the files' {total} bytes", found=f"it reads {read_bytes}")


# ---------------------------------------------------------------- damage


def refused(hand: Hand, disk: SimDisk, what: str) -> int:
    """Each message is found as it was put, or refused. Returns how many are refused."""
    before, count = hand.disk, 0
    hand.disk = disk
    for offset in range(hand.model.min_offset, hand.model.max_offset):
        try:
            hand.tried(offset, 1)
        except DamageError:
            count += 1
        except PromiseBrokenError as error:
            raise broken(8, expected=f"{what}; a DamageError tells of it", found=error.found) from None
    hand.disk = before
    return count


@sentence("1.18", 8, points=2)
def a_bit_that_changed_in_a_file_is_refused(hand: Hand) -> None:
    hand.put(2, 1, 3)
    hand.reopened()
    (file, size), *_ = hand.disk.files().items()
    counts = []
    for at in range(0, size, 5):
        damaged = hand.disk.copy()
        damaged.flip_bit(file, at, at % 8)
        counts.append(refused(hand, damaged, f"bit {at % 8} of byte {at} of {file} has changed"))
    hand.holds(8, "of many changed bits some are told of", "no DamageError was raised", is_so=any(counts))


@sentence("1.19", 8)
def a_file_that_ends_too_early_or_holds_zeros_is_refused(hand: Hand) -> None:
    hand.put(2, 1, 3)
    hand.reopened()
    for file, size in hand.disk.files().items():
        short, empty = hand.disk.copy(), hand.disk.copy()
        short.cut_short(file, size - 7)
        told = refused(hand, short, f"{file} ends 7 bytes too early")
        hand.holds(8, f"that {file} ends 7 bytes too early is told of", "no DamageError was raised", is_so=told > 0)
        empty.perform(Write(file, 0, bytes(size)))
        told = refused(hand, empty, f"{file} holds zeros")
        hand.holds(8, f"that {file} holds zeros is told of", "no DamageError was raised", is_so=told > 0)


# ---------------------------------------------------------------- retention


@sentence("1.20", 9, points=2)
def retention_moves_the_beginning_and_what_is_asked_for_before_it_begins_there(hand: Hand) -> None:
    hand.put(2, 2, 2, 2, 2, 2, gap_ms=100)
    hand.drop_before(5)
    hand.ends(9)
    for offset in (0, 4, 5, 6):
        hand.entries(offset, 2, 9)
    for store_ms in (0, 1000, 1200, 1201, 1300):
        hand.offset_at(store_ms, 9)


@sentence("1.21", 9)
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


@sentence("1.22", 9, points=2)
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


# ---------------------------------------------------------------- snapshots, crashes


@sentence("1.23", 10, points=2)
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


@sentence("1.24", 10, points=2)
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


@sentence("1.25", 11, points=2)
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


def _without(files: dict[str, int]) -> Iterable[tuple[str, dict[str, int]]]:
    for gone, size in files.items():
        yield f"without {gone}", {file: size for file, size in files.items() if file != gone}
        yield f"with {gone} of 0 of {size} bytes", {**files, gone: 0}


@sentence("1.26", 12, points=2)
def a_file_that_is_needed_and_not_there_is_named(hand: Hand) -> None:
    hand.put(*[1] * 10)
    hand.reopened()
    files = dict(hand.disk.files())
    hand.same(12, "what is `missing` when all is there", None, hand.queue.missing(files))
    for what, left in _without(files):
        found = hand.queue.missing(left)
        if found is None:
            raise broken(12, expected=f"{what} something is `missing`", found="it says None")
    hand.tell("more than is needed does no harm")
    hand.same(12, "what is `missing`", None, hand.queue.missing({file: size + 480 for file, size in files.items()}))


@sentence("1.27", 12)
def the_log_makes_the_same_queue_anew_over_whatever_files_there_are(hand: Hand) -> None:
    hand.put(2, 1, 1, 3, 1, 1, 2)
    hand.drop_before(3)
    hand.flush(sync=True)
    plain = hand.queue.to_plain()
    lost = min(hand.disk.files())
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


@sentence("1.28", 13)
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
