# %% [markdown]
# # 1 · A log that only grows
#
# A shop takes an order and says "yes, we have it". What must have happened before that *yes* is honest?
#
# After this lesson you can say, and show with a run:
#
# * what `write` promises, what `fsync` promises, and what lies between the two;
# * how many different disks one loss of power can leave behind, and why a program must cope with *all* of them;
# * how a log finds its own end after a crash, byte by byte;
# * why a checksum alone cannot tell an interrupted write from a broken disk, and what can.
#
# **Time:** 30 to 40 minutes. **Before:** a little Python; nothing of distributed systems. **Leads to:** lab 1a, in which
# you write this log.
#
# Run the cells one after the other (Shift + Enter). Where it says **Predict**, write your guess down *before* you run the
# next cell: a guess that was wrong is what you will remember. Everything you see comes from the code of the broker itself,
# `mq/broker/store`, on the simulated disk of `mq/sim`.

# %%
from itertools import product
from random import Random
from unittest.mock import patch

import matplotlib.pyplot as plt

from lessons.showing import COLOURS, FREE, TEXT, bare, byte_rows, field_rows, figure, legend_below, printable, scratch, strip
from mq.broker.store import record
from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind
from mq.core.errors import MqError
from mq.core.ports import Sync, Write, drive, perform
from mq.sim.crash import CrashPoints, Survival, after_power_loss
from mq.sim.disk import SimDisk

# %% [markdown]
# ## 1. Three places where bytes can be
#
# A byte on its way to the disk passes three places:
#
# 1. **your program's memory**: gone when the program is killed;
# 2. **the operating system's memory** (the *page cache*): `write` brings bytes here and returns. Gone when the power goes;
# 3. **the disk itself**: `fsync` waits until the bytes are here. They stay.
#
# Whoever *reads* the file is answered from place 2, so the program cannot see the difference. The simulated disk can: it
# keeps apart what a read sees (`content`) and what would surely survive (`durable`).
#
# **Predict:** after `Write`, what does a reader see, and what survives a loss of power? And after `Sync`?

# %%
disk = SimDisk()
moments = []
for operation in (Write("orders", 0, b"1 two loaves\n"), Sync("orders"), Write("orders", 13, b"2 ten rolls\n")):
    disk.perform(operation)
    file = disk.names["orders"]
    name = f"{type(operation).__name__}"
    moments += [(f"after {name}: a read sees", bytes(file.content), COLOURS["other"])]
    moments += [("surely survives", bytes(file.durable), COLOURS["safe"])]

# %% tags=["picture"]
_, axes = figure(2.6)
byte_rows(axes, moments, columns=25, title="The same file, as a reader sees it and as the disk has it")
plt.show()

# %% [markdown]
# The second order can be read, counted and shown to anybody, and one loss of power later it may never have been there.
#
# Why does `write` not simply wait? Because waiting is expensive. Here is what the two cost on the machine that this
# notebook runs on.

# %% tags=["live"]
import os
import time


def times_of(folder, is_synced, count=300):
    """How long each of `count` small writes takes, in milliseconds."""
    took = []
    handle = os.open(folder / f"synced-{is_synced}", os.O_CREAT | os.O_WRONLY)
    for number in range(count):
        begun = time.perf_counter()
        os.pwrite(handle, b"x" * 100, number * 100)
        if is_synced:
            os.fsync(handle)
        took.append((time.perf_counter() - begun) * 1000)
    os.close(handle)
    return sorted(took)


with scratch("fsync") as folder:
    alone, with_sync = times_of(folder, False), times_of(folder, True)

# %% tags=["live", "picture"]
_, axes = figure(2.9)
for took, label, colour in ((alone, "write", COLOURS["other"]), (with_sync, "write + fsync", COLOURS["safe"])):
    axes.plot(took, [100 * (n + 1) / len(took) for n in range(len(took))], color=colour, linewidth=2.5, label=label)
axes.set_xscale("log")
axes.set_xticks([0.001, 0.01, 0.1, 1, 10], ["1 µs", "10 µs", "0.1 ms", "1 ms", "10 ms"])
axes.set_xlabel("time for one write (each line to the right: ten times as long)")
axes.set_ylabel("% of writes that\nwere done by then")
axes.set_title(f"In the middle: {alone[150] * 1000:.0f} µs without fsync, {with_sync[150] * 1000:.0f} µs with it")
axes.grid(visible=True)
axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
plt.show()

