"""Three wrong logs that a student's schedules must kill. Each is a right log, and something between it and the host spoils it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labs.grader.seams import Make
from mq.broker.store.checkpoint import Checkpoint
from mq.broker.store.log_view import Recovery
from mq.core.entry import Appended, Entry, HardState
from mq.core.ids import LogIndex
from mq.core.ports import Create, Operation, Plan, Steps, Sync, Write

__all__ = ["TO_KILL", "AcksBeforeSync", "OldSegmentNotSynced", "TornBytesStay"]


class _Over:
    """A log that does what another one does. log: that one."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended: Appended = self._log.append(after_index, entries, hard_state)
        return replace(appended, plan=self.spoiled(appended.plan))

    def spoiled(self, plan: Plan) -> Plan:
        """What becomes of the plan of an append."""
        return plan


class AcksBeforeSync(_Over):
    """It writes what is appended, and does not sync it."""

    def spoiled(self, plan: Plan) -> Plan:
        return plan[:-1]


class OldSegmentNotSynced(_Over):
    """It begins a new segment before the end of the old one is synced."""

    def spoiled(self, plan: Plan) -> Plan:
        made = next((number for number, operation in enumerate(plan) if isinstance(operation, Create)), 0)
        return (*(one for one in plan[:made] if not isinstance(one, Sync)), *plan[made:])


class TornBytesStay(_Over):
    """When it is opened it ends before a torn write, and does not make the torn bytes zero."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        found: Recovery = yield from self._log.recover(files, checkpoint)
        return replace(found, repairs=tuple(one for one in found.repairs if not _is_zeros(one)))


def _is_zeros(operation: Operation) -> bool:
    return isinstance(operation, Write) and not any(operation.data)


def over(make: Make, kind: type[_Over]) -> Make:
    """Makes a wrong log out of what makes right ones."""
    return lambda **named: kind(make(**named))


TO_KILL: dict[str, type[_Over]] = {
    "4.1": AcksBeforeSync,
    "4.2": OldSegmentNotSynced,
    "4.3": TornBytesStay,
}
"""By test."""
