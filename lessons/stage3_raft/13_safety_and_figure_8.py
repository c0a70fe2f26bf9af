# %% [markdown]
# # 13 · Safety, and figure 8
#
# An order is on three of five disks. Three of five decide; so it is safe, and the client may be told yes. Is it?
#
# After this lesson you can say, and show with a run:
#
# * why not everybody may become leader, and what a voter has to compare;
# * why every later leader has what was committed (*leader completeness*), and how to try that on *all* runs of a small group;
# * why an entry on a majority may still disappear: figure 8 of the paper (lesson 10 says which), step by step, on the real code;
# * which line of the code forbids it, and why a leader begins with an entry that holds nothing;
# * how a search finds such a run by itself, without being told what to look for.
#
# **Time:** 30 to 40 minutes. **Before:** lesson 12 (log matching, commit). **Leads to:** the searches of lab 3b, which are made
# to find this in *your* Raft.

# %%
import matplotlib.pyplot as plt

from lessons.raft_pictures import draw_logs, space_time
from lessons.raft_runs import hand
from lessons.showing import COLOURS, bare, figure
from mq.core.entry import EntryKind
from mq.core.ids import Term
from mq.raft.node import RaftNode
from mq.sim.explore.goals import TINY_SCOPE, search_deep, search_small
from mq.sim.explore.story import Story

# %% [markdown]
# ## 1. Not everybody may lead
#
# A leader never takes anything away from its own log; it makes the others' logs like its own. So when a node leads that lacks a
# committed entry, the entry is gone.
#
# **Predict:** *tea* is committed by nodes 1 and 2. Node 3 was cut off, and knows nothing of it. Now node 1 dies, and node 3
# campaigns first. What does node 2 answer? And `AnyLog`?

# %%
POOR_LOG = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize
    isolate 3
    propose 1 tea
    stabilize
    crash 1
    heal
    campaign 3
    stabilize
