"""The world's log in memory and the broker's commit log are twins: asked the same, they answer and refuse the same.

The one difference that the port allows: the commit log forgets whole segments, "entries below `index`, or some of them".
"""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mq.core.entry import Appended, Entry, EntryKind, HardState
from mq.core.errors import StateError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import perform
from mq.sim.disk import SimDisk
from mq.sim.group.light_log import LightLog, LightMedium
from mq.sim.group.store_log import NotedLog, StoreMedium, open_log, read_entries

STEPS = 60


class Twins:
    """Both logs, each on its disk. counts: what was done. term: the node's own."""

    def __init__(self, rng: Random, light_class: type[LightLog] = LightLog) -> None:
        self.rng, self.light_class = rng, light_class
        self.segment_bytes = rng.choice((512, 1024, 1 << 16))
        self.disk, self.medium = SimDisk(), StoreMedium()
        self.light, self.store = light_class(LightMedium()), NotedLog(self.medium, segment_bytes=self.segment_bytes)
        self.waiting: list[tuple[int, Appended]] = []  # the light log's number, and the commit log's plan
        self.hard_state = HardState(Term(1), None)
        self.counts: Counter[str] = Counter()
        self.save()

    # --- verbs; each is done to both

    def append(self) -> None:
        """Entries behind the end, or over it, with or without a hard state; now and then such as do not fit."""
        rng, last = self.rng, int(self.light.last_index)
        after = last if rng.random() < 0.5 else rng.randint(max(0, int(self.store.first_index) - 3), last + 1)
        # A term may be lower than what stood there: Paper: Raft, figure 8.
        low = int(self.light.term_at(LogIndex(after)) or 0)
        term = rng.choice((low, int(self.hard_state.term), rng.randint(low, max(low, int(self.hard_state.term))), low - 1))
        entries = [
            Entry(LogIndex(after + 1 + number), Term(max(0, term)), EntryKind.COMMAND, bytes(rng.randint(0, 200)))
            for number in range(rng.randint(1, 4))
        ]
        if not self.both(lambda log: log.append(LogIndex(after), entries, self.drawn_hard_state()), "append"):
            return
        self.counts["superseding appends"] += after < last

    def drawn_hard_state(self) -> HardState | None:
        """The same for both: it is drawn before, see `step`."""
        return self.drawn

    def save(self) -> None:
        self.both(lambda log: log.append(log.last_index, (), self.hard_state), "hard states alone")

    def reset(self) -> None:
        term = Term(self.rng.randint(0, int(self.hard_state.term)))
        last = EntryId(term, LogIndex(self.rng.randint(1, int(self.light.last_index) + 5)))
        self.both(lambda log: log.reset(last, self.hard_state), "resets")

    def both(self, ask: Callable[[LightLog | NotedLog], Appended], name: str) -> bool:
        """Both take it, or both refuse. True when they took it."""
        answers: list[Appended | None] = []
        reasons = []
        for log in (self.light, self.store):
            try:
                answers.append(ask(log))
            except StateError as error:
                answers.append(None)
                reasons.append(str(error))
        light, store = answers
        assert (light is None) == (store is None), f"{name}: only one of them refused: {reasons}"
        self.counts[name if light else f"refused: {name}"] += 1
        if light is None or store is None:
            return False
        self.waiting.append((light.sequence, store))
        return True

    def sync(self) -> None:
        """The oldest few become durable."""
        for _ in range(self.rng.randint(1, 3)):
            if self.waiting:
                sequence, appended = self.waiting.pop(0)
                perform(self.disk, appended.plan)
                self.light.medium.sync(sequence)
                self.medium.sync(appended.sequence)
                self.light.synced(sequence)
                self.store.synced(appended.sequence)
                self.counts["synced"] += 1

    def abandon(self) -> None:
        if self.waiting:
            sequence, appended = self.waiting.pop()
            self.light.abandon(sequence)
            self.store.abandon(appended.sequence)
            self.counts["abandoned"] += 1

    def drop(self) -> None:
        index = LogIndex(self.rng.randint(1, int(self.light.last_index) + 1))
        plan = self.store.drop_before(index)
        perform(self.disk, plan)
        # The commit log says how much of it; so much the light one can forget, too.
        if plan:
            self.medium.drop_before(self.store.first_index)
            self.light.drop_before(self.store.first_index)
            self.light.medium.drop_before(self.light.first_index)
            self.counts["segments dropped"] += len(plan)

    def crash(self) -> None:
        """Of what was not synced the first few plans were carried out; both are opened again."""
        kept = self.rng.randint(0, len(self.waiting))
        for _, appended in self.waiting[:kept]:
            perform(self.disk, appended.plan)
        self.light.medium.crash(kept)
        self.medium.crash(kept)
        self.waiting = []
        self.light, self.store = self.light_class(self.light.medium), NotedLog(self.medium, segment_bytes=self.segment_bytes)
        recovery, entries = open_log(self.store, self.disk, None)
        assert not recovery.damage
        assert self.medium.disagreement(self.store, entries) == ""
        self.hard_state = self.light.hard_state
        self.counts["crashes"] += 1

    def rise(self) -> None:
        """A new term, or a vote in it."""
        vote = self.rng.choice((None, 1, 2, 3))
        self.hard_state = HardState(Term(self.hard_state.term + self.rng.randint(0, 2)), vote)
        self.save()

    # --- a step, and what both say then

    def step(self) -> None:
        rng = self.rng
        self.drawn = self.hard_state if rng.random() < 0.4 or not self.light.hard_state.term else None
        verbs = (self.append, self.sync, self.rise, self.abandon, self.drop, self.crash, self.reset)
        rng.choices(verbs, (10, 8, 3, 2, 2, 1, 0.7))[0]()
        self.compare()

    def compare(self) -> None:
        light, store = self.light, self.store
        store.check()
        assert light.first_index == store.first_index
        assert light.last_index == store.last_index
        assert light.durable_index == store.durable_index or self.is_forgetting()
        assert light.hard_state == store.hard_state
        assert light.is_damaged == store.is_damaged
        for index in range(int(light.last_index) + 3):
            assert light.term_at(LogIndex(index)) == store.term_at(LogIndex(index)), index
        if not self.waiting and light.first_index <= light.last_index:
            assert list(light.entries(light.first_index, light.last_index)) == read_entries(
                store, self.disk, int(store.first_index), int(store.last_index)
            )

    def is_forgetting(self) -> bool:
        """Whether a reset waits: then no entry counts, and how each log says that is its own."""
        return any(group.reset is not None for group in self.medium.waiting)


