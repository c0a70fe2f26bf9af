"""Whatever the node asks of a commit log, somebody's own must have: what is left out is told before the node begins, and not when
it is asked for the first time."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.parts import _METHODS, NEEDED_WHEN_MADE, Parts
from mq.server.organs import OrganError, Organs

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("mq/server", "mq/broker", "mq/raft")
TYPES = {"CommitLog", "LogStorage", "FreshLog"}
NAMED = {"log", "_log", "storage"}
"""What the node's own code calls a log."""


def trees() -> Iterator[tuple[str, ast.AST]]:
    """All modules that are given a log, but for the reference itself."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.name != "commit_log.py":
                yield str(file.relative_to(ROOT)), ast.parse(file.read_text(encoding="utf-8"))


def last_name(node: ast.AST) -> str:
    """`log` of `self.host.log`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def asked_of_logs() -> set[str]:
    """All public names of the reference that are asked of something that is called a log."""
    public = {name for name in dir(CommitLog) if not name.startswith("_")}
    return {
        node.attr
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in public and last_name(node.value) in NAMED
    }


def test_all_that_the_node_asks_of_a_log_is_demanded_of_somebodys_own() -> None:
    asked = asked_of_logs()
    properties = {name for name in asked if isinstance(inspect.getattr_static(CommitLog, name), property)}
    assert sorted(asked - properties) == sorted(_METHODS["CommitLog"])
    assert sorted(properties) == sorted(NEEDED_WHEN_MADE["commit_log"])


def test_whatever_is_a_log_is_called_one() -> None:
    """Else the test before this would overlook what is asked of it."""
    others = []
    for file, tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.arg(arg=name, annotation=ast.AST() as kind):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=kind):
                    pass
                case _:
                    continue
            if last_name(kind) in TYPES and name not in NAMED:
                others.append(f"{file}, line {node.lineno}: {name}")
    assert others == []


class Composed:
    """A log of another make, which gives itself some of what it shows when it is made, and some in other ways."""

    def __init__(self, *, segment_bytes: int) -> None:
        self.own = CommitLog(segment_bytes=segment_bytes)
        self.is_damaged = False

    def __getattr__(self, name: str) -> Any:
        if name in {"hard_state", "durable_end", "last_index"}:
            return getattr(self.own, name)
        raise AttributeError(name)

    @property
    def first_index(self) -> int:
        raise AttributeError("nothing is known before the recovery")


def test_a_log_that_does_not_show_what_the_node_reads_is_told_when_it_is_made() -> None:
    organs = Organs(Parts(commit_log=Composed))  # type: ignore[arg-type]
    heard: list[OrganError] = []
    organs.on_mistake = heard.append
    with pytest.raises(OrganError, match="commit_log: `__init__` leaves it without durable_index, which the node needs") as told:
        organs.commit_log(segment_bytes=64 << 10)
    assert heard == [told.value]
    organs.stop()
