"""Guards around organs that are not the reference: a slow or wrong one must not hang the node, nor pass for a right one.

The making of an organ, each call of it, each of its properties and each step of its generators is counted, timed and looked at.
What comes back with another type than the seam says, or says of itself what cannot be, or loses what it was to keep
(`mq.server.organ_looks`), or raises what the seam does not know (`mq.server.organ_errors`), ends the node with a sentence that
names organ, method and mistake; what does not come back within two seconds ends the process, with the place where it was; also
what never lets go of the interpreter, a little later (`mq.server.watchdog`). Only recovery may take a minute: how much there is
to read depends on what is stored, and nobody waits for a node that starts.
"""

import functools
import inspect
import json
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

from mq.core.errors import DamageError, MqError, StateError
from mq.parts import NEEDED_WHEN_MADE, REFERENCE, Parts, name_of, place_of, raised
from mq.raft.role import Role
from mq.raft.view import NodeView
from mq.server.organ_errors import Named, is_damage_of_the_log, is_meant, not_put_aside, told_error
from mq.server.organ_looks import LOG_LOOKS, Looks, OrganError, look_at_read, reads_max
from mq.server.queue_looks import QUEUE_LOOKS
from mq.server.raft_looks import RAFT_LOOKS
from mq.server.synced import write_synced
from mq.server.table_looks import TABLE_LOOKS
from mq.server.watchdog import Watchdog, onlooker_if_possible

__all__ = ["OrganError", "Organs", "Watchdog", "organs_of"]

_STAMP = "organs.json"
_LOOKS = {"raft": RAFT_LOOKS, "commit_log": LOG_LOOKS, "consume_queue": QUEUE_LOOKS, "delivery_table": TABLE_LOOKS}
_MAKERS = ("from_plain",)
_WHERE_IT_IS_THE_DISK = (
    "where the disk is at fault, move the data folder away and start the node again: a member of a group comes back with an "
    "empty one, by what the others hold"
)
"""A node repairs itself only from damage that its own log finds."""
_SAME_READS_MAX = 1000
_T = TypeVar("_T")
_ErrorT = TypeVar("_ErrorT", bound=Exception)