def run_with(twins: Twins, steps: int = STEPS) -> Counter[str]:
    for _ in range(steps):
        twins.step()
    return twins.counts


def run(seed: int, steps: int = STEPS) -> Counter[str]:
    return run_with(Twins(Random(seed)), steps)


def test_seeds_of_everything_that_is_asked_of_a_log_get_the_same_answers() -> None:
    counts: Counter[str] = Counter()
    for seed in range(150):
        try:
            counts.update(run(seed))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    print(dict(counts))
    wanted = (
        "append", "refused: append", "superseding appends", "hard states alone", "resets", "synced", "abandoned",
        "segments dropped", "crashes",
    )  # fmt: skip
    assert not [what for what in wanted if counts[what] < 50], counts


@given(st.integers(0, 1 << 40))
def test_so_do_others(seed: int) -> None:
    assert run(seed, 40).total() > 0


def test_an_append_that_is_taken_back_after_old_entries_went_leaves_the_others() -> None:
    log = LightLog(LightMedium())
    entries = [Entry(LogIndex(index), Term(1), EntryKind.COMMAND, b"") for index in range(1, 6)]
    first = log.append(LogIndex(0), entries[:4], HardState(Term(1), None))
    log.medium.sync(first.sequence)
    log.synced(first.sequence)
    waiting = log.append(LogIndex(4), entries[4:])
    assert log.drop_before(LogIndex(3))
    log.abandon(waiting.sequence)
    assert (log.first_index, log.last_index, log.entries(3, 4)) == (3, 4, tuple(entries[2:4]))


def test_twins_that_differ_are_told_apart() -> None:
    class Lax(LightLog):
        """Takes an entry that is there already."""

        __slots__ = ()

        def _check(self, after_index: int, entries: object, own_term: int) -> None:
            """Takes everything."""

    with pytest.raises(AssertionError, match="only one of them refused"):
        run_with(Twins(Random(1), Lax))