# %% [markdown]
# ## 2. What one loss of power can leave
#
# Two orders are written, nothing is synced, and the power goes.
#
# **Predict:** how many different disks may we find in the morning? 2 (all or nothing)? 3 (none, one, both orders)? More?
#
# `CrashPoints` lists them, one by one.

# %%
disk = SimDisk()
disk.perform(Write("orders", 0, b"1 two loaves\n2 ten rolls\n"))
left = [point.disk for point in CrashPoints(Random(1)).at(disk, "now")]
files = sorted({bytes(found.names["orders"].content) if "orders" in found.names else b"(no file)" for found in left}, key=len)
print(len(left), "different disks: the file may be missing, or end at any byte, or be long enough and hold zeros")

# %% tags=["picture"]
_, axes = figure(3.6)
shown = [data for data in files if data != b"(no file)" and len(data.rstrip(bytes(1))) % 5 == 0]
labels = [f"{len(data)} bytes" if any(data) or not data else "only zeros" for data in shown]
byte_rows(
    axes, [(label, data, COLOURS["torn"]) for label, data in zip(labels, shown, strict=True)], columns=25, title="Some of them"
)
plt.show()

# %% [markdown]
# And these are still the friendly ones. A disk writes *sectors* (here 512 bytes), and a file with several unsynced sectors
# may get them **in any order**. Below: one write of three sectors, and every combination that can arrive. The last sector
# of a record may be there while its first is not.

# %%
disk = SimDisk()
disk.perform(Write("orders", 0, b"A" * 512 + b"B" * 512 + b"C" * 512))
number = disk.names["orders"].number

# %% tags=["picture"]
_, axes = figure(2.1)
bare(axes)
for column, arrived in enumerate(product((1, 0), repeat=3)):
    survival = Survival(
        {(number, sector): count for sector, count in enumerate(arrived)}, names={"": 1}, sizes=frozenset({number})
    )
    content = after_power_loss(disk, survival).names["orders"].content
    for sector in range(3):
        letter = printable(content[sector * 512])
        axes.add_patch(plt.Rectangle((column, 2 - sector), 0.86, 0.9, facecolor=FREE if letter == "·" else COLOURS["torn"]))
        axes.text(column + 0.43, 2.45 - sector, "zeros" if letter == "·" else letter * 3, ha="center", va="center",
                  color=TEXT if letter == "·" else "white")  # fmt: skip
axes.set_xlim(-0.1, 8)
axes.set_ylim(-0.1, 3)
axes.set_title("Three unsynced sectors, eight possible files (each column is one)")
plt.show()

# %% [markdown]
# ## 3. An honest yes
#
# Now the shop. It writes an order, and says *yes* to the customer. `operations_of` is what it does for each order; between
# any two of its operations the power may go.

# %%
ORDERS = [b"1 two loaves\n", b"2 ten rolls\n", b"3 a cake\n", b"4 nine buns\n"]


def careful(order, at):
    yield Write("orders", at, order)
    yield Sync("orders")  # the one line


def open_for_business(operations_of):
    """Every moment of the day: (what it was, the disk, the orders that customers were told we have)."""
    disk, at, promised = SimDisk(), 0, []
    for number, order in enumerate(ORDERS, 1):
        for operation in operations_of(order, at):
            disk.perform(operation)
            yield f"{number}: {type(operation).__name__.lower()}", disk.copy(), list(promised)
        promised.append(order)
        yield f"{number}: yes!", disk.copy(), list(promised)
        at += len(order)


def judged(operations_of):
    """For each moment: how many of the disks that may be left keep every promise, and how many break one."""
    for moment, disk, promised in open_for_business(operations_of):
        kept = broken = 0
        for point in CrashPoints(Random(1)).at(disk, moment):
            found = point.disk.names["orders"].content if "orders" in point.disk.names else b""
            is_kept = all(order in found for order in promised)
            kept, broken = kept + is_kept, broken + (not is_kept)
        yield moment, kept, broken


# %% [markdown]
# **Predict:** at which moments can a loss of power break a promise of the careful shop? And which line would you have to
# take away to make it lie?
#
# The second shop below lacks one line, `yield Sync("orders")`.


# %%
def hasty(order, at):
    yield Write("orders", at, order)


