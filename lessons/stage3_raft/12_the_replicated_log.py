# %% [markdown]
# # 12 · The replicated log
#
# There is a leader. Orders come in, copies lag behind, messages are lost, leaders die in the middle of a sentence. How do five
# logs become one and the same, and when may a customer be told *yes*?
#
# After this lesson you can say, and show with a run:
#
# * the five steps of an order: propose, append, replicate, commit, apply;
# * after which of them a client may be told yes, and what "unknown" means;
# * how one small question in each request keeps all logs alike (*log matching*);
# * how a leader finds the place where another log parts from its own, row by row, and in how many tries;
# * why a late message must not take away what is there;
# * what it buys to send the next request before the last one was answered.
#
# **Time:** 30 to 40 minutes. **Before:** lesson 11 (terms, leaders). **Leads to:** lab 3b, in which you write this.

# %%
import matplotlib.pyplot as plt

from lessons.raft_pictures import draw_logs, space_time
from lessons.raft_runs import TimedGroup, hand
from lessons.showing import COLOURS, figure
from mq.core.ids import EntryId
from mq.raft.node import RaftNode
from mq.sim.group.network import NetworkOptions

# %% [markdown]
# ## 1. An order's way
#
# *Propose*: a client hands the leader a command. *Append*: the leader puts it at the end of its own log. *Replicate*: it sends it
# to the others, who append it, too. *Commit*: it is on a majority of disks, so it stays for ever. *Apply*: it goes into the state
# machine, and comes into force. (For our broker: the message is in its queue now.)
#
# **Predict:** at which of the five steps is the client told yes? And do the followers know it then, too?
#
# In the picture each square is an entry with its term in it. Dashed: not on the disk yet. A thick border: just written. A black
# foot: this node *knows* it to be committed. On an arrow `entry 2.1` is the entry at index 2, of term 1. (What the client asked
# for, *tea*, stands there as the checksum of its bytes: Raft never looks into an order.)

# %%
BEGIN = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize
    tick 1 2
    stabilize
"""
way = hand(BEGIN)
begins_ms = way.group.now_ms
way.play("""
    propose 1 tea
    deliver 1>2
    deliver 1>3
    deliver 2>1
    deliver 3>1
    tick 1 2
    stabilize
""")

# %% tags=["picture"]
space_time(way.events, "The way of one order", from_ms=begins_ms + 1)

# %% [markdown]
# *Done* comes with the commit on the **leader**. The followers have the entry, and do not know yet that it is committed: that
# comes with the next message, here a heartbeat. They are always a little behind with what they know, and it does no harm.
#
# ## 2. What a client may be told
#
# Could the leader say yes a little earlier, when the entry is on its own disk? It is durable, after all, and surely the others
# will have it in a moment. `Hasty` does that: it commits what it has itself.
#
# **Predict:** the leader is cut off, and does not know it yet. A client brings it an order. What is the client told by the right
# Raft, what by `Hasty`, and where is the order when all is mended?

# %%
CUT_OFF = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize
    isolate 1
    propose 1 tea
    campaign 2
    stabilize
    propose 2 cake
    stabilize
    heal
    tick 2 2
    stabilize
"""


class Hasty(RaftNode):
    """Commits what is on its own disk."""

    __slots__ = ()

    def _advance_commit(self):
        self._commit_to(self.log.storage.durable_index)  # the one line


for raft in (RaftNode, Hasty):
    run = hand(CUT_OFF, raft)
    told = [(event.text("request"), event.name) for event in run.events if event.name in {"done", "unknown"}]
    print(f"{raft.__name__:8} clients were told {told};", run.broken or "no promise is broken")

# %% tags=["picture"]
draw_logs(
    [("the right one, at the end", hand(CUT_OFF).log_rows()), ("Hasty, where the promise broke", hand(CUT_OFF, Hasty).log_rows())]
)
run = hand(CUT_OFF, Hasty)
space_time(run.events, "Hasty: tea got a yes, and is not in the log", broken=run.broken, from_ms=75)

# %% [markdown]
# `c1` is the client with the tea. The right leader told it *nothing* while it was cut off, and **unknown** at last. That is an
# honest word, and the only one. Look what may become of an order whose leader died:
#
# **Predict:** the leader sent *tea* to node 2 only, and died. Is *tea* lost, or not?

# %%
DIES = """
    group 1 2 3 4 5 pre-vote off check-quorum off
    campaign 1
    stabilize
    propose 1 tea
    deliver 1>2
    crash 1
    drop 1>* all
    drop *>1 all
"""
before = hand(DIES).log_rows()
one = hand(DIES).play("campaign 2").play("stabilize").log_rows()
other = (
    hand(DIES).play("isolate 2").play("campaign 3").play("stabilize").play("heal").play("tick 3 2").play("stabilize").log_rows()
)

