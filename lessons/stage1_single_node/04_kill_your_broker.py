# %% [markdown]
# # 4 · Kill your broker
#
# So far all was in one notebook. Now it is real: a broker in a process of its own, on your real disk; the *official*
# RocketMQ client, which knows nothing of this course; and `kill -9`.
#
# After this lesson you can say, and show with a run:
#
# * how a program talks to the broker with the official client;
# * what its users notice when the broker is killed and comes back, and what they do not;
# * what lies on the disk at that moment, entry by entry;
# * the difference between an order that is *lost*, one that is there *twice*, and one of which nobody knows.
#
# **Time:** 25 to 35 minutes. **Before:** lessons 0, 1 and 3. **Leads to:** the end of lab 1a, where the broker that you kill
# here runs on *your* log.
#
# All programs that are started here are stopped here. Your numbers will differ from those you see.

# %%
import ast
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise

import matplotlib.pyplot as plt

from lessons.programs import Broker, Program, wait_until
from lessons.showing import COLOURS, FREE, ROOT, bare, figure, legend_below, scratch, strip
from mq.broker.store.commit_log import CommitLog
from mq.core.ports import drive
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.message_client import MessageClient
from mq.server.disk import FileDisk
from mq.sim.disk import SimDisk

# %% [markdown]
# ## 1. The official client
#
# This is all that a program needs to send orders with it. (From `mq/cli/demo_clients.py`, which the demo of this project
# uses, too. Its `_note` writes a line into a file: the time, the order's number, and whether it was acknowledged.)

# %%
source = (ROOT / "mq/cli/demo_clients.py").read_text(encoding="utf-8")
for node in ast.parse(source).body:
    if getattr(node, "name", "") in ("produce", "consume"):
        print(ast.get_source_segment(source, node), end="\n\n")

# %% [markdown]
# Look at the `except`: the client says that something went wrong, and this program tries the same order again, until it
# hears *yes*. From lesson 0 you know what that error means, and from lesson 3 what becomes of the second try.
#
# ## 2. The kill
#
# 180 orders are sent and consumed. When 60 are acknowledged, the broker ends. A second later it is started again on the same
# folder, and a start takes a second or more itself.
#
# **Predict:** the broker is killed with SIGKILL: it has no time to write anything. How many acknowledged orders are lost?
# How many are consumed twice? How long does nobody get an answer?

# %% tags=["live"]
COUNT, ENDS_AT, AWAY_S = 180, 60, 1.0


def noted(file):
    """(seconds, order, outcome) of each line that a client wrote."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = [line.split() for line in text.splitlines() if line.count(" ") == 2]  # the last one may be half written
    return [(int(at) / 1000, int(number), outcome) for at, number, outcome in lines]


def run(folder, end):
    """Orders through a broker that `end(broker)` ends in the middle: what both clients noted, when it was away."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(folder, "--segment-bytes", "1MiB"))
        connection = stack.enter_context(Connection(broker.endpoint))
        AdminClient(connection).create_topic("orders", queues=2)
        sent, consumed = folder / "sent", folder / "consumed"
        client = ("-m", "mq.cli.demo_clients")
        shared = (broker.endpoint, "orders", "kitchen", str(COUNT))
        stack.enter_context(Program(*client, "consume", *shared, str(consumed), log_file=folder / "consumer.log"))
        MessageClient(connection).send("orders", b"order -1: are you awake?")
        wait_until(lambda: noted(consumed), "the consumer is awake", limit_s=120)
        producer = stack.enter_context(Program(*client, "produce", *shared, str(sent), log_file=folder / "producer.log"))

        def acknowledged():
            return {number for _, number, outcome in noted(sent) if outcome == "done"}

        wait_until(lambda: len(acknowledged()) >= ENDS_AT, "the first orders are acknowledged", limit_s=120)
        away = [time.time()]
        end(broker)
        shutil.copytree(broker.data, folder / "as-it-was")
        time.sleep(max(0, away[0] + AWAY_S - time.time()))
        broker.start()
        away.append(time.time())
        wait_until(lambda: not producer.is_running, "all orders are sent", limit_s=120)
        wait_until(lambda: acknowledged() <= {number for _, number, _ in noted(consumed)}, "all are consumed", limit_s=150)
        broker.stop()
        return noted(sent), [note for note in noted(consumed) if note[1] >= 0], away


def draw_run(sent, consumed, away, title):
    begun = sent[0][0]
    _, axes = figure(2.9)
    axes.axvspan(away[0] - begun, away[1] - begun, color="#f3d9dd")
    axes.text((away[0] + away[1]) / 2 - begun, COUNT * 1.03, "no broker", ha="center", va="bottom", fontsize=10)
    axes.set_ylim(-5, COUNT * 1.2)
    lines = ((sent, "acknowledged", COLOURS["waiting"], 5), (consumed, "consumed", COLOURS["safe"], 2))
    for notes, label, colour, width in lines:
        times = sorted(at - begun for at, _, outcome in notes if outcome == "done")
        axes.step(times, range(1, len(times) + 1), where="post", color=colour, linewidth=width, label=label)
    failed = [at - begun for at, _, outcome in sent if outcome != "done"]
    axes.scatter(failed, [ENDS_AT] * len(failed), color=COLOURS["torn"], s=22, zorder=5, label="an error, tried again")
    axes.set_xlabel("seconds")
    axes.set_ylabel("orders")
    axes.set_title(title)
    axes.grid(visible=True)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    plt.show()


