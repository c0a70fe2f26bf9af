# %% [markdown]
# # 11 · Terms and elections
#
# Five copies of an order book, and somebody has to say what comes next. Who? And when that one dies, how do the others choose
# another, without ever having two?
#
# After this lesson you can say, and show with a run:
#
# * which roles a node has, and what turns one into another;
# * what a term is: the only clock on which all nodes agree;
# * why one vote in a term is all it takes for at most one leader, and what two votes do;
# * why the time-outs are drawn by lot, and how far apart they have to be;
# * what pre-vote and check-quorum are for: they save no promise, and a lot of trouble.
#
# **Time:** 25 to 35 minutes. **Before:** lesson 10 (majorities). **Leads to:** lab 3a, in which you write the election.
#
# All groups below are our own Raft (`mq/raft`) in the simulated world of `mq/sim`: its clock moves when it is told to, and each
# run comes from a seed, so that you see what we saw. `TimedGroup` is such a group; a script of `hand` moves one by hand, message
# by message.

# %%
from collections import Counter

import matplotlib.pyplot as plt

from lessons.raft_pictures import draw_reigns, draw_roles, space_time
from lessons.raft_runs import TimedGroup, counting, hand
from lessons.showing import figure
from mq.raft.node import RaftNode
from mq.raft.role import TRANSITIONS, Role
from mq.sim.group.network import NetworkOptions

# %% [markdown]
# ## 1. Four roles
#
# A node is a **follower** most of its life: it does what a leader says. One is the **leader**: it alone puts things into the
# log, and every 100 ms it says "I am here" (a **heartbeat**). A follower that hears nothing for too long becomes a **candidate**:
# it asks the others for their votes. (Before that ours is a **pre-candidate** for a moment; section 5 says what for.)
#
# The code has this as a table, `TRANSITIONS` in `mq/raft/role.py`: *(role, what happens)* gives the next role, and what is not in
# the table does not happen. The picture is drawn from that table.

# %%
(role, event), after = next(iter(TRANSITIONS.items()))
print(f"{len(TRANSITIONS)} entries; one of them: a {role} that {event} is a {after} then")

# %% tags=["picture"]
draw_roles()

# %% [markdown]
# **Predict:** five nodes start at the same time, nobody leads. Then the leader is killed, and later started again. Which of the
# arrows will be taken, and about how often?
#
# `counting` makes a Raft that notes each turn. The arrows that were not taken stay faint.

# %%
counts = Counter()
group = TimedGroup(7, 5, counting(counts)).wait_for_leader()
group.pass_time(500)
first, killed_ms = group.leader, group.now_ms
group.kill(first).pass_time(1).wait_for_leader()
group.pass_time(400).start(first).pass_time(800)

# %% tags=["picture"]
draw_roles(counts, "What was taken in this run")
draw_reigns(group.events, group.now_ms, "The same run", marks=[(killed_ms, f"n{first} is killed")])

# %% [markdown]
# Each follower took `f` twice for each reign: when it heard of the new term, and when it heard of its leader. Two time-outs, two
# candidates, two leaders; the other nodes never tried.
#
# Here is the first election again, this time of three nodes, message by message. Time runs downwards; each column is a node.
#
# **Predict:** how many messages does it take until somebody leads, and how many more until the others know?

# %%
election = hand("""
    group 1 2 3 pre-vote off
    campaign 1
    deliver 1>2
    deliver 1>3
    deliver 2>1
    deliver 3>1
    deliver 1>2
    deliver 1>3
""")

# %% tags=["picture"]
space_time(election.events, "An election: node 1 has waited long enough")

# %% [markdown]
# Look at the moment in which n1 turns blue: with the *first* yes. Its own vote and one more are two of three. The second yes
# changes nothing any more. What it sends then is an entry with nothing in it, with which a leader begins (lesson 13 says why).
#
# ## 2. A clock without hands
#
# `T1`, `T2`: the **term**. It is a number that each node keeps on its disk, and that stands in every message.
#
# * Who begins a campaign adds one to its term.
# * Who hears of a higher term takes it over at once, and is a follower then, whatever it was before.
# * What comes from a lower term is refused.
#
# So a term is like a page number of history: there may be many clocks, but everybody who talks to anybody is on the latest
# page. (Lamport called such a thing a *logical clock*, in 1978.)
#
# **Predict:** the leader is cut off from all others, and goes on believing that it leads. The others elect another. Then the cut
# is mended. For how long are there two leaders? And how does the old one learn that it is none?
#
# (`has_check_quorum=False`: section 5 switches that on again.)

