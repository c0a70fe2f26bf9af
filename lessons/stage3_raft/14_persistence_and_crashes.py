# %% [markdown]
# # 14 · Persistence and crashes
#
# A node dies in the middle of something, and starts again. It reads its disk; all else is gone.
#
# **Question:** what must be on the disk, and *when*, so that a node which forgot everything else can harm nobody?
#
# After this lesson you can say, and show with a run:
#
# * which three things a node must never forget, and what a forgotten vote costs;
# * which messages must wait for the disk, and which need not, and what that saves;
# * why a torn write at the end of a log is harmless, and damage below its durable end is not;
# * why a node that was damaged may neither vote nor answer.
#
# **Time:** 30 to 40 minutes. **Before:** lessons 1 and 11 to 13. **Leads to:** lab 3c, which asks you to write this.

# %%
import inspect

from lessons.crashes import draw_disks, take_for_torn
from lessons.raft_pictures import draw_logs, space_time
from lessons.raft_runs import TimedGroup, hand
from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind, HardState
from mq.core.ids import LogIndex, Term
from mq.core.ports import Write, drive
from mq.raft.messages import AppendRequest, VoteReply
from mq.raft.node import RaftNode
from mq.sim.disk import SimDisk
from mq.sim.group.network import NetworkOptions

# %% [markdown]
# ## 1. What is left
#
# Three nodes agree on two commands. Then node 2 ends, and starts again from its disk.
#
# **Predict:** its *term*, its *vote*, its *log*, its *role*, its *commit index*, its *state* (what the commands made): which
# of the six does it still have?

# %%
run = hand("""
group 1 2 3 pre-vote off
campaign 1
stabilize
propose 1 a b
stabilize
tick 1 2
stabilize
""")
print("before:", *run.script.do("status 2"))
run.play("""
crash 2
restart 2
""")
print("after: ", *run.script.do("status 2"))

# %% [markdown]
# Term, vote, log. These three it promised something with: *I have voted*, *I have this entry*. All else can be found out
# again. A role is a matter of who speaks: whoever starts is a follower. The commit index comes with the leader's next
# request, and the state is made of the log once more, from its first entry on (or from a snapshot: lesson 15).
#
# Term and vote go to the disk together, as one thing, so that no crash comes between them. This is all of it:

# %%
print(inspect.getsource(HardState))

# %% [markdown]
# ## 2. The forgotten vote
#
# Nodes 1 and 3 campaign in the same term. Node 2 votes for 1, crashes, starts again, and is asked by 3.
#
# This one line is changed already: in the class below the vote is not written. What goes to the disk is the term alone.
#
# **Predict:** what does node 2 answer to node 3, with our class and with this one? What is the worst that can come of it?

# %%
TWO_ASK = """
group 1 2 3 pre-vote off check-quorum off
campaign 1
campaign 3
drop 1>3
drop 3>1
deliver 1>2
crash 2
restart 2
deliver 3>2
stabilize
"""


class ForgetsItsVote(RaftNode):
    def _hard_state(self):
        return HardState(self.term, None)  # the one line: it was `self.vote`


for raft in (RaftNode, ForgetsItsVote):
    run = hand(TWO_ASK, raft)
    print(f"{raft.__name__:16}", run.broken or "every promise is kept")

# %% tags=["picture"]
space_time(run.events, "A vote that was not on the disk", broken=run.broken)

# %% [markdown]
# **Change this one line** back, to `HardState(self.term, self.vote)`: every promise is kept, and the picture shows what node 2
# answers then.
#
# Node 2 did nothing that looks wrong to itself: it found no vote, so it gave one. But *"I vote for you in this term"* means *"and
# for nobody else, ever"*. **A promise that can be forgotten is none.** From here on two leaders fill the same places of the
# log with different entries of the same term, and nobody can tell them apart.
#
# ## 3. When the answer may leave
#
# To write the vote is not enough. A disk takes its time. If the answer is faster than the disk, and the power fails in
# between, it was a forgotten vote all the same. So the answer **waits**. Here the disk of node 2 says yes only when we
# tell it to:

# %%
run = hand("group 1 2 3 pre-vote off")
for command in ("disk 2 manual", "campaign 1", "deliver 1>2", "save 2"):
    print(f"> {command}", *run.script.do(command), sep="\n    ")

# %% [markdown]
# It *writes*, it *keeps* its answer for that write, and when the disk has *saved*, the answer *leaves*. A node does not wait
# itself: it tells its host which message belongs behind which write, and is free for other work.
#
# **Predict:** which of these may leave before the node's own disk is done? (a) a follower's *"I have your entry"*; (b) a
# leader's request with a new entry in it; (c) a heartbeat; (d) a candidate's request for votes.

# %%
run = hand("""
group 1 2 3 pre-vote off
campaign 1
stabilize
disk 1 manual
disk 2 manual
disk 3 manual
""")
for command in ("propose 1 a", "tick 1 2", "deliver 1>2", "save 2", "deliver 2>1", "save 1", "campaign 3"):
    print(f"> {command}", *run.script.do(command), sep="\n    ")

