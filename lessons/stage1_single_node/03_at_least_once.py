# %% [markdown]
# # 3 · At least once
#
# A message can be found (how, is lesson 2; nothing here needs it). Who gets it, how long may they take, and when is it *done*?
#
# After this lesson you can say, and show with a run:
#
# * what a consumer group is, and in which four places a message can be for it;
# * what *receive*, *invisible time* and *ack* do, and why an ack can come too late;
# * why a broker that loses nothing must now and then deliver twice;
# * how a consumer is written so that twice does no harm, and four ways to get that wrong.
#
# **Time:** 30 to 40 minutes. **Before:** lessons 0 and 1. **Leads to:** lab 1c (delivery, the broker's side) and lab 1d (an
# idempotent consumer, the other side).

# %%
from collections import Counter
from random import Random

import matplotlib.pyplot as plt

from lessons.showing import COLOURS, FREE, bare, figure
from lessons.small_broker import SmallBroker

# %% [markdown]
# ## 1. Groups
#
# A **consumer group** is a name. All consumers with that name share the work: each message goes to *one* of them. Two
# groups know nothing of each other: each gets everything. `bakery` bakes the orders, `office` writes the bills.
#
# **Predict:** four orders are sent. Two bakers and one clerk receive, two messages each. Who gets what?

# %%
broker = SmallBroker()
broker.create_topic("orders")
for group in ("bakery", "office"):
    broker.create_group(group)
broker.send("orders", "two loaves", "ten rolls", "a cake", "nine buns")

print("first baker: ", broker.receive("orders", "bakery", count=2))
print("second baker:", broker.receive("orders", "bakery", count=2))
print("clerk:       ", broker.receive("orders", "office", count=2))
print("third baker: ", broker.receive("orders", "bakery", count=2))

# %% [markdown]
# Nothing was *taken out* of the queue for that. The orders lie in the log once; what a group has is only its **progress**:
# a few numbers. A third group that is made tomorrow begins at the first order.
#
# ## 2. Four places
#
# For a group, each message of a queue is in exactly one of four places:
#
# | place | how it gets there |
# |---|---|
# | **not delivered yet** | it was sent |
# | **in flight, hidden** | somebody received it: nobody else sees it for its *invisible time* |
# | **in flight, ready again** | its time ran out, and no ack came |
# | **done** | it was acknowledged |
#
# A day in the bakery. The invisible time is ten seconds. One baker takes three orders, acknowledges one after 3 s, and
# dies. Another one takes two orders at 5 s, and acknowledges both at 8 s.
#
# **Predict:** what does a third baker get, who asks at 9 s? And at 11 s?

# %%
PLACES = {
    "not delivered yet": FREE,
    "in flight, hidden": COLOURS["waiting"],
    "in flight, ready again": COLOURS["torn"],
    "done": COLOURS["safe"],
}


def places_of(broker, topic, group):
    """For each message of the topic's first queue, where it is for the group, now."""
    table, queue = broker.node.machine.group(group).look(topic), broker.queue(topic)
    now_ms, _ = broker.node.stamps()
    flights, found = table.flights(0), []
    for offset in range(queue.max_offset):
        if offset in flights:
            found.append("in flight, hidden" if flights[offset].deadline_ms > now_ms else "in flight, ready again")
        else:
            found.append("done" if table.is_done(0, offset) else "not delivered yet")
    return found


broker = SmallBroker()
broker.create_topic("orders")
broker.create_group("bakery")
broker.send("orders", "two loaves", "ten rolls", "a cake", "nine buns", "six pies", "a tart")
film, held, said = [], {}, []


def first_takes_three():
    held["first"] = broker.receive("orders", "bakery", count=3)


def first_acks_one():
    broker.ack("orders", "bakery", held["first"][0])


def second_takes_two():
    held["second"] = broker.receive("orders", "bakery", count=2)


def second_acks_both():
    broker.ack("orders", "bakery", *held["second"])


def third_asks(count=1):
    held["third"] = broker.receive("orders", "bakery", count=count)
    said.append(f"at {len(film) / 2:g} s the third baker gets {held['third']}")


def third_acks_all():
    broker.ack("orders", "bakery", *held["third"])


DAY = {0: first_takes_three, 3: first_acks_one, 5: second_takes_two, 8: second_acks_both, 9: third_asks, 9.5: third_acks_all,
       11: lambda: third_asks(3), 13: third_acks_all}  # fmt: skip

for half_second in range(30):
    if half_second / 2 in DAY:
        DAY[half_second / 2]()
    film.append(places_of(broker, "orders", "bakery"))
    broker.pass_time(500)
