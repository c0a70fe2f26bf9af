# %% [markdown]
# # 10 · Why agreement is hard
#
# One broker that comes back after a crash (lesson 4) is not enough: while it is away nobody is served, and when its disk
# dies, all is lost. So keep two copies of the order book. How hard can that be?
#
# After this lesson you can say, and show with a run:
#
# * why two who talk over a line that loses messages can never be sure that they agree, however many messages they send;
# * why a backup that takes over after some silence loses orders, or leaves a shop with two masters;
# * why no length of that silence is right;
# * what a majority gives that one half does not, and why three copies are fewer worries than two;
# * what exactly is asked of those who agree, and which part of it nobody can promise.
#
# **Time:** 25 to 35 minutes. **Before:** lesson 1 (what *durable* means). **Leads to:** lesson 11, and with it lab 3a, which
# asks you to write an election.

# %%
from collections import Counter
from itertools import combinations, product
from random import Random

import matplotlib.pyplot as plt

from lessons.raft_pictures import Said, draw_logs, draw_reigns, draw_talk
from lessons.raft_runs import TimedGroup
from lessons.showing import COLOURS, bare, figure
from mq.raft.quorum import majority
from mq.sim.group.network import NetworkOptions

# %% [markdown]
# ## 1. Two generals
#
# Before we write any shop: can two of them agree on *anything*, when each message may be lost?
#
# Anna and Ben want to open a stall on the market: both, or none, for one alone is ruined. They write letters, and a letter
# may get lost. Anna writes first; each answers the letter that came. After some number of letters they stop.
#
# Whatever they agreed on before, in the end each of them has got some number of letters, and goes by that number alone. So a
# *rule* is a list for each: with this many letters I go, with that many I stay at home.
#
# **Predict:** with how many letters is there a rule by which both always do the same? (They must go when every letter
# arrives, and stay at home when not even the first does: a rule by which nobody ever goes is no use.)
#
# `best_rule` tries **every** rule there is, on every run there is. (One letter is too few for any: Anna gets no answer, so that
# she would always go, or never.)


# %%
def runs(letters):
    """Every run: how many letters arrived until one was lost. The last one lost none."""
    return range(letters + 1)