# %% [markdown]
# (b) and (c). The leader **sends while its own disk still works**. An entry in a request promises nothing: it is a question,
# *"take this, will you?"* What the leader counts is another matter: its own copy counts when its own disk is done, like any
# other. You see it: after the answer of node 2 there are two copies, and only one of them is durable; nothing is committed
# until `save 1`.
#
# (a) is a promise: whoever acknowledges is counted. (d) is one, too, which is less obvious: who asks for votes in term 5 says
# *"I am in term 5, and my log ends here"*. A candidate that forgot it and asked again in the same term with a shorter log could
# add up votes for two different logs. (The paper, that of lesson 10, asks this of answers only; `mq/raft/persistence.py` says
# more.)
#
# What does it save? Two clocks: each write takes 40 ms, each message 5 ms. The second class lets a leader's entries wait
# for its disk.
#
# **Predict:** after how many milliseconds does the client hear *yes*, in both?


# %%
class WritesFirst(RaftNode):
    def _tell(self, message):
        if isinstance(message, AppendRequest) and message.entries:
            self._promise(message)  # the one line: it waits for the disk, like an answer
        else:
            super()._tell(message)


def timed(raft):
    """One command through a group with slow disks: all that happened, and when it was proposed."""
    group = TimedGroup(seed=3, raft=raft, network=NetworkOptions(delay_ms=5, spread_ms=0)).wait_for_leader().pass_time(300)
    for node in (1, 2, 3):
        group.host(node).weather.sync_ms, group.host(node).weather.spread_ms = 40, 0
    begun_ms = group.now_ms
    group.propose(group.leader, b"a").pass_time(150)
    return group.events, begun_ms


# %% tags=["picture"]
draw_disks([("It sends while it writes", *timed(RaftNode)), ("It writes first", *timed(WritesFirst))], until_ms=100)

# %% [markdown]
# One write is on the way of each command instead of two. Both are *safe*; the first is faster. (Section 10.2.1 of Ongaro's
# thesis.)
#
# ## 4. Break it: answers that do not wait
#
# Each of these two classes lets one message go too early. In both runs somebody loses their power at the worst moment.
#
# **Predict:** which promise breaks in each?


# %%
class VotesTooEarly(RaftNode):
    def _promise(self, message):
        if isinstance(message, VoteReply) and message.to != self.node_id:
            self._tell(message)  # the one line: now, not when it is saved
        else:
            super()._promise(message)


class CountsItselfTooEarly(RaftNode):
    def _durable_index_of(self, node_id):
        # the one line: of its own log it takes the last entry, written or not
        return self.log.last.index if node_id == self.node_id else super()._durable_index_of(node_id)


VOTE_AND_POWER = """
group 1 2 3 pre-vote off check-quorum off
disk 2 manual
campaign 1
campaign 3
drop 1>3
drop 3>1
deliver 1>2
crash 2 losing unsaved
disk 2 at-once
restart 2
deliver 3>2
stabilize
"""
COPY_AND_POWER = """
group 1 2 3 pre-vote off check-quorum off
campaign 1
stabilize
cut 1 3
disk 1 manual
propose 1 a
deliver 1>2
deliver 2>1
tick 1 2
deliver 1>2 all
crash 1 losing unsaved
crash 2
disk 1 at-once
restart 1
heal
campaign 1
stabilize
"""
for script, raft in ((VOTE_AND_POWER, VotesTooEarly), (COPY_AND_POWER, CountsItselfTooEarly)):
    print(f"{'RaftNode':21}", hand(script).broken or "every promise is kept")
    run = hand(script, raft)
    print(f"{raft.__name__:21}", run.broken)

# %% tags=["picture"]
space_time(run.events, "A copy that was counted before it was durable", broken=run.broken, from_ms=70)

# %% [markdown]
# Follow entry 2 of term 1. Node 1 counted two copies: its own, which was still on the way to the disk, and that of node 2. So
# it told node 2 that the entry is committed, and node 2 applied it. Then the power took the first copy, and the
# machine of node 2 died. One copy is no majority of three: the next two elected a leader that had never heard of it.
#
# ## 5. Torn: nobody was promised anything
#
# When the power fails in the middle of a write, the last piece of the log is half there. This is a real log of a broker, on
# a simulated disk: two entries are saved, a third one is being written.
#
# **Predict:** what does the start say: is it *torn*, or *damaged*? Had anybody been promised the third entry?

# %%
FILE = "log/00000000000000000000.log"
log, disk = CommitLog(segment_bytes=1024), SimDisk()


def write(index, text):
    """One entry, and term and vote with it, as a node writes them: what the log plans, and the number that it waits for."""
    entry = Entry(LogIndex(index), Term(1), EntryKind.COMMAND, text)
    return log.append(LogIndex(index - 1), [entry], HardState(Term(1), 2))


def opened(disk):
    """A start: a fresh log that reads what is there."""
    fresh = CommitLog(segment_bytes=1024)
    return fresh, drive(fresh.recover(disk.files()), disk)