# %% tags=["picture"]
def draw_day(axes, operations_of, title):
    day = list(judged(operations_of))
    axes.bar(range(len(day)), [kept for _, kept, _ in day], color=COLOURS["safe"])
    axes.bar(range(len(day)), [broken for _, _, broken in day], bottom=[kept for _, kept, _ in day], color=COLOURS["torn"])
    axes.set_xticks(range(len(day)), [moment for moment, _, _ in day], rotation=55, ha="right", fontsize=9.5)
    axes.set_ylabel("possible disks")
    axes.set_ylim(0, 1.15 * max(kept + broken for _, kept, broken in day))
    axes.set_title(f"{title}: {sum(b for _, _, b in day)} of {sum(k + b for _, k, b in day)} possible disks break a promise")


_, (above, below) = figure(5.6, rows=2)
draw_day(above, careful, "Careful")
draw_day(below, hasty, "Hasty")
below.legend(handles=[plt.Rectangle((0, 0), 1, 1, color=COLOURS["safe"], label="every promise is kept"),
                      plt.Rectangle((0, 0), 1, 1, color=COLOURS["torn"], label="an order that we said yes to is gone")],
             frameon=False, loc="upper left", fontsize=10)  # fmt: skip
plt.show()

# %% [markdown]
# The careful shop may *lose* an order in the middle of writing it. It does not *break a promise*: nobody was told yes yet.
#
# > **The rule:** write, sync, then answer. Never the other way round.
#
# **Change this one line.** In `careful`, put the `Sync` before the `Write`, and run the two cells again. It looks as
# careful as before: as many syncs, one for each order. What does each sync make durable? This is what you will see:


# %%
def sync_first(order, at):
    yield Sync("orders")
    yield Write("orders", at, order)


day = list(judged(sync_first))
print(f"sync before write: {sum(b for _, _, b in day)} of {sum(k + b for _, k, b in day)} possible disks break a promise")
print("moments that can:", ", ".join(moment for moment, _, broken in day if broken))

# %% [markdown]
# ## 4. Where does the log end?
#
# The morning after, the shop reads its file. Where does it stop? A first idea: orders are lines, so read lines.
#
# **Predict:** the order `4 120 rolls` was being written when the power went. Which of these can the reader find: nothing;
# `4 1`; `4 12`; `4 120 rolls`?

# %%
disk = SimDisk.of_contents({"orders": b"3 a cake\n"})
disk.perform(Write("orders", 9, b"4 120 rolls\n"))
found = {bytes(point.disk.names["orders"].content).rstrip(b"\0") for point in CrashPoints(Random(1)).at(disk, "now")}
for data in sorted(found, key=len):
    after = data + b"5 ten buns\n"  # the shop opens again, and appends the next order
    print(f"found {data.decode().splitlines()[-1]!r:15}  and after the next order: {after.decode().splitlines()[1:]}")

# %% [markdown]
# A half-written order looks like a whole one (`4 12` rolls!), and the next order is glued to it. Three things are missing:
#
# * the reader must know **how long** a record is *before* it reads it;
# * it must be able to see that **all of it** arrived: a *checksum* over the bytes;
# * what a torn write left must be **cut off** before anything is appended behind it.
#
# Our commit log does all three. Here are the first bytes of a real one, with one entry in it.


# %%
def entry(index, text):
    """An entry of the log: it has a number, and bytes that mean nothing to the log. (Terms come with Raft; 0 here.)"""
    return Entry(index, 0, EntryKind.COMMAND, text.encode())


def append(log, disk, text, *, is_synced=True):
    """Append one entry. The log only *plans*: it returns operations, we carry them out and tell it that they are done."""
    appended = log.append(log.last_index, [entry(log.last_index + 1, text)])
    perform(disk, appended.plan if is_synced else [o for o in appended.plan if not isinstance(o, Sync)])
    if is_synced:
        log.synced(appended.sequence)
    return appended


log, disk = CommitLog(segment_bytes=1024), SimDisk()
first = append(log, disk, "two loaves")
for operation in first.plan:
    print(type(operation).__name__, f"{len(operation.data)} bytes at {operation.at}" if isinstance(operation, Write) else "")

FILE = "log/00000000000000000000.log"

