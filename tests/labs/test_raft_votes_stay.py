"""A vote that a later write takes off the disk is found by worlds and by searches, too, and told as such."""

import re
from contextlib import suppress

import pytest

from labs.grader.seeds import Seeds
from labs.grader.suite import Run
from labs.stage3_raft.kept_node import JudgingLog
from labs.stage3_raft.watching import KEPT
from labs.stage3_raft.worlds import VotesStay
from mq.core.entry import HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.raft.messages import Snapshot
from mq.raft.node import RaftNode
from mq.sim.checkers import VacuousRunError
from mq.sim.explore.scope import FIRST_ID
from mq.sim.group.watch import ViolationError
from tests.labs.raft_drafts import DRAFTS, Draft

_, _, LAB3C, LAB3D = DRAFTS
SEEDS = range(12)


class WithEntries(RaftNode):
    """Each write of entries writes the term, and the vote only when it changed."""

    __slots__ = ()

    def _hard_state(self) -> HardState:
        return HardState(self.term, self.vote if self._is_unsaved else None)

    def _save(self, after_index: int, entries: object) -> None:
        self._note_save(self.log.append(after_index, entries, self._hard_state()))  # type: ignore[arg-type]


class WithSnapshots(RaftNode):
    """The log that begins anew behind a snapshot has no vote."""

    __slots__ = ()

    def _restart_log(self, snapshot: Snapshot) -> None:
        self._note_save(self.log.reset(snapshot.last, HardState(self.term, None)))


WRONG = [(LAB3C, WithEntries), (LAB3D, WithSnapshots)]
of_each = pytest.mark.parametrize(("draft", "make"), WRONG, ids=["lab3c", "lab3d"])


@of_each
def test_worlds_tell_it_by_the_promise_and_two_facts(draft: Draft, make: type[RaftNode]) -> None:
    found = []
    for seed in SEEDS:
        try:
            with suppress(VacuousRunError):
                draft.world(seed, make).run()
        except ViolationError as error:
            found.append(error.violation)
    told = [one for one in found if one.promise == VotesStay.promise]
    assert told, f"seeds {SEEDS} found {found}"
    assert (told[0].promise, told[0].section) == (KEPT.text, KEPT.section)
    assert re.fullmatch(r"the disk of node \d held its vote for node \d in term \d+", told[0].facts[0])
    assert told[0].facts[1] == "in the same term it holds no vote"


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: draft.short)
def test_worlds_look_at_the_votes_of_a_right_one(draft: Draft) -> None:
    world = draft.world(1, RaftNode)
    (watch,) = [checker for checker in world.checkers if isinstance(checker, VotesStay)]
    with suppress(VacuousRunError):
        world.run()
    seen = watch._seen.values()
    assert len(seen) >= 3
    assert any(state.vote is not None for state in seen)


@of_each
def test_searches_refuse_the_write(draft: Draft, make: type[RaftNode]) -> None:
    check = draft.lab.suite.check("3.1")
    assert check is not None
    (case,) = check.cases(Seeds(b"tests"))
    run = Run()
    with pytest.raises(StateError, match=r"its vote for n\d in term \d+ was written to its log, and this write has none"):
        case.play(make, case.steps, run)
    assert run.story


def test_a_log_of_a_search_takes_all_other_states() -> None:
    log, last, one, other = JudgingLog(), EntryId(Term(1), LogIndex(1)), FIRST_ID, FIRST_ID + 1
    for state in (HardState(Term(1), None), HardState(Term(1), one), HardState(Term(1), one), HardState(Term(2), None)):
        log.append(LogIndex(0), (), state)
    log.reset(last, HardState(Term(2), other))
    with pytest.raises(StateError, match=r"its vote for n2 in term 2 .* this write has one for n1 in its place"):
        log.append(LogIndex(1), (), HardState(Term(2), one))
    assert log.hard_state == HardState(Term(2), other)
