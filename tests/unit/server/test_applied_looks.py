"""What a replaced Raft may not hand out to be applied: more than this node can know to be committed."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.broker.store.fresh_log import FreshLog
from mq.core.entry import Entry, EntryKind
from mq.core.ids import EntryId, LogIndex, Term
from mq.parts import Parts
from mq.raft.configuration import Configuration
from mq.raft.messages import AppendReply, AppendRequest, VoteReply, VoteRequest
from mq.raft.node import RaftNode
from mq.raft.options import RaftOptions
from mq.raft.output import Output
from mq.server.organs import OrganError, Organs
from mq.sim.group import storage as group_storage
from mq.sim.group.light_log import LightLog
from mq.sim.group.options import draw_options
from mq.sim.group.watch import ViolationError
from mq.sim.group.world import GroupWorld
from mq.sim.load_raft import load_raft

ROOT = Path(__file__).resolve().parents[3]
NONE = EntryId(Term(0), LogIndex(0))
Make = Callable[..., RaftNode]


class Own(RaftNode):
    """Somebody's own, and right."""

    __slots__ = ()


def variant(name: str) -> type[RaftNode]:
    return load_raft(f"{ROOT / 'labs/stage3_raft'}/{name}.py:Raft")


@pytest.fixture
def made() -> Iterator[Make]:
    """A guarded node 1 of a class, as the host makes it."""
    organs: list[Organs] = []

    def make(raft_class: type[RaftNode], *voters: int) -> RaftNode:
        organs.append(Organs(Parts(raft=raft_class)))
        log = FreshLog(CommitLog(segment_bytes=64 << 10))
        return organs[-1].raft(1, log, random.Random(1), options=RaftOptions(), configuration=Configuration.of(*voters))

    yield make
    for one in organs:
        one.stop()


def save(node: RaftNode, output: Output) -> int:
    """Returns up to where entries were to be applied, in all of it."""
    apply_to: int = output.apply_to
    while output.saves:
        output = node.saved(output.saves[-1].sequence)
        apply_to = max(apply_to, output.apply_to)
    return apply_to


def lead(node: RaftNode, term: int, *voters: int) -> None:
    save(node, node.campaign())
    for is_pre_vote in (True, False):
        for voter in voters:
            save(node, node.step(VoteReply(voter, 1, Term(term), is_granted=True, is_pre_vote=is_pre_vote)))
    assert node.view().leader == 1


def reply(sender: int, term: int, match: int) -> AppendReply:
    return AppendReply(sender, 1, Term(term), True, LogIndex(match), LogIndex(0), NONE, 1)


def request(term: int, after: EntryId, count: int, commit: int) -> AppendRequest:
    first = after.index + 1
    entries = tuple(Entry(LogIndex(first + i), Term(term), EntryKind.COMMAND, b"a loaf") for i in range(count))
    return AppendRequest(2, 1, Term(term), after, entries, LogIndex(commit), 1)


# --- wrong ones


@pytest.mark.parametrize("name", ["commit_by_one_too_few", "applies_what_is_durable"])
def test_a_leader_that_nobody_acknowledges_may_apply_nothing(made: Make, name: str) -> None:
    complaint = "raft: `saved` wants entry 1 to be applied, and a quorum has only those up to 0: it may be lost yet"
    with pytest.raises(OrganError, match=complaint):
        lead(made(variant(f"wrong/{name}"), 1, 2, 3), 1, 2)


def test_a_leader_whose_followers_fall_behind_may_apply_no_more(made: Make) -> None:
    class Wrong(Own):
        __slots__ = ()

        def _advance_commit(self) -> None:
            super()._advance_commit()
            if self.commit_index == 1:
                self._commit_to(self.log.storage.durable_index)

    node = made(Wrong, 1, 2, 3)
    lead(node, 1, 2)
    assert node.step(reply(2, 1, 1)).apply_to == 1
    with pytest.raises(OrganError, match="raft: `saved` wants entry 2 to be applied, and a quorum has only those up to 1"):
        save(node, node.propose((b"a loaf",)))


def test_a_leader_may_tell_nobody_that_more_is_committed(made: Make) -> None:
    """Also before its own disk is done, as long as it applies nothing yet."""
    node = made(variant("wrong/commit_by_one_too_few"), 1, 2, 3, 4, 5)
    save(node, node.campaign())
    for voter in (2, 3):
        save(node, node.step(VoteReply(voter, 1, Term(1), is_granted=True, is_pre_vote=True)))
    node.step(VoteReply(2, 1, Term(1), is_granted=True))
    node.step(VoteReply(3, 1, Term(1), is_granted=True))
    node.step(reply(2, 1, 1))
    node.step(reply(3, 1, 1))
    with pytest.raises(OrganError, match="`propose` tells node 2 that entry 1 is committed, and a quorum has only those up to 0"):
        node.propose((b"a loaf",))


def test_an_entry_of_an_earlier_term_counts_only_with_one_of_its_own(made: Make) -> None:
    """Paper: Raft, figure 8."""
    node = made(variant("wrong/figure8"), 1, 2, 3)
    save(node, node.step(request(1, NONE, 1, 0)))
    lead(node, 2, 3)
    with pytest.raises(OrganError, match="`step` wants entry 1 to be applied, and a quorum has only those up to 0"):
        node.step(reply(3, 2, 1))


def test_in_a_joint_configuration_both_majorities_have_to_have_it(made: Make) -> None:
    node = made(variant("wrong/commit_by_old_alone"), 1)
    lead(node, 1)
    save(node, node.change_members((1,), (2, 3)))
    for learner in (2, 3):
        node.step(reply(learner, 1, 2))
    with pytest.raises(OrganError, match=r"`saved` wants entry 3 to be applied, and a quorum has only those up to 2"):
        save(node, node.change_members((1, 2, 3)))


