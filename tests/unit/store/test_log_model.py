"""Whatever is done with a log, in whatever order, it agrees with a plain list of entries and a term and a vote."""

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mq.broker.store.commit_log import Appended, Checkpoint
from mq.broker.store.record import decode_segment_header
from mq.core.entry import HardState
from mq.core.ids import LogIndex, Term
from mq.core.ports import Create, Operation, Write, perform
from tests.unit.store.helpers import NO_HARD_STATE, LogOnDisk

SIZES = st.sampled_from([0, 1, 7, 60, 200, 400, 700, 1500])
SEGMENT_BYTES = 1024


class Model(NamedTuple):
    """What a log holds. entries: (term, payload) from index 1 on, also those that were dropped or forgotten.

    reset_to: index of the entry behind which the last reset began the log.
    """

    entries: tuple[tuple[int, bytes], ...] = ()
    hard_state: HardState = NO_HARD_STATE
    reset_to: int = 0


def _deciding(appended: Appended) -> Operation:
    """The write with which an append counts: of its group, or of the header of the segment that it resets the log to."""
    writes = [operation for operation in appended.plan if isinstance(operation, Write)]
    return writes[-1] if appended.places or len(writes) < 2 or not _is_reset(appended) else writes[-2]


def _is_reset(appended: Appended) -> bool:
    header = [decode_segment_header("f", o.data) for o in appended.plan if isinstance(o, Write) and o.at == 0]
    return any(found is not None and found.is_reset for found in header)


class LogMachine(RuleBasedStateMachine):
    """The verbs. `models` holds what is durable, and behind it one model for each append that waits."""

    @initialize()
    def begin(self) -> None:
        self.on = LogOnDisk(segment_bytes=SEGMENT_BYTES)
        self.models = [Model()]
        self.waiting: list[Appended] = []
        self.checkpoint: Checkpoint | None = None
        self.number = 0

    @property
    def own_term(self) -> int:
        return self.models[-1].hard_state.term

    # --- writing

    def _payloads(self, sizes: list[int]) -> list[bytes]:
        self.number += 1
        return [(b"%d/%d " % (self.number, n)).ljust(size, b".") for n, size in enumerate(sizes)]

    def _append(self, after: int, term: int, payloads: list[bytes], hard_state: HardState | None) -> None:
        self.waiting.append(self.on.plan(*payloads, after=after, term=term, hard_state=hard_state))
        entries, before, reset_to = self.models[-1]
        if payloads:
            entries = entries[:after] + tuple((term, payload) for payload in payloads)
        self.models.append(Model(entries, hard_state or before, reset_to))

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=4), term_step=st.integers(0, 2), vote=st.sampled_from([None, None, 1, 2]))
    def append(self, sizes: list[int], term_step: int, vote: int | None) -> None:
        entries = self.models[-1].entries
        term = (entries[-1][0] if entries else 0) + term_step // 2
        is_later = term > self.own_term > 0
        hard_state = None if vote is None and not is_later else HardState(Term(max(term, self.own_term)), vote)
        self._append(len(entries), term, self._payloads(sizes), hard_state)

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=3), back=st.integers(1, 12), is_low=st.booleans())
    def supersede(self, sizes: list[int], back: int, is_low: bool) -> None:
        """With the lowest term that may stand there, or with a new one: the position decides, not the term."""
        entries = self.models[-1].entries
        after = max(int(self.on.log.first_index) - 1, len(entries) - back)
        replaced = {term for term, _ in entries[after:]}
        lowest = entries[after - 1][0] if after else 0
        possible = [term for term in range(lowest, self.own_term + 1) if term not in replaced]
        new = max(self.own_term, *replaced, lowest, 0) + 1
        term = possible[0] if possible and is_low else new
        self._append(after, term, self._payloads(sizes), HardState(Term(term), None) if term == new else None)

    @rule(step=st.integers(-5, 9), is_new_term=st.booleans(), vote=st.sampled_from([None, 2]))
    def reset(self, step: int, vote: int | None, is_new_term: bool) -> None:
        entries = self.models[-1].entries
        term = max([self.own_term, *(term for term, _ in entries[-1:])]) + is_new_term
        last = max(1, len(entries) + step)
        self.waiting.append(self.on.plan_reset(last, term, vote=vote))
        self.models.append(Model(((0, b""),) * (last - 1) + ((term, b""),), HardState(Term(term), vote), last))

    @rule(vote=st.sampled_from([None, 1, 3]))
    def save_hard_state(self, vote: int | None) -> None:
        self._append(0, 0, [], HardState(Term(max(self.own_term, *(term for term, _ in self.models[-1].entries[-1:]), 0)), vote))

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
        creates = [number for number, operation in enumerate(plan) if isinstance(operation, Create)]
        # Where a file is made its room is reserved: what is written into it then is not refused.
        perform(self.on.disk, plan[: min(carried_out, creates[0] if creates else len(plan) - 2)])
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
        assert self.on.log.first_index > self.models[-1].reset_to

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
            written = number if operation == _deciding(self.waiting[number - 1]) else written
        possible = [self.models[written]]
        if carried_out < len(operations):
            number, operation = operations[carried_out]
            if isinstance(operation, Write):
                self.on.disk.perform(Write(operation.file, operation.at, operation.data[:torn_bytes]))
                possible.append(self.models[number])
        found = LogOnDisk(self.on.disk, segment_bytes=SEGMENT_BYTES, checkpoint=self.checkpoint if is_quick else None)
        assert found.recovery.damage == ()
        # An empty log may be both: what a reset left, and the same before it. Then it is the reset's.
        *_, model = (model for model in possible if self._agrees(found, model))
        self.on, self.models, self.waiting = found, [model], []

    def _agrees(self, found: LogOnDisk, model: Model) -> bool:
        entries = [(term, payload) for _, term, payload in found.everything()]
        first = found.log.first_index
        return (
            found.log.last_index == len(model.entries)
            and first > model.reset_to
            and (first == 1 or found.log.term_at(LogIndex(first - 1)) == model.entries[first - 2][0])
            and entries == list(model.entries[first - 1 :])
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
        if log.first_index > 1:
            assert log.term_at(LogIndex(log.first_index - 1)) == newest.entries[log.first_index - 2][0]

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
