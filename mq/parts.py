"""The seams: organs of the broker that can be replaced by somebody's own, and how those are found.

    mq broker --parts work/lab3a_election          a folder: every Python file in it is looked at
    mq broker --parts labs/stage3_raft/right/lazy.py       a file
    mq broker --parts my_package.my_organs         a module

What is taken are the classes with the names of the organs (`Raft`, `CommitLog`, `ConsumeQueue`, `DeliveryTable`); what is not
there stays the reference.

A `Raft` puts what it is given to propose into its log before `propose` returns, in order and as it is, and says where; what a
quorum has on disk it lets the host apply within 60 ticks, and never what this node cannot know to be committed
(`mq.server.raft_looks`, `applied_looks`).

A `CommitLog` may have a format of its own, but writes the payloads of entries as they are, and so does not compress them: a
node guards itself against a log that loses entries by looking for them in what its plan leaves on the disk
(`mq.server.organ_looks`).

A `ConsumeQueue` is made with a topic and a queue id, which it shows, and again from a snapshot by `from_plain`. What files it
makes of its entries is its own affair, as long as they lie in its folder (`mq.broker.store.queue_entry.queue_folder`). A snapshot
of it says nothing of one node's own: neither positions, nor how much was in files by then.

A `DeliveryTable` is made without arguments, one for each group and topic, and again from a snapshot by `from_plain`. It is part
of the replicated state: equal commands must make equal snapshots (`to_plain`, of what JSON can hold), on each replica and
behind each restart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from mq.broker.delivery.table import DeliveryTable
from mq.broker.store.commit_log import CommitLog
from mq.broker.store.consume_queue import ConsumeQueue
from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode

__all__ = ["ORGANS", "REFERENCE", "Parts", "load_parts", "module_of", "name_of"]

_METHODS = {
    "Raft": ("tick", "step", "propose", "saved", "save_failed", "applied", "view"),
    "CommitLog": ("append", "synced", "abandon", "entries", "recover", "drop_before", "reset", "checkpoint"),
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
            raise IllegalArgumentError(f"parts: the class {name} in {where} lacks {', '.join(lacking)}")
    return replace(REFERENCE, **{_FIELDS[name]: organ for name, organ in found.items()})


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
        try:
            yield import_module(where)
        except ImportError as error:
            raise IllegalArgumentError(f"parts: {where!r} is no folder, no file, and no module: {error}") from error


def _organs_in(file: Path) -> ModuleType:
    return module_of(
        file,
        f"parts_{file.stem}",
        label="parts: ",
        told=lambda error: f"{file} cannot be imported: {type(error).__name__}: {error}",
    )


def module_of(file: Path, name: str, *, told: Callable[[BaseException], str], label: str = "") -> ModuleType:
    """Somebody's own Python file as a module of that name, wherever it lies.

    told: what to say when it cannot be imported. Raises: IllegalArgumentError, beginning with `label`.
    """
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise IllegalArgumentError(f"{label}{file} is no Python module: its name must end in .py")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise IllegalArgumentError(label + told(error)) from error
    return module