def judge(sent, consumed):
    acknowledged = {number for _, number, outcome in sent if outcome == "done"}
    deliveries = Counter(number for _, number, _ in consumed)
    times = [at for at, _, outcome in sent if outcome == "done"]
    waits = [later - earlier for earlier, later in pairwise(times)]
    print(f"acknowledged: {len(acknowledged)}, errors on the way: {sum(outcome != 'done' for *_, outcome in sent)}")
    print(f"acknowledged and never consumed: {len(acknowledged - set(deliveries))}")
    print(f"consumed more than once: {sum(count > 1 for count in deliveries.values())}")
    print(f"the longest time without an acknowledgement: {max(waits):.2f} s")


keep = ExitStack()
folder = keep.enter_context(scratch("kill"))
sent, consumed, away = run(folder, lambda broker: broker.kill())  # the one line
draw_run(sent, consumed, away, "Killed with SIGKILL in mid-stream")
judge(sent, consumed)

# %% [markdown]
# No acknowledged order is lost: what the broker said *yes* to was synced (lesson 1). A few may have been consumed twice:
# their ack was on its way when the broker died, or they were stored, and the *yes* was on its way (lesson 3). To the
# program that sends it is a pause, and some dozens of errors: one for each try, ten tries a second.
#
# For one of the two clients, or for both, the pause is longer than the broker was away. Each try of the *program* fails at
# once; but under it is the client's *connection*, and this one waits longer and longer between its own attempts, so that a
# thousand clients do not fall upon a broker that has just come back. Until the next attempt is due nothing gets through,
# though the broker is there: look how far behind the red stripe each line rises.
#
# Now and then the last orders are consumed only half a minute later. They had been handed out when the broker died, and the
# answer with them never arrived; so they are hidden until their invisible time is over (lesson 3).
#
# **Change this one line.** Say `broker.stop()` in place of `broker.kill()` (SIGKILL): the broker is *asked* to end (SIGTERM). It
# closes its door, brings what is under way to an end, gives back what was handed out, and goes. Here is that run:

# %% tags=["live"]
with scratch("stop") as other:
    notes = run(other, lambda broker: broker.stop())
    draw_run(*notes, "Asked to end with SIGTERM")
    judge(*notes[:2])

# %% [markdown]
# ## 3. What the disk holds
#
# When the broker was killed, the cell above made a copy of its folder, before anybody opened it again. Let us be the one
# who finds it in the morning.

# %% tags=["live", "first-words"]
found = folder / "as-it-was"
for file in sorted(file for file in found.rglob("*") if file.is_file()):
    data = file.read_bytes()
    used = len(data.rstrip(b"\0"))
    print(f"{file.relative_to(found).as_posix():34} {len(data):>10,} bytes, {used:>8,} up to the last one that is not zero")

# %% [markdown]
# | file | what is in it |
# |---|---|
# | `log/...log` | a **segment** of the commit log: all that counts is in here |
# | `durable` | up to where the log was synced: if less is found the next time, something was lost, and the broker says so |
# | `organs.json` | whose code wrote all this: ours, or parts of yours (`--parts`) |
# | `LOCK` | the number of the process that uses this folder: a second broker is refused while it lives |
#
# In a folder that was used for longer there are more: `queues/` (consume queues, lesson 2), `index/` (to find a message by
# its id) and `snapshots/` (the whole state at one point of the log, so that a start need not carry out all commands again).
# All three can be made again from a log that is there from its first entry on.
#
# The segment is as large as it will ever be from its first moment on: so that appending changes no file size, which a sync
# would have to write as well. And these are the last entries of the log, as `mq log dump` prints them:

# %% tags=["live"]
command = [sys.executable, "-m", "mq.cli.main", "log", "dump", "--data", str(found)]
dump = subprocess.run(command, capture_output=True, text=True, check=False)
lines = dump.stdout.splitlines()
print(lines[0])
for line in lines[-8:]:
    print(line[:118])
print(f"... {len(lines) - 1} entries in all {dump.stderr.strip()}")
print(Counter(line.split()[5] for line in lines[1:]))

# %% [markdown]
# Not only orders! Each *receive* and each *ack* is a command in the log, too. That is why the broker that came back knew
# what was done and what was in flight.
#
# **Predict:** compare the log as it was at the kill with what the sender had heard by then. Which of these sets may be not
# empty: (a) acknowledged, not in the log; (b) in the log, not acknowledged?

