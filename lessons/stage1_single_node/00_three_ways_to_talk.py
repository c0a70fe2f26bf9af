# %% [markdown]
# # 0 · Three ways to talk
#
# A shop sells bread, a bakery bakes it. Two programs, on two machines one day. How does an order get from one to the other?
# And what becomes of the shop when the bakery is slow today, or dead?
#
# After this lesson you can say, and show with a run:
#
# * what a socket, a remote call (RPC) and a message queue each promise when they say "done";
# * who waits, who hears "no", and who is lied to, when the other side is slow or dead;
# * why an error is not a "no";
# * what a queue costs, and what it only moves to another place.
#
# **Time:** 30 to 40 minutes. **Before:** a little Python. **Leads to:** lesson 1, then lab 1a; lab 1d comes back to what
# you see here in section 5.
#
# Run the cells one after the other (Shift + Enter). Where it says **Predict**, write your guess down *before* you run the
# next cell. All of it is real: processes, their connections, and our own broker are started here, on your machine, and
# stopped again. So your numbers will differ a little from those you see.

# %%
import inspect
import socket
import time
from contextlib import ExitStack

import grpc

from lessons import bakery
from lessons.market import Day, draw_answers, draw_baking, market_day, report
from lessons.programs import Broker, Program, free_port, wait_until
from lessons.showing import scratch
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.message_client import MessageClient

# %% [markdown]
# ## 1. The bakery
#
# The bakery bakes one order at a time, and writes each one into a book when it is done. It has three front doors:
#
# * a **socket** is one end of a connection between two programs: what one writes into it, the other can read, bytes in order
#   and no more;
# * a **remote procedure call** (RPC) is a request with its answer, which the caller writes like a call of a function.
#   **gRPC** is a library for it, here with one function, `Bake`;
# * a **message queue** is a program between the two, which keeps messages until somebody asks for them.
#
# Read all three; each is a few lines.

# %%
for part in (bakery.Kitchen.bake, bakery.over_socket, bakery.over_rpc, bakery.from_queue):
    print(inspect.getsource(part))

# %% [markdown]
# Look at *when* each of them does what:
#
# * **socket**: nobody ever answers. Bytes arrive, they are baked.
# * **rpc**: the answer leaves when the bread is done. The caller holds the line until then.
# * **queue**: the bakery is no server at all! It *asks* for the next order when it has time, and says when it is done
#   (`ack`).
#
# ## 2. The day
#
# Every 50 ms a customer comes, 140 in all, for seven seconds. The shop serves one after the other, and tells each one
# *yes*, *sorry, no*, or *we do not know*. A bread takes 10 ms. And this happens to the bakery:
#
# | after | |
# |---|---|
# | 1.5 s | it becomes **slow**: 150 ms for a bread, three times what customers leave it |
# | 3 s | it is **killed**, without a word |
# | 4 s | it is **started again**, quick as before (starting a program takes a while, too) |
#
# Each way of talking is for the shop a function `send`: it passes an order on, and says what the customer may be told.

# %% tags=["live"]
days: dict[str, Day] = {}
address = f"127.0.0.1:{free_port()}"


def open_bakery(stack, door, folder, address):
    """A bakery in a process of its own, which ends with the block at the latest."""
    bakery.set_mood(folder, 10)
    (folder / "book").touch()
    program = Program("-m", "lessons.bakery", door, address, str(folder), log_file=folder / "bakery.log")
    return stack.enter_context(program)


# %% [markdown]
# ### By a socket
#
# The shop opens a connection and writes lines into it. When `sendall` raises an error, it tries once to connect anew.
#
# **Predict:** how long do customers wait while the bakery is slow? What do those hear who come while it is dead? And how
# many of those who heard *yes* never get a bread?

# %% tags=["live"]
with ExitStack() as stack:
    folder = stack.enter_context(scratch("socket"))
    baker = open_bakery(stack, "socket", folder, address)

    def connect():
        host, _, port = address.partition(":")
        return socket.create_connection((host, int(port)))

    def is_open():
        try:
            line["open"] = connect()
        except OSError:
            return False
        return True

    line = {}
    wait_until(is_open, "the bakery answers")

    def send(order):
        for _ in range(2):
            try:
                line["open"].sendall(order + b"\n")
            except OSError:
                line["open"].close()
                if not is_open():
                    return "no"
            else:
                return "yes"
        return "no"

    days["socket"] = market_day("socket", send, baker, folder)
    line["open"].close()
draw_answers(days["socket"])

# %% [markdown]
# Nobody waits, ever: `sendall` is done when the operating system has *taken* the bytes, into a buffer of its own. The
# bakery may be slow, and behind by dozens of orders; the shop does not notice. When the bakery dies, all that was in the
# buffers dies with it. The red customers were told *yes*, by a shop that had no reason for it. Taken is not done. (Lesson
# 1 shows the same of a disk: `write` without `fsync`.)
#
# ### By a remote call
#
# `bake(order)` looks like a function of the shop's own, and returns when the bread is done. It may take half a second, then
# the shop gives up (a *deadline*).
#
# **Predict:** the same three questions. And how long does the last customer before the crash wait, when each bread takes
# 150 ms and a customer comes every 50 ms?

