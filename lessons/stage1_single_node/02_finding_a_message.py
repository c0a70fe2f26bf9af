# %% [markdown]
# # 2 · Finding a message
#
# Everything is in one log, one behind the other: orders, payments, letters, of all topics. Now somebody asks for *message 17
# of queue 1 of the topic orders*. Where is it?
#
# After this lesson you can say, and show with a run:
#
# * why a broker keeps one log for all topics, and what that costs a reader;
# * what a consume queue is, byte by byte, and why every entry has the same size;
# * the three numbers that people mix up: position, log index, queue offset;
# * how a message is found by its offset or by its time in a dozen small reads, among millions;
# * why the consume queue may be lost, and the log may not.
#
# **Time:** 25 to 35 minutes. **Before:** lesson 1. **Leads to:** lab 1b, in which you write the consume queue.

# %%
from random import Random

import matplotlib.pyplot as plt

from lessons.showing import COLOURS, bare, field_rows, figure, legend_below
from lessons.small_broker import SmallBroker
from mq.broker.batch import AppendMessages, decode_batch
from mq.broker.commands import decode_command
from mq.broker.machine import BrokerMachine
from mq.broker.store.consume_queue import ENTRY_BYTES, ConsumeQueue, QueueEntry
from mq.broker.store.record_reader import RecordReader
from mq.core.errors import DamageError
from mq.core.ports import drive, perform

# %% [markdown]
# ## 1. One log for all
#
# `SmallBroker` is our whole broker, on a simulated disk. Three topics, four queues in all, messages as they come.

# %%
QUEUES = [("orders", 0), ("orders", 1), ("payments", 0), ("letters", 0)]


def filled(count, seed=7):
    """A broker with so many batches of 1 to 3 messages, over all queues, drawn by chance from a seed."""
    broker, rng = SmallBroker(), Random(seed)
    for topic, queues in (("orders", 2), ("payments", 1), ("letters", 1)):
        broker.create_topic(topic, queues)
    for number in range(count):
        topic, queue_id = rng.choice(QUEUES)
        bodies = [f"{topic} {number}.{n} " + "x" * rng.randint(10, 300) for n in range(rng.randint(1, 3))]
        broker.pass_time(rng.randint(1, 2000))
        broker.send(topic, *bodies, queue_id=queue_id, tag=rng.choice(("bread", "cake")))
    return broker


broker = filled(60)
log = broker.node.log
stored = drive(log.entries(1, log.last_index, 1 << 20), broker.disk)
print(f"{log.last_index} entries in the log, {log.end_position:,} bytes")

# %% tags=["picture"]
PAINT = dict(zip(QUEUES, (COLOURS["safe"], COLOURS["good"], COLOURS["waiting"], COLOURS["damaged"]), strict=True))
_, axes = figure(1.9)
bare(axes)
for entry, place in stored:
    command = decode_command(entry.payload)
    colour = PAINT.get((getattr(command, "topic", ""), getattr(command, "queue_id", -1)), COLOURS["other"])
    axes.add_patch(plt.Rectangle((place.position, 0), place.size_bytes, 1, facecolor=colour, edgecolor="white", linewidth=0.6))
axes.set_xlim(0, log.end_position)
axes.set_ylim(-0.02, 1.02)
axes.set_title("The log, from its first byte to its last: each box a record")
names = {colour: f"{topic}, queue {queue_id}" for (topic, queue_id), colour in PAINT.items()}
legend_below(axes, names | {COLOURS["other"]: "topics made"}, columns=5)
plt.show()

# %% [markdown]
# Why not a file for each queue? Look at what a *sync* would have to do (lesson 1): with one log, one sync makes the
# messages of all topics durable, whoever sent them. With a thousand queues in a thousand files, a moment's messages lie in
# a thousand files, and each of them wants a sync of its own. **Writers** love one log.
#
# **Readers** do not. They want one colour only.
#
# **Predict:** to find one message of a queue without any help, one reads the log from its beginning. How many bytes are
# read for a message near the end of a log of 100 batches? Of 3,200?


# %%
def by_scanning(broker, topic, queue_id, offset):
    """Read the log from the front, counting this queue's messages."""
    log, wanted, seen = broker.node.log, 1, 0
    while wanted <= log.last_index:
        for entry, _ in (yield from log.entries(wanted, log.last_index, 64 << 10)):
            wanted = entry.index + 1
            command = decode_command(entry.payload)
            if isinstance(command, AppendMessages) and (command.topic, command.queue_id) == (topic, queue_id):
                batch = decode_batch(entry.payload)
                if seen + len(batch.ids) > offset:
                    return batch.messages[offset - seen]
                seen += len(batch.ids)
    raise LookupError(offset)