# %% tags=["live"]
disk = FileDisk(found)
log = CommitLog()
recovery = drive(log.recover(disk.files()), disk)
stored = drive(log.entries(log.first_index, log.last_index, 1 << 26), disk)
in_log = {int(number) for entry, _ in stored for number in re.findall(rb"order (\d+):", entry.payload)}
disk.close()
by_then = {number for at, number, outcome in sent if outcome == "done" and at <= away[0]}
print("torn:", recovery.torn, "- damaged:", recovery.damage)
print("(a) acknowledged, not in the log:", sorted(by_then - in_log))
print("(b) in the log, not acknowledged:", sorted(in_log - by_then))

# %% [markdown]
# (a) is empty, and must be: it would be a broken promise. (b) may hold an order: stored, and its *yes* never left, or not
# yet. The sender sends it again. With the same id the broker would know it (lesson 3, section 6); this program makes a new
# message each time, and so the order is there twice. **Twice, never not at all**: that is at-least-once, seen on a disk.
#
# Notice also that nothing is *torn*, though the kill came in mid-stream. SIGKILL ends a *process*; what the operating
# system has, it has, and writes it out some day. Only a loss of *power* takes what was not synced. So killing a process
# proves little about syncs! (For that this project has a simulated disk.)
#
# ## 4. A loss of power, by hand
#
# Let us do to the copy what a power loss might have done: the last 60 bytes of the log never arrived.
#
# **Predict:** what will the log say: torn, or damaged? (Lesson 1, section 6. What does it depend on?)

# %% tags=["live"]
segment = max((found / "log").glob("*.log"))
whole = segment.read_bytes()
end = len(whole.rstrip(b"\0"))


def opened(data):
    """What opening says of a log with this content in its last segment, and the disk after its repairs."""
    disk = SimDisk.of_contents({f"log/{segment.name}": data})
    log = CommitLog()
    recovery = drive(log.recover(disk.files()), disk)
    for operation in recovery.repairs:
        disk.perform(operation)
    return log, recovery, bytes(disk.names[f"log/{segment.name}"].content)


cut = whole[: end - 60] + bytes(len(whole) - end + 60)
_, before, _ = opened(whole)
log_after, after, repaired = opened(cut)
print("as it was:   ", before.last_index, "entries,", before.torn or "nothing torn")
print("60 bytes less:", after.last_index, "entries,", after.torn or "nothing torn", list(after.damage) or "")

# %% tags=["live", "picture"]
_, axes = figure(2.2)
bare(axes)
window = 900
for bottom, data, label in ((2, whole, "as it was"), (1, cut, "60 bytes less"), (0, repaired, "opened again")):
    kept_to, written_to = log_after.end_position, len(data.rstrip(b"\0"))
    last = COLOURS["torn"] if data is cut else COLOURS["waiting"]
    places = range(end - window, end + 40)
    strip(axes, [COLOURS["safe"] if at < kept_to else last if at < written_to else FREE for at in places], bottom)
    axes.text(-10, bottom + 0.4, label, ha="right", va="center")
axes.set_xlim(-170, window + 45)
axes.set_ylim(-0.1, 3)
axes.set_title("The end of the log")
legend_below(
    axes,
    {
        COLOURS["safe"]: "whole groups",
        COLOURS["waiting"]: "the last group",
        COLOURS["torn"]: "what is left of it",
        FREE: "zeros, to the end",
    },
)
plt.show()
keep.close()

# %% [markdown]
# The last group is not whole any more, and is cut: all of its entries, for a group counts as a whole or not at all. Had the
# broker really been in the middle of writing it, nobody would have been told yes for any of them.
#
# ## Claims to defend
#
# 1. A client that tries again after an error needs a broker that never loses; a broker that never loses needs a consumer
#    that bears twice.
# 2. Everything that the broker knows after a restart, it knows from its log: orders, receives, acks.
# 3. `kill -9` is no test of syncs.
# 4. An order in the log that nobody was told about is no mistake. An order that somebody was told about and that is not in
#    the log is the worst one.
#
# ## Questions for you
#
# * Let the broker stay away for 15 seconds. What do the two official clients do, and does anything change in the verdict?
# * Kill the *consumer* in the middle, and start another one. Which orders are delivered again, and after how long?
# * In section 4, take only the last 20 bytes away, or 200. Do you find a number for which the log says "damaged"? Why, or
#   why not?
#
# ## What next
#
# The broker can run on **your** log. `.venv/bin/mq lab start lab1a` begins that lab. When it is done, put
# `"--parts", str(ROOT / "work/lab1a_commit_log")` behind `folder` in the `Broker(...)` of `run`, in section 2 of this
# lesson, and kill it. Or run it by hand:
#
#     .venv/bin/mq broker --data .mq/lesson4 --parts work/lab1a_commit_log
#
# One broker that comes back is not enough: while it is away, nobody is served, and when its *disk* dies, all is lost. The
# stages that follow put more than one in its place.