# %%
group = TimedGroup(11, 3, has_check_quorum=False).wait_for_leader()
group.pass_time(500)
old, cut_ms = group.leader, group.now_ms
group.isolate(old).pass_time(2500)
leaders = [node for node in (1, 2, 3) if group.host(node).node.role is Role.LEADER]
print("leaders at the same time:", [f"n{node} of term {group.host(node).node.term}" for node in leaders])
mended_ms = group.now_ms
group.heal().pass_time(600)
fell_ms = next(e.at_ms for e in group.events if e.at_ms >= mended_ms and e.node == f"n{old}" and e.name == "role")
print(f"the old one stepped down {fell_ms - mended_ms} ms after the cut was mended; broken promises: {group.broken or 'none'}")

# %% tags=["picture"]
draw_reigns(
    group.events, group.now_ms, "Two leaders at a time, in two terms", marks=[(cut_ms, f"n{old} cut off"), (mended_ms, "mended")]
)
space_time(group.events, "How the old leader learns of it", from_ms=fell_ms - 1, to_ms=fell_ms + 12)

# %% [markdown]
# For two seconds there were two leaders! And no harm was done: they were leaders of *different terms*, and the old one could not
# get a majority for anything. **At most one leader in a term** is the promise; "at most one at a time" is none that anybody could
# keep (lesson 10: who is cut off cannot know it).
#
# No harm: because everybody turns the page. Here a leader hands out *tea* and is overtaken; the leader of term 2 commits an entry
# in the same place. Then the old request for *tea* arrives at node 3. **Predict:** what becomes of node 3's log, if what is older
# counts as well?

# %%
OVERTAKEN = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize
    propose 1 tea
    campaign 2
    deliver 2>3
    deliver 3>2
    deliver 2>3 append-request
    deliver 3>2
    deliver 1>3
    drop *>* all
    crash 2
    campaign 3
    stabilize
"""


class HeedsTheOld(RaftNode):
    """Does what it is told, whatever term it is told in."""

    __slots__ = ()

    def _meet_term(self, message):
        super()._meet_term(message)
        return True  # the one line


for raft in (RaftNode, HeedsTheOld):
    print(f"{raft.__name__:11}", hand(OVERTAKEN, raft).broken or "no promise is broken")

# %% [markdown]
# ## 3. One vote
#
# Why can a term not have two leaders? Each node gives **one vote in a term**, to the first who asks, and a leader needs the votes
# of a majority. Two majorities share a node; that node would have voted twice.
#
# **Predict:** nodes 1 and 3 campaign in the same term, and both ask node 2. Node 1's request comes first. What does node 2
# answer to each, and what if it had no memory for votes?

# %%
TWO_CANDIDATES = """
    group 1 2 3 pre-vote off
    campaign 1
    campaign 3
    deliver 1>2
    deliver 3>2
    deliver 2>1
    deliver 2>3
