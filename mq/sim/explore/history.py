"""What happened before a state, as far as a promise asks for it, and whether one was broken: numbered, and compared once."""

from mq.sim.explore.local import LocalStates
from mq.sim.explore.promises import Broken, Past, after_applying, after_election, log_conflict

__all__ = ["History"]


class History:
    """pasts: by number. broken: promises that were broken, by number; number 0 is for none."""

    def __init__(self, states: LocalStates, promises: tuple[str, ...]) -> None:
        self._states = states.states
        self._promises = promises
        self._is_applying_watched = bool({"state-machine-safety", "leader-completeness"} & set(promises))
        self._is_leading_watched = bool({"election-safety", "leader-completeness"} & set(promises))
        self._is_log_watched = "log-matching" in promises
        self.pasts: list[Past] = [Past()]
        self.broken: list[Broken | None] = [None]
        self._past_numbers: dict[Past, int] = {Past(): 0}
        self._broken_numbers: dict[Broken, int] = {}
        self._after: dict[tuple[int, int, int], tuple[int, int]] = {}
        self._conflicts: dict[tuple[int, int], int] = {}

    def after(self, past: int, before: int, after: int) -> tuple[int, int]:
        """The past and what is broken when a node went from one of its states to another."""
        key = (past, before, after)
        found = self._after.get(key)
        if found is None:
            found = self._after[key] = self._compare(past, before, after)
        return found

    def _compare(self, number: int, before: int, after: int) -> tuple[int, int]:
        past: Past | Broken = self.pasts[number]
        old, new = self._states[before], self._states[after]
        if self._is_applying_watched and new.applied != old.applied and isinstance(past, Past):
            past = after_applying(past, new.look)
        has_won = new.is_leader and (not old.is_leader or old.look.term != new.look.term)
        if self._is_leading_watched and has_won and isinstance(past, Past):
            past = after_election(past, new.look)
        if isinstance(past, Broken):
            return number, self.number_broken(past) if past.promise in self._promises else 0
        return self._number_past(past), 0

    def _number_past(self, past: Past) -> int:
        number = self._past_numbers.get(past)
        if number is None:
            number = self._past_numbers[past] = len(self.pasts)
            self.pasts.append(past)
        return number

    def number_broken(self, broken: Broken) -> int:
        """From 1."""
        number = self._broken_numbers.get(broken)
        if number is None:
            number = self._broken_numbers[broken] = len(self.broken)
            self.broken.append(broken)
        return number

    def log_conflict(self, before: int, after: int, others: tuple[int, ...]) -> int:
        """What is broken when a node's log became another one: compared with those of all nodes. 0 when nothing is."""
        states = self._states
        if not self._is_log_watched or states[after].log == states[before].log:
            return 0
        for other in others:
            key = (after, other)
            found = self._conflicts.get(key)
            if found is None:
                broken = log_conflict(states[after].look, states[other].look)
                found = self._conflicts[key] = 0 if broken is None else self.number_broken(broken)
            if found:
                return found
        return 0