# %% tags=["picture"]
group = bytes(disk.names[FILE].content[72:152])
HEAD, SUM, RECORD, BODY, REST = "#5c6f82", COLOURS["torn"], COLOURS["safe"], COLOURS["good"], COLOURS["other"]
field_rows(group, [
    (4, HEAD, "a group begins here: MQGR"), (4, SUM, "checksum of this header"),
    (4, HEAD, "size of the records: 36 bytes"), (4, HEAD, "number of records: 1"),
    (8, HEAD, "its own position: 72"), (8, HEAD, "durable end: 0 (nothing was synced yet)"),
    (4, HEAD, "format version 1, flags"), (4, SUM, "checksum over the records' checksums"),
    (4, SUM, "record: checksum"), (4, RECORD, "record: size of the order, 10 bytes"), (8, RECORD, "record: term 0"),
    (8, RECORD, "record: index 1"), (2, RECORD, "record: version, kind"), (10, BODY, "the order: two loaves"),
    (4, REST, "padding: the next group begins at a multiple of 8"),
], at=72, title="A group with one record; it stands behind the file's header of 72 bytes")  # fmt: skip

# %% [markdown]
# What is appended together is one **group**: it is written with one write and synced with one sync, and it counts *as a
# whole or not at all*. Remember two of its fields; they will be important: its **own position** (a stale group that lies in
# the wrong place is recognised) and the **durable end** (up to where everything was synced *when this group was written*).
#
# ## 5. A torn write, byte by byte
#
# Three orders are stored and synced. The fourth is written and not synced. The power goes. Then the log is opened again
# with `recover`, for **every** number of bytes that may have arrived.
#
# **Predict:** the fourth group has 80 bytes. From which byte on is the fourth order found?

# %%
for text in ("ten rolls", "a cake"):
    append(log, disk, text)
synced = disk.copy()  # for later
fourth = append(log, disk, "three pies", is_synced=False)
size = len(fourth.plan[0].data)


def opened(disk):
    """A fresh log that reads what is on a disk."""
    log = CommitLog(segment_bytes=1024)
    return log, drive(log.recover(disk.files()), disk)


def arrived(count):
    """The disk when `count` bytes of the fourth write arrived."""
    left = synced.copy()
    left.perform(Write(FILE, fourth.plan[0].at, fourth.plan[0].data[:count]))
    return left


results = [opened(arrived(count))[1] for count in range(size + 1)]

# %% tags=["picture"]
_, axes = figure(2.5)
axes.bar(range(size + 1), [result.last_index for result in results], width=1.0,
         color=[COLOURS["torn"] if result.torn else COLOURS["safe"] for result in results])  # fmt: skip
axes.set_ylim(0, 5)
axes.set_xlim(-1, size + 1)
axes.set_yticks(range(5))
axes.set_ylabel("entries found")
axes.set_xlabel("bytes of the fourth write that arrived")
axes.set_title("Opened after each possible loss")
axes.legend(handles=[plt.Rectangle((0, 0), 1, 1, color=COLOURS["torn"], label="a torn write is found, and cut"),
                     plt.Rectangle((0, 0), 1, 1, color=COLOURS["safe"], label="nothing to cut")],
            frameon=False, ncols=2, loc="upper left", fontsize=10)  # fmt: skip
plt.show()
print(
    "whole from byte",
    min(n for n, result in enumerate(results) if result.last_index == 4),
    "on; the rest is padding, and zero anyway",
)
print(
    "found in all",
    len(results),
    "cases: the three that were synced.",
    "Ever anything invented?",
    any(r.last_index > 4 for r in results),
)

# %% [markdown]
# Nothing that was synced is ever lost, nothing is invented, and the fourth order is found as a whole or not at all. Both
# are honest: nobody was told yes.
#
# And the torn bytes do not stay. Opening a log returns *repairs*, which zero them:

# %%
left = arrived(58)
_, recovery = opened(left)
before = bytes(left.names[FILE].content[304:384])
perform(left, recovery.repairs)
print(recovery.torn)
after = bytes(left.names[FILE].content[304:384])

# %% tags=["picture"]
_, axes = figure(1.7)
bare(axes)
for bottom, data, label in ((1, before, "after\nthe loss"), (0, after, "after\nopening")):
    strip(axes, [COLOURS["torn"] if byte else FREE for byte in data], bottom)
    axes.text(-1, bottom + 0.4, label, ha="right", va="center")
axes.set_xlim(-8, 81)
axes.set_ylim(-0.1, 2)
axes.set_title("The last 80 bytes of the log: red is not zero")
plt.show()

