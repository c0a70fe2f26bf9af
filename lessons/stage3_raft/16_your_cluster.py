# %% [markdown]
# # 16 · Your cluster
#
# Until now every group lived in a simulator, and stood still whenever we wanted to look. Now it is real: three brokers that
# agree by the same Raft, orders that the *official* client sends and consumes, and a clock that nobody can stop.
#
# **Question:** you take a running group's leader away, in three ways. What does somebody notice who only sends orders?
#
# After this lesson you can say, and show with a run:
#
# * why a leader that is *killed* is missed for a shorter time than one that *stands still*;
# * why two brokers may both lead at the same moment, and why that costs nobody an order;
# * what the official client sees of all this, and what it does not;
# * how your own Raft takes the place of ours in a real broker.
#
# **Time:** 25 to 40 minutes. **Before:** lessons 4, 11 and 12. **Leads to:** lab 3f, in which your own Raft does what ours
# does here.
#
# All that is started here is ended here, also when a cell fails, is interrupted, or the kernel ends. Your numbers will differ.

# %%
from lessons.cluster_pictures import show_election
from lessons.your_cluster import YourCluster, why_no_containers
from mq.chaos.merging import judge_files

RUNS_IN = "processes"  # or "docker": three containers. Where there is no engine, or no image, it will be processes all the same

# %% [markdown]
# ## 1. Three brokers
#
# A broker is the program that you killed in lesson 4. Three of them make a **group**: each keeps the whole log, and Raft makes
# them agree on it. Between them stands a small program, a *proxy*, through which all that they say to each other goes, so that
# it can be cut. (Containers need none: their network itself is cut.)

# %% tags=["live"]
print(why_no_containers() or "Docker is here: you may say `docker` above")
cluster = YourCluster(RUNS_IN).up()
cluster.show()

# %% [markdown]
# A client is told all three addresses, and may talk to any of them. One that does not lead passes on what it is asked to the
# one that leads. So most clients never learn who leads.
#
# ## 2. The leader is killed
#
# A producer sends one order after the other and waits for each *yes*; a consumer takes them. After a moment the leader gets
# SIGKILL; some seconds later it is started again (the picture says when).
#
# A follower waits 0.6 to 1.2 seconds for a sign of its leader before it campaigns (lesson 11: a random time).
#
# **Predict:** for how long does the producer get no answer? How many errors does it see? How many orders are lost?

# %% tags=["live"]
with cluster.day("The leader is killed", seconds=4) as day:
    killed = cluster.leader()
    day.at(0.8)
    cluster.kill(killed)
    day.wait(1)
    cluster.start(killed)
day.report()

# %% [markdown]
# In the upper part you hardly see it. In the lower part: one lane ends, another one turns blue. The wait is far shorter than
# the time-out of 0.6 s, because nobody waits for a time-out here: when a *process* dies, its operating system closes its
# connections, and the others know at once. They campaign as soon as their connection with the leader breaks.
#
# The producer saw no error, or a few: its order had gone to the dead one, and its client asked another broker. Such an order
# may be in the queues twice (lesson 4: twice, never not at all). The consumer may stand still for a second longer: its question
# for more orders lay with the dead one. And the one that comes back needs some seconds to start (the picture may end before),
# and follows.
#
# This is the election, as the brokers wrote it down themselves while it happened. It is the same picture as in lesson 11, and
# the same program draws it. The numbers on the left are milliseconds.

# %% tags=["live"]
show_election(day, cluster.traces, killed)

# %% [markdown]
# What did the producer have to know for that? Not who leads: one who leads, and dies. But whom else it may ask. Here the leader
# is killed again, and while it is away an official producer *begins*, with the addresses of the brokers in `known`.
#
# **Predict:** does its order get a *yes* when one of the three that it knows is dead? And when it knows that one only?

# %% tags=["live"]
dead = cluster.leader()
known = cluster.names  # the one line: all three
cluster.kill(dead)
print(cluster.try_order(known))
cluster.start(dead)

