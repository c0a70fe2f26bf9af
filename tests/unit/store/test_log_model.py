"""Whatever is done with a log, in whatever order, it agrees with a plain list of entries and a term and a vote."""

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mq.broker.store.commit_log import Appended, Checkpoint
from mq.core.entry import HardState
from mq.core.ids import LogIndex, Term
from mq.core.ports import Operation, Write, perform
from tests.unit.store.helpers import NO_HARD_STATE, LogOnDisk

SIZES = st.sampled_from([0, 1, 7, 60, 200, 400, 700, 1500])
SEGMENT_BYTES = 1024


class Model(NamedTuple):
    """What a log holds. entries: (term, payload) from index 1 on, also those that were dropped."""

    entries: tuple[tuple[int, bytes], ...] = ()
    hard_state: HardState = NO_HARD_STATE


class LogMachine(RuleBasedStateMachine):
    """The verbs. `models` holds what is durable, and behind it one model for each append that waits."""

    @initialize()
    def begin(self) -> None:
        self.on = LogOnDisk(segment_bytes=SEGMENT_BYTES)
        self.models = [Model()]
        self.waiting: list[Appended] = []
        self.checkpoint: Checkpoint | None = None
        self.number = 0
        self.highest_term = 0

    # --- writing

    def _payloads(self, sizes: list[int]) -> list[bytes]:
        self.number += 1
        return [(b"%d/%d " % (self.number, n)).ljust(size, b".") for n, size in enumerate(sizes)]

    def _append(self, after: int, term: int, payloads: list[bytes], hard_state: HardState | None) -> None:
        self.waiting.append(self.on.plan(*payloads, after=after, term=term, hard_state=hard_state))
        entries, before = self.models[-1]
        if payloads:
            entries = entries[:after] + tuple((term, payload) for payload in payloads)
        self.models.append(Model(entries, hard_state or before))
        self.highest_term = max(self.highest_term, term)

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=4), term_step=st.integers(0, 2), vote=st.sampled_from([None, None, 1, 2]))
    def append(self, sizes: list[int], term_step: int, vote: int | None) -> None:
        entries = self.models[-1].entries
        term = (entries[-1][0] if entries else 0) + term_step // 2
        hard_state = None if vote is None else HardState(Term(term), vote)
        self._append(len(entries), term, self._payloads(sizes), hard_state)

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=3), back=st.integers(1, 12))
    def supersede(self, sizes: list[int], back: int) -> None:
        after = max(int(self.on.log.first_index) - 1, len(self.models[-1].entries) - back)
        self._append(after, self.highest_term + 1, self._payloads(sizes), None)

    @rule(vote=st.sampled_from([None, 1, 3]))
    def save_hard_state(self, vote: int | None) -> None:
        self._append(0, 0, [], HardState(Term(self.highest_term), vote))

    @precondition(lambda self: self.waiting)
    @rule()
    def finish_oldest(self) -> None:
        self.on.save(self.waiting.pop(0))
        del self.models[0]

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 9))
    def finish_together(self, count: int) -> None:
        done = self.waiting[:count]
        for appended in done:
            perform(self.on.disk, appended.plan)
        self.on.log.synced(done[-1].sequence)
        del self.waiting[: len(done)], self.models[: len(done)]

    @precondition(lambda self: self.waiting)
    @rule(carried_out=st.integers(0, 7))
    def fail_for_want_of_room(self, carried_out: int) -> None:
        """The oldest append does not get to its end; it and all behind it are taken back, the newest first."""
        plan = self.waiting[0].plan
        perform(self.on.disk, plan[: min(carried_out, len(plan) - 2)])
        while self.waiting:
            self.on.log.abandon(self.waiting.pop().sequence)
            self.models.pop()
            self.on.log.check()

    @rule()
    def mark(self) -> None:
        self.on.mark()

    @rule(index=st.integers(1, 60))
    def drop_before(self, index: int) -> None:
        before = self.on.log.first_index
        self.on.drop_before(index)
        assert before <= self.on.log.first_index <= max(index, before)

    # --- the end of a life

    @rule()
    def take_checkpoint(self) -> None:
        self.checkpoint = Checkpoint.from_bytes(self.on.log.checkpoint().to_bytes())

    @rule(carried_out=st.integers(0, 20), torn_bytes=st.integers(0, 900), is_quick=st.booleans())
    def crash(self, carried_out: int, torn_bytes: int, is_quick: bool) -> None:
        """Of what waits some operations were carried out, one write stopped on the way."""
        operations: list[tuple[int, Operation]] = []
        for number, appended in enumerate(self.waiting, 1):
            operations += [(number, operation) for operation in appended.plan]
        written = 0
        for number, operation in operations[:carried_out]:
            self.on.disk.perform(operation)
            written = number if operation == self.waiting[number - 1].plan[-2] else written
        possible = [self.models[written]]
        if carried_out < len(operations):
            number, operation = operations[carried_out]
            if isinstance(operation, Write):
                self.on.disk.perform(Write(operation.file, operation.at, operation.data[:torn_bytes]))
                possible.append(self.models[number])
        found = LogOnDisk(self.on.disk, segment_bytes=SEGMENT_BYTES, checkpoint=self.checkpoint if is_quick else None)
        assert found.recovery.damage == ()
        (model,) = {model for model in possible if self._agrees(found, model)}
        self.on, self.models, self.waiting = found, [model], []

    def _agrees(self, found: LogOnDisk, model: Model) -> bool:
        entries = [(term, payload) for _, term, payload in found.everything()]
        return (
            found.log.last_index == len(model.entries)
            and entries == list(model.entries[found.log.first_index - 1 :])
            and found.log.hard_state == model.hard_state
        )

    # --- what always holds

    @invariant()
    def ends_are_those_of_the_model(self) -> None:
        log, newest = self.on.log, self.models[-1]
        log.check()
        assert (log.last_index, log.hard_state) == (len(newest.entries), newest.hard_state)
        for index in range(log.first_index, log.last_index + 1):
            assert log.term_at(LogIndex(index)) == newest.entries[index - 1][0]
        if newest.entries:
            assert log.last_term == newest.entries[-1][0]
        assert log.durable_index <= min(len(model.entries) for model in self.models)

    @invariant()
    def what_is_durable_can_be_opened_and_read(self) -> None:
        if not self.waiting:
            assert self._agrees(self.on, self.models[0])
            assert self.on.log.durable_index == len(self.models[0].entries)
        found = self.on.reopened(checkpoint=self.on.log.checkpoint())
        assert found.recovery.damage == ()
        assert found.recovery.hard_state == self.models[0].hard_state
        assert found.everything() == self.on.reopened().everything()
        assert self._agrees(found, self.models[0])


TestLog = LogMachine.TestCase
TestLog.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