# %% [markdown]
# <details><summary><b>Question:</b> why must they be zeroed? The next append overwrites them. (Think, then open.)</summary>
#
# The next group may be *shorter*. Then the end of the old one still stands behind it, and if that end happens to hold a
# whole group (a message whose body is a copy of a log, say), a later reader would take it for real. Bytes that do not count
# must not be there.
#
# </details>
#
# **Change this one line.** What does the checksum do for us? Let us take it away: `crc32` now says 0 to everything, when
# writing and when reading.
#
# **Predict:** in how many of the 81 cases is something wrong found now?

# %%
with patch.object(record, "crc32", lambda *_: 0):  # the one line
    blind, blind_disk = CommitLog(segment_bytes=1024), SimDisk()
    for text in ("two loaves", "ten rolls", "a cake"):
        append(blind, blind_disk, text)
    write = append(blind, blind_disk.copy(), "three pies", is_synced=False).plan[0]
    refused, invented = [], {}
    for count in range(size + 1):
        left = blind_disk.copy()
        left.perform(Write(FILE, write.at, write.data[:count]))
        try:
            log_found, recovery = opened(left)
            stored = drive(log_found.entries(4, 4, 1000), left) if recovery.last_index == 4 else ()
        except MqError as error:
            refused.append(f"{count} bytes arrived: {error}")
            continue
        if stored and stored[0].entry.payload != b"three pies":
            invented[count] = stored[0].entry.payload

print(f"in {len(invented)} cases an order is found that nobody gave:")
for count in list(invented)[-9::2]:
    print(f"   {count} bytes arrived: {invented[count]!r}")
print(f"in {len(refused)} cases the log cannot be opened at all:")
for sentence in refused[-1:]:
    print(f"   {sentence}")

# %% [markdown]
# ## 6. Torn, or damaged?
#
# A checksum that is wrong means: these bytes are not what was written. There are two very different reasons.
#
# * **Torn:** the write was under way when the power went. Nobody was promised anything. *Cut it, go on.*
# * **Damaged:** it was synced, promised, and the disk has changed it since. *Never cut it*: what lies behind it was
#   promised, too. Say precisely what is broken, touch nothing, and call for help.
#
# Both look the same at the place itself. So who can tell? Let us try every byte: the three synced orders, one bit flipped,
# open the log, look.
#
# **Predict:** for which bytes does the log say "damaged"? Is there one where it wrongly says "torn", and cuts an order that
# was promised?


# %%
def verdicts(disk, end):
    """For each byte below `end`: what opening says when one bit of it has changed."""
    said = []
    for at in range(end):
        changed = disk.copy()
        changed.flip_bit(FILE, at, bit=3)
        _, recovery = opened(changed)
        is_lost = recovery.last_index < 3
        said.append("damaged" if recovery.damage else "torn" if recovery.torn and is_lost else "good")
    return said


without_mark = verdicts(synced, 304)

# %% [markdown]
# Keep your guess for one more minute: here is the same with **one line more**. `note_durable` writes a *mark*, a group
# without entries, behind the last one. It says nothing but "everything up to here was synced".

# %%
marked_log, _ = opened(synced)
marked = synced.copy()
perform(marked, marked_log.note_durable())  # the one line
with_mark = verdicts(marked, 304)

# %% tags=["picture"]
_, axes = figure(2.9)
bare(axes)
for bottom, said, label in ((1, without_mark, "without\na mark"), (0, with_mark, "with\na mark")):
    strip(
        axes, [{"damaged": COLOURS["damaged"], "torn": COLOURS["torn"], "good": COLOURS["other"]}[word] for word in said], bottom
    )
    axes.text(-4, bottom + 0.4, label, ha="right", va="center")
for at, label in ((0, "file header"), (72, "two loaves"), (152, "ten rolls"), (232, "a cake")):
    axes.plot([at, at], [-0.1, 2.0], color="white", linewidth=3)
    axes.text(at + 2, 2.0, label, va="bottom", fontsize=10)
axes.set_xlim(-40, 306)
axes.set_ylim(-0.15, 2.3)
axes.set_title("One bit flipped in each byte of the log: what does opening it say?")
legend_below(axes, {
    COLOURS["damaged"]: "“damaged”: nothing is changed",
    COLOURS["torn"]: "“torn”: cut, and a promised order is lost",
    COLOURS["other"]: "padding: nobody reads it",
}, columns=3)  # fmt: skip
plt.show()
print(
    "bytes at which a promised order is thrown away:",
    without_mark.count("torn"),
    "without a mark,",
    with_mark.count("torn"),
    "with it",
)

