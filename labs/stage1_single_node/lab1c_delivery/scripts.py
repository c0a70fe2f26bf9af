"""Schedules written by hand, which are run in every grade: the mistakes that chance finds late."""

from labs.stage1_single_node.lab1c_delivery.steps import (
    Ack,
    Change,
    Choose,
    Forget,
    GiveBack,
    Land,
    Later,
    Other,
    Receive,
    Renew,
    Reset,
    Snapshot,
    Step,
    Stray,
    Wait,
)

__all__ = ["SCRIPTS"]

_DEADLINE = Wait(0, to_deadline=0)
_TODAY_MS = 1_796_000_000_000
_GAPS = (2**4, 2**8, 2**16, 2**32)
_CHOSEN_TWICE = (_DEADLINE, Choose(3), Choose(3), Choose(3), Land(0, 2_000), Land(1, 5_000), Land(0, 2_000))

SCRIPTS: dict[str, dict[str, tuple[Step, ...]]] = {
    "2.1": {
        # anna is slow; ben gets it; anna's ack comes when ben is at work on it, and must not count.
        "the-slow-consumer": (
            Receive(0, 1, 5_000), _DEADLINE, Receive(1, 1, 5_000), Ack(0, is_fresh=False), _DEADLINE, Receive(2, 1, 5_000),
            Ack(1, is_fresh=False), Ack(2, is_fresh=False),
        ),
        "to-the-last-attempt": (
            *(step for client in (0, 1, 2, 0) for step in (Receive(client, 2, 2_000), _DEADLINE)), Receive(1, 2, 2_000),
        ),
        "a-hundred-at-once": (Receive(0, 100, 2_000), Ack(70), _DEADLINE, Receive(1, 100, 2_000)),
        "twenty-times": (*(step for number in range(20) for step in (Receive(number % 3, 1, 2_000), _DEADLINE)),),
        # The old handle and the new one differ by a power of two.
        "far-down-in-the-log": (
            *(
                step for number, gap in enumerate(_GAPS)
                for step in (
                    Receive(0, 1, 5_000), Later(0, gap - 1), _DEADLINE, Receive(1, 1, 5_000), Ack(2 * number, is_fresh=False),
                    Ack(0),
                )
            ),
        ),
        "numbers-of-a-real-broker": (
            Later(_TODAY_MS, 3 * 2**32), Receive(0, 3, 5_000), Ack(1), Change(0, 8_000), Wait(5_000), Receive(1, 2, 5_000),
            Ack(0), Snapshot(), _DEADLINE, Receive(2, 3, 2_000), Ack(0, is_fresh=False),
        ),
        # What one group does is nothing to the other, though one process has both tables.
        "two-groups-in-one-broker": (
            Receive(0, 3, 5_000), Other(Receive(1, 2, 2_000)), Ack(0), Other(Ack(1)), Wait(2_000), Other(Receive(2, 2, 5_000)),
            Receive(1, 1, 2_000), Other(Ack(2)), _DEADLINE, Receive(2, 2, 2_000),
        ),
        "handles-that-nobody-got": (
            Stray(1), Receive(0, 2, 5_000), Stray(0), Stray(1), Ack(0), _DEADLINE, Receive(1, 3, 5_000), Ack(1),
        ),
        "acknowledged-in-the-last-millisecond": (
            Receive(0, 2, 2_000), Wait(0, to_deadline=-1), Ack(0, is_fresh=False), Wait(1), Ack(1, is_fresh=False),
            Receive(1, 2, 2_000),
        ),
    },
    "2.2": {
        "later-then-sooner": (
            Receive(0, 2, 5_000), Change(0, 8_000), Change(0, 1_000), _DEADLINE, Receive(1, 2, 5_000), _DEADLINE, Receive(2,
            2, 5_000),
        ),
        "renewed-then-gone": (
            Receive(0, 2, 5_000, renews=True), Wait(3_000), Renew(0, 12_000), Wait(3_000), Ack(0, is_fresh=False),
            GiveBack(0, everything=False), Ack(1, is_fresh=False), Receive(1, 2, 5_000), Renew(0, 12_000), Ack(3,
            is_fresh=False),
        ),
        "gone-for-a-while": (
            Receive(0, 1, 2_000, renews=True), Wait(2_500), Receive(1, 1, 2_000), Receive(0, 1, 5_000, renews=True),
            Receive(0, 1, 5_000), GiveBack(0, everything=False, earlier_ms=1_000), Wait(500),
            GiveBack(0, everything=True, earlier_ms=2_000), Receive(1, 4, 2_000),
        ),
        # ben's messages are not touched by what is about anna, nor anna's by what is about ann.
        "names-that-begin-alike": (
            Receive(3, 1, 5_000, renews=True), Receive(0, 1, 5_000, renews=True), Receive(3, 1, 5_000), Receive(0, 1, 5_000),
            Wait(1_000), Renew(0, 12_000), Renew(1, 10_000), GiveBack(0, everything=False), GiveBack(0, everything=True),
            Receive(1, 2, 2_000), GiveBack(1, everything=True),
        ),
        "names-with-a-blank-at-the-end": (
            Receive(4, 1, 5_000, renews=True), Receive(0, 1, 5_000, renews=True), Receive(4, 1, 5_000), Receive(0, 1, 5_000),
            Wait(1_000), Renew(0, 12_000), Renew(1, 10_000), GiveBack(0, everything=False), GiveBack(0, everything=True),
            Receive(1, 2, 2_000),
        ),
        "a-client-of-two-groups": (
            Receive(0, 12, 5_000, renews=True), Other(Receive(0, 2, 5_000, renews=True)), Wait(1_000), Renew(0, 12_000),
            Other(Renew(0, 6_000)), Other(GiveBack(0, everything=False)), GiveBack(0, everything=True), _DEADLINE,
            Receive(1, 2, 2_000),
        ),
        "never-arrived": (
            Receive(0, 1, 5_000), Change(0, 0, is_counted=False), Receive(1, 1, 5_000), _DEADLINE, Receive(2, 1, 5_000),
            _DEADLINE,
            Receive(0, 1, 5_000),
        ),
        "what-was-changed-does-not-renew-itself": (
            Receive(0, 1, 5_000, renews=True), Change(0, 8_000), Renew(0, 12_000), GiveBack(0, everything=False), _DEADLINE,
            Receive(1, 1, 2_000),
        ),
    },
    "2.3": {
        "asked-twice": (
            Receive(0, 3, 5_000, attempt=1), Receive(0, 3, 5_000, attempt=1), Receive(0, 6, 5_000, attempt=1), Ack(0),
            Wait(1_000), Receive(0, 6, 5_000, attempt=1), Receive(1, 6, 5_000, attempt=1), _DEADLINE, Receive(1, 4, 5_000,
            attempt=2), Ack(0, is_fresh=False), Ack(5), Ack(5), Receive(0, 3, 5_000),
        ),
        "overtaken-on-the-way": (
            Receive(0, 3, 5_000), _DEADLINE, Receive(2, 1, 10_000), Choose(3), Receive(1, 2, 5_000), Land(0, 5_000), _DEADLINE,
            Receive(2, 3, 5_000),
        ),
        # What is hidden is of queue 1; all of queue 0 is ready.
        "one-queue-waits-and-not-the-other": (
            Receive(0, 20, 5_000), _DEADLINE, Choose(20), Receive(1, 3, 10_000), Land(0, 5_000), _DEADLINE, Receive(2, 20, 5_000),
        ),
        "void-under-a-name": (
            Choose(3), Receive(0, 3, 5_000, attempt=1), Receive(1, 3, 5_000, attempt=2), Land(0, 5_000, attempt=3),
            Receive(1, 3, 5_000, attempt=2), _DEADLINE, Receive(1, 6, 5_000),
        ),
        "one-of-them-late": (
            Receive(0, 3, 5_000), Change(1, 8_000), Wait(6_000), Receive(1, 3, 5_000), _DEADLINE, Receive(1, 4, 5_000),
        ),
    },
    "2.4": {
        "two-leaders-choose-the-same": (Choose(3), Choose(3), Land(0, 5_000), Land(0, 5_000), Receive(0, 2, 5_000)),
        "changed-on-the-way": (
            Receive(0, 2, 5_000), _DEADLINE, Choose(2), Receive(1, 1, 5_000), Change(0, 8_000), Land(0, 2_000), _DEADLINE,
            Receive(2, 3, 2_000),
        ),
        # Three choices, of which the first and the third are of the same messages.
        "chosen-twice": (
            Receive(0, 3, 5_000), Receive(0, 3, 5_000), *_CHOSEN_TWICE, *_CHOSEN_TWICE, _DEADLINE, Receive(1, 3, 5_000),
        ),
    },
    "2.5": {
        "everything-in-flight": (
            Receive(0, 3, 5_000, renews=True), Receive(1, 2, 10_000, attempt=1), Ack(1), Snapshot(is_twin=True),
            Wait(4_000), Renew(0, 6_000),
            Ack(0), _DEADLINE, Receive(2, 4, 2_000), Snapshot(), _DEADLINE, Receive(0, 4, 2_000),
        ),
        "back-to-the-beginning": (
            Receive(0, 3, 5_000), Ack(0), Reset(0, 0), Reset(1, 0), Ack(1, is_fresh=False), Receive(1, 4, 5_000), Ack(2,
            is_fresh=False),
            Snapshot(is_twin=True), Forget(0, 2), Forget(1, 4), Ack(3, is_fresh=False), _DEADLINE, Receive(2, 4, 5_000),
        ),
    },
}  # fmt: skip
"""By test, and by name."""