print(*said, sep="\n")


# %% tags=["picture"]
def draw_film(film, names, title, events=()):
    _, axes = figure(0.42 * len(names) + 1.5)
    for column, places in enumerate(film):
        for row, place in enumerate(places):
            cell = plt.Rectangle((column / 2, -row - 0.42), 0.5, 0.84, facecolor=PLACES[place], edgecolor="white", linewidth=0.5)
            axes.add_patch(cell)
    axes.set_xlim(0, len(film) / 2)
    axes.set_ylim(-len(names) + 0.45, 0.6)
    axes.set_yticks([-row for row in range(len(names))], names)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for at, text in events:
        axes.axvline(at, color="#1d2a35", linewidth=1)
        axes.text(at + 0.08, 0.5, text, fontsize=9, va="bottom")
    axes.set_xlabel("seconds")
    axes.set_title(title, pad=18)
    handles = [plt.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="#c5cdd4", label=name) for name, colour in PLACES.items()]
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=10)
    plt.show()


draw_film(film, ["two loaves", "ten rolls", "a cake", "nine buns", "six pies", "a tart"], "Where each order is, for the bakery",
          [(0, "1st takes 3"), (3, "acks 1"), (5, "2nd takes 2"), (8, "acks 2"), (11, "3rd asks")])  # fmt: skip

# %% [markdown]
# The dead baker had to tell nobody that it is dead. The two orders in its hands came back by themselves, when their time
# was over; their **attempt** is 2 now. The broker never asked *"are you still there?"*: it only counted time.
#
# **Change this one line.** In `SmallBroker.receive` the invisible time is `invisible_ms=10_000`. Give the first baker 5,000
# instead, and run again. When do the orders come back? What is bad about a time that is too short? The next section shows
# it.
#
# ## 3. Too late
#
# A baker is not dead, only slow: it needs twelve seconds. After ten, another one gets the same order.
#
# **Predict:** both bake, both acknowledge. Whose ack counts?

# %%
broker = SmallBroker()
broker.create_topic("orders")
broker.create_group("bakery")
broker.send("orders", "two loaves")

(slow,) = broker.receive("orders", "bakery")
broker.pass_time(10_500)
(quick,) = broker.receive("orders", "bakery")
broker.pass_time(1_500)
print("the slow one's ack counts: ", broker.ack("orders", "bakery", slow))
print("the order is for the group:", places_of(broker, "orders", "bakery"))
print("the quick one's ack counts:", broker.ack("orders", "bakery", quick))
print("the order is for the group:", places_of(broker, "orders", "bakery"))
print("the same message: ", slow.message_id == quick.message_id)
print("the same delivery:", slow.delivery.stamp == quick.delivery.stamp)

# %% [markdown]
# An ack is for **one delivery**, not for the message. What stands for a delivery is its **receipt handle** (here: its
# stamp). The slow baker's handle was spent when the order was handed out again. If its late ack counted, then the quick
# one's failure a moment later would go unnoticed, and the order would be lost.
#
# Keep the two apart; we shall need it: the **message id** says *which message*, the **receipt handle** says *which
# delivery*.
#
# ## 4. Why not exactly once?
#
# A baker does three things with an order: *receive*, *bake*, *ack*. It may die between any two of them. Should it ack
# before it bakes, or after?
#
# **Predict:** fill in this table before you run it: for both orders of steps, and for a death before step 2, before step 3,
# and after it: how many times is the bread baked in the end, when another baker goes on?


# %%
def breads(steps, dies_before):
    """How many breads there are in the end, if the first baker dies before that step; the next one does everything."""
    broker = SmallBroker()
    broker.create_topic("orders")
    broker.create_group("bakery")
    broker.send("orders", "one loaf")
    baked = 0
    for dies_at in (dies_before, None):
        got = broker.receive("orders", "bakery")
        for number, step in enumerate(steps, 2):
            if number == dies_at or not got:
                break
            if step == "bake":
                baked += 1
            else:
                broker.ack("orders", "bakery", *got)
        broker.pass_time(10_500)
    return baked


ORDERS = {"bake, then ack": ("bake", "ack"), "ack, then bake": ("ack", "bake")}
table = {name: [breads(steps, dies) for dies in (2, 3, 4)] for name, steps in ORDERS.items()}
for name, row in table.items():
    print(f"{name}: {row}")