# %% [markdown]
# Any broker tells a client the addresses of all. So one is enough for it to begin with, as long as that one is up; from then on
# it needs the others. (*No yes, and 0 errors* is neither: in these six seconds the client was told nothing at all. On a busy
# machine it needs them to start, or the election does. Run the cell again.)
#
# **Change this one line** to `known = [name for name in cluster.names if name != dead]`: does it make a difference that the
# dead one is not among those it knows?
#
# ## 3. The leader stands still
#
# A process can be *stopped* without being ended (SIGSTOP; for a container, the freezer). It does nothing, and all its connections
# stay open. A long pause of a garbage collector looks like that, or a virtual machine that is moved to other hardware.
#
# **Predict:** now what is the time without an answer? And when the old leader goes on, it is sure that it still leads. What
# is the first thing that tells it otherwise, and can it do harm until then?

# %% tags=["live"]
with cluster.day("The leader stands still", seconds=4) as day:
    paused = cluster.leader()
    day.at(0.8)
    cluster.pause(paused)
    day.wait(2)
    cluster.resume(paused)
day.report()

# %% [markdown]
# Nothing breaks, so nobody is told. Only *silence* says that something is wrong, and silence takes a time-out to be heard:
# that is the wait, or most of it. (It may be three seconds, when the producer's order lay at the one that stands still:
# the official client waits so long for an answer before it asks another broker.)
#
# The lane of the old leader stays blue while it stands still: it has not changed its mind, it has no mind at the moment. When it
# goes on, the first message of the new term ends its reign. Until then it may *think* what it likes: to commit something it
# needs a second broker, and each of the others has promised its vote and its obedience to a later term.
#
# ## 4. The leader is cut off
#
# Now the leader lives, and clients reach it. Only the other two do not hear it, and it does not hear them.
#
# **Predict:** will there be two leaders at the same time? In the same *term*? Whose orders are acknowledged?

# %% tags=["live"]
with cluster.day("The leader is cut off", seconds=4) as day:
    alone = cluster.leader()
    day.at(0.8)
    cluster.isolate(alone)
    day.wait(2)
    cluster.heal()
day.report()

# %% [markdown]
# The two that hear each other are a majority. They wait for a time-out, elect, and go on. The one that is alone hears of no
# majority for a time-out, and steps down by itself (*check-quorum*). Then it asks around whether it could win an election
# (*pre-vote*, the yellow part, if it comes to that before the end of the cut), hears nothing, and so begins no new term: it comes
# back without disturbing anybody. Look closely at the moment when one lane stops to be blue and the other one begins: these two
# time-outs know nothing of each other, and either may end first.
#
# What is the stepping down good for? The one that is cut off still has its clients. It can commit no order, and it may answer
# no question for what is newest: for both it would have to hear a majority. While it believes that it leads, it takes what they
# bring and keeps it, and they wait until their own patience ends. Once it has stepped down it takes nothing more: who asks is
# held for two seconds, in hope of a leader, and is then told that there is none, and can ask another broker. It does *not* make
# the other two elect any sooner.
#
# Nor does it help everybody. In some runs the line of the consumer stands still for much longer than that of the producer, even
# until all hear all again. The one that is cut off is alive, so no connection of a client with it breaks; who happens to be
# connected with it, and asks there again, is held again.
#
# ## 5. All that they said
#
# Each broker wrote down what it did: each message, each vote, each write. The checkers of the simulator read such lines, too.
# They look at every promise of Raft: one leader in a term, no entry committed twice in different ways, no vote given twice, no
# promise before its write. (`mq chaos judge` is the same.)

# %% tags=["live"]
judged = judge_files(sorted(cluster.traces.glob("*.trace")))
print(f"{judged.events:,} events, {len(judged.won)} elections won")
print(judged.violation or "every promise was kept")

# %% [markdown]
# ## 6. Break it
#
# Does the safety of the orders rest on this stepping down? Take it out: one line is changed already. In
# `labs/stage3_raft/wrong/leads_without_quorum.py` is a Raft in which a leader never looks whether it still has a majority:
#
#     class Raft(RaftNode):
#         def _check_quorum(self) -> None:
#             pass
#
# The cluster is ended, and started again with *this* class in all three brokers.
#
# **Predict:** what do you see in the lanes now, and what in the numbers below them?

# %% tags=["live"]
cluster.end()
cluster = YourCluster(RUNS_IN, raft="labs/stage3_raft/wrong/leads_without_quorum.py")  # the one line

with cluster.day("The leader is cut off, and does not ask itself whether it leads", seconds=4) as day:
    alone = cluster.leader()
    day.at(0.8)
    cluster.isolate(alone)
    day.wait(2)
    cluster.heal()