"""


class AnyLog(RaftNode):
    """Votes for whoever asks first, whatever its log lacks."""

    __slots__ = ()

    def _is_up_to_date(self, last):
        return True  # the one line


for raft in (RaftNode, AnyLog):
    run = hand(POOR_LOG, raft)
    print(f"{raft.__name__:8}", run.broken or "no promise is broken: node 2 said no")

# %% tags=["picture"]
run = hand(POOR_LOG, AnyLog)
space_time(run.events, "AnyLog: a leader that lacks what was committed", broken=run.broken, from_ms=115)

# %% [markdown]
# So a voter compares: **no vote for a log that lacks something of mine**. It need not see the whole log for that. Log matching
# (lesson 12) makes the *last* entry enough: the later term wins; of equal terms the longer log.
#
# Why the term first, and not the length? Here are the seven logs of the paper's figure 7. Each campaigns in turn, and the others
# answer (with their real code). Four of seven are needed, the own vote among them.
#
# **Predict:** which of the seven can lead?

# %%
SEVEN = {
    1: "1 1 1 4 4 5 5 6 6 6",
    2: "1 1 1 4 4 5 5 6 6",
    3: "1 1 1 4",
    4: "1 1 1 4 4 5 5 6 6 6 6",
    5: "1 1 1 4 4 5 5 6 6 6 7 7",
    6: "1 1 1 4 4 4 4",
    7: "1 1 1 2 2 2 3 3 3 3 3",
}


def votes_of(candidate, raft=RaftNode):
    """What each of the others answers to this candidate."""
    logs = [f"logs {node}: {terms} term 7" for node, terms in SEVEN.items()]
    run = hand(
        "\n".join(
            ["group 1 2 3 4 5 6 7 pre-vote off", *logs, f"campaign {candidate}", f"deliver {candidate}>* vote-request all"]
        ),
        raft,
    )
    replies = [event for event in run.events if event.name == "send" and event.text("kind") == "vote-reply"]
    return {int(event.node[1:]): bool(event.number("granted")) for event in replies}


class LengthOnly(RaftNode):
    """Takes the longer log for the better one."""

    __slots__ = ()

    def _is_up_to_date(self, last):
        return last.index >= self.log.last.index  # the one line


for raft in (RaftNode, LengthOnly):
    able = [candidate for candidate in SEVEN if 1 + sum(votes_of(candidate, raft).values()) >= 4]
    print(f"{raft.__name__:10} can lead: {', '.join(f'n{node}' for node in able)}")

# %% tags=["picture"]
draw_logs(
    [
        (
            "the seven logs of figure 7",
            hand("\n".join(["group 1 2 3 4 5 6 7", *(f"logs {n}: {t} term 7" for n, t in SEVEN.items())])).log_rows(),
        )
    ]
)
_, parts = figure(3.3, columns=2)
for axes, raft, title in zip(parts, (RaftNode, LengthOnly), ("term first, then length", "length only"), strict=True):
    bare(axes)
    for row, candidate in enumerate(SEVEN):
        votes = {**votes_of(candidate, raft), candidate: True}
        for column, voter in enumerate(SEVEN):
            colour = COLOURS["safe"] if votes[voter] else "#e5e9ed"
            axes.add_patch(plt.Rectangle((column, -row), 0.94, 0.94, facecolor=colour))
        count = sum(votes.values())
        axes.text(-0.2, -row + 0.47, f"n{candidate} asks", ha="right", va="center", fontsize=9.5)
        axes.text(7.2, -row + 0.47, f"{count} of 7", va="center", fontsize=9.5, fontweight="bold" if count >= 4 else "normal")
    for column, voter in enumerate(SEVEN):
        axes.text(column + 0.47, 1.05, f"n{voter}", ha="center", va="bottom", fontsize=9.5)
    axes.set_xlim(-1.8, 8.9)
    axes.set_ylim(-6.1, 1.7)
    axes.set_title(f"Votes: {title}")
plt.show()

# %% [markdown]
# Look at n7: eleven entries, all made by a leader that nobody followed, of terms long past. By length alone it gets the votes of
# five others, and its entries of terms 2 and 3 take the place of those of terms 4 to 6, which may be committed. A long log may be
# a long monologue. A late *term* cannot be had so cheaply: who made an entry of term 6 was elected by a majority, and had all
# that was committed before.
#
# ## 2. Every later leader has it
#
# Now the argument, as in lesson 10. An entry is committed: a majority has it. A later leader was elected: a majority voted for
# it. The two majorities share a node. That node had the entry when it voted, and voted for no log that lacks it. So the leader
# has it. (And the leader after that one, by the same argument, from leader to leader.)
#
# Can we *try* it? Not all runs of all groups. But all runs of a small group: three nodes, two terms, one crash, four messages
# under way, and every order in which things can happen. `search_small` goes through all of them, and looks after each step
# whether a promise is broken.
#
# **Predict:** how many different states are there? A hundred? A million? And after how many steps does `AnyLog` break something?

# %%
for raft in (RaftNode, AnyLog):
    found = search_small(raft, TINY_SCOPE)
    print(
        f"{raft.__name__:9} {found.result.states:,} states, {found.result.events:,} steps tried: {found.result.outcome}", end=""
    )
    print(f", after {len(found.path)} steps" if found.path else "")

# %%
story = Story(found.model, found.path)
print("\n".join(f"{number}. {words}" for number, words in enumerate(story.words, 1)))

# %% [markdown]
# *Exhausted* means: there is no state left that it has not looked at. That is as good as a proof, for a group as small as this.
# In the story `entries=1.1:noop` is the entry at index 1, of term 1 (as a line it would be `1@1`: lesson 12), with nothing in
# it (a *noop*: section 4). Section 5 has a `2.3`: index 2, term 3.
#
# One word of the argument is easily missed: the node that both majorities share had the entry *when it voted*. Who has voted in a
# later term takes nothing any more from the leader of an earlier one, for its vote has moved its term up. The class below votes,
# and goes back to the term in which it was.
#
# **Predict:** node 1 leads term 1 and hands *tea* to node 2. While that is under way, node 2 votes for node 3 in term 2. Who has
# *tea* then, and what is the client told?

# %%
AFTER_THE_VOTE = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize
    propose 1 tea
    drop 1>3
    campaign 3
    deliver 3>2
    deliver 1>2
    deliver 2>1
    deliver 2>3
    stabilize 2 3
"""


