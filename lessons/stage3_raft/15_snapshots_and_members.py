# %% [markdown]
# # 15 · Snapshots and members
#
# Two things that a group of nodes cannot do so far: *forget*, and *change*.
#
# **Question:** a log that only grows fills every disk some day. And a machine that is worn out must be replaced, while the
# others go on. How does one throw away the past, and exchange the voters, without losing a promise?
#
# After this lesson you can say, and show with a run:
#
# * what a snapshot stands for, and when the log may be cut;
# * how a follower that is too far behind gets one, in chunks;
# * why a snapshot must say who the *members* were;
# * why the old and the new members must both agree while they change, and what happens when they do not;
# * what a learner is for.
#
# **Time:** 30 to 40 minutes. **Before:** lessons 12 to 14. **Leads to:** lab 3d, which asks you to write the first half of this.

# %%
from lessons.membership import draw_kept, draw_lengths, draw_overlaps, lengths, quorums
from lessons.raft_pictures import space_time
from lessons.raft_runs import TimedGroup, hand
from mq.core.entry import EntryKind
from mq.raft.configuration import Configuration
from mq.raft.node import RaftNode
from mq.sim.group.machine import HostOptions

# %% [markdown]
# ## 1. The log grows
#
# Three nodes, three clients that ask for something now and then, twelve seconds of virtual time. The second group takes a
# **snapshot** after each 25 entries: the state as it is now goes to the disk, and the entries that made it are dropped.
#
# **Predict:** how do the two curves look? And a node of each group that starts again: what must it read?

# %%
never = lengths(TimedGroup(seed=5, clients=3).wait_for_leader(), 12_000)
often = lengths(TimedGroup(seed=5, clients=3, host=HostOptions(snapshot_every=25)).wait_for_leader(), 12_000)  # the one line

# %% tags=["picture"]
draw_lengths([("no snapshots", never), ("one after each 25 entries", often)])

# %% [markdown]
# **Change this one line.** With `snapshot_every=5` less is kept. What does it cost? (A state may be a gigabyte, and each
# snapshot writes all of it. The size of a log is what you pay for *not* writing the state.)
#
# A snapshot says three things: the **state**, the **index and term** of the last entry that it stands for (so that the next
# entry can be checked against it: lesson 12), and the **members** as they were there. Why these, you see in section 4.
#
# ## 2. Who is too far behind
#
# Node 3 was away from the beginning: it lacks the leader's noop (entry 1) and four commands that were committed. After three of
# these the leader took a snapshot, and its log begins behind it, with entry 5. What node 3 needs next, entry 1, does not exist
# any more.
#
# So it gets the snapshot itself, in **chunks**: a state is too large for one message. Here a chunk is four bytes.
#
# **Predict:** how many messages go to node 3 when it is back? And does the leader wait for an answer to the first of them
# before it sends a part of the snapshot?

# %%
AWAY = """
group 1 2 3 pre-vote off chunk-bytes-max 4
campaign 1
stabilize 1 2
isolate 3
propose 1 aa bb cc
stabilize
snapshot 1
propose 1 dd
stabilize
"""
before, run = hand(AWAY), hand(AWAY)
began_ms = run.group.now_ms
run = run.play("""
heal
tick 1 2
stabilize
""")

# %% tags=["picture"]
draw_kept([("while node 3 was away", before), ("when it is back", run)])

# %% tags=["picture"]
space_time(run.events, "A snapshot in two chunks, and then the rest of the log", from_ms=began_ms)

# %% [markdown]
# Four: a heartbeat, two chunks, and entry 5. The heartbeat and the first chunk leave together, before node 3 said anything: the
# leader keeps a note of where each follower stands, node 3 has never moved there, and what comes next for it is gone. (When
# a follower stands elsewhere than the leader's note says, its answer to a heartbeat tells: lesson 12.) One chunk at a time is on
# its way; each answer says how many bytes are there, so that a lost one is sent again, and one that comes twice does no harm.
# When all is on the *disk* of node 3, it says so. (Lesson 14: it is a promise. It counts towards a majority.) Then ordinary
# entries follow.
#
# ## 3. When may the log be cut?
#
# Taking a snapshot takes time: a gigabyte must get to the disk. The node goes on meanwhile. Suppose it crashes just then.
#
# **Predict:** what does it find at its start, if it cut its log (a) when the snapshot was *begun*, (b) when it was *on the disk*?


# %%
class CutsTooEarly(RaftNode):
    def take_snapshot(self):
        snapshot = super().take_snapshot()
        if snapshot is not None:
            self.log.forget_before(snapshot.last.index + 1)  # the one line: it is not saved yet
        return snapshot