# %% [markdown]
# The later group proves that the earlier one was synced: its *durable end* lies beyond it. The **last** group has nobody
# behind it who could speak for it. With a wrong checksum there, torn and damaged are indistinguishable, whatever the reader
# does. The mark speaks for it. It has to be written **before** it is needed, and it costs no sync of its own: the next one
# covers it.
#
# This is what the log reports when the second order is damaged, to the byte:

# %%
changed = marked.copy()
changed.flip_bit(FILE, 200, bit=3)
damaged_log, recovery = opened(changed)
for damage in recovery.damage:
    print(damage)
print("repairs:", recovery.repairs)

try:
    append(damaged_log, changed, "nine buns")
except MqError as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# **Change this one line**, in your head: a log that *cuts* at the first bad place, as many did. `ten rolls` and `a cake`
# were synced and promised, and both are gone, without a word. The lab has this log as one of its wrong solutions
# (`cuts_damage`).
#
# ## 7. The price, and how to share it
#
# One fsync for each order is honest and slow. But look at the rule again: write, sync, *then* answer. Nothing says one
# order per sync! Orders that arrive while a sync is under way can wait and go **together**: one group, one write, one sync,
# many answers. Each customer waits a little; all of them get an honest yes.
#
# **Predict:** how many times faster are groups of 16? Of 256? Here is the real log on the real disk of this machine.

# %% tags=["live"]
from mq.server.disk import FileDisk


def orders_per_second(group_size, seconds=0.6):
    """Append groups of so many orders of 200 bytes each, honestly: a group counts when it is synced."""
    with scratch("groups") as folder:
        disk, log, done = FileDisk(folder), CommitLog(segment_bytes=8 << 20), 0
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            orders = [Entry(log.last_index + n, 0, EntryKind.COMMAND, b"x" * 200) for n in range(1, group_size + 1)]
            appended = log.append(log.last_index, orders)
            perform(disk, appended.plan)
            log.synced(appended.sequence)
            done += group_size
        took = time.perf_counter() - begun
        disk.close()
    return done / took


sizes = [1, 4, 16, 64, 256]
speeds = [orders_per_second(size) for size in sizes]

# %% tags=["live", "picture"]
_, axes = figure(2.9)
axes.bar([str(size) for size in sizes], speeds, color=COLOURS["safe"], width=0.6)
for number, speed in enumerate(speeds):
    axes.text(number, speed, f"{speed:,.0f}", ha="center", va="bottom")
axes.set_yscale("log")
axes.set_ylim(min(speeds) / 3, max(speeds) * 4)
axes.set_xlabel("orders in one group: one write, one fsync")
axes.set_ylabel("orders a second")
axes.set_title(f"256 orders in a group: {speeds[-1] / speeds[0]:.0f} times as many, each as safe")
plt.show()

# %% [markdown]
# This is *group commit*. Our broker does it in `mq/server/pacing.py`: while one group is being synced, commands of all
# callers gather for the next one.
#
# ## Claims to defend
#
# Defend each of these to somebody who doubts it, with a run in this notebook that breaks when you change one line:
#
# 1. "Written" and "durable" are two things, and between them there is nothing but a sync.
# 2. An order that is *lost* and a promise that is *broken* are two things. Only one of them is a bug.
# 3. After a loss of power a file may hold any part of what was not synced, in any order of sectors. A log must open well
#    after all of them.
# 4. A length without a checksum finds orders that nobody gave.
# 5. A checksum alone cannot tell a torn write from damage. A durable end that was written earlier can.
# 6. Waiting for one sync together is as safe as each waiting for its own.
#
# ## Questions for you
#
# * In section 3, a shop says yes after the *first* of every two syncs. Give the moment and the disk that make it a liar.
# * In section 6 the mark itself is not synced. What if it is torn? Try it: `arrived` shows how.
# * `fsync` fails with an error. The shop calls it again, and now it succeeds. Is the order safe? (`SimDisk.failing_syncs =
#   1`; then read the first lines of `mq/sim/disk.py`.)
#
# ## What next
#
# **Lab 1a** asks you to write this log: 14 methods, each with hints, and a grader that tries every state a loss of power
# can leave.
#
#     .venv/bin/mq lab start lab1a
#     .venv/bin/mq lab check lab1a
#
# In the code: `mq/broker/store/record.py` (the bytes); one page for all: `ARCHITECTURE.md`. And after the lab, which asks for
# them: `commit_log.py` (the plans), `recovery.py` (torn or damaged). The next lesson asks how a message is *found* in a log that
# only grows.
