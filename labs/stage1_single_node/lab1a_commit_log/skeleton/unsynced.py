"""Appends that are not durable yet, and how the log was before each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mq.broker.store.log_map import MapTail, Runs
from mq.broker.store.log_state import Forgotten, LogState
from mq.broker.store.segment import SegmentList
from mq.core.entry import HardState
from mq.core.errors import StateError
from mq.core.ids import CommitLogPosition, LogIndex

__all__ = ["Before", "UnsyncedAppends"]


@dataclass(slots=True)
class Before:
    """The log as it was before an append. end_position: of the segment that was the newest.

    superseded_from: index of the first entry that the append superseded, or None.
    tail: what the log's map said from the append's first index on; lowered: see `SegmentList.lower`.
    forgotten: all that the log was, when it was reset.
    """

    last_index: LogIndex
    hard_state: HardState
    noted_end: int
    end_position: int
    superseded_from: int | None
    tail: MapTail | None
    is_roll: bool
    lowered: Mapping[int, int] = field(default_factory=dict)
    forgotten: Forgotten | None = None


@dataclass(slots=True)
class _Waiting:
    """end_position, last_index: of the log behind the append."""

    sequence: int
    end_position: int
    last_index: LogIndex
    before: Before


class UnsyncedAppends:
    """A queue at whose front appends become durable and from whose end they may be taken back."""

    def __init__(self, state: LogState) -> None:
        self._state = state
        self._waiting: list[_Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sequence: int, before: Before) -> None:
        """The newest append was entered into the log."""
        self._waiting.append(_Waiting(sequence, self._state.segments.end_position, self._state.last_index, before))

    def synced(self, sequence: int) -> None:
        """The appends up to this one are durable."""
        raise NotImplementedError("lab 1a: UnsyncedAppends.synced")

    def take_back(self, sequence: int) -> Before:
        """The log is as it was before the newest append. Raises: StateError for any other."""
        if not self._waiting or self._waiting[-1].sequence != sequence:
            raise StateError(f"append {sequence} cannot be taken back: it is not the newest, or it is durable")
        before, state = self._waiting.pop().before, self._state
        state.last_index, state.hard_state, state.noted_end = before.last_index, before.hard_state, before.noted_end
        if before.forgotten is not None:
            state.take_up(before.forgotten)
        else:
            if before.tail is not None:
                state.map.put_back(before.tail)
            state.segments.restore(before.lowered)
            if before.is_roll:
                state.segments.take_last()
        if state.segments:
            state.segments[-1].end_position = before.end_position
        return before

    # --- the log as it is on disk for sure

    @property
    def durable_index(self) -> LogIndex:
        """The last entry that is durable and that nothing supersedes, not even what is not durable yet."""
        raise NotImplementedError("lab 1a: UnsyncedAppends.durable_index")

    @property
    def is_superseding(self) -> bool:
        """Whether one of them supersedes entries, or forgets them all."""
        return any(waiting.before.superseded_from is not None for waiting in self._waiting)

    @property
    def durable_hard_state(self) -> HardState:
        """Without what waits."""
        return self._waiting[0].before.hard_state if self._waiting else self._state.hard_state

    def durable_runs(self) -> Runs:
        """The terms of the durable entries."""
        runs = self._state.map.runs
        for waiting in reversed(self._waiting):
            if waiting.before.forgotten is not None:
                runs = waiting.before.forgotten.map.runs
            elif (tail := waiting.before.tail) is not None:
                runs = tuple(run for run in runs if run[0] < tail.index) + tail.runs
        return runs

    @property
    def durable_segments(self) -> SegmentList:
        """Those that the log on disk begins with; the newest ones may still be on their way."""
        return next((w.before.forgotten.segments for w in self._waiting if w.before.forgotten is not None), self._state.segments)

    def durable_heads(self) -> Mapping[int, int]:
        """The lowest durable entry in each segment, by base position."""
        heads = {segment.base_position: segment.next_index for segment in self._state.segments}
        for waiting in reversed(self._waiting):
            if waiting.before.forgotten is not None:
                heads = {segment.base_position: segment.next_index for segment in waiting.before.forgotten.segments}
            heads.update({base: index for base, index in waiting.before.lowered.items() if base in heads})
        return heads
