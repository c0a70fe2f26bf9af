"""The seams: organs of the broker that can be replaced by somebody's own, and how those are found.

    mq broker --parts work/lab3a_election          a folder: every Python file in it is looked at
    mq broker --parts labs/stage3_raft/right/lazy.py       a file
    mq broker --parts my_package.my_organs         a module

What is taken are the classes with the names of the organs (`Raft`, `CommitLog`, `ConsumeQueue`, `DeliveryTable`); what is not
there stays the reference.

A `Raft` that is derived from `mq.raft.node.RaftNode` has all that the broker asks of one; any other has to bring it. It puts what
it is given to propose into its log before `propose` returns, in order and as it is, and says where; what a quorum has on disk it
lets the host apply within 60 ticks, and never what this node cannot know to be committed; it hands out all saves of its log, in
their order; and while it leads, it sends to those who answer what they lack (`mq.server.raft_looks`).

A `CommitLog` may have a format of its own, but writes the payloads of entries as they are, and so does not compress them: a
node guards itself against a log that loses entries by looking for them in what its plan leaves on the disk
(`mq.server.organ_looks`). What it calls durable is what `synced` told it, neither more nor less (`durable_looks`).

A `ConsumeQueue` is made with a topic and a queue id, which it shows, and again from a snapshot by `from_plain`. What files it
makes of its entries is its own affair, as long as they lie in its folder (`mq.broker.store.queue_entry.queue_folder`). A snapshot
of it says nothing of one node's own: neither positions, nor how much was in files by then.

A `DeliveryTable` is made without arguments, one for each group and topic, and again from a snapshot by `from_plain`. It is part
of the replicated state: equal commands must make equal snapshots (`to_plain`, of what JSON can hold), on each replica and
behind each restart.
"""

import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType

from mq.broker.delivery.table import DeliveryTable
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.consume_queue import ConsumeQueue
from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode

__all__ = [
    "NEEDED_WHEN_MADE",
    "ORGANS",
    "REFERENCE",
    "Parts",
    "check_place",
    "load_parts",
    "module_of",
    "name_of",
    "place_of",
    "raised",
]

_METHODS = {
    "Raft": (
        "tick", "step", "propose", "saved", "save_failed", "applied", "view", "read", "campaign", "transfer", "change_members",
        "disk_failed", "take_snapshot", "snapshot_saved", "snapshot_received", "snapshot_failed", "fetched", "chunk_fetched",
    ),
    "CommitLog": (
        "append", "synced", "abandon", "term_at", "entries", "read", "decode", "recover", "drop_before", "reset", "checkpoint",
        "note_durable", "segments",
    ),
    "ConsumeQueue": (
        "append", "flush", "flushed", "drop_before", "delete", "entries", "offset_at", "to_plain", "from_plain", "missing",
        "hollow",
    ),
    "DeliveryTable": (
        "still_due", "take", "ack", "change", "renew", "give_back", "forget_below", "move", "queues", "next_offset",
        "consumer_offset", "attempt_id", "flights", "expired", "next_deadline_ms", "valid", "is_done", "to_plain", "from_plain",
    ),
}  # fmt: skip
"""Of each organ what the broker cannot do without."""
NEEDED_WHEN_MADE = {
    "raft": ("configuration", "configurations", "commit_index", "log", "snapshot"),
    "commit_log": ("first_index", "last_index", "durable_index", "durable_end", "hard_state", "is_damaged"),
}
"""What it reads of an organ besides, by field: a class may have it, or give it to itself when it is made."""
_FIELDS = {"Raft": "raft", "CommitLog": "commit_log", "ConsumeQueue": "consume_queue", "DeliveryTable": "delivery_table"}
ORGANS = tuple(_FIELDS)
"""The names that the classes must have."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes of all organs."""

    raft: type[RaftNode] = RaftNode
    commit_log: type[CommitLog] = CommitLog
    consume_queue: type[ConsumeQueue] = ConsumeQueue
    delivery_table: type[DeliveryTable] = DeliveryTable

    def organ(self, name: str) -> type:
        """By the name that its class must have, such as `CommitLog`."""
        found = getattr(self, _FIELDS[name])
        assert isinstance(found, type)
        return found

    def replaced(self) -> dict[str, type]:
        """Those that are not the reference, by field."""
        return {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) is not field.default}

    def names(self) -> dict[str, str]:
        """For people: where each organ comes from."""
        return {field.name: name_of(getattr(self, field.name)) for field in fields(self)}


REFERENCE = Parts()


def name_of(organ: type) -> str:
    """Module and class."""
    return f"{organ.__module__}.{organ.__qualname__}"


