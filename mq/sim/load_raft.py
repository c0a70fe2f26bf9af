"""Puts another Raft in the place of ours: a student's, or a wrong one."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from mq.core.errors import IllegalArgumentError
from mq.raft.node import RaftNode

__all__ = ["load_raft"]


def load_raft(where: str) -> type[RaftNode]:
    """The class that is meant by `FILE:Class`, such as `labs/stage3_raft/wrong/figure8.py:Raft`.

    Raises: IllegalArgumentError when there is no such file, or no such class in it.
    """
    file, _, name = where.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise IllegalArgumentError(f"{where!r} names no file; it should read like labs/stage3_raft/wrong/figure8.py:Raft")
    spec = spec_from_file_location(f"raft_of_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise IllegalArgumentError(f"{file} is no Python module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, RaftNode)):
        raise IllegalArgumentError(f"{file} has no class {name} that is a RaftNode")
    return found