class GoesBack(RaftNode):
    """Votes in a term, and stays in the one before."""

    __slots__ = ()

    def on_vote_request(self, message):
        super().on_vote_request(message)
        self.term = Term(self.term - 1)  # the one line


for raft in (RaftNode, GoesBack):
    run = hand(AFTER_THE_VOTE, raft)
    told = [event.name for event in run.events if event.name in {"done", "unknown"}]
    print(f"{raft.__name__:8} the client was told {told or 'nothing yet'};", run.broken or "no promise is broken")

# %% [markdown]
# With `GoesBack` two majorities share node 2, and it was no use: first the vote for a log without *tea*, then the yes to *tea*.
#
# ## 3. On a majority, and gone
#
# Now the question from the beginning. Five nodes. Let us play the paper's figure 8, and look at the logs after each act. (Each
# leader begins with an entry of its own term; these are the entries you see. Node 1 is S1 in the paper.)
#
# **Predict**, when you have seen (c): entry 2 of term 2 is on nodes 1, 2 and 3, durably, and node 1, which leads, knows it. May
# it be committed now?

# %%
ACTS = {
    "(a) n1 leads term 2; its entry reaches n2": """
        group 1 2 3 4 5 pre-vote off check-quorum off entries-max 1
        logs 1: 1
        logs 2: 1
        logs 3: 1
        logs 4: 1
        logs 5: 1
        campaign 1
        deliver 1>2
        deliver 1>3
        deliver 2>1
        deliver 3>1
        deliver 1>2 append-request
        drop *>* all
    """,
    "(b) n1 crashes; n5 leads term 3, alone": """
        crash 1
        campaign 5
        drop *>* all
        campaign 5
        drop 5>2
        deliver 5>3
        deliver 5>4
        deliver 3>5
        deliver 4>5
        drop *>* all
    """,
    "(c) n5 crashes; n1 leads term 4, and copies on": """
        crash 5
        restart 1
        campaign 1
        drop *>* all
        campaign 1
        deliver 1>2
        deliver 1>3
        deliver 2>1
        deliver 3>1
        deliver 1>3 append-request
        deliver 3>1
        deliver 1>3 append-request
        deliver 3>1
        drop *>* append-request all
        tick 1 2
        deliver 1>2
        deliver 2>1
        drop *>* all
    """,
    "(d) n1 crashes; n5 leads term 5": """
        crash 1
        restart 5
        campaign 5
        stabilize
        campaign 5
        stabilize
        tick 5 2
        stabilize
    """,
}


def played(raft, acts=ACTS):
    """The run, and the logs after each act."""
    run, moments = None, []
    for name, script in acts.items():
        run = hand(script, raft) if run is None else run.play(script)
        moments.append((name, run.log_rows()))
    return run, moments


run, moments = played(RaftNode)
print("committed by n1 in (c):", moments[2][1][0].commit_index, "entries; broken:", run.broken or "nothing")

# %% tags=["picture"]
draw_logs(moments, "Figure 8, on our Raft")

# %% [markdown]
# In (c) entry 2 of term 2 is on a majority. In (d) it is gone, **everywhere**, and no rule was broken: n5's last entry is of term
# 3, and 3 is more than 2, so n2, n3 and n4 had to vote for it.
#
# So a majority is not enough? It is, in the leader's *own* term. In (c) n1 leads term 4, and the entry is of term 2. While it sat
# in two logs, a leader of term 3 came and went, with a later last entry. The copies that n1 makes now come too late: they say
# "term 2", and that impresses nobody who has a 3.
#
# The rule: **a leader counts copies only of entries of its own term.** What stands before such an entry is committed along with
# it. In the code that is one line, `_may_count`.
#
# **Predict:** `CountsAnyTerm` lacks the rule. In which act does it commit, and in which does the promise break?