for index, text in ((1, b"first"), (2, b"second")):
    appended = write(index, text)
    for operation in appended.plan:
        disk.perform(operation)
    log.synced(appended.sequence)
third = write(3, b"third").plan[0]
torn = disk.copy()
torn.perform(Write(FILE, third.at, third.data[:60]))  # 60 bytes of it arrived
print("durable, and so promised: up to entry", log.durable_index)

fresh, found = opened(torn)
print("torn:", found.torn)
print("damaged:", list(found.damage) or "nothing")
print(
    f"the node starts with {found.last_index} entries, in term {fresh.hard_state.term}, with its vote for {fresh.hard_state.vote}"
)

# %% [markdown]
# Torn, cut, forgotten; and that is *right*. The answer for entry 3 waited for its write, and the write never ended: so
# nobody was told anything. The leader, if there is one, sends it again. Rule and disk fit together: **what may be lost was never
# promised, and what was promised cannot be torn.**
#
# ## 6. Damaged: everybody was
#
# Now the third entry is saved as well, and later one bit of the *second* one changes on the medium.
#
# **Predict:** would it be so bad to do the same again, to cut the log there, start with one entry, and let the leader send
# the rest?

# %%
disk.perform(third)
damaged = disk.copy()
damaged.flip_bit(FILE, third.at - 40, bit=3)

fresh, found = opened(damaged)
print("torn:", found.torn or "nothing")
print("damaged:", *found.damage)
print("and so the log says: is_damaged =", fresh.is_damaged)

# %% [markdown]
# It is *below the durable end*: the third group says that all before it was synced. So it was promised, and cannot have been
# torn. A node on such a log is **mute**: it neither votes, nor answers, nor campaigns. Why so strict?
#
# Three nodes; 3 is cut off. Nodes 1 and 2 commit a command, and the client is told. Then both crash, and node 2 finds its log
# damaged.

# %%
COMMITTED = """
group 1 2 3 pre-vote off check-quorum off
campaign 1
stabilize
isolate 3
propose 1 a
stabilize
crash 1
crash 2
"""
BACK = """
restart 2
heal
campaign 3
stabilize
campaign 3
stabilize
"""
honest = hand(COMMITTED).play("damage 2").play(BACK)
print("a node that is mute:             ", honest.broken or "every promise is kept")

believes = hand(COMMITTED)
take_for_torn(believes, 2, last_index=1)  # the one line: cut the log behind entry 1, and go on
believes.play(BACK)
print("a node that cuts its log instead:", believes.broken)

# %% tags=["picture"]
space_time(believes.events, "Damage that was taken for a torn end", broken=believes.broken, from_ms=90)

# %% tags=["picture"]
draw_logs([("mute: nobody leads", honest.log_rows()), ("cut: somebody does", believes.log_rows())])

# %% [markdown]
# Node 2 helped to commit entry 2. Its copy *was* half of the majority, and its vote was the guard of that copy: it would
# have refused a candidate that lacks it. When the copy is gone and the vote goes on being given, the guard lets everybody in.
#
# With the mute node nobody leads, until node 1 is back: *not available*, which one can mend, and not *wrong*, which one
# cannot. (Such a node comes back by beginning anew, as a member without a vote that gets everything from the others: lesson 15.)
#
# ## Claims to defend
#
# Each of them breaks by one line: change it, run the cells from there on, and look. Where a line above breaks it already, put the
# right one back.
#
# 1. Term, vote and log are promises. Everything else about a node is a matter of opinion, and may be forgotten. It is *broken* in
#    section 2, by the one line of `ForgetsItsVote`. *Mend it:* `return super()._hard_state()`: every promise is kept.
# 2. A message waits for the disk exactly when somebody will *count* it. It is *broken* in section 4, by the one line of
#    `VotesTooEarly`. *Mend it:* `super()._promise(message)`: the vote that was not saved was told to nobody.
# 3. A leader may send before it has written, and may not count before it has written. It is *broken* in section 4, by the one
#    line of `CountsItselfTooEarly`. *Mend it:* `return super()._durable_index_of(node_id)`.
# 4. A torn end was never promised. Damage in the middle was: a node that lost a promise must not make new ones. It is *broken*
#    in section 6, by the one line that cuts the log of `believes`. *Mend it:* `believes.play("damage 2")`: the node is mute,
#    and every promise is kept.
#
# ## Questions for you
#
# * What if only the *term* is not saved (and the vote is)? Write the class, and look for a script in which it harms.
# * In section 3, give the leader a fast disk and the followers slow ones, then the other way round. What decides how long
#   a client waits: the fastest, the slowest, the one in the middle?
# * A follower acknowledges before its disk is done, and crashes; but only the *process* ends, and the power stays. What can
#   go wrong?
# * `tests/transcripts/a_candidate_waits_for_its_disk.txt` tells the story behind (d) in section 3. Which line is the dangerous
#   one?
#
# ## What next
#
# **Lab 3c** asks you to write this: what is saved and when, which messages wait, what a leader counts. The grader crashes your
# node at each of its writes. After that comes lesson 15: a log that only grows must end some day.