def by_queue(broker, topic, queue_id, offset):
    """Ask the consume queue where it is, and read that."""
    (entry,) = yield from broker.queue(topic, queue_id).entries(offset, 1)
    payload = yield from RecordReader(broker.node.log).payload(entry)
    return decode_batch(payload).messages[entry.number_of(offset)]


sizes, scanned, asked = (100, 200, 400, 800, 1600, 3200), [], []
for size in sizes:
    big = filled(size)
    offset = big.queue("orders", 1).max_offset - 3
    one, disk_of_scan = big.counted(by_scanning(big, "orders", 1, offset))
    other, disk_of_queue = big.counted(by_queue(big, "orders", 1, offset))
    assert one == other
    scanned.append(disk_of_scan.read_bytes)
    asked.append(disk_of_queue.read_bytes)

# %% tags=["picture"]
_, axes = figure(2.9)
axes.plot(sizes, scanned, marker="o", color=COLOURS["torn"], linewidth=2, label="reading the log from its front")
axes.plot(sizes, asked, marker="o", color=COLOURS["safe"], linewidth=2, label="by the consume queue")
for values in (scanned, asked):
    axes.annotate(f"{values[-1]:,} bytes", (sizes[-1], values[-1]), textcoords="offset points", xytext=(6, 6), fontsize=10)
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
axes.minorticks_off()
axes.set_xlim(90, 6500)
axes.set_ylim(50, 6e6)
axes.set_xlabel("batches in the log")
axes.set_ylabel("bytes read for\none message")
axes.set_title("One message near the end")
axes.grid(visible=True)
axes.legend(frameon=False, loc="center left")
plt.show()

# %% [markdown]
# ## 2. An index card for each batch
#
# A **consume queue** belongs to one queue. For each stored batch it has one entry, always of the same size, and it holds
# *no bodies*. A sender may give a message a **tag**, a word such as *bread* or *cake*, by which a consumer can ask for some
# messages only (a **filter**); the entry has a number made of that word, its code. Here are four entries, and one in bytes:

# %%
queue = broker.queue("orders", 1)
entries = drive(queue.entries(0, 10), broker.disk)
for entry in entries[:4]:
    last = entry.base_offset + entry.count - 1
    print(
        f"offsets {entry.base_offset} to {last}: log index {entry.log_index}, position {entry.position}, {entry.size_bytes} bytes"
    )

# %% tags=["picture"]
(plan,) = queue.flush()
card, number = entries[2], 2
data = plan.data[number * ENTRY_BYTES : (number + 1) * ENTRY_BYTES]
field_rows(data, [
    (8, COLOURS["safe"], f"queue offset of its first message: {card.base_offset}"),
    (8, COLOURS["good"], f"position in the commit log: {card.position}"),
    (8, COLOURS["good"], f"log index: {card.log_index}"),
    (8, "#5c6f82", f"stored at {card.store_ms} ms (wall time)"),
    (4, "#5c6f82", f"size of the record: {card.size_bytes} bytes"),
    (2, COLOURS["safe"], f"messages: {card.count}"),
    (2, COLOURS["safe"], "the first one's number in the batch"),
    (4, COLOURS["waiting"], "code of the tag"),
    (4, COLOURS["torn"], "checksum of this entry"),
], at=number * ENTRY_BYTES, title=f"An entry of orders, queue 1: {ENTRY_BYTES} bytes")  # fmt: skip

# %% [markdown]
# Three numbers name the same message, and each has its own job. Mixing them up is the most common mistake in a lab like
# this:
#
# | number | counts | from | the same on every machine? | who uses it |
# |---|---|---|---|---|
# | **position** | bytes of the commit log | 0 | no: a copy of the log may lie differently | this node, to read |
# | **log index** | entries of the log (all topics) | 1 | yes | what all machines agree on (stage 3: Raft) |
# | **queue offset** | messages of *one* queue | 0 | yes | consumers |
#
# **Predict:** in the list above, the offsets have no gaps, and the positions have. Why? And could a position ever be
# *smaller* than that of the entry before it?
#
# <details><summary>When you have an answer</summary>
#
# Between two records of one queue lie those of others. And yes: a delayed message keeps its place in the log, and comes into
# its queue later than messages that were stored behind it.
#
# </details>
#
# ## 3. Every entry has the same size
#
# That is the whole trick: entry number *n* begins at byte 48 *n*. To find an offset one need not read entries one after the
# other, one can *halve*: look at the middle one, go left or right.
#
# (After a restart the entries are in files alone; what was appended last is otherwise in memory, and costs no read at all.)
#
# **Predict:** how many reads does it take among 1,000 entries? Among 1,000,000?


