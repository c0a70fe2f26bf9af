"""Guards around organs that are not the reference: a slow or wrong one must not hang the node, nor pass for a right one.

Each call of an organ is counted, timed and looked at. What comes back with another type than the seam says, or says of itself
what cannot be, ends the node with a sentence that names organ, method and mistake; what does not come back within two
seconds ends the process, with the place where it was.
"""

import functools
import inspect
import json
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mq.core.entry import Appended
from mq.core.errors import MqError
from mq.core.ports import Create, Remove, Replace, Sync, Write
from mq.parts import REFERENCE, Parts, name_of
from mq.raft.output import Output
from mq.raft.view import NodeView

__all__ = ["OrganError", "Organs", "Watchdog", "organs_of"]

_LIMIT_S = 2.0
_LOOK_EVERY_S = 0.1
_STATUS_HUNG = 3
_LINES_SHOWN = 6
_UnderWay = tuple[str, float, int]
"""A call: what it is, since when, in which thread."""
_STAMP = "organs.json"
_OPERATIONS = (Create, Write, Sync, Remove, Replace)
_T = TypeVar("_T")

Look = Callable[[str, str, Any, tuple[Any, ...], Any], None]
"""What a call came to, seen from outside: the method, "organ: `method`", the organ, its arguments, what it returned."""


class OrganError(MqError):
    """A replaced organ did what the seam does not allow. The node stops; the others go on."""


