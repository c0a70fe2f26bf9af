"""Schedules written by hand, which are run in every grade: the mistakes that chance finds late."""

from labs.stage1_single_node.lab1b_consume_queue.steps import (
    Anew,
    Beside,
    CarryOut,
    Compare,
    Crash,
    Cut,
    FailedFlush,
    Flip,
    Flush,
    Lose,
    Put,
    Refused,
    Snapshot,
    Step,
    Trim,
)

__all__ = ["SCRIPTS"]

_SETTLE = Snapshot(is_at_once=True)
_SIX = Put((1, 1, 1, 1, 1, 1))

SCRIPTS: dict[str, dict[str, tuple[Step, ...]]] = {
    "2.1": {
        # Two plans are on their way at once; the first one's end is told when the second one is out.
        "two-plans-at-once": (_SIX, Flush(), Put((2, 3)), Flush(), CarryOut(), _SIX, CarryOut(), Flush(), CarryOut()),
        "more-comes-while-it-is-written": (_SIX, Flush(), _SIX, CarryOut(), _SIX, Flush(), CarryOut()),
        "a-plan-that-failed": (_SIX, FailedFlush(1), Put((2,)), Flush(), CarryOut(), Put((1,)), _SETTLE),
        "parts-of-batches": (Put((2,), first=1), Put((3,), first=2), Put((1,), is_hidden=True), Refused(-1), Refused(0),
                             Put((1,), 1), Flush(), CarryOut()),
    },
    "2.2": {
        "written-early-and-synced-late": (_SIX, Flush(), CarryOut(), Put((2, 2)), Snapshot(), CarryOut(), Crash(0)),
        "killed-before-the-snapshot-is-there": (_SIX, _SETTLE, _SIX, Snapshot(), Crash(2, is_kill=True),
                                                Put((4,)), _SETTLE, Crash(0)),
        "no-snapshot-at-all": (_SIX, Flush(sync=True), CarryOut(), Crash(0), Put((3,)), Crash(0, is_kill=True)),
        "one-by-one-to-the-end-of-a-file": (
            *(step for _ in range(5) for step in (Put((1,)), _SETTLE)), Crash(0), Put((1, 1, 1, 1)),
            _SETTLE, Crash(0),
        ),
    },
    "2.3": {
        "in-the-middle-of-a-batch": (Put((5, 5, 5)), Trim(50), _SETTLE, Crash(0), Trim(50), Compare()),
        "what-was-never-flushed-goes": (_SIX, _SIX, Trim(80), Put((2,)), Flush(), CarryOut(), _SETTLE, Crash(0)),
        "the-crash-before-the-snapshot": (
            _SIX, _SIX, _SETTLE, Trim(60), Crash(0), Snapshot(), Crash(1), _SETTLE, Crash(0),
        ),
        "another-queue-beside-it": (_SIX, _SIX, Beside(), Trim(40), _SIX, Beside(), Trim(50), _SETTLE, Crash(0), Beside(),
                                    Trim(50), _SETTLE, Crash(0), Compare()),
        "all-of-it-and-more": (_SIX, Trim(130), Put((1,)), _SETTLE, Trim(100), Crash(0), _SIX, Compare()),
    },
    "2.4": {
        "back-across-a-restart": (Put((1, 2), 300), _SETTLE, Crash(0), Put((1, 2, 1), -400), Put((1,), 5000)),
        "many-in-one-millisecond": (_SIX, Put((1, 1, 1, 1, 1, 1), 0), _SETTLE, Crash(0), Put((1,), 1)),
        "retention-between-equal-times": (Put((2, 2, 2, 2, 2), 0), Trim(50), _SETTLE, Crash(0), Put((1,), 0)),
    },
    "2.5": {
        "every-byte-of-an-entry": (_SIX, *(Flip(8 * byte + byte % 8) for byte in range(48, 96, 5)), Flip(3), Flip(1001)),
        "the-former-life-of-a-topic": (_SIX, _SIX, _SETTLE, Anew(), Put((2, 2)), _SETTLE, Crash(0),
                                       Put((3,)), _SETTLE, Crash(0)),
        "a-byte-too-short": (_SIX, Put((2, 2, 2)), *(Cut(file, by=by) for by in (1, 3, 4, 5) for file in (0, 1, 2)), Crash(0)),
        "lost-one-by-one": (_SIX, _SIX, Lose(0), _SIX, Lose(1), Lose(2, is_all=True), Cut(1000), Cut(77)),
    },
}  # fmt: skip
"""By test, and by name."""