for raft in (RaftNode, CutsTooEarly):
    run = hand("""
group 1 2 3 pre-vote off
campaign 1
stabilize
propose 1 aa bb cc
stabilize
""", raft)  # fmt: skip
    run.group.node(1).take_snapshot()  # the state is being saved ...
    run.play("""
crash 1
restart 1
""")  # fmt: skip
    print(
        f"{raft.__name__:13}",
        run.broken or f"starts with entries {run.group.member(1).log.first_index} to {run.group.member(1).log.last_index}",
    )

# %% [markdown]
# With (a) there is neither: not the entries, and not the state that they made. First the new, then away with the old: the
# same order as with every file that you replace.
#
# And *up to where* may it be cut? Node 1 leads, is cut off, and takes two commands that it can hand to nobody. Then it takes a
# snapshot. The others elect node 2, and agree on something else in those places.
#
# **Predict:** for how many entries does the snapshot stand, with our class and with the one below? What is in the log of node 1
# when it is back?

# %%
NOT_COMMITTED = """
group 1 2 3 pre-vote off check-quorum off
campaign 1
stabilize
isolate 1
propose 1 aa bb
stabilize
snapshot 1
campaign 2
stabilize
propose 2 cc
stabilize
heal
tick 2 2
stabilize
"""


class SnapshotOfAllItHas(RaftNode):
    def take_snapshot(self):
        self.applied_index = self.log.last.index  # the one line: what it has, applied or not
        return super().take_snapshot()


for raft in (RaftNode, SnapshotOfAllItHas):
    run = hand(NOT_COMMITTED, raft)
    member = run.group.member(1)
    print(f"{raft.__name__:18} {run.broken or 'every promise is kept'}")
    print(f"{'':18} node 1: a snapshot up to {member.snapshot.last.index}, and the state: {member.state_text()}")

# %% tags=["picture"]
draw_kept([("a snapshot of what was applied", hand(NOT_COMMITTED)), ("a snapshot of all that it has", run)])

# %% [markdown]
# *aa* and *bb* were in the log of node 1, and only there: nobody was promised anything, and the next leader put others in their
# place. As long as they are *entries*, they can be replaced. A snapshot that stands for them could not: it says *for ever*, and
# entries 2 and 3 of the others would never get in. Our code does not even go on: a node whose snapshot stands for more than was
# committed (here entry 1) is out of order, says so, and stops.
#
# ## 4. Why a snapshot must say who the members are
#
# The members of a group stand *in the log*: a change of members is an entry like any other, and a node goes by the newest one
# that it has (section 6 says how such a change is made). When the log is cut, that entry goes.
#
# A group of three grows to five. Then nodes 1 and 2 take snapshots and start again. In the class below a snapshot names the
# members that the node *began* with.
#
# **Predict:** whom do nodes 1 and 2 ask for votes then? How many yes do they think they need?

# %%
GROWS = """
group 1 2 3 pre-vote off check-quorum off
campaign 1
stabilize
change 1 voters 1 2 3 learners 4 5
stabilize
tick 1 2
stabilize
change 1 voters 1 2 3 4 5
stabilize
tick 1 2
stabilize
snapshot 1
snapshot 2
crash 1
crash 2
restart 1
restart 2
"""
TWO_SIDES = """
campaign 3
stabilize 3 4 5
campaign 1
campaign 1
stabilize 1 2
"""


class ForgetsMembers(RaftNode):
    def _configuration_at(self, index):
        return self.configurations[0][1]  # the one line: the oldest known, not those in force there


for raft in (RaftNode, ForgetsMembers):
    run = hand(GROWS, raft)
    print(raft.__name__, *run.script.do("members"), sep="\n   ")
    began_ms = run.group.now_ms
    run.play(TWO_SIDES)
    print("  ", run.broken or "every promise is kept", end="\n\n")

# %% tags=["picture"]
space_time(run.events, "Two groups that each believe to be the whole one", broken=run.broken, from_ms=began_ms)

# %% [markdown]
# Nodes 3, 4 and 5 are a majority of five. Nodes 1 and 2 are a majority of *three*, and believe that this is what they are. Two
# majorities that have no node in common: nobody is there who could say no.
#
# ## 5. Majorities that meet
#
# All of Raft rests on this: **any two majorities of the same voters have a node in common.** When voters *change*, there are two
# sets of them for a while, since no two nodes learn of it at the same moment. Do a majority of the old and one of the new
# meet?
#
# The picture asks the code. Each row is a smallest set that decides in one configuration, each column in another one.
#
# **Predict:** from three voters to five: can two nodes of the old ones decide something, and three of the new ones something
# else?