class Organs:
    """The organs of one node. calls: of each replaced organ's methods, by "organ.method".

    on_mistake: called with each mistake of an organ in the thread where it was made, whoever asked for the call and whatever
    becomes of the error there: the node is not to go on. has_own_process: whether this process is the node's alone, and may
    be ended from outside when an organ holds the interpreter (`mq.server.onlooker`).
    """

    def __init__(self, parts: Parts = REFERENCE, *, has_own_process: bool = False) -> None:
        self.parts = parts
        self.calls: Counter[str] = Counter()
        self.on_mistake: Callable[[OrganError], object] = lambda _error: None
        replaced = parts.replaced()
        self._watchdog = Watchdog(onlooker=onlooker_if_possible() if has_own_process else None) if replaced else None
        self.raft, self.commit_log = self._guarded("raft", parts.raft), self._guarded("commit_log", parts.commit_log)
        self.consume_queue = self._guarded("consume_queue", parts.consume_queue)
        self.delivery_table = self._guarded("delivery_table", parts.delivery_table)

    def _guarded(self, organ: str, cls: type[_T]) -> type[_T]:
        if organ not in self.parts.replaced():
            return cls
        assert self._watchdog is not None
        return _Guard(organ, self, self._watchdog, _LOOKS[organ]).around(cls)

    def broken(self, organs: tuple[str, ...], told: str) -> MqError:
        """For what none of these does that is right: the replaced ones are named; without any, the bug is our own."""
        replaced = [organ for organ in organs if organ in self.parts.replaced()]
        return OrganError(f"{' or '.join(replaced)}: {told}") if replaced else StateError(told)

    def contradiction(self, method: str, view: NodeView) -> MqError | None:
        """Of a Raft that refused because it does not lead, and says by its `view` that it does: it would do so for ever."""
        if view.role is not Role.LEADER or view.is_transferring:
            return None
        return self.broken(("raft",), f"`{method}` says that this node does not lead, and `view` says that it does")

    def blamed(self, error: Exception) -> Exception:
        """Of what went wrong while the node starts: what came out of somebody's own code is told as the replaced organs' mistake.

        What the system refused, such as a file that cannot be made, is told as it is without them. Of anything else it is only
        said that they are there: what they gave may be the reason, or a bug of ours.
        """
        replaced = " or ".join(self.parts.replaced())
        if isinstance(error, MqError) or not replaced:
            return self.judged(error)
        if place_of(error):
            return OrganError(f"{replaced}: the node cannot start with what it was given: {raised(error)}")
        if isinstance(error, OSError):
            return error
        told = f"{raised(error)}, which nobody expected; {organs_of(self.parts)}, and may have given the node what it cannot use"
        return StateError(told)

    def judged(self, error: _ErrorT, method: str = "") -> _ErrorT | OrganError:
        """As an error of the log, if it is a replaced one and tells of damage: what is stored may be whole."""
        if "commit_log" not in self.parts.replaced() or not is_damage_of_the_log(error):
            return error
        who = f"`{method}`" if method else "it"
        told = f"commit_log: {who} says that stored data is damaged: {error}; {not_put_aside('commit_log')}"
        return OrganError(f"{told}; {_WHERE_IT_IS_THE_DISK}")

    def shown(self, turns: int, appends: int, table_calls: int, queue_calls: int) -> list[tuple[str, str, int]]:
        """(organ, class, calls) of each. The arguments: how often the reference's Raft, log, tables and queues were called."""
        found, replaced = [], self.parts.replaced()
        reference = {"raft": turns, "commit_log": appends, "consume_queue": queue_calls, "delivery_table": table_calls}
        for organ, name in self.parts.names().items():
            calls = reference[organ]
            if organ in replaced:
                calls = sum(count for key, count in self.calls.items() if key.startswith(f"{organ}."))
            found.append((organ, name, calls))
        return found

    def changed(self, folder: Path) -> str:
        """What to tell when other organs than these wrote in the data folder the last time, before anything of it is opened."""
        return self._compared(folder, is_noted=False)

    def stamp(self, folder: Path) -> str:
        """Note in the data folder whose organs wrote there; returns what to tell when they are others than the last time.

        Nothing depends on the note but that sentence: one that cannot be read or written is told of, and the node starts.
        """
        return self._compared(folder, is_noted=True)

    def _compared(self, folder: Path, *, is_noted: bool) -> str:
        file, names = folder / _STAMP, self.parts.names()
        told, before = _names_in(file)
        if before != names and is_noted:
            try:
                write_synced(file, (json.dumps(names, indent=1) + "\n").encode())
            except OSError as error:
                told.append(f"{file} cannot be written ({error.strerror}): the next start will not know these organs")
        changed = [f"{organ}: {before.get(organ, 'the reference')} before, {name} now" for organ, name in names.items()
                   if before.get(organ, name) != name]  # fmt: skip
        if changed:
            told.append(f"the data in {folder} was written by other organs ({'; '.join(changed)})")
        return "; ".join(told)

    def stop(self) -> None:
        """No more calls are watched."""
        if self._watchdog is not None:
            self._watchdog.stop()


def _told(method: Named, error: MqError) -> str:
    """What it raised, and what to do where that may be true."""
    told = told_error(method, error)
    return f"{told}; {_WHERE_IT_IS_THE_DISK}" if method.organ == "commit_log" and isinstance(error, DamageError) else told


def _has(organ: object, name: str) -> bool:
    """Without asking its properties: a log may know nothing before its recovery."""
    return isinstance(inspect.getattr_static(type(organ), name, None), property) or hasattr(organ, name)


def _names_in(file: Path) -> tuple[list[str], dict[str, str]]:
    """(what is wrong with the note of a data folder, the classes of its organs by field, none when that is not known)."""
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return [], {}
    except OSError as error:
        why = error.strerror or type(error).__name__
    except ValueError:
        why = "it is no JSON"
    else:
        if isinstance(found, dict) and all(isinstance(name, str) for name in found.values()):
            return [], found
        why = "it is no table of organs and their classes"
    return [f"{file} cannot be read ({why}): whose organs wrote the data there before, is not known"], {}