# %% tags=["picture"]
_, axes = figure(1.9)
bare(axes)
for row, (name, results) in enumerate(table.items()):
    axes.text(-0.1, -row + 0.45, name, ha="right", va="center", fontweight="bold")
    for column, baked in enumerate(results):
        colour = {0: COLOURS["torn"], 1: COLOURS["safe"], 2: COLOURS["waiting"]}[baked]
        axes.add_patch(plt.Rectangle((column * 1.4, -row), 1.3, 0.9, facecolor=colour))
        axes.text(column * 1.4 + 0.65, -row + 0.45, ("never", "once", "twice")[baked], ha="center", va="center", color="white")
for column, text in enumerate(("dies after receive", "dies in between", "dies at the end")):
    axes.text(column * 1.4 + 0.65, 1.0, text, ha="center", va="bottom", fontsize=10)
axes.set_xlim(-1.4, 4.2)
axes.set_ylim(-1.1, 1.3)
plt.show()

# %% [markdown]
# There is no third order of two steps. *At most once* loses, *at least once* repeats, and what lies between is not to be
# had from the broker alone: it cannot know whether the bread was baked when the baker fell silent. So the broker promises
# **at least once**, and the consumer has to make *twice* harmless.
#
# ## 5. Twice is harmless
#
# A till adds up payments. The same payment twice must count once. Such a consumer is called **idempotent**. Five tries
# follow. `disk` outlives a death, `memory` does not; a `yield` is a place where the consumer may die.
#
# **Predict:** which of the five are right? For each wrong one: is the sum too high or too low? It pays to write it down.


# %%
def careless(got, disk, memory):
    yield
    disk["sum"] += int(got.body)


def remembers_in_memory(got, disk, memory):
    if got.message_id not in memory:
        yield
        disk["sum"] += int(got.body)
        memory.add(got.message_id)


def remembers_the_handle(got, disk, memory):
    handle = (got.offset, got.delivery.stamp)
    if handle not in disk["seen"]:
        yield
        disk["sum"] += int(got.body)
        disk["seen"].add(handle)


def notes_it_first(got, disk, memory):
    if got.message_id not in disk["seen"]:
        disk["seen"].add(got.message_id)
        yield
        disk["sum"] += int(got.body)


def in_one_step(got, disk, memory):
    if got.message_id not in disk["seen"]:
        yield
        disk["sum"] += int(got.body)  # these two lines are one transaction:
        disk["seen"].add(got.message_id)  # no death between them


def till(consumer, seed, payments=8):
    """The till's sum less what it should be, after a day on which the consumer dies now and then."""
    broker, rng = SmallBroker(), Random(seed)
    broker.create_topic("payments")
    broker.create_group("till")
    amounts = [rng.randint(1, 9) for _ in range(payments)]
    broker.send("payments", *map(str, amounts))
    disk, memory = {"sum": 0, "seen": set()}, set()
    while set(places_of(broker, "payments", "till")) != {"done"}:
        got = broker.receive("payments", "till")
        if not got:
            broker.pass_time(10_001)
            continue
        is_dead = False
        for _ in consumer(got[0], disk, memory):
            is_dead = rng.random() < 0.2
            if is_dead:
                break
        if is_dead or rng.random() < 0.2:  # dies in the middle, or after its work and before its ack
            memory = set()
            continue
        broker.ack("payments", "till", *got)
    return disk["sum"] - sum(amounts)


CONSUMERS = (careless, remembers_in_memory, remembers_the_handle, notes_it_first, in_one_step)
outcomes = {}
for consumer in CONSUMERS:
    errors = [till(consumer, seed) for seed in range(60)]
    outcomes[consumer.__name__] = Counter("too high" if e > 0 else "too low" if e < 0 else "right" for e in errors)

# %% tags=["picture"]
_, axes = figure(2.9)
paint = {"right": COLOURS["safe"], "too high": COLOURS["waiting"], "too low": COLOURS["torn"]}
for row, counts in enumerate(outcomes.values()):
    left = 0
    for word, colour in paint.items():
        axes.barh(-row, counts[word], left=left, color=colour, height=0.7)
        if counts[word] > 4:
            axes.text(left + counts[word] / 2, -row, str(counts[word]), ha="center", va="center", color="white")
        left += counts[word]
axes.set_yticks([-row for row in range(len(outcomes))], outcomes)
axes.tick_params(length=0)
axes.set_xlim(0, 60)
axes.set_xlabel("days, of 60")
axes.set_title("Is the till right in the evening?")
handles = [plt.Rectangle((0, 0), 1, 1, facecolor=colour, label=word) for word, colour in paint.items()]
axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
plt.show()