day.report()

# %% [markdown]
# **Two leaders at the same moment**, for as long as the cut lasts, of two *terms*. And nothing is lost. The old one accepts
# whatever a client brings, and can commit nothing: there is no second disk for it. Who sends to it waits; who sends to the
# others is served. What keeps the orders safe is not the stepping down. It is that an order counts when a *majority* has it, and
# that two majorities always share a broker (lesson 10).
#
# And the wait: is it longer here than in section 4, as one might expect of clients whom the old leader does not let go? In one
# run of each you may well see the contrary. How long it takes depends on the time-out that was drawn by lot for the others (0.6
# to 1.2 s), and on the brokers with which the two clients happened to be connected. So do not conclude anything from one run:
# run this cell and that of section 4 five times each, and write down the wait of the producer, and for how long the consumer
# stood still.
#
# And who runs this class? Every broker counts the calls of an organ that is not ours. `mq raft status` shows the same.

# %% tags=["live"]
for name, runs in cluster.organs().items():
    print(f"{name}: {runs}")

# %% [markdown]
# Another one: `commit_by_one_too_few.py` takes an entry for committed when one copy fewer than a majority has it. With three
# brokers that is *one*: its own. In the simulator such a mistake costs orders, some day. A broker does not wait for that day: it
# looks at what its Raft hands out, and at what the others told it they have on their disks.

# %% tags=["live"]
cluster.end()
for complaint in YourCluster(RUNS_IN, raft="labs/stage3_raft/wrong/commit_by_one_too_few.py").try_out():
    print(complaint)

# %% [markdown]
# That is what you will read when your own Raft does something that no right Raft does.
#
# ## Claims to defend
#
# Each of them breaks by one line: change it, run the cells from there on, and look. Where a line above breaks it already, put the
# right one back.
#
# 1. Who is dead is missed quickly, who is silent slowly. A time-out is needed only where nothing tells of the end. *Break it* in
#    section 2: let nothing tell of it, `cluster.isolate(killed); cluster.kill(killed)`. The same death is now missed as slowly as
#    the silence of section 3: for a time-out, 0.6 s and more.
# 2. "At most one leader" is true of each *term*. Of a moment it is not, and need not be. *Break it* in section 6, where a Raft
#    is tried out: `pre_votes_count.py` for `commit_by_one_too_few.py`. It takes the answers to "*would* you vote for me?" for
#    votes, and each who asks could lead the same term. The broker says which votes it has, and stops. (It takes an answer that
#    comes late; whether one does is chance. When nobody complains, run it once more.)
# 3. A leader without a majority may believe what it likes: it cannot commit, and so it can acknowledge nothing. It is *broken* in
#    section 6, by `commit_by_one_too_few.py`, and the broker stops. *Mend it:* `leads_without_quorum.py` in its place. Nobody
#    complains.
# 4. The client needs no knowledge of Raft. It needs more than one address, patience, and a consumer that bears twice. *Break
#    it* in section 2: `known = [dead]`. There is no *yes*, only errors, though two of three brokers are well.
#
# ## Questions for you
#
# * Kill *two* brokers in one day. Who is served then, and what does the producer see? Would you rather have answers?
# * `YourCluster(RUNS_IN, election_ticks=40)` waits three times as long before it elects, `election_ticks=3` a quarter as long (a
#   tick is 50 ms). Measure the wait in section 3 with both. What does the second one cost on a busy machine?
# * In section 4, cut only one way: `cluster.backend.cut(alone, other)`. Try pairs. Which cut does nobody notice?
# * What do the brokers say to `raft="labs/stage3_raft/wrong/ack_before_fsync.py"`, while nobody pulls a plug?
#
# ## What next
#
# In lab 3f **your** Raft takes this seat: the same three brokers, the same faults, the same official client as witness. If you
# have written some of labs 3a to 3d by now, give it a day here, in section 6:
#
# > `cluster = YourCluster(RUNS_IN, raft="work/lab3d_snapshots/raft.py")`
#
# What you have not written yet is ours, here. By hand it is `mq cluster up --parts work/lab3d_snapshots/raft.py`, then
# `mq cluster kill leader`, `pause`, `isolate` and `heal`, and `mq raft status` to look at it.

# %% tags=["live"]
cluster.end()
print("all is ended")