# %%
class CountsAnyTerm(RaftNode):
    """Commits what a majority has, of whatever term."""

    __slots__ = ()

    def _may_count(self, index):
        return True  # the one line


run, moments = played(CountsAnyTerm)
print("committed by n1 in (c):", moments[2][1][0].commit_index, "entries")
print("broken:", run.broken or "nothing")

# %% tags=["picture"]
draw_logs(moments[2:], "The same, counting any term: black below is “for ever”")

# %% [markdown]
# Node 1 said *for ever* of entry 2, and did what it says; then another entry was committed in its place. For a broker: two
# consumers got different messages as the second one of the same queue.
#
# ## 4. What n1 should have done
#
# It should have got **one entry of its own term** to a majority, whatever is in it. That is act (e) of the figure: instead of
# only entry 2, entry 3 of term 4 arrives, too.
#
# **Predict:** n1 crashes after that. What does n5 hear when it campaigns?

# %%
ACT_E = {
    **dict(list(ACTS.items())[:2]),
    "(c') entry 3 of term 4 arrives as well": """
        crash 5
        restart 1
        campaign 1
        drop *>* all
        campaign 1
        deliver 1>2
        deliver 1>3
        deliver 2>1
        deliver 3>1
        stabilize 1 2 3
    """,
    "(e) n1 crashes, n5 campaigns": """
        crash 1
        restart 5
        campaign 5
        stabilize
        campaign 5
        stabilize
    """,
}
run, moments = played(RaftNode, ACT_E)
print(
    "committed by n1:", moments[2][1][0].commit_index, "entries; n5 is", moments[3][1][4].role, "of term", moments[3][1][4].term
)

# %% tags=["picture"]
draw_logs(moments[2:], "With an entry of its own term on a majority")

# %% [markdown]
# Now the copies say "term 4", and n5's 3 impresses nobody. Both entries are committed, the old one *by* the new one.
#
# That is why a leader begins with an entry that holds nothing (a **noop**): it does not wait for a client to bring something of
# the new term. As soon as the noop is on a majority, all that older leaders left is settled.
#
# **Predict:** node 1 hands *tea* to node 2 and dies; node 2 leads. No client comes any more. What does each of these classes know
# to be committed, after a while?

# %%
QUIET = """
    group 1 2 3 pre-vote off check-quorum off
    campaign 1
    stabilize
    propose 1 tea
    deliver 1>2
    crash 1
    drop *>* all
    campaign 2
    stabilize
    tick 2 20
    stabilize
"""


class BeginsWithNothing(RaftNode):
    """A leader that puts in nothing of its own."""

    __slots__ = ()

    def _append_own(self, contents):
        contents = [(kind, it) for kind, it in contents if kind is not EntryKind.NOOP]  # the one line
        super()._append_own(contents) if contents else self._beat()


for raft in (RaftNode, BeginsWithNothing):
    run = hand(QUIET, raft)
    for when in ("nobody asks", "cake is asked for"):
        row = run.log_rows()[1]
        print(f"{raft.__name__:17} {when:17} n2 leads, has {len(row.entries)} entries, {row.commit_index} of them committed")
        run.play("propose 2 cake").play("stabilize")

# %% [markdown]
# Without the noop *tea* is on a majority, and nobody may say so: it waits until a client comes who brings something else.
#
# ## 5. Found by a search
#
# Figure 8 was found by people who thought hard, and missed by others: a system that many use had the mistake for years. Could a
# machine find it, without being told what to look for?
#
# `search_deep` has three nodes, eight terms, two crashes and one command; messages may arrive in any order, or be lost. It
# knows one promise only: no two nodes apply different entries in one place. It prefers what the logs have seldom looked like, and
# goes on from there by chance. Then it makes the story short.
#
# **Predict:** how many steps does it try? How many steps will the short story have, and how many of the two crashes? (Our four
# acts have some sixty commands and four crashes.)