# %% tags=["picture"]
draw_logs(
    [("when the leader died", before), ("if node 2 leads next", one), ("if node 3 leads next", other)], "One order, two futures"
)

# %% [markdown]
# Either. In the one future *tea* is committed by the next leader, in the other it is overwritten. The dead leader could not know
# which, and so nobody could have told the client anything but "unknown". (If it asks again, it may get two teas: lesson 3 and
# lab 1d say what to do about that.)
#
# Three answers, then: **done** (it is committed, for ever), **refused** (I do not lead; nothing happened, ask elsewhere), and
# **unknown**.
#
# ## 3. One small question
#
# Followers miss messages, and old leaders leave entries that no one else has. Still the logs must not differ where they count.
# Raft keeps one invariant, *log matching*: **if two logs hold an entry of the same index and term, they are equal up to there.**
#
# It takes one small question to keep it. With each request the leader says which entry stands *before* the new ones, by index and
# term. A follower that does not have that very entry says no, and the leader tries further back.
#
# **Predict:** below is a leader with the log of figure 7 in the paper (lesson 10 says which), and a follower that led terms 2
# and 3 once, alone. How many times will the follower say no? What happens to its entries of terms 2 and 3?

# %%
FIGURE_7 = """
    group 1 2 3 pre-vote off check-quorum off
    logs 1: 1 1 1 4 4 5 5 6 6 6 term 7
    logs 2: 1 1 1 4 4 5 5 6 6 6 term 7
    logs 3: 1 1 1 2 2 2 3 3 3 3 3
"""
repair = hand(FIGURE_7)
rows = [("at first", [row for row in repair.log_rows() if row.name != "n2"])]
repair.play("campaign 1").play("deliver 1>2 vote-request").play("deliver 2>1 vote-reply").play("deliver 1>3 vote-request")
rows.append(("n1 leads term 8, and put an entry of its own at 11", [row for row in repair.log_rows() if row.name != "n2"]))
for way in ("1>3", "3>1") * 4:
    if not any(flight.is_at(way) and "Append" in type(flight.message).__name__ for flight in repair.group.flights):
        break
    kind = "append-request" if way == "1>3" else "append-reply"
    repair.play(f"deliver {way} {kind}")
    heard = next(line for line in reversed(repair.lines) if "hears from" in line)
    says = heard.split("append-", 1)[1].split(" ", 1)[1].split("; ")[0].split(", ", 1)[1]
    rows.append(
        (f"{way[-1]} hears: {says[:64]}{'…' if len(says) > 64 else ''}", [row for row in repair.log_rows() if row.name != "n2"])
    )

# %% tags=["picture"]
draw_logs(rows, "A log is repaired, row by row", per_row=1)

# %% [markdown]
# One *no*. `10@6` means: the entry at index 10, of term 6. (The first picture would write `entry 10.6`. It is the same thing,
# index first: pictures and stories write it with a dot, what is told in lines with an `@`.) The follower does not have it, and
# says how far the logs *may* agree: its last entry up to there whose term is not above 6 (its 10th, of term 3). The leader sees
# that it has no entry of terms 2 and 3 at all: so the logs cannot agree behind entry 3. All of terms 2 and 3 is skipped at one
# blow, and then overwritten.
#
# Without such a **hint** the leader goes back by one entry each time. The paper leaves that open; how much is it?

# %%
ONE_MORE_BACK = -1


class OneByOne(RaftNode):
    """A leader that takes no hint: it goes back by one entry."""

    __slots__ = ()

    def on_append_reply(self, message):
        if not message.is_matching and message.rejected_index:
            before = message.rejected_index + ONE_MORE_BACK
            message = message._replace(hint=EntryId(self.log.term_at(before), before))  # the one line
        super().on_append_reply(message)


def refusals(raft, entries, terms):
    """How often a follower says no that has so many wrong entries, of so many terms that take turns with the leader's."""
    ours = [1, *sorted(2 + 2 * (n % terms) for n in range(entries))]
    theirs = [1, *sorted(3 + 2 * (n % terms) for n in range(entries))]
    logs = [f"logs {node}: {' '.join(map(str, terms))}" for node, terms in ((1, ours), (2, ours), (3, theirs))]
    lead = f"logs 1: {' '.join(map(str, ours))} term 99"
    run = hand(
        "\n".join(
            ["group 1 2 3 pre-vote off check-quorum off", lead, *logs[1:], "campaign 1", "stabilize", "tick 1 2", "stabilize"]
        ),
        raft,
    )
    assert run.log_rows()[0].entries == run.log_rows()[2].entries
    return sum(e.name == "send" and e.node == "n3" and e.details.get("matching") == 0 for e in run.events)