def best_rule(letters, possible=runs):
    """The least number of runs in which one goes alone, over all rules; and a rule that has no more."""
    for_anna = list(product((False, True), repeat=letters // 2 + 1))  # by how many letters she got
    for_ben = list(product((False, True), repeat=(letters + 1) // 2 + 1))
    best = None
    for anna, ben in product(for_anna, for_ben):
        went = {arrived: (anna[arrived // 2], ben[(arrived + 1) // 2]) for arrived in possible(letters)}
        if went.get(letters) != (True, True) or went.get(0, (False, False)) != (False, False):
            continue
        alone = [arrived for arrived, (one, other) in went.items() if one != other]
        if best is None or len(alone) < len(best[0]):
            best = alone, anna, ben
    return best


for letters in range(2, 9):
    alone, anna, ben = best_rule(letters)
    rules = 2 ** (letters + 2)
    print(f"{letters} letters, {rules:4} rules: the best one fails in {len(alone)} of {letters + 1} runs")

# %% [markdown]
# Never none. And the reason can be told without a computer. Take the last letter that is needed for anything. Its sender
# does not know whether it arrived, so he does the same in both cases. Then its receiver must do the same in both cases, too,
# and the letter was not needed.
#
# Here is the run in which the best rule for four letters fails:


# %% tags=["picture"]
def letters_as_talk(letters, arrived, anna, ben):
    said = []
    for number in range(min(arrived + 1, letters)):
        sender, to = ("Anna", "Ben") if number % 2 == 0 else ("Ben", "Anna")
        said.append(Said(number, sender, to, f"letter {number + 1}", number + 0.8 if number < arrived else None))
    went = {"Anna": anna[arrived // 2], "Ben": ben[(arrived + 1) // 2]}
    is_bad = went["Anna"] != went["Ben"]
    return [*said, *(Said(letters + 0.3, name, name, "goes" if goes else "stays", is_bad=is_bad) for name, goes in went.items())]


alone, anna, ben = best_rule(4)
arrived = alone[0] if alone else 4
lost = f"letter {arrived + 1}" if alone else "none"
draw_talk(["Anna", "Ben"], letters_as_talk(4, arrived, anna, ben), f"The best rule for four letters, when {lost} is lost")

# %% [markdown]
# This one line is changed already: let the last letter be safe. In `safe`, a run in which only the *last* letter is lost cannot
# happen. **Predict:** in how many runs does the best rule fail now?


# %%
def safe(letters):
    return [arrived for arrived in range(letters + 1) if arrived != letters - 1]  # the one line


print([len(best_rule(letters, safe)[0]) for letters in range(2, 9)], "runs fail, for 2 to 8 letters")
print([len(best_rule(letters, lambda n: [n])[0]) for letters in range(2, 9)], "when no letter is ever lost")

# %% [markdown]
# It is not the *number* of losses that hurts. It is that for each message somebody cannot know whether it arrived. A network
# that never loses would be enough; nobody sells one.
#
# So agreement cannot mean "all know that all know". It has to mean something weaker, that still keeps a promise. Before we
# say what, let us see what happens to those who do not ask.
#
# ## 2. A master and a backup
#
# The shop again. The master writes each order down, tells its backup, and says *yes* to the customer. Every step it also
# says "I am here". A backup that hears nothing for `patience` steps takes over. This is all of it:


# %%
class Copy:
    """One copy of the order book."""

    def __init__(self, shop, name, *, is_master):
        self.shop, self.name, self.is_master = shop, name, is_master
        self.book, self.silent, self.is_up = [], 0, True

    def step(self):
        """Time passes."""
        if self.is_master:
            self.shop.send(self, "here")
        else:
            self.silent += 1
            if self.silent > self.shop.patience:
                self.is_master = True
                self.shop.note(self, "takes over")

    def hear(self, message):
        self.silent = 0
        if message != "here":
            self.book.append(message)

    def order(self, text):
        """A customer is here, and goes away with a yes."""
        self.book.append(text)
        self.shop.send(self, text)
        self.shop.note(self, f"yes to {text}")


class Shop:
    """Two copies, a line between them that may be cut, and time."""

    def __init__(self, patience, arrival=lambda sent: sent + 1):
        self.patience, self.arrival, self.now, self.is_cut = patience, arrival, 0, False
        self.said, self.under_way = [], []
        self.one, self.two = Copy(self, "one", is_master=True), Copy(self, "two", is_master=False)

    def send(self, sender, text):
        to = self.two if sender is self.one else self.one
        sent = self.now if text == "here" else self.now + 0.4  # orders come between two steps
        arrives = None if self.is_cut else self.arrival(sent)
        self.said.append(Said(sent, sender.name, to.name, text, arrives))
        if arrives is not None:
            self.under_way.append((arrives, to, text))

    def note(self, copy, text, *, is_end=False):
        below = max((one.sent + 0.8 for one in self.said if one.sender == one.to == copy.name), default=0)
        self.said.append(Said(max(self.now + 0.8, below), copy.name, copy.name, text, is_end=is_end))

    def pass_time(self, steps):
        for _ in range(steps):
            for message in sorted((m for m in self.under_way if m[0] <= self.now), key=lambda m: m[0]):
                self.under_way.remove(message)
                if message[1].is_up:
                    message[1].hear(message[2])
            for copy in (self.one, self.two):
                if copy.is_up:
                    copy.step()
            self.now += 1

    def books(self):
        return {copy.name: copy.book for copy in (self.one, self.two)}


# %% [markdown]
# First the day for which it was made: the master dies, the backup takes over.
#
# **Predict:** the master dies right after its yes to *rolls*, and that message to the backup is lost on its way. What does
# the shop know in the evening?

# %%
shop = Shop(patience=2)
shop.pass_time(1)
shop.one.order("bread")
shop.pass_time(2)
shop.is_cut = True  # this one message is lost
shop.one.order("rolls")
shop.is_cut = False
shop.one.is_up = False
shop.note(shop.one, "dies", is_end=True)
shop.pass_time(4)
shop.two.order("cake")
print("the shop's book now:", shop.two.book)

# %% tags=["picture"]
draw_talk(["one", "two"], shop.said, "A master that says yes before its backup has the order")

# %% [markdown]
# *Rolls* got a yes, and nobody knows of them. The mend is known from lesson 1: first have it safe, then say yes. Here that
# means: wait until the backup has answered. Then *rolls* would never have got a yes. (And when the backup is away? Then the
# shop must wait, or go on alone and risk the same again. Two copies with that rule are *down* when either of them is.)
#
# Worse is what comes without any death. **Predict:** nobody dies, but the line between the two is cut for some steps. What
# do the two books say afterwards?

# %%
shop = Shop(patience=2)
shop.one.order("bread")
shop.pass_time(2)
shop.is_cut = True
shop.pass_time(4)
shop.one.order("the last cake")
shop.two.order("the last cake, too")
shop.pass_time(1)
shop.is_cut = False
shop.pass_time(2)
for name, book in shop.books().items():
    print(f"{name}: {book}  master: {shop.one.is_master if name == 'one' else shop.two.is_master}")

# %% tags=["picture"]
draw_talk(["one", "two"], shop.said, "A cut, and two masters")

# %% [markdown]
# Two masters, and two books that will never be alike again. (Even after the line was mended each goes on: nobody told it
# to stop.) People call this a *split brain*. Both did what they were told. From where *two* stands, a master that died and a
# line that is cut look the same: silence.
#
# ## 3. How patient should it be?
#
# Perhaps two steps of patience were too few? In a real network a message takes 1 step, mostly; and now and then everything stands
# still for a while: a switch is busy, a machine swaps, a process collects its garbage. Such pauses are short mostly, and long
# sometimes. Then we look at both dangers, for each patience:
#
# * nobody dies: on how many of 200 days are there two masters?
# * the master dies: for how many steps is there none?
#
# **Predict:** for which patience are both zero?


# %%
def busy_line(seed):
    """When what is sent at some time arrives. Pauses begin by chance; one in ten is ten times as long as most."""
    rng, pauses, at = Random(seed), [], 0
    while at < 400:
        at += rng.randint(20, 80)
        pauses.append((at, at + int(1.5 * rng.paretovariate(1.0))))
    return lambda sent: max([sent + 1, *(end for begin, end in pauses if begin <= sent < end)])


def has_two_masters(patience, seed):
    shop = Shop(patience, busy_line(seed))
    shop.pass_time(120)
    return shop.two.is_master


def steps_without_master(patience, seed):
    shop = Shop(patience, busy_line(seed))
    shop.pass_time(20)
    shop.one.is_up, died = False, shop.now
    while not shop.two.is_master:
        shop.pass_time(1)
    return shop.now - died


patiences = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
doubled = [sum(has_two_masters(patience, seed) for seed in range(200)) / 2 for patience in patiences]
empty = [sum(steps_without_master(patience, seed) for seed in range(40)) / 40 for patience in patiences]
print("two masters:", ", ".join(f"{share:g} % with {patience}" for patience, share in zip(patiences, doubled, strict=True)))

# %% tags=["picture"]
_, axes = figure(3.0)
axes.plot(patiences, doubled, marker="o", linewidth=2, color=COLOURS["torn"], label="days with two masters, %  (nobody died)")
axes.plot(patiences, empty, marker="o", linewidth=2, color=COLOURS["safe"], label="steps without a master  (it died)")
axes.set_xlabel("patience of the backup, in steps")
axes.set_ylim(0, 105)
axes.grid(visible=True)
axes.legend(frameon=False, loc="upper center")
axes.set_title("Each patience buys one danger with the other")
plt.show()

# %% [markdown]
# There is none. More patience makes the one danger smaller and the other one larger, and the one never comes to nothing:
# wherever you put the line, there is some day a pause that is longer. Of a real network nobody knows the longest.
#
# > **Silence proves nothing.** A time-out may decide *when* something is tried. It must never decide *what is true*.
#
# ## 4. More than half
#
# What the two masters lacked is a *third*, whom both must ask. Say that whoever wants to decide needs the consent of some
# number of all copies, and that each copy, once asked, remembers what it consented to. Which number?
#
# Below: every group of two, and every group of three, of five copies. A red field: two groups that share nobody. Those two
# groups could decide differently, each without ever hearing of the other.
#
# **Predict:** how many red fields are there among the groups of two? Among the groups of three?


# %%
def overlaps(count, needed):
    """Of every two groups of that size: how many copies are in both."""
    groups = list(combinations(range(count), needed))
    return groups, [[len(set(one) & set(other)) for other in groups] for one in groups]


for count in range(2, 7):
    needed = majority(count)  # the one line
    _, shared = overlaps(count, needed)
    least = min(min(row) for row in shared)
    print(f"{count} copies, {needed} must consent: any two such groups share at least {least}; {count - needed} may be away")

# %% tags=["picture"]
_, parts = figure(3.6, columns=2)
for axes, needed in zip(parts, (2, majority(5)), strict=True):
    groups, shared = overlaps(5, needed)
    bare(axes)
    for row, column in product(range(len(groups)), repeat=2):
        value = shared[row][column]
        colour = COLOURS["torn"] if value == 0 else COLOURS["safe"]
        axes.add_patch(
            plt.Rectangle((column, -row), 0.94, 0.94, facecolor=colour, alpha=1.0 if value == 0 else 0.25 + 0.25 * value)
        )
        axes.text(column + 0.47, -row + 0.47, str(value), ha="center", va="center", color="white", fontsize=9)
    for row, group in enumerate(groups):
        axes.text(-0.2, -row + 0.47, " ".join(str(node + 1) for node in group), ha="right", va="center", fontsize=9)
    axes.set_xlim(-2.3, len(groups))
    axes.set_ylim(-len(groups) + 0.9, 1.1)
    reds = sum(value == 0 for line in shared for value in line) // 2
    axes.set_title(f"{needed} of 5: {reds} pairs share nobody")
plt.show()

# %% [markdown]
# More than half: that is the whole secret. Two majorities always share a copy, and that copy *remembers*. `majority` is the
# function that our Raft itself counts with (`mq/raft/quorum.py`).
#
# Notice the last number in each line. Four copies bear as many losses as three, and six as many as five: that is why groups
# are odd. And **two** copies bear none at all: the shop of section 2 can be safe or open, not both.
#
# **Change this one line.** In the cell that begins with `def overlaps` (two above this text, before the one that draws) put
# `needed = count // 2` and run it: with 4 copies two groups share nobody, and it is *half* that was enough for each. Here is
# what that does to a whole group. `Halves` is our Raft with that one mistake: what it counts as a majority of four is two. We
# let it work, cut it into two halves, and ask each half for an order.

# %%
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode


class HalfIsEnough(Configuration):
    """Half of the voters decide."""

    __slots__ = ()

    def has_quorum(self, is_for):
        return sum(map(is_for, self.voters)) >= len(self.voters) / 2  # the one line

    def quorum_value(self, value_of):
        return sorted(map(value_of, self.voters))[len(self.voters) // 2]

    def is_won(self, votes):
        return True if self.has_quorum(lambda voter: votes.get(voter) is True) else None


class Halves(RaftNode):
    __slots__ = ()

    def _put_in_force(self):
        super()._put_in_force()
        self.configuration = HalfIsEnough(*self.configuration)


def cut_in_two(raft, seed=4):
    """Four copies, an order, a cut down the middle, and an order for each who leads then."""
    group = TimedGroup(seed, 4, raft, is_watched=False).wait_for_leader()
    group.propose(group.leader, b"bread").pass_time(500)
    first, others = group.leader, [node for node in (1, 2, 3, 4) if node != group.leader]
    begins_ms = group.now_ms
    group.split([first, others[0]], others[1:]).pass_time(2500)
    for node in (1, 2, 3, 4):
        group.propose(node, f"cake{node}".encode())
    return group.pass_time(1000), begins_ms


for raft in (RaftNode, Halves):
    group, begins_ms = cut_in_two(raft)
    decided = Counter((index, text) for row in group.log_rows() for index, _, text in row.entries[: row.commit_index] if text)
    print(
        f"{raft.__name__:8}",
        *(f"entry {index} is {text}, say {count} copies;" for (index, text), count in sorted(decided.items())),
    )

# %% tags=["picture"]
for raft, title in ((RaftNode, "3 of 4 decide: a half can do nothing"), (Halves, "2 of 4 decide: each half has a leader")):
    group, begins_ms = cut_in_two(raft)
    draw_reigns(group.events, group.now_ms, title, marks=[(begins_ms, "cut in two halves")])
draw_logs([("2 of 4 decide: the logs at the end (black below: committed, for ever)", group.log_rows())])

# %% [markdown]
# Look at the logs: two different entries are committed in one place. The right one stood still instead. That is the choice:
# **when a group is split, the smaller part waits**. With three copies one part is always the larger one, and it goes on.
#
# ## 5. What is asked for
#
# Now we can say what *agreement* means, without asking for the impossible:
#
# * **Agreement:** no two ever take different things for decided in one place. Not "all know at once", but "never two".
# * **Honesty:** what is decided was proposed by somebody.
# * **It stays:** what is decided is decided for ever; crashes and restarts change nothing of it.
# * **Progress:** while a majority is up and its messages arrive in some time, things get decided.
#
# The first three are *safety*: they must hold whatever the network and the clocks do. The last one is *liveness*, and it needs
# luck: Fischer, Lynch and Paterson proved in 1985 that where messages may take any time, and one process may stop, **no method
# without dice can promise that it always comes to a decision**. It can still never decide wrongly, and nearly always decide.
#
# So a good method uses time-outs for progress only. Such a method is **Raft**. Diego Ongaro and John Ousterhout described it in
# "In Search of an Understandable Consensus Algorithm" (extended version, 2014: <https://raft.github.io>). When these lessons say
# *the paper*, they mean that one.
#
# Let us hold our Raft to these promises. Five copies on a bad network, with messages that take up to 300 ms and some ten times
# as long, and the time-out from silly to patient.
#
# **Predict:** with a time-out that is far too short, which of the four promises above breaks?

# %%
BAD = NetworkOptions(delay_ms=20, spread_ms=280, loss_probability=0.05, straggler_probability=0.05)
ticks = (3, 5, 8, 12, 20, 40, 80)
done, campaigns, broken = [], [], Counter()
for election_ticks in ticks:
    plain = {"has_pre_vote": False, "has_check_quorum": False, "election_ticks": election_ticks}  # as in the paper, no more
    days = [TimedGroup(seed, 5, clients=2, network=BAD, **plain).pass_time(15_000) for seed in range(4)]
    done.append(sum(event.name == "done" for day in days for event in day.events) / len(days))
    campaigns.append(
        sum(event.name == "role" and event.text("role") == "candidate" for day in days for event in day.events) / len(days)
    )
    broken.update(day.broken for day in days if day.broken)
print("promises broken:", dict(broken) or "none")

# %% tags=["picture"]
_, axes = figure(2.9)
axes.plot([50 * t for t in ticks], done, marker="o", linewidth=2, color=COLOURS["safe"], label="orders decided in 15 s")
axes.plot([50 * t for t in ticks], campaigns, marker="o", linewidth=2, color=COLOURS["waiting"], label="campaigns in 15 s")
axes.set_xscale("log")
axes.set_xticks([50 * t for t in ticks], [str(50 * t) for t in ticks])
axes.minorticks_off()
axes.set_xlabel("shortest time-out, in ms (messages take up to 300, some up to 3,000)")
axes.grid(visible=True)
axes.legend(frameon=False)
axes.set_title("A bad time-out costs speed, and no promise")
plt.show()

# %% [markdown]
# None. With a time-out that is too short nearly nothing gets decided: each copy asks to be leader before the one before it
# could do anything. With one that is too long, everybody waits for the dead. But never is anything decided twice. Compare that
# with the picture of section 3.
#
# And what if the clock *does* decide? The class below leads as soon as it has waited long enough, as the backup of section 2 did,
# and asks for no consent.


# %%
class ByTheClock(RaftNode):
    """Whoever has waited long enough leads."""

    __slots__ = ()

    def _count_vote(self, voter, *, is_granted):
        self._become_leader()  # the one line: its own vote is enough


for election_ticks in (3, 20, 80):
    plain = {"has_pre_vote": False, "has_check_quorum": False, "election_ticks": election_ticks}
    days = [TimedGroup(seed, 5, ByTheClock, clients=2, network=BAD, **plain).pass_time(10_000) for seed in range(10)]
    found = [day.broken for day in days if day.broken]
    print(f"time-outs from {50 * election_ticks:4} ms on: broken on {len(found)} of 10 days. {found[0] if found else ''}")

# %% [markdown]
# The longer the time-out, the more seldom; as with the patience of section 3, never to be trusted.
#
# ## Claims to defend
#
# Each of them breaks by one line: change it, run the cells from there on, and look. Where a line above breaks it already, put the
# right one back.
#
# 1. No number of messages makes two sure that they agree, while each may be lost. *Break it* in section 1: in `runs`, say
#    `return [letters]`, so that no letter is ever lost. Then the best rule fails in 0 runs, with any number of letters.
# 2. Silence proves nothing: a dead master and a cut line look the same. *Break it* in section 2: give the backup an eye that sees
#    through a cut line, `if self.silent > self.shop.patience and not self.shop.one.is_up:`. After the cut *two* is no master
#    (`master: False`), and in section 3 there are never two. Nobody sells such an eye.
# 3. A backup that takes over by a time-out has two masters sooner or later, whatever the time-out. *Break it* in section 3: let
#    no pause be longer than 20 steps, `at + min(20, int(1.5 * rng.paretovariate(1.0)))`. From a patience of 24 on the red line
#    lies on the bottom. Of a real network nobody can promise you the 20.
# 4. Two majorities share a member. That, and memory, is all that safety needs; two copies can never have it and bear a loss.
#    *Break it* in section 4: `needed = count // 2`. Of four copies, any two such groups share at least 0.
# 5. Clocks may decide when something is tried, never what is true. So a wrong time-out costs progress and nothing else. It is
#    *broken* at the end of section 5, by the one line of `ByTheClock`. *Mend it:* with
#    `super()._count_vote(voter, is_granted=is_granted)` in its place it is 0 of 10 days, whatever the time-out.
#
# ## Questions for you
#
# * Let the backup ask a *witness*, a third machine that only says who is master. Is that two copies, or three? What must the
#   witness remember over a restart?
# * In section 2, mend the two masters with a rule: "after a cut the longer book wins". Which promise breaks, to whom?
# * Seven copies: how many may be away? What does each order cost, compared with three?
#
# ## What next
#
# A majority decides. But *what* does it decide first? Who may speak at all. Lesson 11 is about how copies choose a leader, and
# number its time. Lab 3a asks you to write that.
#
# In the code: `mq/raft/quorum.py` (a page), and `mq/sim/group/checkers.py`, which looks after the promises of section 5 in
# every run.