# %%
found = search_deep(CountsAnyTerm, seed=1, seconds_max=120)
story = Story(found.model, found.path)
print(f"{found.result.outcome} after {found.result.events:,} steps tried; made short: {len(story.words)} steps")
if found.result.outcome != "broken":
    print("nothing was found: the time was spent before all was looked at, and that proves nothing")
for number, words in enumerate(story.words, 1):
    print(f"{number:3}. {words}")

# %% tags=["picture"]
if found.result.outcome == "broken":
    kept = "no two nodes apply different entries in one place"
    space_time(story.trace.events(), "Figure 8, found by a search", broken=kept)
else:
    print("There is nothing to draw.")

# %% [markdown]
# Three nodes are enough, no client, and not one crash! n3 leads term 1 and hands its entry to nobody. n2 leads term 2 and does
# the same. n3 leads again, term 3: now its old entry gets to n1, that is a majority, and it is committed (the card says both
# terms: *commit 1.1 in T3*). But n2 has an entry of term 2 in that place; 2 is more than 1, n1 must vote for it, and with n2 the
# other entry is committed, too.
#
# **Change this one line.** In `CountsAnyTerm` say `return self.log.term_at(index) >= self.term - 1`: entries of the term just
# before may be counted as well. Let the search try for twenty seconds (`seconds_max=20`). Does it find anything? If it does
# not: was that luck, or can you prove it? (*Spent* is what it says then: its time was over before it had looked at all. Which
# term must the log have that beats the entry? Who can have made it?)
#
# ## Claims to defend
#
# Each of them breaks by one line: change it, run the cells from there on, and look. Where a line above breaks it already, put the
# right one back.
#
# 1. A voter that compares its last entry with the candidate's, term first, keeps every committed entry, without seeing any log.
#    It is *broken* in section 1, by the one line of `AnyLog`. *Mend it:* `return super()._is_up_to_date(last)`: node 2 says no.
# 2. Two majorities share a node that had the entry *before* it voted. The order matters. It is *broken* in section 2, by the one
#    line of `GoesBack`. *Mend it:* put `pass` there: the client is told nothing yet, and no promise is broken.
# 3. "On a majority" is not "committed". Committed is what is on a majority *in the term of its leader*, and what stands before.
#    It is *broken* in section 3, by the one line of `CountsAnyTerm`. *Mend it:* `return super()._may_count(index)`: in (c) node
#    1 commits 0 entries.
# 4. A noop at the beginning of each reign costs one entry, and settles all that came before. It is *broken* in section 4, by the
#    one line of `BeginsWithNothing`. *Mend it:* `contents = list(contents)`: *tea* is committed while nobody asks.
# 5. A search that knows one promise finds what people missed. A search that finds nothing proves nothing, unless it looked at all
#    there is. *Break it* in section 5: `found = search_deep(CountsAnyTerm, seed=1, seconds_max=0.001)`. It finds nothing, and the
#    mistake is still there.
#
# ## Questions for you
#
# * In act (d), let n5 crash before it committed anything, and n1 come back. Can entry 2 of term 2 return?
# * The search needed three nodes, the paper five. What do the two more nodes do in the acts above?
# * What would happen without the noop, in a group whose clients only read?
#
# ## What next
#
# **Lab 3b** asks you to write the counting, and its searches try to find a figure 8 in it, without any script that names it. Lab
# 3a's voters need section 1. Lesson 14 is about what all of this took for granted: that what a node promised is still there after
# it crashed.
#
# In the code: `mq/sim/explore/coverage.py` (the search that is drawn to what is rare), `mq/sim/group/checkers.py` (the promises);
# after the labs, which ask for them, `mq/raft/election.py` and `mq/raft/replication.py`.