class Watchdog:
    """Ends the process when a call of an organ does not come back. limit_s: how long one may take."""

    def __init__(self, limit_s: float = _LIMIT_S, *, end: Callable[[int], object] = os._exit) -> None:
        self._limit_s, self._end = limit_s, end
        self._under_way: _UnderWay | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        self._thread.start()

    def begin(self, what: str) -> _UnderWay | None:
        """A call begins; returns the one that it is part of."""
        outer, self._under_way = self._under_way, (what, time.monotonic(), threading.get_ident())
        return outer

    def finish(self, outer: _UnderWay | None) -> None:
        """It came back."""
        self._under_way = outer

    def stop(self) -> None:
        """Nothing more is watched."""
        self._is_over.set()

    @staticmethod
    def _place(thread: int) -> list[str]:
        """The lines that a thread is at now, the newest last."""
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - the one way to see what another thread does
        return traceback.format_stack(frame)[-_LINES_SHOWN:] if frame is not None else []

    def _look(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            call = self._under_way
            if call is not None and time.monotonic() - call[1] > self._limit_s:
                sys.stderr.write(
                    f"{call[0]} did not come back within {self._limit_s:g} s: this node stops. "
                    f"It was here:\n{''.join(self._place(call[2]))}"
                )
                sys.stderr.flush()
                self._end(_STATUS_HUNG)
                return


class Organs:
    """The organs of one node. calls: of each replaced organ's methods, by "organ.method"."""

    def __init__(self, parts: Parts = REFERENCE) -> None:
        self.parts = parts
        self.calls: Counter[str] = Counter()
        replaced = parts.replaced()
        self._watchdog = Watchdog() if replaced else None
        self.raft, self.commit_log = parts.raft, parts.commit_log
        if "raft" in replaced:
            self.raft = self._guarded("raft", parts.raft, _looked_at_raft)
        if "commit_log" in replaced:
            self.commit_log = self._guarded("commit_log", parts.commit_log, _looked_at_log)

    def _guarded(self, organ: str, cls: type[_T], look: Look) -> type[_T]:
        """A class derived from the organ's whose public methods are guarded."""
        assert self._watchdog is not None
        guards = {
            name: _guard(organ, name, found, self.calls, self._watchdog, look)
            for name, found in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith("_") and name != "check"
        }
        return type(
            cls.__name__, (cls,), {**guards, "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__slots__": ()}
        )

    def shown(self, turns: int, appends: int) -> list[tuple[str, str, int]]:
        """(organ, class, calls) of each. turns, appends: how often the reference's Raft and log were called."""
        found, replaced, reference = [], self.parts.replaced(), {"raft": turns, "commit_log": appends}
        for organ, name in self.parts.names().items():
            calls = reference[organ]
            if organ in replaced:
                calls = sum(count for key, count in self.calls.items() if key.startswith(f"{organ}."))
            found.append((organ, name, calls))
        return found

    def stamp(self, folder: Path) -> str:
        """Note in the data folder whose organs wrote there; returns what to tell when they are others than the last time."""
        file, names = folder / _STAMP, self.parts.names()
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else names
        file.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
        changed = [f"{organ}: {before.get(organ, 'the reference')} before, {name} now" for organ, name in names.items()
                   if before.get(organ, name) != name]  # fmt: skip
        return f"the data in {folder} was written by other organs ({'; '.join(changed)})" if changed else ""

    def stop(self) -> None:
        """No more calls are watched."""
        if self._watchdog is not None:
            self._watchdog.stop()


def _guard(
    organ: str, name: str, method: Callable[..., Any], calls: "Counter[str]", watchdog: Watchdog,
    look: Look,
) -> Callable[..., Any]:  # fmt: skip
    what = f"{organ}: `{name}`"
    key = f"{organ}.{name}"
    if inspect.isgeneratorfunction(method):
        return method  # it is read step by step, and each step is the node's own

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        outer = watchdog.begin(what)
        try:
            found = method(self, *arguments, **named)
            if outer is None:  # a call from outside; what the organ asks of itself is its own affair
                calls[key] += 1
                look(name, what, self, arguments, found)
        except MqError:
            raise
        except Exception as error:
            raise OrganError(f"{what} raised {type(error).__name__}: {error}") from error
        finally:
            watchdog.finish(outer)
        return found

    return call


_RAFT_OUTPUTS = {
    "tick", "step", "propose", "read", "campaign", "saved", "save_failed", "disk_failed", "applied", "snapshot_saved",
    "snapshot_received", "snapshot_failed", "fetched", "chunk_fetched", "transfer", "change_members",
}  # fmt: skip
_LISTS = {
    "saves": Appended,
    "send": tuple,
    "send_after": tuple,
    "reads": tuple,
    "fetch": tuple,
    "chunks": tuple,
    "changes": tuple,
}


def _looked_at_raft(name: str, what: str, node: Any, _arguments: tuple[Any, ...], found: Any) -> None:
    if name == "view":
        _expect(what, found, NodeView)
    if name not in _RAFT_OUTPUTS:
        return
    _expect(what, found, Output)
    for field, kind in _LISTS.items():
        values = getattr(found, field)
        if not isinstance(values, tuple) or not all(isinstance(value, kind) for value in values):
            raise OrganError(
                f"{what} returned an Output whose `{field}` is {repr(values)[:80]}, expected a tuple of {kind.__name__}"
            )
    if not isinstance(found.apply_to, int):
        raise OrganError(f"{what} returned an Output whose `apply_to` is {repr(found.apply_to)[:40]}, expected a log index")
    last = max(node.log.storage.durable_index, node.snapshot.last.index)
    if found.apply_to > last:
        raise OrganError(f"{what} wants entry {found.apply_to} to be applied, and only those up to {last} are durable here")


def _looked_at_log(name: str, what: str, log: Any, arguments: tuple[Any, ...], found: Any) -> None:
    if name in {"append", "reset"}:
        _expect(what, found, Appended)
        _check_plan(what, found.plan)
    elif name in {"drop_before", "note_durable"}:
        _check_plan(what, found)
    if name == "append" and len(arguments) > 1 and arguments[1]:
        entries = arguments[1]
        if log.last_index != entries[-1].index or log.term_at(log.last_index) != entries[-1].term:
            raise OrganError(
                f"{what} was given entries up to {entries[-1].index}, and the log ends at {log.last_index}: they are lost"
            )
        if len(found.places) != len(entries):
            raise OrganError(f"{what} was given {len(entries)} entries, and says the places of {len(found.places)}")
    if name != "recover" and (log.first_index - 1 > log.last_index or log.durable_index > log.last_index):
        raise OrganError(
            f"{what} leaves a log that holds {log.first_index} to {log.last_index}, of which {log.durable_index} is durable"
        )


def _check_plan(what: str, plan: Any) -> None:
    if not isinstance(plan, tuple) or not all(isinstance(operation, _OPERATIONS) for operation in plan):
        kinds = ", ".join(kind.__name__ for kind in _OPERATIONS)
        raise OrganError(f"{what} returned the plan {repr(plan)[:80]}, expected a tuple of {kinds}")


def _expect(what: str, found: Any, kind: type) -> None:
    if not isinstance(found, kind):
        raise OrganError(f"{what} returned {type(found).__name__}, expected {kind.__name__}")


def organs_of(parts: Parts) -> str:
    """For people: which organs are not the reference."""
    return ", ".join(f"{organ} is {name_of(found)}" for organ, found in parts.replaced().items())
