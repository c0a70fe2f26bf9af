"""`mq/raft/README.md` as a guide: its table can be read from above, and it names every method that goes on in an upper layer."""

import ast
import re
from pathlib import Path

from mq.raft import hosting, output
from mq.raft.node import RaftNode

RAFT = Path(__file__).resolve().parents[3] / "mq" / "raft"
README = (RAFT / "README.md").read_text(encoding="utf-8")


def files_in_order() -> list[list[str]]:
    rows = [row.split("|")[1] for row in README.splitlines() if re.match(r"\| `\w+\.py`", row)]
    return [re.findall(r"`(\w+)\.py`", row) for row in rows]


def needs_of(name: str) -> set[str]:
    tree = ast.parse((RAFT / f"{name}.py").read_text(encoding="utf-8"))
    found = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {module.removeprefix("mq.raft.") for module in found if module.startswith("mq.raft.")}


def test_the_table_names_every_file_and_none_needs_one_that_stands_below_it() -> None:
    rows = files_in_order()
    assert sorted(name for row in rows for name in row) == sorted({path.stem for path in RAFT.glob("*.py")} - {"__init__"})
    known: set[str] = set()
    for row in rows:
        known |= set(row)
        assert [(name, sorted(needs_of(name) - known)) for name in row if needs_of(name) - known] == []
    assert needs_of("replication") >= {"election", "progress"}, "this test sees what a file needs"


def test_the_methods_that_go_on_in_an_upper_layer_are_all_listed() -> None:
    layers: dict[str, list[str]] = {}
    for layer in reversed([layer for layer in RaftNode.__mro__ if layer is not object]):
        for name, value in vars(layer).items():
            if callable(value) and not name.startswith("__"):
                layers.setdefault(name, []).append(layer.__name__)
    several = {name: ", ".join(found) for name, found in layers.items() if len(found) > 1}
    assert dict(re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|$", README, re.MULTILINE)) == several


def test_the_order_of_an_output_has_one_numbering() -> None:
    code = Path(hosting.__file__).read_text(encoding="utf-8")
    done = {}
    for mark in re.finditer(r"  # (\d)", code):
        done[int(mark[1])] = re.findall(r"output\.(\w+)", code[: mark.start()])[-1]
    assert list(done) == list(range(1, 10)), "the loop goes on in the order of the numbers"
    steps = dict(re.findall(r"^(\d)\. (.*?)(?=^\d\. |^$)", output.__doc__ or "", re.MULTILINE | re.DOTALL))
    assert [number for number, field in done.items() if f"`{field}`" not in steps[str(number)]] == []
    shown = {int(number): field for field, number in re.findall(r"output\.(\w+)[^#\n]*# (\d)\.", README)}
    assert shown == {number: done[number] for number in (1, 3, 4, 5)}