@pytest.mark.parametrize(
    ("name", "asked", "complaint"),
    [
        (
            "applies_what_is_durable",
            request(1, NONE, 3, 1),
            "wants entry 3 to be applied, .* told this node of only those up to 1",
        ),
        ("commit_to_own_end", request(1, NONE, 3, 0), "wants entry 3 to be applied, .* told this node of only those up to 0"),
    ],
)
def test_a_follower_may_apply_no_more_than_it_was_told(made: Make, name: str, asked: AppendRequest, complaint: str) -> None:
    class CommitsAll(Own):
        __slots__ = ()

        def _committed_of(self, message: AppendRequest) -> LogIndex:
            return self._match_after(message)

    node = made(CommitsAll if name == "commit_to_own_end" else variant(f"wrong/{name}"), 1, 2, 3)
    with pytest.raises(OrganError, match=f"raft: `saved` {complaint}"):
        save(node, node.step(asked))


def test_a_follower_may_not_apply_what_the_leader_of_today_may_not_have(made: Make) -> None:
    """What is committed was told, but not that this log agrees there."""
    node = made(variant("wrong/commit_not_clamped"), 1, 2, 3)
    save(node, node.step(request(1, NONE, 3, 0)))
    with pytest.raises(OrganError, match=r"`step` wants entry 3 to be applied, .* only those up to 1"):
        node.step(request(2, EntryId(Term(1), LogIndex(1)), 0, 3))


# --- right ones


def test_what_others_have_counts_before_the_own_disk_is_done_and_behind_the_reign(made: Make) -> None:
    node = made(Own, 1, 2, 3)
    lead(node, 1, 2)
    output = node.propose((b"a loaf",))
    node.step(reply(2, 1, 2))
    node.step(reply(3, 1, 2))
    node.step(VoteRequest(3, 1, Term(7), EntryId(Term(1), LogIndex(2)), is_transfer=True))
    assert node.view().leader is None
    node.step(request(7, EntryId(Term(1), LogIndex(2)), 0, 0))
    assert save(node, output) == 2


def test_what_a_node_was_told_counts_when_it_leads(made: Make) -> None:
    """What is committed stands in the log of each later leader, so that it need not wait for anyone."""

    class Remembers(Own):
        """Of what it was told as a follower, also what it had not got by then."""

        __slots__ = ()

        def _become_leader(self) -> None:
            super()._become_leader()
            self._commit_to(3)

    node = made(Remembers, 1, 2, 3)
    save(node, node.step(request(1, NONE, 3, 0)))
    save(node, node.step(request(2, EntryId(Term(1), LogIndex(2)), 0, 3)))
    lead(node, 3, 3)
    assert node.view().apply_to == 3
    other = made(Remembers, 1, 2, 3)
    save(other, other.step(request(1, NONE, 3, 2)))
    with pytest.raises(OrganError, match="wants entry 3 to be applied, and a quorum has only those up to 2"):
        lead(other, 2, 3)


def test_a_raft_may_keep_messages_for_later(made: Make) -> None:
    kept: list[Any] = []

    class Later(Own):
        __slots__ = ()

        def step(self, message: Any) -> Output:
            kept.append(message)
            return Output()

        def tick(self) -> Output:
            for message in kept:
                self._handle(message)
            kept.clear()
            return super().tick()

    node = made(Later, 1, 2, 3)
    node.step(request(1, NONE, 2, 0))
    node.step(request(1, EntryId(Term(1), LogIndex(2)), 2, 3))
    node.step(VoteRequest(3, 1, Term(9), EntryId(Term(1), LogIndex(2)), is_pre_vote=True))
    assert save(node, node.tick()) == 3


def run(raft_class: type[RaftNode], seeds: range) -> tuple[Counter[str], list[str]]:
    """What guarded groups met, and what was said of them."""
    met, said = Counter[str](), []
    for seed in seeds:
        organs = Organs(Parts(raft=raft_class))
        world = GroupWorld(seed, draw_options(seed), make=organs.raft)
        try:
            world.run()
        except ViolationError as error:
            said.append(str(error))
        finally:
            organs.stop()
        met.update(world.met())
    return met, said


@pytest.fixture
def _marked_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Log(LightLog):
        """That a look can take note of."""

        __slots__ = ("__weakref__",)

    monkeypatch.setattr(group_storage, "LightLog", Log)


RIGHT = ["own", "eager", "lazy", "plain", "saving_up"]


@pytest.mark.usefixtures("_marked_logs")
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_raft_is_let_be_through_cuts_crashes_and_changes_of_members(name: str) -> None:
    met, said = run(Own if name == "own" else variant(f"right/{name}"), range(5, 8))
    assert said == []
    assert min(met["elections"], met["crashes"], met["changes of members"]) > 0
    assert met["done"] > 100


@pytest.mark.night
@pytest.mark.usefixtures("_marked_logs")
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_raft_is_let_be_in_many_runs(name: str) -> None:
    met, said = run(Own if name == "own" else variant(f"right/{name}"), range(2000, 2400))
    assert said == []
    assert min(met["changes of members"], met["snapshots installed"]) > 100


@pytest.mark.usefixtures("_marked_logs")
@pytest.mark.parametrize("name", ["commit_by_one_too_few", "applies_what_is_durable"])
def test_a_wrong_raft_is_named_before_anything_is_acknowledged(name: str) -> None:
    met, said = run(variant(f"wrong/{name}"), range(1, 9))
    assert len([one for one in said if "OrganError: raft: `" in one and "it may be lost yet" in one]) == 8
    assert met["done"] == 0