# %%
old, new = Configuration.of(1, 2, 3), Configuration.of(1, 2, 3, 4, 5)
joint = old.joined_with(new.voters, ())
print("old:  ", quorums(old))
print("joint:", quorums(joint))

# %% tags=["picture"]
draw_overlaps([("old", old, "new", new), ("old", old, "joint", joint), ("joint", joint, "new", new)])

# %% [markdown]
# The left picture has red cells: nodes 1 and 2 by the old rule, 3, 4 and 5 by the new one. So nobody may ever go from the old
# to the new members in one step.
#
# The way leads by a **joint** configuration, in which each decision needs *two* majorities: one of the old voters and one of the
# new. It meets both (the other two pictures):
#
# > old → joint, as soon as it stands in the log → committed, by both majorities → new, as soon as *that* stands in the log
#
# At no moment can two sets decide that do not meet: while somebody still goes by the old voters, nobody goes by the new
# ones alone, since for that the joint entry had to be committed, by an old majority, too.
#
# **Change this one line.** `new = Configuration.of(1, 2, 3, 4)`. No red cell! If only *one* voter comes or goes at a time, the
# two always meet; some systems do only that. Try to replace one voter: `of(1, 2, 4)`.
#
# ## 6. Break it: in one step
#
# The leader is asked to go from three voters to five, and can speak with nodes 4 and 5 only. In the second class the joint
# configuration is left out: the new voters stand in the log at once.
#
# **Predict:** what can nodes 1, 4 and 5 decide, and what nodes 2 and 3, with each class?

# %%
IN_PART = """
group 1 2 3 pre-vote off check-quorum off
campaign 1
stabilize
change 1 voters 1 2 3 learners 4 5
stabilize
tick 1 2
stabilize
cut 1 2
cut 1 3
change 1 voters 1 2 3 4 5
stabilize
propose 1 a
stabilize
tick 1 2
stabilize
"""
OTHERS = """
cut 2 4
cut 2 5
cut 3 4
cut 3 5
campaign 2
stabilize
propose 2 b
stabilize
"""


class InOneStep(RaftNode):
    def _append_own(self, contents):
        change = EntryKind.CONFIGURATION
        # the one line: what a joint configuration leads to, instead of itself
        super()._append_own(
            [(kind, Configuration.from_bytes(it).left().to_bytes() if kind is change else it) for kind, it in contents]
        )


for raft in (RaftNode, InOneStep):
    run = hand(IN_PART, raft)
    print(raft.__name__, *run.script.do("members"), sep="\n   ")
    print("   committed at node 1:", run.group.node(1).commit_index, "- its state:", run.group.member(1).state_text())
    began_ms = run.group.now_ms
    run.play(OTHERS)
    print("  ", run.broken or "every promise is kept", end="\n\n")

# %% tags=["picture"]
space_time(run.events, "Two majorities decide apart", broken=run.broken, from_ms=began_ms)

# %% tags=["picture"]
draw_kept([("in one step", run)])

# %% [markdown]
# With our class node 1 stands still: it has a majority of the five (1, 4, 5), and of the old three only itself. It can commit
# nothing until it hears node 2 or 3 again, and if these elect another leader meanwhile, its change is simply superseded.
#
# In one step, nodes 1, 4 and 5 commit the new members as entry 3 and *a* as entry 4; nodes 2 and 3, which never heard of any of
# it, elect a leader and commit another entry 3. By the rules that each of them knows, both sides are right.
#
# One more way to get it wrong. Everywhere above the new members counted from the moment at which they *stood in the log*. Is that
# not rash? One could wait until they are *committed*. The class below does. Nodes 1, 2, 4 and 5 go to five voters in two proper
# steps; then node 2 is on the other side of a cut, with node 3, which knows of nothing, and starts again.
#
# **Predict:** what does a node know to be committed when it has just started? By which members does node 2 go then?

# %%
GROWN = """
group 1 2 3 pre-vote off check-quorum off
campaign 1
stabilize
change 1 voters 1 2 3 learners 4 5
stabilize
tick 1 2
stabilize
isolate 3
change 1 voters 1 2 3 4 5
stabilize
tick 1 2
stabilize
heal
cut 1 2
cut 1 3
cut 4 2
cut 4 3
cut 5 2
cut 5 3
propose 1 a
stabilize
crash 2
restart 2
"""
TWO_AND_THREE = """
campaign 2
stabilize
propose 2 b
stabilize
"""