# %% tags=["live"]
with ExitStack() as stack:
    folder = stack.enter_context(scratch("rpc"))
    address = f"127.0.0.1:{free_port()}"
    baker = open_bakery(stack, "rpc", folder, address)
    quick = [
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.min_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 100),
    ]
    channel = stack.enter_context(grpc.insecure_channel(address, options=quick))
    grpc.channel_ready_future(channel).result(60)
    bake = channel.unary_unary(bakery.METHOD)

    def send(order):
        try:
            bake(order, timeout=0.5)
        except grpc.RpcError as error:
            is_definite = error.code() == grpc.StatusCode.UNAVAILABLE and "connect" in error.details()
            return "no" if is_definite else "unknown"
        return "yes"

    days["rpc"] = market_day("rpc", send, baker, folder)
draw_answers(days["rpc"])

# %% [markdown]
# No lies here: every *yes* is a bread. But the shop has become as slow as the bakery, and a little slower with every
# customer: a queue of *people* grows in front of it. (The orange ones before the kill came in time, and were still standing
# in that line when the bakery died.) And while the bakery is dead, so is the shop: it sends every customer away. Two
# programs that call each other are, in a bad hour, one program: it works only when both do. With ten services in a row that
# call each other, each up 99.9 % of the time, how many hours a month is the first one down? Compute it.
#
# <details><summary>Computed</summary>
#
# 0.999 to the power of 10 is 0.990: one percent of a month is about seven hours.
#
# </details>
#
# ### Through a queue
#
# Between the two stands a **broker**, a third program. It stores the order, syncs it to its disk (lesson 1 shows what that
# takes), and answers. The bakery fetches it when it can.
#
# **Predict:** once more the same three questions. Where do the orders wait now?

# %% tags=["live"]
with ExitStack() as stack:
    folder = stack.enter_context(scratch("queue"))
    broker = stack.enter_context(Broker(folder))
    connection = stack.enter_context(Connection(broker.endpoint))
    AdminClient(connection).create_topic(bakery.TOPIC, queues=1)
    client = MessageClient(connection)
    baker = open_bakery(stack, "queue", folder, broker.endpoint)
    client.send(bakery.TOPIC, b"first")
    wait_until(lambda: b"first" in (folder / "book").read_bytes(), "the bakery is awake")
    (folder / "book").write_bytes(b"")

    def send(order):
        client.send(bakery.TOPIC, order)
        return "yes"

    days["queue"] = market_day("queue", send, baker, folder)
draw_answers(days["queue"])

# %% [markdown]
# The shop notices nothing: its customers wait for the broker and its disk alone, as long when the bakery is slow or dead as
# before. (A few wait longer while the bakery starts again: starting a program is work for this machine.) And still nobody is
# lied to: each *yes* is in the broker's log, synced. What was waiting in the broker is baked when the bakery is back. One
# order comes last, long after the others: the bakery died with it in its hands (section 5).
#
# ## 3. Side by side

# %% tags=["live", "picture"]
draw_baking(list(days.values()))
report(list(days.values()))

# %% [markdown]
# Read the three pictures like this: the gap between the two lines is *what is promised and not done yet*.
#
# * **socket**: the gap at the right end never closes. That is the loss.
# * **rpc**: there is no gap, ever: both lines are one. Instead it stands still, and the shop sells nothing.
# * **queue**: the gap opens and closes again. It has a name: **backlog**. It is a number that you can watch, and the price
#   of the shop's calm: an order may be baked long after its customer has gone home. A queue does not make work disappear;
#   it makes it *later*.
#
# | | socket | rpc | queue |
# |---|---|---|---|
# | "done" means | my system took the bytes | it is baked | the broker has it on its disk |
# | the other side is slow | unseen, until buffers are full | I am slow | backlog grows |
# | the other side is dead | silent loss, then errors | errors | backlog grows |
# | I learn what came of it | no | yes, at once | no (it must be sent back, as another message) |
# | one more program to keep alive | no | no | yes, the broker |
#
# The last line is why this course has so many chapters. The shop lives now as long as the *broker* lives. So the broker
# must not lose what it said yes to (stage 1), be found (stage 2), and survive the death of its machine (stage 3).
#
# ## 4. An error is not a "no"
#
# In the remote call's picture there may be a customer or two who heard *we do not know*. Is the shop just too lazy to find
# out?
#
# **Predict:** the bakery takes a second for a bread, and the shop waits for half a second at most. It calls, gets an error,
# thinks for a moment, calls once more, and gets an error again. How many breads are baked?

