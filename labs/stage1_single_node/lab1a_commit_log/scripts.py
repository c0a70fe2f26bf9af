"""Schedules written by hand, which are run in every grade: the deaths that chance finds late."""

from labs.stage1_single_node.lab1a_commit_log.steps import (
    Append,
    CarryOut,
    Crash,
    Drop,
    FailedSync,
    Flip,
    FullDisk,
    Mark,
    NoRoom,
    Read,
    Step,
    Supersede,
)

__all__ = ["SCRIPTS"]

_ALL = Read(0, 100, 1 << 20)
_FIRST_IS_TORN = 331
"""With what is drawn by this number, of six groups on their way the first is torn, and the last arrives as a whole."""
_WRITTEN = CarryOut(6)
_LOST = Crash(1, 0)
_KILLED = Crash(1, 0, is_kill=True)


def _crash_in_a_roll() -> tuple[Step, ...]:
    """The power is lost after each operation of an append that begins a segment."""
    return tuple(step for number in range(1, 8) for step in (Append((600,)), _WRITTEN, Append((600,)), Crash(number, number)))


def _openings(count: int) -> tuple[Step, ...]:
    """A log that is opened again and again, and only ever marks."""
    return tuple(step for _ in range(count) for step in (Mark(), _KILLED))


SCRIPTS: dict[str, dict[str, tuple[Step, ...]]] = {
    "2.1": {
        # Half of a long write arrives; shorter ones take its place; what lies behind them must not come back to life.
        "stale-bytes": (
            *(Append((5,)), _WRITTEN, Append((500,)), Crash(3, 1)),
            *(Append((5,)), _WRITTEN, Crash(9, 0), Append((5,)), _WRITTEN, Crash(4, 0), _ALL),
        ),
        # Of two groups the second one arrives alone; another one of the first one's size must not bring it back to life.
        "the-second-arrives-alone": (
            *(Append((5,)), _WRITTEN, Append((400,)), Append((40,)), Crash(30, 2), Append((400,)), _WRITTEN, _LOST, _ALL),
        ),
        # The same with six: what comes in their place ends where the last one of them begins.
        "a-long-tail": (
            *(Append((5,)), _WRITTEN, Append((400,))),
            *(Append((2_000,)) for _ in range(5)),
            *(Crash(_FIRST_IS_TORN, 6), Append((400,))),
            *(Append((2_000,)) for _ in range(3)),
            *(_WRITTEN, _LOST, _ALL),
        ),
        "killed-twice": (Append((40,)), Crash(1, 3, is_kill=True), Append((5,)), Crash(1, 1, is_kill=True), _LOST, _ALL),
    },
    "2.2": {
        "crash-in-a-roll": _crash_in_a_roll(),
        "forget-and-crash": (
            *(Append((600,)), Append((600,)), Append((600,)), _WRITTEN, Drop(70), Crash(5, 0)),
            *(Append((600,)), _WRITTEN, Drop(100), Crash(6, 0), Append((5,)), _WRITTEN, Crash(7, 0), _ALL),
        ),
    },
    "2.3": {
        # An entry of term 2 takes the place of one of term 3. Paper: Raft, figure 8, (c).
        "figure-8": (
            *(
                Append((5,), term_step=1),
                Append((5,), term_step=2),
                _WRITTEN,
                Supersede((5,), 1, is_low=True),
                _WRITTEN,
                _LOST,
                _ALL,
            ),
            *(Supersede((5, 5), 2), Crash(2, 1), _ALL),
        ),
        # Entry 2 goes back behind what its segment began with, and all before that goes: who says of which term entry 1 was?
        "back-behind-a-header": (
            *(Append((600,), term_step=1), Append((600,), term_step=1), Append((600,), term_step=1), _WRITTEN),
            *(Supersede((5,), 2), _WRITTEN, Drop(50), _KILLED, _ALL, Append((5,)), _WRITTEN, _LOST, _ALL),
        ),
        # What is taken back had superseded entries of several segments; retention must not believe that.
        "taken-back": (
            Append((300,), term_step=1),
            *(Append((300,)) for _ in range(5)),
            *(_WRITTEN, Supersede((5,), 5), NoRoom(0), Drop(34), _ALL, Append((5,)), _WRITTEN, _LOST, _ALL),
        ),
    },
    "2.4": {
        "no-room-for-a-segment": (Append((420,)), _WRITTEN, FullDisk((600, 5, 5)), Append((5,)), _WRITTEN, _LOST, _ALL),
        "failed-sync": (Append((420,)), _WRITTEN, Append((300,)), FailedSync(), _LOST, _ALL, Append((5,)), Crash(2, 1)),
        # The new segment has its header, and its first group finds no room. What comes next is small.
        "no-room-behind-a-header": (
            *(Append((600,)), _WRITTEN, Append((600,)), NoRoom(5), Append((5,)), _WRITTEN, _LOST, _ALL),
            *(Append((900,)), NoRoom(5), Mark(), _KILLED, _ALL),
        ),
        # Of two groups that share a sync the first is whole, and the second finds no room; then the host has nothing to do.
        "no-room-for-the-second": (
            *(Append((40,)), _WRITTEN, Mark(), Append((40,)), Append((400,)), NoRoom(1), Mark(), _KILLED, _ALL),
        ),
        # A header that is only read, not durable: when a later sector arrives alone, a group stands in a segment without one.
        "failed-sync-of-a-header": (
            *(Append((420,)), _WRITTEN, Append((600,)), FailedSync(2), Append((500,)), Append((40,)), Crash(30, 2), _ALL),
            *(Append((900,)), FailedSync(3), _LOST, _ALL),
        ),
    },
    "2.5": {
        "marked": (Append((40,)), _WRITTEN, Mark(), *(Flip(100 + 8 * number) for number in range(12))),
        # Each opening writes a mark, until there is no room for one and for the end of the segment.
        "marks-fill-a-segment": (Append((700,)), _WRITTEN, *_openings(6), Append((600,)), _WRITTEN, _LOST, _ALL),
    },
}
"""By test, and by name."""
