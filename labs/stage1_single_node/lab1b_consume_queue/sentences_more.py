"""Ring 1, the second part: files, memory, and what is damaged."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from labs.grader.seams import drive_on
from labs.grader.suite import PromiseBrokenError
from labs.stage1_single_node.lab1b_consume_queue import judge
from labs.stage1_single_node.lab1b_consume_queue.rules import broken, shown
from labs.stage1_single_node.lab1b_consume_queue.sentences import SENTENCES, Hand, sentence
from mq.core.errors import DamageError
from mq.core.ports import Create, Plan, Read, Replace, Steps, Write
from mq.sim.crash import Survival, after_power_loss
from mq.sim.disk import SimDisk

__all__ = ["SENTENCES", "overtaken", "reads_of", "written_by"]

_READS_MAX = 500


def reads_of(steps: Steps[Any], disk: SimDisk) -> list[Read]:
    """What is asked of the disk on the way; of as many bytes as there are, whatever the reader has room for."""
    reads: list[Read] = []
    data = None
    try:
        while True:
            wanted = steps.send(data)  # type: ignore[arg-type] # None at the beginning
            data = disk.read(wanted)
            reads.append(replace(wanted, size_bytes=len(data)))
    except StopIteration:
        return reads


def overtaken(hand: Hand, steps: Steps[Any], what: str, meanwhile: Mapping[int, Callable[[], None]]) -> tuple[Any, bool]:
    """What a read comes to when something happens behind so many things that it asked for; and whether all of it happened."""
    data, happened = None, 0
    try:
        for number in range(_READS_MAX):
            wanted = steps.send(data)  # type: ignore[arg-type] # None at the beginning
            if number in meanwhile:
                meanwhile[number]()
                happened += 1
            data = hand.disk.read(wanted)
    except StopIteration as end:
        return end.value, happened == len(meanwhile)
    raise broken(9, expected=f"{what} comes to an end", found=f"it has read {_READS_MAX} times")


def bytes_in(plan: Plan) -> int:
    """What a plan writes."""
    return sum(len(operation.data) for operation in plan if isinstance(operation, Write | Replace))


def written_by(plan: Plan) -> Plan:
    """What it brings into files. A sync too many is slow, and not wrong."""
    return tuple(operation for operation in plan if isinstance(operation, Create | Write | Replace))


# ---------------------------------------------------------------- into files


@sentence("1.12", 6)
def a_flush_of_a_queue_without_entries_plans_nothing(hand: Hand) -> None:
    hand.tell("nothing was put yet")
    hand.same(6, "what there is to be written", (), tuple(hand.plan()))
    hand.same(6, "what there is to be written and synced", (), tuple(hand.plan(sync=True)))


@sentence("1.13", 6)
def a_plan_that_was_not_carried_out_counts_for_nothing(hand: Hand) -> None:
    hand.put(*[1] * 6)
    hand.tell("a plan is made, and nobody tells whether it was carried out")
    first = hand.plan()
    planned = bytes_in(first)
    hand.holds(6, "the plan writes six entries", "it writes nothing", is_so=planned > 0)
    hand.same(6, "flushed_count", 0, hand.queue.flushed_count)
    hand.put(1)
    second = hand.plan()
    again = bytes_in(second)
    # No more bytes where files are filled up with zeros: the seventh takes the place of some.
    found = f"it has {again} bytes, and the plan for six had {planned}"
    hand.holds(6, "the next plan writes all seven", found, is_so=again >= planned)
    hand.holds(6, "the next plan writes all seven", "it is the plan for six once more", is_so=second != first)


@sentence("1.14", 6)
def a_flush_writes_what_is_in_no_file_yet_and_says_how_far(hand: Hand) -> None:
    hand.put(*[1] * 6)
    plan = hand.flush()
    written = bytes_in(plan)
    hand.holds(6, "the plan writes six entries", "it writes nothing", is_so=written > 0)
    hand.same(6, "flushed_count", hand.queue.entry_count, hand.queue.flushed_count)
    hand.same(6, "what there is to be written then", (), written_by(hand.plan()))
    hand.put(1)
    found = f"`flushed_count` is {hand.queue.flushed_count}, `entry_count` is {hand.queue.entry_count}"
    hand.holds(6, "what came later is in no file", found, is_so=hand.queue.flushed_count < hand.queue.entry_count)
    again = bytes_in(hand.plan())
    found = f"the plan for one entry has {again} bytes, the plan for six had {written}"
    hand.holds(6, "only what is in no file is written", found, is_so=0 < again < written)


@sentence("1.15", 10)
def what_is_made_of_a_snapshot_begins_and_ends_where_the_old_queue_did(hand: Hand) -> None:
    hand.put(2, 1, 3, 1, 1)
    hand.reopened()
    hand.ends(10)
    hand.put(2, 1, store_ms=1500)
    hand.ends(10)
    for offset in (8, 9, 10):
        hand.entries(offset, 2, 10)


@sentence("1.16", 5)
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
    for reads in range(_READS_MAX):
        if not _told_while_it_is_read(hand, reads):
            break


def _told_while_it_is_read(hand: Hand, reads: int) -> bool:
    """What a read found in memory when it began has left it, for files, when it comes there. False when the read was over."""
    hand.begin()
    hand.put(*[1] * 9)
    hand.flush()
    hand.put(*[1] * 11, store_ms=1100)
    hand.tell(f"a plan is made, and carried out; that is told while `entries(2, 6)` is under way, behind {reads} reads")
    hand.perform(hand.plan())
    try:
        found, is_told = overtaken(hand, hand.queue.entries(2, 6), "`entries(2, 6)`", {reads: hand.flushed})
    except DamageError as error:
        expected = "`entries(2, 6)` finds what was put, although it leaves the memory meanwhile"
        raise broken(5, expected=expected, found=f"DamageError: {error}") from None
    judge.entries(5, hand.model, (2, 6), found, hand.shelf)
    return is_told


@sentence("1.17", 5)
def what_is_in_files_alone_is_found_by_offset_and_by_time(hand: Hand) -> None:
    hand.put(1, 2, 1, 3, 1, 1, 2, 1, 1, gap_ms=30)
    hand.reopened()
    hand.all_is_found(5)
    hand.put(1, 2, store_ms=1500)
    hand.all_is_found(5)
    hand.flush()
    hand.all_is_found(5)
    hand.entries(0, 50, 5)
    hand.put_large(1000)
    hand.put_large(300, first=0xFFFF - 300)
    hand.put_large(1, position=(1 << 53) - 1, log_index=(1 << 53) - 1, size_bytes=0xFFFFFFFF)
    hand.reopened()
    for offset in (16, 1015, 1016, 1315, 1316):
        hand.entries(offset, 1, 5)
    for late in (-1, 0, 1, 2, 100):
        hand.offset_at(hand.model.last_ms - 1 + late, 5)
    _two_at_once(hand)
    _as_long_as_in_a_broker(hand)


def _two_at_once(hand: Hand) -> None:
    """Consumers ask when they like: the one read is under way when the other one begins."""
    hand.begin()
    hand.put(*[1] * 40)
    hand.reopened()
    for one, other in (((3, 1), (30, 1)), ((30, 2), (3, 2)), ((12, 1), (13, 1))):
        hand.tell(f"`entries{one}` and `entries{other}` are under way at once: each goes on by turns")
        for asked, found in _by_turns(hand, one, other).items():
            judge.entries(5, hand.model, asked, found, hand.shelf)


def _by_turns(hand: Hand, *asked: tuple[int, int]) -> dict[tuple[int, int], Any]:
    """What each of these reads comes to."""
    under_way = {one: hand.queue.entries(*one) for one in asked}
    data: dict[tuple[int, int], Any] = dict.fromkeys(asked)
    found: dict[tuple[int, int], Any] = {}
    for _ in range(_READS_MAX):
        for one in [one for one in asked if one not in found]:
            try:
                data[one] = hand.disk.read(under_way[one].send(data[one]))
            except StopIteration as end:
                found[one] = end.value
            except DamageError as error:
                expected = f"`entries{one}` finds what was put, also while another read is under way"
                raise broken(5, expected=expected, found=f"DamageError: {error}") from None
    return found


def _as_long_as_in_a_broker(hand: Hand) -> None:
    """A read goes on within a file for as long as it is asked to, and out of it into the memory: however much one page brings."""
    hand.begin_as_in_a_broker()
    for offset, most in ((0, 400), (0, 2400), (777, 1100), (1300, 1000), (2390, 50)):
        hand.entries(offset, most, 5)
    hand.reopened()
    for offset, most in ((0, 2400), (300, 65), (1801, 400), (2399, 400)):
        hand.entries(offset, most, 5)
    for offset in range(5, 2400, 203):
        hand.entries(offset, 1, 5)
        hand.offset_at(hand.model.facts[offset].store_ms, 5)


@sentence("1.18", 6)
def a_plan_that_was_never_carried_out_is_written_again(hand: Hand) -> None:
    hand.put(1, 1, 1)
    hand.tell("a plan is made, and the disk refuses it")
    hand.plan()
    hand.put(2)
    hand.reopened()
    hand.all_is_found(6)


@sentence("1.19", 6)
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


@sentence("1.20", 7)
def what_is_in_files_leaves_the_memory_but_for_the_newest(hand: Hand) -> None:
    for number in range(10):
        hand.put(*[1] * 6, store_ms=1000 + 60 * number)
        hand.flush()
    reads = reads_of(hand.queue.entries(0, 1), hand.disk)
    hand.holds(7, "message 0, of 60 that are in files, is read from its file", "nothing is read", is_so=bool(reads))
    reads = reads_of(hand.queue.entries(58, 2), hand.disk)
    hand.same(7, "what is read from files for the newest", [], reads)
    hand.tell("on a copy of the disk all files hold zeros; message 0 is asked for there")
    empty = hand.disk.copy()
    for file, size in hand.files().items():
        empty.perform(Write(file, 0, bytes(size)))
    try:
        found = drive_on(hand.queue, "entries", empty, 0, 1)
    except DamageError:
        return
    raise broken(7, expected="message 0 has left the memory: a DamageError", found=f"it is found all the same: {shown(found)}")


@sentence("1.21", 7)
def a_message_is_found_in_a_dozen_small_reads(hand: Hand) -> None:
    hand.begin(entries_per_file=64)
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


@sentence("1.22", 8)
def a_bit_that_changed_in_a_file_is_refused(hand: Hand) -> None:
    hand.put(2, 1, 3)
    hand.reopened()
    (file, size), *_ = hand.files().items()
    counts = []
    for at in range(0, size, 5):
        damaged = hand.disk.copy()
        damaged.flip_bit(file, at, at % 8)
        counts.append(refused(hand, damaged, f"bit {at % 8} of byte {at} of {file} has changed"))
    hand.holds(8, "of many changed bits some are told of", "no DamageError was raised", is_so=any(counts))


def _told_of_cut(hand: Hand, file: str, size: int, left: int) -> int:
    short = hand.disk.copy()
    short.cut_short(file, left)
    return refused(hand, short, f"{file} ends after {left} of {size} bytes")


@sentence("1.23", 8)
def a_file_that_ends_too_early_or_holds_zeros_is_refused(hand: Hand) -> None:
    hand.put(2, 1, 3)
    hand.reopened()
    cut, zeros = 0, 0
    for file, size in hand.disk.files().items():
        # Of a file that is not needed, or is made larger than what is in it yet, nothing is lost: all is found as it was put.
        cut += sum(_told_of_cut(hand, file, size, left) for left in (size - 7, size // 2, size // 8, 7, 0) if left < size)
        empty = hand.disk.copy()
        empty.perform(Write(file, 0, bytes(size)))
        zeros += refused(hand, empty, f"{file} holds zeros")
    hand.holds(8, "that a file ends too early is told of", "no DamageError was raised", is_so=cut > 0)
    hand.holds(8, "that a file holds zeros is told of", "no DamageError was raised", is_so=zeros > 0)