sizes = (6, 12, 24, 48, 96)
tries = {"one by one": [refusals(OneByOne, size, 1) for size in sizes]}
for terms in (1, 3, 6):
    tries[f"with hints, {terms} term{'s' * (terms > 1)}"] = [refusals(RaftNode, size, terms) for size in sizes]
for name, counts in tries.items():
    print(f"{name:21} {counts}")

# %% tags=["picture"]
_, axes = figure(2.6)
for (name, counts), colour in zip(
    tries.items(), (COLOURS["torn"], COLOURS["safe"], COLOURS["good"], COLOURS["waiting"]), strict=True
):
    axes.plot(sizes, counts, marker="o", linewidth=2, color=colour, label=name)
axes.set_xlabel("entries that differ")
axes.set_ylabel("times that the\nfollower says no")
axes.grid(visible=True)
axes.legend(frameon=False)
axes.set_title("Finding the place where two logs part")
plt.show()

# %% [markdown]
# With hints it is a matter of *terms*, not of entries: a follower that slept through a million entries of one reign says no once.
#
# Now take the question away. `Trusting` looks whether its log is long enough, and not which term stands there.
#
# **Predict:** what does the follower's log look like then? What does the *leader* believe?


# %%
class Trusting(RaftNode):
    """Takes entries wherever its log is long enough."""

    __slots__ = ()

    def _agrees_at(self, previous):
        return previous.index <= self.log.last.index  # the one line


run = hand(FIGURE_7, Trusting).play("campaign 1").play("stabilize").play("tick 1 2").play("stabilize")
print(run.broken or "no promise is broken")

# %% tags=["picture"]
draw_logs([("with Trusting followers", run.log_rows())])

# %% [markdown]
# Entry 11 is the same in all three logs, and what stands before it is not. The leader counted node 3 as a copy of *all* its log,
# and committed. **Change this one line** to `previous.index <= self.log.last.index and self.log.term_at(previous.index) is not
# None`: does that help? What exactly must be compared?
#
# By this one question at each step, equality spreads backwards by itself: where this entry is the same, the one before was asked
# for when it came, and so on to the beginning. Nobody ever compares whole logs.
#
# ## 4. A message that comes late
#
# The follower's log contradicts a request: then the request is right. But only *then*. A request may also be old, and come after
# later ones; then what stands behind its entries is no contradiction, it is news.
#
# **Predict:** `Cutter` makes short work: whatever stands behind the new entries goes. A copy of the oldest request comes last,
# and then the leader dies. What is lost?

# %%
LATE = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize
    isolate 3
    propose 1 tea
    duplicate 1>2
    hold 1>2 append-request last
    propose 1 cake
    propose 1 pie
    stabilize
"""
THEN = """
    deliver 1>2
    crash 1
    heal
    campaign 2
    stabilize