# %%
def queue_of(count, spacing_ms=50):
    """A queue with so many entries of one or two messages, all of them in files."""
    broker, queue, rng = SmallBroker(), ConsumeQueue("orders", 0), Random(3)
    for number in range(count):
        messages = rng.randint(1, 2)
        queue.append(QueueEntry(queue.max_offset, 100 + 200 * number, number + 1, number * spacing_ms, 200, messages, 0, 0))
    perform(broker.disk, queue.flush(sync=True))
    return broker, ConsumeQueue.restore("orders", 0, queue.state())


counts = (10, 100, 1_000, 10_000, 100_000)
reads = []
for count in counts:
    large, queue = queue_of(count)
    found, disk = large.counted(queue.entries(queue.max_offset // 3, 1))
    reads.append(disk.reads)
    print(f"{count:>7,} entries: {disk.reads} reads, {disk.read_bytes} bytes")

# %% [markdown]
# Ten times as many entries, and only two to four reads more: the number of halvings. A million entries are some twenty reads
# of 48 bytes. Reading them one after the other would be 48 megabytes.
#
# ## 4. Finding a time
#
# *"Begin with what came in since nine o'clock."* Each entry says when it was stored, so one can halve by time as well. But
# halving is right only where the values **never fall**. And clocks do fall: somebody sets one back, a machine corrects
# itself.
#
# **Predict:** the clock is set back by two and a half minutes in the middle of the day. We look for the first message
# stored at or after a time. What goes wrong, if the queue just writes down what the clock says?

# %%
rng, clock, said = Random(5), 0, []
for number in range(400):
    clock += rng.randint(500, 1500)
    if number == 190:
        clock -= 150_000  # two and a half minutes back
    said.append(clock)


def never_falling(times):
    """Each time, or the latest one before it, where that is later."""
    latest = 0
    for time_ms in times:
        latest = max(latest, time_ms)  # the one line
        yield latest


written = list(never_falling(said))

kept = ConsumeQueue("orders", 0)
for number, time_ms in enumerate(said):
    kept.append(QueueEntry(number, 100 + 200 * number, number + 1, time_ms, 200, 1, 0, 0))
by_broker = [entry.store_ms for entry in drive(kept.entries(0, 400), SmallBroker().disk)]
print("the broker's own queue writes the same times:", by_broker == written)


def halved(times, wanted):
    """The first number whose time is not before `wanted`, by halving."""
    low, high = -1, len(times)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if times[middle] < wanted else (low, middle)
    return high


def missed(times, wanted):
    """Messages that the clock dates at or after `wanted`, and that come before the place where a reader begins."""
    return sum(said[number] >= wanted for number in range(halved(times, wanted)))


wanted = [5_000 * n for n in range(1, 60)]
print("halving over what the clock said: up to", max(missed(said, w) for w in wanted), "messages are missed")
print("halving over what the queue wrote: up to", max(missed(written, w) for w in wanted))

# %% tags=["picture"]
_, axes = figure(2.8)
axes.plot([t / 60_000 for t in said], color=COLOURS["torn"], linewidth=2, label="what the clock said")
axes.plot([t / 60_000 for t in written], color=COLOURS["safe"], linewidth=2, linestyle="--", label="what the queue wrote")
axes.set_xlabel("queue offset")
axes.set_ylabel("minutes")
axes.set_title("A clock that is set back, and a queue whose times never fall")
axes.grid(visible=True)
axes.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# **Change this one line.** In `never_falling`, say `latest = time_ms`, and run again: now the red line is written down, the
# broker's queue writes something else, and halving misses as many messages as over what the clock said. With `max` some times
# are *too late*, by up to two and a half minutes. A reader then gets a few messages more than it asked for, never fewer. When you
# must be wrong, choose the side on which it hurts less.
#
# ## 5. It may be lost
#
# A consume queue says nothing that the log does not say. So it need not be synced before the sender hears *yes*; the log
# is. When its files are missing after a crash, they are made again: read the log from the front, and *apply* each command
# once more. (Making queues from the log is called **dispatch**.)
#
# **Predict:** we rebuild all four queues from the log alone. In how many bytes will they differ from the old ones?


# %%
def rebuilt(broker):
    """A new machine, fed with the log from its first entry."""
    machine, log = BrokerMachine(), broker.node.log
    for entry, place in drive(log.entries(1, log.last_index, 1 << 24), broker.disk):
        machine.apply(entry.index, decode_command(entry.payload), place)
    return machine


fresh = rebuilt(broker)
for topic, queue_id in QUEUES:
    old, new = broker.queue(topic, queue_id), fresh.topics[topic].queues[queue_id]
    (old_plan,), (new_plan,) = old.flush(), new.flush()
    differing = sum(a != b for a, b in zip(old_plan.data, new_plan.data, strict=True))
    print(f"{topic}, queue {queue_id}: {old.entry_count} entries, {len(old_plan.data)} bytes, {differing} differ")

# %% [markdown]
# None, and that is no luck: applying asks for no clock and no chance, so the same log makes the same queues, here and on
# any other machine. That is worth remembering for stage 3, where three machines must come to the same state.
#
# What if an entry is not missing, but *wrong*? Then a consumer would read from anywhere. So each entry has a checksum:

# %%
broken_broker, broken = queue_of(1_000)
file = next(iter(broken_broker.disk.files()))
broken_broker.disk.flip_bit(file, 500 * ENTRY_BYTES + 9, bit=2)
try:
    drive(broken.entries(broken.max_offset // 2 - 5, 64), broken_broker.disk)
except DamageError as error:
    print("refused:", error)

# %% [markdown]
# Without that checksum the flipped bit would be in the *position*: it points into the middle of another message.
#
# ## 6. The price of being whole
#
# One entry for each *batch*, not each message (classic RocketMQ has one for each message). Is it worth it?
#
# **Predict:** a producer sends 3,000 messages, one by one or 30 at a time. How many bytes of consume queue is that?


# %%
def index_bytes(batch_size, messages=3_000):
    small = SmallBroker()
    small.create_topic("orders")
    for begin in range(0, messages, batch_size):
        small.send("orders", *(f"order {begin + n}" for n in range(batch_size)))
    return small.queue("orders").entry_count * ENTRY_BYTES, small.node.log.end_position


sizes = (1, 3, 10, 30, 100)
cards, logs = zip(*(index_bytes(size) for size in sizes), strict=True)

# %% tags=["picture"]
_, axes = figure(2.8)
where = range(len(sizes))
axes.bar([w - 0.19 for w in where], [value / 1000 for value in logs], 0.36, color=COLOURS["other"], label="commit log")
axes.bar([w + 0.19 for w in where], [value / 1000 for value in cards], 0.36, color=COLOURS["safe"], label="consume queue")
for w, log_bytes, card_bytes in zip(where, logs, cards, strict=True):
    axes.text(w - 0.19, log_bytes / 1000, f"{log_bytes / 1000:.0f}", ha="center", va="bottom", fontsize=10)
    axes.text(w + 0.19, card_bytes / 1000, f"{card_bytes / 1000:.1f}", ha="center", va="bottom", fontsize=10)
axes.set_xticks(list(where), [str(size) for size in sizes])
axes.set_xlabel("messages in one batch")
axes.set_ylabel("kilobytes")
axes.set_ylim(0, 600)
axes.set_title("3,000 small messages, stored")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# The log itself shrinks as well: the headers of lesson 1 are paid once for each group and record, not for each message.
# *Cost per batch, not per message* is a rule all over this broker.
#
# ## Claims to defend
#
# 1. One log for all topics makes writing cheap and reading hard; a consume queue mends the reading, and the writing stays
#    as it is.
# 2. Position, log index and queue offset are three numbers. One of them may differ between two copies of the same log.
# 3. Halving needs entries of one size, and values that never fall.
# 4. A consume queue need not be durable; it must be *derivable*. The log must be durable.
# 5. What is derived is checked all the same: wrong is worse than missing.
#
# ## Questions for you
#
# * Retention removes the oldest segments of the log. What must happen to the consume queue, and in which order?
#   (When you have done the lab: `ConsumeQueue.drop_before`.)
# * A message is delayed by an hour: it is in the log now, and in its queue in an hour. Which of the three numbers can its
#   entry not know by then, and why? (When you have done the lab: `NO_POSITION` in `consume_queue.py` answers it.)
# * Two consumers of different groups read the same queue. How many consume queues does that take?
#
# ## What next
#
# **Lab 1b** asks you to write the consume queue, and a grader tries to find a message that yours does not. Lesson 3 asks
# what happens *after* a message was found: who gets it, and when is it done?
#
# In the code: `mq/broker/store/record_reader.py` (from an entry to the batch), `mq/broker/machine.py` (dispatch); and after the
# lab, which asks for it, `mq/broker/store/consume_queue.py`.