def load_parts(where: str) -> Parts:
    """The organs at a place. Raises: IllegalArgumentError naming `parts`, when there is none, or one that lacks a method."""
    found: dict[str, type] = {}
    for module in _modules(where):
        for name in _METHODS:
            organ = vars(module).get(name)
            if isinstance(organ, type) and organ.__module__ == module.__name__:
                if name in found:
                    raise IllegalArgumentError(f"parts: {where} has two classes {name}; which one is meant?")
                found[name] = organ
    if not found:
        raise IllegalArgumentError(f"parts: {where} has none of the classes {', '.join(_METHODS)}")
    for name, organ in found.items():
        lacking = [method for method in _METHODS[name] if not callable(getattr(organ, method, None))]
        if lacking:
            raise IllegalArgumentError(f"parts: the class {name} in {where} lacks {', '.join(lacking)}{_derive(name)}")
    return replace(REFERENCE, **{_FIELDS[name]: organ for name, organ in found.items()})


def _derive(name: str) -> str:
    ours = name_of(REFERENCE.organ(name))
    return f" (a class that is derived from {ours} has all of it)"


def check_place(where: str) -> None:
    """What can be told of a place from its name alone. Raises: IllegalArgumentError.

    A Raft of the labs is named FILE:Class elsewhere; here classes are found by the names they must have.
    """
    if Path(where).exists():
        return
    place, colon, name = where.rpartition(":")
    if colon and place and name.isidentifier():
        raise IllegalArgumentError(
            f"parts: {where}: leave `:{name}` out; in {place} classes are found by the names {', '.join(_METHODS)}"
        )
    if where.endswith(".py"):
        raise IllegalArgumentError(f"parts: there is no file {where} (seen from {Path.cwd()})")


def _modules(where: str) -> Iterator[ModuleType]:
    path = Path(where)
    if path.is_dir():
        files = [file for file in sorted(path.glob("*.py")) if not file.name.startswith(("test_", "conftest"))]
        if not files:
            raise IllegalArgumentError(f"parts: there is no Python file in the folder {where}")
        yield from map(_organs_in, files)
    elif path.is_file():
        yield _organs_in(path)
    else:
        check_place(where)
        yield _module_named(where)


def _module_named(where: str) -> ModuleType:
    nothing = f"parts: {where!r} is no folder, no file, and no module"
    if "/" in where or "\\" in where or where.startswith("."):  # meant as a path: no name of a module looks like that
        raise IllegalArgumentError(f"{nothing} (seen from {Path.cwd()})")
    try:
        return import_module(where)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{where}.".startswith(f"{error.name}."):
            raise IllegalArgumentError(f"{nothing}: {error}") from error
        raise IllegalArgumentError(f"parts: {where} cannot be imported: {raised(error)}") from error


def _organs_in(file: Path) -> ModuleType:
    return module_of(
        file,
        f"parts_{file.stem}",
        label="parts: ",
        told=lambda error: f"{file} cannot be imported: {raised(error)}",
    )


def module_of(file: Path, name: str, *, told: Callable[[BaseException], str], label: str = "") -> ModuleType:
    """Somebody's own Python file as a module of that name, wherever it lies; of another one, where another file has it.

    told: what to say when it cannot be imported. Raises: IllegalArgumentError, beginning with `label`.
    """
    name = _free_name(file, name)
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise IllegalArgumentError(f"{label}{file} is no Python module: its name must end in .py")
    module = sys.modules[name] = module_from_spec(spec)  # dataclasses, and whoever reads annotations, look for it there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise IllegalArgumentError(label + told(error)) from error
    return module


def _free_name(file: Path, name: str) -> str:
    """The first of name, name_2, ... that no other file's module has."""
    here = str(file.absolute())
    names = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(one for one in names if getattr(sys.modules.get(one), "__file__", here) == here)


_NOT_THEIRS = (
    str(Path(__file__).resolve().parent), *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")), "<frozen",
)  # fmt: skip
"""Files of this package, and of what came with Python."""


def raised(error: BaseException) -> str:
    """Such as `KeyError: 4 (mine.py, line 12, in step)`: what somebody's own file raised, and where, in place of a traceback."""
    try:
        said = (error.msg if isinstance(error, SyntaxError) else "") or str(error)
    except Exception:  # noqa: BLE001 - whatever is told of an error must not be another one
        said = "(and its text cannot be made)"
    return f"{type(error).__name__}{f': {said}' if said else ''}{place_of(error)}"


def place_of(error: BaseException) -> str:
    """` (mine.py, line 12, in step)`: the innermost place that is neither ours nor Python's; empty when there is none.

    It is the one somebody just wrote, whatever was called there.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({_short(error.filename)}, line {error.lineno})"
    calls = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    theirs = [(code, line) for code, line in calls if not code.co_filename.startswith(_NOT_THEIRS)]
    if not theirs:
        return ""
    code, line = theirs[-1]
    where = "" if code.co_name == "<module>" else f", in {code.co_name}"
    return f" ({_short(code.co_filename)}, line {line}{where})"


def _short(filename: str) -> str:
    """From the folder where the program was started, if it is below that."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
