"""Ring 3: every state that a power loss can leave in a short history, and in the repairs behind it; damage everywhere."""

from collections.abc import Callable, Iterable, Mapping
from random import Random

from labs.grader.seams import Make
from labs.grader.suite import Case, Check, Run, rule
from labs.stage1_single_node.lab1a_commit_log.bench import Bench, Found, State, body, open_log
from labs.stage1_single_node.lab1a_commit_log.promises import broken
from labs.stage1_single_node.lab1a_commit_log.steps import judge_flip
from labs.stage1_single_node.lab1a_commit_log.tails import Opening, no_damage
from mq.core.entry import HardState
from mq.core.errors import DamageError, DiskFullError, FormatError, StateError
from mq.core.ids import Term
from mq.core.ports import Plan
from mq.sim.crash import CrashPoints, Survival, after_power_loss
from mq.sim.disk import SimDisk

__all__ = ["SEARCHES"]

Act = Callable[[], object]
Play = Callable[[Make, tuple[object, ...], Run], None]
_SEGMENT_BYTES = 1536
_SECOND_LIFE_OF = 8
"""One of so many crashed logs also lives on."""


class Watched(Bench):
    """Each state that a power loss can leave while a plan is carried out is opened, and held against what may be found."""

    def __init__(self, make: Make, run: Run, *, is_repairing: bool) -> None:
        super().__init__(make, run, _SEGMENT_BYTES)
        self.points = CrashPoints(Random(3), subsets_max=12, every_byte=False)
        self.is_repairing = is_repairing

    def carry_out(self, count: int = 1) -> None:
        super().carry_out(count)
        self.points.forget()

    def perform(self, plan: Plan) -> None:
        for point in self.points.during(self.disk, plan):
            self.run.met["states"] += 1
            if self.is_repairing and self.run.met["states"] % _SECOND_LIFE_OF:
                continue
            before = point.disk.copy()
            found = self._opened(point.disk, point.note)
            state = self._state_of(found, before, point.note)
            if self.is_repairing:
                self._crash_again(before, found, state)
                self._live_on(Opening(before, point.disk.copy()), point.disk, found, state)

    def _opened(self, disk: SimDisk, note: str) -> Found:
        pictures = [("what the power loss left", disk.copy())]
        try:
            found = open_log(self.make, disk, self.segment_bytes)
        except (DamageError, StateError, FormatError) as error:
            raise broken(
                6, expected=f"the log opens ({note})", found=f"{type(error).__name__}: {error}", disks=pictures
            ) from error
        if found.recovery.damage:
            raise no_damage(found.recovery.damage[0], f" ({note})", pictures)
        self.run.met["torn"] += found.recovery.torn is not None
        return found

    def _state_of(self, found: Found, before: SimDisk, note: str) -> State:
        try:
            return self._agreeing(found, [("what the power loss left", before)], f" ({note})")
        except Exception:
            self.run.tell(f"the power is lost: {note}")
            raise

    def _crash_again(self, left: SimDisk, found: Found, state: State) -> None:
        """A power loss in the middle of the repairs, or behind them, changes nothing that counts."""
        for point in CrashPoints(Random(1), subsets_max=4, every_byte=False).during(left, found.recovery.repairs):
            again = self._opened(point.disk, f"in the repairs, {point.note}")
            if not again.agrees_with(state):
                raise broken(9, expected=f"the log holds {found} again ({point.note}, in the repairs)", found=f"it holds {again}",
                             disks=[("what the second power loss left", point.disk)])  # fmt: skip
            self.run.met["crashes in repairs"] += 1

    def _live_on(self, opening: Opening, left: SimDisk, found: Found, state: State) -> None:
        """What was recovered goes on, and all of it is there after another power loss."""
        life = Bench(self.make, self.run, self.segment_bytes, left)
        life.log, life.states, life.first_index = found.log, [state], found.recovery.first_index
        life.openings.append(opening)
        term = max(state.hard_state.term, state.entries[-1][0] if state.entries else 0) + 1
        life.append(b"a second life", term=term, hard_state=HardState(Term(term), None))
        life.check()
        life.reopened(after_power_loss(life.disk, Survival()), why=", in a second life")
        self.run.met["second lives"] += 1
        self.show_disk()