"""


class Generous(RaftNode):
    """Votes for whoever asks."""

    __slots__ = ()

    def _may_vote_for(self, candidate):
        return True  # the one line


for raft in (RaftNode, Generous):
    run = hand(TWO_CANDIDATES, raft)
    print(f"{raft.__name__:9}", run.broken or "no promise is broken")

# %% tags=["picture"]
space_time(hand(TWO_CANDIDATES).events, "One vote a term")
run = hand(TWO_CANDIDATES, Generous)
space_time(run.events, "Two votes in a term", broken=run.broken)

# %% [markdown]
# **Change this one line.** In `Generous`, answer `self.vote is None` instead. Is that enough? No promise breaks by it, and still
# one candidate is turned away that should not be: an answer may be lost, and whoever waits for it asks again. What should it
# hear?
#
# There is a second way to vote twice: to *forget*. That is why the vote goes to the disk before the answer leaves. Lesson 14
# pulls the plug at that moment.
#
# ## 4. Drawn by lot
#
# A majority may also *not* come about: everybody waits for the same time, all campaign at once, each votes for itself. A **split
# vote**; and then all wait for the same time again.
#
# So each node draws its time-out by lot, and anew each time. Between which numbers? Below: five fresh nodes, on a network where
# a message takes 20 to 80 ms. Each draws from so many values, 50 ms apart, beginning at 500 ms. We wait until somebody leads,
# but for 15 s at most, and do so forty times.
#
# **Predict:** how far apart must the time-outs lie? As far as a message takes? Ten times as far?

# %%
SLOW = NetworkOptions(delay_ms=20, spread_ms=60)
PLAIN = {"has_pre_vote": False, "has_check_quorum": False}


def drawn_from(values):
    class Lot(RaftNode):
        """Draws each time-out from so many values."""

        __slots__ = ()

        def _restart_timer(self):
            super()._restart_timer()
            self.timeout_ticks = 10 + self.chance.randrange(values)  # the one line

    return Lot


def first_leader(raft, seed, limit_ms=15_000):
    """(when somebody led, which term it was) of five fresh nodes."""
    group = TimedGroup(seed, 5, raft, network=SLOW, **PLAIN)
    try:
        group.wait_for_leader(limit_ms)
    except TimeoutError:
        return limit_ms, max(group.host(node).node.term for node in range(1, 6))
    return group.now_ms, group.host(group.leader).node.term


spreads = (1, 2, 3, 5, 10, 20)
found = {values: sorted(first_leader(drawn_from(values), seed) for seed in range(40)) for values in spreads}
for values, times in found.items():
    late = sum(ms >= 15_000 for ms, _ in times)
    print(
        f"{values:2} values, {50 * (values - 1):3} ms apart at most: half of them lead after {times[20][0]:6,} ms,",
        f"nine of ten after {times[35][0]:6,} ms; none within 15 s: {late} of 40; terms: {sum(t for _, t in times) / 40:.1f}",
    )

# %% tags=["picture"]
_, axes = figure(3.0)
shades = plt.get_cmap("viridis")
for number, (values, times) in enumerate(found.items()):
    axes.step([ms for ms, _ in times], [100 * (n + 1) / 40 for n in range(40)], where="post", linewidth=2,
              color=shades(number / len(found)), label=f"{values} value{'s' * (values > 1)}")  # fmt: skip
axes.set_xscale("log")
axes.set_xticks([500, 1000, 2000, 5000, 15000], ["0.5 s", "1 s", "2 s", "5 s", "15 s"])
axes.minorticks_off()
axes.set_xlabel("time until somebody leads")
axes.set_ylabel("% of 40 groups")
axes.grid(visible=True)
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
axes.set_title("The more values to draw from, the fewer split votes")
plt.show()

# %% [markdown]
# With one value the votes are split again and again; a little chance in the network is all that ends it. Two or three values help
# much, ten (our own choice: once to twice 500 ms) nearly always let the first try win. More do not help: then one waits for
# the lot itself.
#
# Chance does here what lesson 10 said that no rule can: it does not *promise* progress, it makes it likely, again and again.
#
# ## 5. Trouble without harm
#
# What we have is safe. It is not pleasant yet. **Predict:** a *follower* is cut off for five seconds, and hears nobody. It
# campaigns, alone, again and again. Then the cut is mended. What does its return do to a group that did very well without it?


# %%
BOTH = {"has_pre_vote": True, "has_check_quorum": True}  # the one line


def follower_comes_back(seed, options):
    """The group, its marks, and whether the reign ended."""
    group = TimedGroup(seed, 3, **options).wait_for_leader()
    group.pass_time(500)
    leader = group.leader
    term, away = group.host(leader).node.term, next(node for node in (1, 2, 3) if node != leader)
    marks = [(group.now_ms, f"n{away} cut off")]
    group.isolate(away).pass_time(5000)
    marks.append((group.now_ms, "mended"))
    group.heal().pass_time(2000)
    return group, marks, group.host(leader).node.term > term


def named(options):
    return ", ".join(f"{name[4:].replace('_', '-')} {'on' if is_on else 'off'}" for name, is_on in options.items())


ended = []
for options in (PLAIN, BOTH):
    ended.append([seed for seed in range(1, 41) if follower_comes_back(seed, options)[2]])
    print(f"{named(options)}: {len(ended[-1])} of 40 good leaders are overthrown by the one who comes back")

# %% tags=["picture"]
for options, seeds in zip((PLAIN, BOTH), ended, strict=True):  # a run in which it was overthrown, if there is one
    group, marks, _ = follower_comes_back(seeds[0] if seeds else 11, options)
    draw_reigns(group.events, group.now_ms, named(options).capitalize(), marks=marks)

# %% [markdown]
# Without both the lonely node's term rose with each campaign. When it came back, its higher term made followers of everybody, the
# good leader among them, and a new election was needed. (Nothing was lost. But for a second nobody was served.) It takes two
# things to come back quietly:
#
# * **Pre-vote** asks before it shouts: "*would* you vote for me in the next term?" Nobody's term changes by that. Who is cut off
#   asks for ever, and its term stays as it is. That is the yellow lane. (Section 9.6 of Diego Ongaro's thesis, "Consensus:
#   Bridging Theory and Practice", 2014, which tells at length what the paper tells in short; lesson 10 says which paper.)
# * **A leader that is well is protected.** When the cut is mended, the question may come before the next heartbeat does. The log
#   of the one who asks is as good as the others', so they would say yes! But who has heard of a leader within the shortest
#   time-out says no, and takes no notice of a higher term in such a question. (Paper: Raft, section 6; thesis, section 4.2.3.)
#
# The second one is dangerous alone: a leader that can send, and hears nobody, would be protected for ever. So in our Raft it
# comes with **check-quorum**: a leader that hears of no majority for a while steps down by itself.
#
# **Change this one line.** In `BOTH` say `"has_check_quorum": False`. Pre-vote alone: 6 of 40 are overthrown, and the lower
# picture is one of these. It is a matter of who speaks first, question or heartbeat. Then switch only pre-vote off,
# `"has_pre_vote": False`: all 40. Nobody listens to the questions of the one who comes back, but *it* refuses the heartbeats of a
# leader whose term is below its own, and says why: a leader that hears of a higher term is none any more.
#
# Check-quorum has a use of its own. The *leader* that is cut off, in section 2, believed in itself until somebody told it
# otherwise. Its clients waited in vain.
#
# **Predict:** which of the two, pre-vote or check-quorum, is needed for the promise of section 3?


# %%
def leader_cut_off(**options):
    group = TimedGroup(11, 3, **options).wait_for_leader()
    group.pass_time(500)
    marks = [(group.now_ms, f"n{group.leader} cut off")]
    return group.isolate(group.leader).pass_time(3000), marks


# %% tags=["picture"]
for title, options in (("Without check-quorum", {"has_check_quorum": False}), ("With check-quorum", {})):
    group, marks = leader_cut_off(**options)
    draw_reigns(group.events, group.now_ms, title, marks=marks)

# %% [markdown]
# None of them is. They are manners: take both away, and every promise still holds. Here are 60 runs in which leaders are killed
# and cut off, each looked after by all the checkers of the world:


# %%
def stormy(seed, raft=RaftNode, **options):
    """Three nodes, two clients, and a leader that is killed or cut off every second or so."""
    group = TimedGroup(seed, 3, raft, clients=2, **options)
    for turn in range(6):
        group.pass_time(900)
        leader = group.leader
        if leader is None or group.broken:
            continue
        if (seed + turn) % 2:
            group.kill(leader).pass_time(700).start(leader)
        else:
            group.isolate(leader).pass_time(700).heal()
    return group


for name, options in (("with both", {}), ("with neither", PLAIN)):
    groups = [stormy(seed, **options) for seed in range(30)]
    reigns = sum(e.name == "role" and e.text("role") == "leader" for group in groups for e in group.events)
    print(f"{name:13} broken: {sum(bool(group.broken) for group in groups)} of {len(groups)} runs; {reigns} reigns")
died = [group.broken for group in (stormy(seed, Generous, **PLAIN) for seed in range(30)) if group.broken]
print(f"and Generous:  broken: {len(died)} of 30 runs; one of them:\n   {died[0] if died else ''}")

# %% [markdown]
# ## Claims to defend
#
# Each of them breaks by one line: change it, run the cells from there on, and look. Where a line above breaks it already, put the
# right one back.
#
# 1. A term is a clock: who talks to anybody knows the latest one, and what is older does not count. It is *broken* in section
#    2, by the one line of `HeedsTheOld`. *Mend it:* `return super()._meet_term(message)`, and no promise is broken.
# 2. Two leaders at a time are possible, and harmless. Two leaders in a term are impossible, while everybody votes once. It is
#    *broken* in section 3, by the one line of `Generous`. *Mend it:* `return super()._may_vote_for(candidate)`.
# 3. Time-outs are drawn by lot so that votes are seldom split; ten values are enough, and no number of them is a promise. *Break
#    it* in section 4: `self.timeout_ticks = 10`, without a lot. Of *each* number of values, 16 of 40 have no leader within 15 s.
# 4. A node changes its term only upwards, and its vote in a term never. *Break it* in section 3: let `Generous` change its mind,
#    `self.vote = candidate; return True`. The last line of section 5 then says that a node "gave its vote of term 2 to node 1;
#    its vote of that term is 3 now". (A term that goes down: lesson 13, section 2.)
# 5. Pre-vote and check-quorum keep no promise. They keep the peace, and only both together. *Break it* in section 5:
#    `BOTH = {"has_pre_vote": True, "has_check_quorum": False}`. Then 6 of 40 good leaders are overthrown.
#
# ## Questions for you
#
# * A candidate hears a heartbeat of its own term. Which arrow does it take, and why must it?
# * Set `heartbeat_ticks=9` in a `TimedGroup` (time-outs begin at 10). How many reigns are there in a minute without any fault?
# * With pre-vote, can a group be stuck for ever in which a majority is up and well? Try one way cut: the world has
#   `group.world.network.cut_off({(1, 2)})`.
#
# ## What next
#
# **Lab 3a** asks you to write the election: time-outs, campaigns, votes, terms, then pre-vote. Its searches look for two leaders
# in a term, as you just did, and draw what they find in the same way. It has what this lesson left out: whose log may win, which
# messages wait for the disk and which leave at once, and a campaign that the leader itself asked for (`is_transfer`).
#
# In the code: `mq/raft/role.py` (the table), and after the lab, which asks for it, `mq/raft/election.py`. Lesson 12 is about
# what a leader does all day.