# %%
with ExitStack() as stack:
    folder = stack.enter_context(scratch("deadline"))
    address = f"127.0.0.1:{free_port()}"
    baker = open_bakery(stack, "rpc", folder, address)
    channel = stack.enter_context(grpc.insecure_channel(address))
    grpc.channel_ready_future(channel).result(60)
    bake = channel.unary_unary(bakery.METHOD)
    bake(b"warm-up")
    bakery.set_mood(folder, 1000)
    heard = []
    for _ in range(2):
        try:
            heard.append(bake(b"one loaf", timeout=0.5).decode())  # the one line
        except grpc.RpcError as error:
            heard.append(error.code().name)
        time.sleep(1.5)  # the bakery is done by then with what is under way
    print("the shop heard:", heard)
    print("the book says:", [line.split(b" ", 1)[1].decode() for line in (folder / "book").read_bytes().splitlines()[1:]])

# %% [markdown]
# Two errors, two loaves. The error says only: *I did not hear an answer.* The call may never have arrived, be still under
# way, or be done, with the answer lost. From where the shop stands these are **the same**. So there are two kinds of
# errors, and it is worth keeping them apart in every program you write:
#
# * **definite**: it did not happen, and will not. (Nobody listens at that address.) Trying again is safe.
# * **indefinite**: it may have happened, or may still happen. Trying again may do it twice.
#
# Every error of our broker says which one it is (`mq/core/errors.py`).
#
# **Change this one line.** Set `timeout=0.5` to `5`, and run the cell again: now the shop hears `baked` twice, and two
# loaves are right. No time-out is the right one for every day: too short makes double work just when the other side is
# overloaded, too long makes you as slow as your slowest friend.
#
# ## 5. Does a queue do everything once, then?
#
# The bakery fetches an order, bakes, and says `ack`. What if it dies in between? Here it is: the book has the bread, the
# broker has no ack. A second bakery takes over. (`invisible_ms` is how long the broker waits for an ack: ten seconds, the
# shortest that it takes.)
#
# **Predict:** how many times is the loaf baked?

# %% tags=["live"]
with ExitStack() as stack:
    folder = stack.enter_context(scratch("twice"))
    broker = stack.enter_context(Broker(folder))
    client = MessageClient(stack.enter_context(Connection(broker.endpoint)))
    AdminClient(stack.enter_context(Connection(broker.endpoint))).create_topic(bakery.TOPIC, queues=1)
    client.send(bakery.TOPIC, b"one loaf")
    book = []

    def bake_one(baker, *, acks=True):
        for received in client.receive(bakery.TOPIC, bakery.GROUP, count=1, wait_ms=20_000, invisible_ms=10_000):
            book.append(f"{baker} baked {received.message.body.decode()}")
            if acks:
                client.ack(bakery.TOPIC, bakery.GROUP, [received])

    bake_one("the first bakery", acks=False)  # it dies here, before its ack
    begun = time.monotonic()
    bake_one("the second bakery")
    print(*(book or ["nobody baked"]), sep="\n")
    print(f"the second one had waited for {time.monotonic() - begun:.1f} s (it gives up after 20)")

# %% [markdown]
# Twice. The broker cannot know whether the first bakery died before or after the bread was done; it is section 4 again,
# with the roles turned round. It could choose *never twice* instead, by forgetting an order when it hands it out; then an
# order is lost when a bakery dies before baking.
#
# **Change this one line.** In `bake_one`, put the `ack` before the line that writes into the book, and let the first bakery
# die between the two (`return` there). Now nothing is baked twice, and the loaf is never baked at all: the second bakery
# waits its twenty seconds for nothing. There is no third place for the line. What one does about it is lesson 3, and lab 1d.
#
# ## Claims to defend
#
# Defend each of these to somebody who doubts it, with a run in this notebook that breaks when you change one line:
#
# 1. A *yes* is worth what had happened before it was said; for a socket that is nearly nothing.
# 2. A remote call makes the caller as slow, and as dead, as the one who is called.
# 3. A queue decouples in *time*: both sides need to live, but not at the same time.
# 4. A queue does not make work disappear; a backlog that only grows ends badly, only later.
# 5. A time-out is not a "no". Who tries again after an indefinite error must be ready for "twice".
# 6. There is no place for the ack that gives exactly once by itself.
#
# ## Questions for you
#
# * Give the socket shop an answer line from the bakery for each order, and let it wait for that. Which of the three ways
#   have you built?
# * In the queue's run, kill the *broker* instead of the bakery (`broker.kill()`; `broker.start()`). What does the shop
#   hear, and is an order lost?
# * The customer wants to know *when* her bread is ready. Sketch it with queues alone: which messages, in which direction?
#
# ## What next
#
# Lesson 1: what must happen on a disk before a broker may say *yes*. The lab to it is **lab 1a**:
#
#     .venv/bin/mq lab start lab1a
#
# In the code: `mq/rpc/message_client.py` (a whole client in a page), `mq/core/errors.py` (definite and indefinite).