class _Guard:
    """Stands between the node and one organ."""

    def __init__(self, organ: str, organs: Organs, watchdog: Watchdog, looks: Looks) -> None:
        self._organ, self._organs, self._watchdog, self._looks = organ, organs, watchdog, looks

    def around(self, cls: type[_T]) -> type[_T]:
        """A class derived from the organ's: its making, its public methods and its properties are guarded."""
        guards: dict[str, Any] = {"__init__": self._init(cls.__init__)}
        for name in dir(cls):
            found = inspect.getattr_static(cls, name)
            if name.startswith("_") or name == "check":
                continue
            if isinstance(found, classmethod) and name in _MAKERS:
                guards[name] = classmethod(self._maker(name, found.__func__))
            if isinstance(found, FunctionType):
                guards[name] = self._method(name, found)
            elif isinstance(found, property) and found.fget is not None:
                guards[name] = property(self._watched(name, found.fget), found.fset, found.fdel, found.__doc__)
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__slots__": ()}
        try:
            return type(cls.__name__, (cls,), {**guards, **names})
        except Exception as error:
            raise OrganError(f"{self._organ}: no class can be derived from {name_of(cls)}: {raised(error)}") from error

    def _run(self, method: Named, call: Callable[[bool], Any]) -> Any:
        """Watched. call: is told whether it comes from outside; what the organ asks of itself is its own affair."""
        outer = self._watchdog.begin(self._organ, method.what, method.limit_s)
        is_from_outside = outer is None or outer.organ != self._organ
        try:
            return call(is_from_outside)
        except OrganError as error:
            self._organs.on_mistake(error)
            raise
        except MqError as error:
            if not is_from_outside or is_meant(method, error):
                raise
            raise self._mistake(OrganError(_told(method, error))) from error
        except BaseException as error:
            # Also `exit()`: signals come to the event loop, and never as exceptions to an organ.
            raise self._mistake(OrganError(told_error(method, error))) from error
        finally:
            self._watchdog.finish(outer)

    def _mistake(self, error: OrganError) -> OrganError:
        self._organs.on_mistake(error)
        return error

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Guarded, and neither counted nor looked at."""
        guarded = Named.of(self._organ, name)

        @functools.wraps(function)
        def call(organ: Any, *arguments: Any, **named: Any) -> Any:
            return self._run(guarded, lambda _is_from_outside: function(organ, *arguments, **named))

        return call

    def _init(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Guarded; what the making has left out is found now, and not when it is needed for the first time."""
        make, what = self._watched("__init__", function), Named.of(self._organ, "__init__").what

        @functools.wraps(function)
        def call(organ: Any, *arguments: Any, **named: Any) -> None:
            make(organ, *arguments, **named)
            lacking = [name for name in NEEDED_WHEN_MADE.get(self._organ, ()) if not _has(organ, name)]
            if lacking:
                raise self._mistake(OrganError(f"{what} leaves it without {', '.join(lacking)}, which the node needs"))

        return call

    def _maker(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Guarded, of another way to make one: what it makes is guarded as well, also when it names its class itself."""
        guarded = Named.of(self._organ, name)

        @functools.wraps(function)
        def call(cls: type, *arguments: Any, **named: Any) -> Any:
            made = self._run(guarded, lambda _is_from_outside: function(cls, *arguments, **named))
            if not isinstance(made, cls.__mro__[1]):
                raise self._mistake(OrganError(f"{guarded.what} returned {type(made).__name__}, expected {cls.__name__}"))
            if not isinstance(made, cls):
                made.__class__ = cls
            return made

        return call

    def _method(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        guarded, key = Named.of(self._organ, name), f"{self._organ}.{name}"

        @functools.wraps(method)
        def call(organ: Any, *arguments: Any, **named: Any) -> Any:
            def run(is_from_outside: bool) -> Any:  # noqa: FBT001 - `_run` calls it so
                found = method(organ, *arguments, **named)
                if not is_from_outside:
                    return found
                self._organs.calls[key] += 1
                given = (*arguments, *named.values())
                self._looks.call(name, guarded.what, organ, given, found)
                return self._steps(name, organ, given, found) if isinstance(found, Generator) else found

            return self._run(guarded, run)

        return call

    def _steps(
        self, name: str, organ: Any, arguments: tuple[Any, ...], steps: Generator[Any, Any, Any]
    ) -> Generator[Any, Any, Any]:
        """The same steps, each of them guarded, and no more of them than make sense."""
        guarded, asked, same = Named.of(self._organ, name), 0, 0
        what = guarded.what
        data = before = None
        most = reads_max(name, arguments)

        def step(_is_from_outside: bool) -> tuple[bool, Any]:  # noqa: FBT001 - `_run` calls it so
            try:
                wanted = steps.send(data)
            except StopIteration as done:
                self._looks.result(name, what, organ, arguments, done.value)
                return True, done.value
            look_at_read(what, wanted)
            return False, wanted

        try:
            while True:
                is_done, found = self._run(guarded, step)
                if is_done:
                    return found
                asked, same = asked + 1, same + 1 if found == before else 0
                if same >= _SAME_READS_MAX or asked >= most:
                    told = f"{what} does not come to an end: it has asked {asked} times, now for {found}"
                    raise self._mistake(OrganError(told))
                before = found
                data = yield found
        finally:
            self._run(guarded, lambda _is_from_outside: steps.close())


def organs_of(parts: Parts) -> str:
    """For people: which organs are not the reference."""
    return ", ".join(f"{organ} is {name_of(found)}" for organ, found in parts.replaced().items())