def write_history(bench: Bench) -> None:
    """All that a log does, in a few lines."""
    for line, what in _history(bench):
        bench.run.tell(line)
        what()
        bench.check()


def _history(bench: Bench) -> Iterable[tuple[str, Act]]:
    one = HardState(Term(1), 2)
    return (
        ("append entries 1 and 2", lambda: bench.append(body(1), body(2))),
        ("a mark", bench.mark),
        ("append entry 3, over a sector's border", lambda: bench.append(body(3, 700))),
        ("save term 1 and a vote", lambda: bench.append(hard_state=one)),
        ("append entries 4 and 5", lambda: bench.append(body(4, 300), body(5), term=1)),
        ("append entry 6, for which there is no room", lambda: _on_full_disk(bench)),
        ("append entry 6", lambda: bench.append(body(6))),
        ("append entry 7, which begins a segment", lambda: bench.append(body(7, 900), term=1, hard_state=HardState(Term(1), 1))),
        ("append another entry 5, and 6 and 7", lambda: bench.append(
            body(8), body(9), body(10), after=4, term=2, hard_state=HardState(Term(2), None))),
        ("append entries 8 and 9 before either is durable", lambda: _two_at_once(bench)),
        ("append entry 10, which begins a segment", lambda: bench.append(
            body(13, 1200), term=3, hard_state=HardState(Term(3), None))),
        ("append another entry 7", lambda: bench.append(body(14), after=6, term=4, hard_state=HardState(Term(4), None))),
        ("append entry 8, which begins a segment", lambda: bench.append(body(15, 1000), term=4)),
        ("drop what is before entry 7", lambda: bench.drop_before(7)),
        ("append entry 9, larger than a segment", lambda: bench.append(body(18, 2000), term=5, hard_state=HardState(Term(5), 1))),
        ("a mark", bench.mark),
    )  # fmt: skip


def _on_full_disk(bench: Bench) -> None:
    bench.disk.capacity_bytes = bench.disk.used_bytes
    appended = bench.plan(body(6, 900))
    try:
        bench.perform(appended.plan)
    except DiskFullError:
        bench.abandon_all()
    else:
        bench.carry_out()
    bench.disk.capacity_bytes = None


def _two_at_once(bench: Bench) -> None:
    bench.plan(body(11), term=2)
    bench.plan(body(12, 600), term=2)
    bench.carry_out(2)


def _play_points(make: Make, _steps: tuple[object, ...], run: Run) -> None:
    write_history(Watched(make, run, is_repairing=False))


def _play_repairs(make: Make, _steps: tuple[object, ...], run: Run) -> None:
    write_history(Watched(make, run, is_repairing=True))


def _play_flips(make: Make, _steps: tuple[object, ...], run: Run) -> None:
    """Two segments at rest, the second one marked: one bit of each fifth byte."""
    bench = Bench(make, run, 768)
    for number in range(1, 13, 2):
        bench.append(body(number), body(number + 1), term=1 + number // 5, hard_state=HardState(Term(1 + number // 5), None))
    bench.append(body(20), after=11, term=9, hard_state=HardState(Term(9), 3))
    bench.mark()
    bench.run.tell("append twelve entries in groups of two, then another entry 12; a mark")
    for file, content in bench.disk.contents().items():
        for at in range(0, len(content.rstrip(b"\0")), 5):
            judged = judge_flip(bench, bench.copy_of_disk(), file, at, at % 8)
            bench.run.met[judged] += 1


def _search(number: str, name: str, section: int, points: int, play: Play, must_meet: Mapping[str, int]) -> Check:
    return Check(number, name, rule(section), lambda _seeds: (Case("", (), play),), points=points, must_meet=must_meet)


SEARCHES = (
    _search("3.1", "every crash point of a history", 6, 11, _play_points, {"states": 100, "torn": 20}),
    _search(
        "3.2", "crashes in the repairs, and second lives", 9, 9, _play_repairs, {"crashes in repairs": 30, "second lives": 10}
    ),
    _search("3.3", "damage in every place of a small log", 8, 7, _play_flips, {"reported": 50}),
)