"""


class Cutter(RaftNode):
    """Cuts its log behind what comes."""

    __slots__ = ()

    def _take(self, entries):
        if entries:
            self._accept(entries[0].index - 1, entries)  # the one line


late = hand(LATE, Cutter)
before = late.log_rows()
after = late.play("deliver 1>2").log_rows()
for raft in (RaftNode, Cutter):
    run = hand(LATE + THEN, raft)
    print(f"{raft.__name__:8}", run.broken or "no promise is broken")

# %% tags=["picture"]
draw_logs(
    [
        ("tea, cake and pie are committed", before),
        ("the first request comes once more", after),
        ("the leader dies, n2 leads", run.log_rows()),
    ],
    "Cutter",
)

# %% [markdown]
# *Cake* and *pie* were on a majority, were committed, got a yes, and one old message undid the copy that made them safe. So:
# **a follower takes away only what contradicts.** (Real systems had this mistake for years: on a quiet network messages keep
# their order.)
#
# ## 5. Do not wait
#
# A leader could send a request, wait for the answer, send the next. On a network where a message takes 20 ms that is 25 requests
# a second. Ours sends up to 64 requests ahead (`in_flight_max`): **pipelining**. It is safe because of the one small question: a
# request whose predecessor was lost finds no match, and is refused.
#
# **Predict:** 200 orders, one in each request, 20 ms each way. How long does it take with 1, 2, 4, ... requests under way?


# %%
def milliseconds_for(orders, in_flight, loss=0.0, raft=RaftNode):
    line = NetworkOptions(delay_ms=20, spread_ms=1, loss_probability=loss)
    group = TimedGroup(3, 3, raft, network=line, in_flight_max=in_flight, entries_max=1).wait_for_leader()
    leader = group.pass_time(500).leader
    begun_ms = group.now_ms
    for number in range(orders):
        group.propose(leader, f"order {number}".encode())
    while not group.broken and group.host(leader).node.commit_index <= orders and group.now_ms < begun_ms + 60_000:
        group.pass_time(10)
    return group.broken or group.now_ms - begun_ms


windows = (1, 2, 4, 8, 16, 32, 64)
took = [milliseconds_for(200, window) for window in windows]
lossy = [milliseconds_for(200, window, 0.05) for window in windows]

# %% tags=["picture"]
_, axes = figure(2.7)
axes.plot(windows, took, marker="o", linewidth=2, color=COLOURS["safe"], label="no message is lost")
axes.plot(windows, lossy, marker="o", linewidth=2, color=COLOURS["torn"], label="one in twenty is lost")
axes.set_xscale("log", base=2)
axes.set_yscale("log")
axes.set_xticks(windows, [str(window) for window in windows])
axes.set_yticks([100, 1000, 10000], ["0.1 s", "1 s", "10 s"])
axes.minorticks_off()
axes.set_xlabel("requests under way at most")
axes.set_ylabel("until 200 orders\nare committed")
axes.grid(visible=True)
axes.legend(frameon=False)
axes.set_title("Do not wait for each answer")
plt.show()

# %% [markdown]
# Twice as many under way, half the time. When messages are lost, each loss costs a pause until the next heartbeat notices it: a
# heartbeat *stands behind the last entry that was sent*, so that a follower that lacks it says no.
#
# What keeps that safe is that a leader believes the *answers*, not its own zeal. `CountsWhatItSent` takes any yes for a yes to
# all that it has sent to that follower so far.
#
# **Predict:** is that wrong with one request under way? With two?


# %%
class CountsWhatItSent(RaftNode):
    """A yes is a yes to everything."""

    __slots__ = ()

    def on_append_reply(self, message):
        if message.is_matching:
            message = message._replace(match_index=self.peers[message.sender].next_index - 1)  # the one line
        super().on_append_reply(message)


for window in (1, 2, 64):
    told = milliseconds_for(200, window, raft=CountsWhatItSent)
    print(f"{window:2} under way: {told if isinstance(told, str) else 'no promise is broken'}")

# %% [markdown]
# Even with one: the answer to a heartbeat was on its way when the request left. And the further it sends ahead, the more it
# counts that nobody has.
#
# And the disk? The leader's own copy is written *while* the others are asked, and counts as any other: once it is durable. That
# is why the leader's newest square was dashed in the first picture, and why an entry may be committed that its leader has not
# written yet.
#
# ## Claims to defend
#
# Each of them breaks by one line: change it, run the cells from there on, and look. Where a line above breaks it already, put the
# right one back.
#
# 1. Yes may be said when an entry is durable on a majority. Not a moment earlier, and followers need not know it. It is
#    *broken* in section 2, by the one line of `Hasty`. *Mend it:* `super()._advance_commit()`, and nobody is told "done" too
#    early.
# 2. "Unknown" is an answer. After it, both futures are possible. *Break it* in section 2: in `DIES`, let *tea* get to everybody,
#    `deliver 1>* append-request all` for `deliver 1>2`. Then *tea* is in both futures: an order on a majority is not unknown.
# 3. The question for the one entry before makes whole logs equal. It is *broken* in section 3, by the one line of `Trusting`.
#    *Mend it:* `return super()._agrees_at(previous)`, and the three logs are equal.
# 4. Who is behind is repaired by terms, not by entries. It is *broken* in section 3, by the one line of `OneByOne`. *Mend it:*
#    put `pass` there, and it says no once, however many entries differ.
# 5. A follower takes away what contradicts its leader, and nothing else, whatever comes late. It is *broken* in section 4, by the
#    one line of `Cutter`. *Mend it:* `super()._take(entries)`, and *cake* and *pie* stay.
# 6. Sending ahead changes the speed, and no promise. It is *broken* in section 5, by the one line of `CountsWhatItSent`. *Mend
#    it:* put `pass` there, and no promise is broken, with any number under way.
#
# ## Questions for you
#
# * In section 2, cut the leader off *after* node 2 got the entry and before its answer came back. What is the client told, when,
#   and by whom?
# * A follower is asked whether it has an entry that it has *compacted into a snapshot*. What may it say? (Lesson 15.)
# * With `in_flight_max=1` and a lost answer: who notices, and by which message?
#
# ## What next
#
# **Lab 3b** asks you to write all of this: take, refuse, go back, count, commit. Lesson 13 stays with one question that this
# lesson left out: an entry is on a majority. Is it *always* safe then?
#
# In the code, after the lab, which asks for it: `mq/raft/replication.py`; and `mq/raft/progress.py`, what a leader knows of each
# follower.