# %% [markdown]
# * `careless` counts every delivery.
# * `remembers_in_memory` forgets when it dies, and its own death is what makes the second delivery.
# * `remembers_the_handle` takes each delivery for a new message: section 3 was about that.
# * `notes_it_first` says *done* before it is: a payment is lost when it dies in between. It is "ack, then bake" again.
# * `in_one_step` is right: the effect, and the note that it took place, are **one** durable step. (In a database: one
#   transaction. In a file: one write and sync, such as lesson 1 has it.)
#
# **Change this one line.** In `in_one_step`, put a `yield` between the two lines that are one transaction, and run again.
# How many days are right now? Then exchange the two lines as well. Each time it is wrong in the way of another consumer above:
# of which?
#
# Often one needs no list at all, when the effect can be said in another way: not *"add 5"* but *"order 17 is paid"*. To say
# that twice changes nothing.
#
# ## 6. Twice from the other side
#
# A sender, too, may hear nothing and send again (lesson 0). Our broker knows the last 100,000 ids of each topic, and stores
# such a message once:
#
# **Predict:** one of these four sends, other than the first, makes a second order. Which?

# %%
broker = SmallBroker()
broker.create_topic("orders")
print("sent:                        offset", broker.send("orders", "two loaves", ids=["id-1"]))
print("the same, once more:         offset", broker.send("orders", "two loaves", ids=["id-1"]))
broker.power_loss()
print("after a loss of power:       offset", broker.send("orders", "two loaves", ids=["id-1"]))
print("by a program that made anew: offset", broker.send("orders", "two loaves", ids=["id-2"]))

# %% [markdown]
# The client makes the id. When the *program* around it calls `send` again, the client makes a new message, with a new id,
# and nobody can know that it means the same order. Against that helps only a number of your own in the message (*order
# 17*), which the consumer looks at.
#
# ## 7. A message that kills
#
# One order makes every baker crash. It comes back, and back again.
#
# **Predict:** a group allows three deliveries (`max_attempts=3`). What happens at the fourth? And is the order behind it
# held up?

# %%
broker = SmallBroker()
broker.create_topic("orders")
broker.create_group("bakery", max_attempts=3)
broker.send("orders", "a poisoned cake", "a tart")
film, said = [], []
for half_second in range(76):
    for got in broker.receive("orders", "bakery", count=5):
        said.append(f"at {half_second / 2:>4} s: {got}")
        if got.body == "a tart":
            broker.ack("orders", "bakery", got)
    if half_second == 30:
        broker.power_loss()
        said.append("at 15.0 s: the broker loses its power, and starts again")
    film.append(places_of(broker, "orders", "bakery"))
    broker.pass_time(500)
print(*said, sep="\n")
print("topics now:", sorted(broker.node.machine.topics))

# %% tags=["picture"]
EVENTS = [(0, "1st attempt"), (10, "2nd"), (15, "power lost"), (25, "3rd"), (35, "dead")]
draw_film(film, ["a poisoned cake", "a tart"], "A poisoned order", EVENTS)

# %% [markdown]
# It becomes a **dead letter**: for the group it is done, and it lies in a topic of its own (`%DLQ%bakery`), where a person
# can look at it. The order behind it was never held up. Attempts are counted in the log, like everything: the loss of power
# did not make the broker forget them.
#
# Look at the third attempt: it comes ten seconds after the *restart*. The broker takes its time from the stamps in its log,
# and the newest one was five seconds old when the power went. Later than promised is allowed, earlier never is.
#
# ## Claims to defend
#
# 1. A queue is not emptied by reading; a group's progress is a few numbers beside it.
# 2. The broker needs no sign of life from a consumer, only time. The price is: dead and slow look the same.
# 3. An ack is for one delivery, not for the message.
# 4. Acknowledge first, and you may lose; last, and you may repeat. There is no third place.
# 5. Repeating is made harmless by a durable note *together with* the effect, by message id or by a number of your own,
#    never by receipt handle.
# 6. A message that cannot be done must end somewhere, and not in an endless circle.
#
# ## Questions for you
#
# * A consumer needs a minute for some orders and a second for most. Which invisible time? What could it do *while* it works
#   on a long one?
# * `in_one_step` keeps every id for ever. For how long must it? What in the broker bounds that?
# * Two consumers of one group are given the two halves of a payment, and both must be there. Which of them acknowledges,
#   and when?
#
# ## What next
#
# **Lab 1c** asks you to write the delivery table, with its four places; **lab 1d** an idempotent consumer that lives
# through everything that a broker may do to it.
#
#     .venv/bin/mq lab list
#
# In the code: `mq/broker/delivery/picker.py` (who gets what); and after lab 1c, which asks for it,
# `mq/broker/delivery/table.py` (the four places). Lesson 4 leaves the simulation: a real broker, the official client, and a
# real kill.
