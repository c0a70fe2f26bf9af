"""Puts another Raft in the place of ours: a student's, or a wrong one."""

import inspect
import os
from pathlib import Path

from mq.core.errors import IllegalArgumentError
from mq.parts import module_of
from mq.raft.node import RaftNode
from mq.sim.raised import raised

__all__ = ["VARIABLE", "load_raft", "raft_of_environment"]

VARIABLE = "RAFTMQ_RAFT"
"""Of the environment: which Raft the tests ask."""

_EXAMPLE = "labs/stage3_raft/wrong/figure8.py:Raft"


def load_raft(where: str) -> type[RaftNode]:
    """The class that is meant by `FILE:Class`, such as `labs/stage3_raft/wrong/figure8.py:Raft`.

    Raises: IllegalArgumentError when there is no such file, when it cannot be imported, or when it has no such class. The message
    is one sentence, for whoever wrote the file.
    """
    file, colon, name = where.rpartition(":")
    if not colon or not name:
        file = where.removesuffix(":")
        if Path(file).is_file():
            raise IllegalArgumentError(f"{where!r} names no class: write {file}:Class, as in {_EXAMPLE}")
    path = Path(file)
    if not path.is_file():
        raise IllegalArgumentError(f"{where!r}: there is no file {file!r}; it should read FILE:Class, as in {_EXAMPLE}")
    if path.resolve() == Path(inspect.getfile(RaftNode)).resolve() and name == RaftNode.__name__:
        raise IllegalArgumentError(
            f"{where} is the reference itself, which runs where no other Raft is named; yours is derived from it"
        )
    module = module_of(path, f"raft_of_{path.stem}", told=lambda error: f"{path.name} cannot be imported: {raised(error)}")
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, RaftNode)):
        lack = f"{name} in {file} is not derived from mq.raft.node.RaftNode" if found else f"{file} has no class {name}"
        raise IllegalArgumentError(f"{lack}; write: class {name}(RaftNode)")
    return found


def raft_of_environment() -> type[RaftNode]:
    """The Raft that RAFTMQ_RAFT names as FILE:Class; ours when it names none. Raises: IllegalArgumentError, see `load_raft`."""
    where = os.environ.get(VARIABLE)
    if not where:
        return RaftNode
    try:
        return load_raft(where)
    except IllegalArgumentError as error:
        raise IllegalArgumentError(f"{VARIABLE}: {error}") from error