class CountsWhenCommitted(RaftNode):
    def _counts(self, index):
        return index <= self.commit_index  # the one line: with `True` it is our own class

    def _put_in_force(self):
        known = self.configurations
        self.configurations = tuple(found for found in known if self._counts(found[0])) or known[:1]
        super()._put_in_force()
        self.configurations = known

    def _on_committed(self, before):
        self._put_in_force()
        super()._on_committed(before)


for raft in (RaftNode, CountsWhenCommitted):
    run = hand(GROWN, raft)
    print(f"{raft.__name__:19} {run.script.do('members')[1]}")
    print(f"{'':19} {run.play(TWO_AND_THREE).broken or 'every promise is kept'}")

# %% [markdown]
# How far things are committed is not on any disk (lesson 14): whoever starts has to be told. So node 2, which had helped to
# commit the new members, went back to three voters, of which node 3 and itself are a majority. What stands in the *log* is
# still there.
#
# ## 7. Learners
#
# A new node has an empty log. Were it a voter at once, it would count in each majority, and could help in none until it has
# all of the log. So it begins as a **learner**: it gets everything, and has no vote. Only one that has caught up, and answers,
# can become a voter.
#
# **Predict:** what does the leader say to `change 1 voters 1 2 3 4`, when node 4 has nothing yet? And who decides in the second
# group, after node 3 is gone, when node 4 is a voter that the leader cannot reach?


# %%
class TakesAnybody(RaftNode):
    def _has_caught_up(self, node_id):
        return True  # the one line


for raft in (RaftNode, TakesAnybody):
    run = hand("""
group 1 2 3 pre-vote off check-quorum off
campaign 1
stabilize
propose 1 a b c
stabilize
isolate 3
""", raft)  # fmt: skip
    print(raft.__name__)
    for command in ("change 1 voters 1 2 3 4", "cut 1 4", "propose 1 d", "stabilize"):
        refusals = [line for line in run.script.do(command) if "refuses" in line]
        print("   ", *(refusals or [command]))
    node = run.group.node(1)
    print(f"    committed: {node.commit_index} of {node.log.last.index} entries, voters {node.configuration.voters}")

# %% [markdown]
# Two of three live, and that was enough. Two of *four* are not: a group that was asked to become safer stands still. As a
# learner node 4 would cost nothing: it is told everything, and nobody waits for it.
#
# That is also the way back for a node that lost its disk or its log (lesson 14): it comes back as somebody who knows
# nothing and promises nothing, a learner, until it has all.
#
# ## Claims to defend
#
# Each of them breaks by one line: change it, run the cells from there on, and look. Where a line above breaks it already, put the
# right one back.
#
# 1. A snapshot stands for entries that are *applied*, and so committed. Nothing else may be forgotten. It is *broken* in
#    section 3, by the one line of `SnapshotOfAllItHas`. *Mend it:* put `pass` there: the snapshot stands for entry 1, and *cc*
#    takes the place of what was not committed.
# 2. First the snapshot is durable, then the log is cut. It is *broken* in section 3, by the one line of `CutsTooEarly`. *Mend
#    it:* put `pass` there: the node starts with all of its entries.
# 3. What is in the log and matters for longer than its entry (members!) must be in the snapshot, too. It is *broken* in section
#    4, by the one line of `ForgetsMembers`. *Mend it:* `return super()._configuration_at(index)`: all go by five voters.
# 4. Two majorities of the same voters meet. Of different voters they need not: so both decide while these change. It is
#    *broken* in section 6, by `InOneStep`. *Mend it:* `Configuration.from_bytes(it).to_bytes()`: node 1 commits nothing, every
#    promise is kept.
# 5. A configuration counts from the moment it stands in a node's log, committed or not. It is *broken* in section 6, by the one
#    line of `CountsWhenCommitted`. *Mend it:* `return True`: node 2 goes by five voters, and cannot win with node 3 alone.
#
# ## Questions for you
#
# * In section 2, say `drop 1>3 snapshot-request` before the last `stabilize`, and `tick 1 4` behind it. What does the leader do?
# * Why does a follower not take a snapshot that is older than what it has committed? Look for the method that refuses.
# * A joint configuration from `1 2 3` to `3 4 5` has how many smallest quorums? Guess, then ask `quorums`.
# * The leader may be none of the new voters. When does it go? (`tests/transcripts/joint_consensus_needs_both_majorities.txt`)
# * Take the crash out of `GROWN` (`crash 2` and `restart 2`). Why does `CountsWhenCommitted` break nothing then?
#
# ## What next
#
# **Lab 3d** asks you to write the snapshots: what one stands for, sending it, installing it. Members are given there, and you may
# read them: `mq/raft/membership.py`. In lesson 16 all of it runs in three real brokers.
