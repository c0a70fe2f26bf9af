"""The cores reach no clock, no chance, no files, no network, no threads and no third-party package.

import-linter reads this from the source (`pyproject.toml`); here it is tried out: each module is
imported in an interpreter of its own without site-packages, which notes what our modules ask for.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PURE = ("mq/core", "mq/broker", "mq/registry", "mq/raft", "mq/client")

ALLOWED = frozenset(
    {
        "abc", "array", "binascii", "bisect", "collections", "copy", "dataclasses", "enum", "functools", "hashlib", "heapq",
        "ipaddress", "itertools", "json", "math", "operator", "re", "string", "struct", "types", "typing", "zlib",
    }
)  # fmt: skip
"""All of the standard library that a core may ask for: values in, values out."""

BANNED = frozenset(
    {
        "asyncio", "concurrent", "http", "multiprocessing", "pathlib", "queue", "random", "secrets", "select", "selectors",
        "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "urllib", "uuid",
    }
)  # fmt: skip
"""What may not even be loaded by way of something else. (`os` and `time` are loaded by any Python that starts.)"""

PROBE = """
import builtins, importlib, json, sys
asked, original = set(), builtins.__import__

def noting(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    if importer.split(".")[0] == PACKAGE and level == 0:
        asked.add(name.split(".")[0])
    return original(name, globals, locals, fromlist, level)

before = set(sys.modules)
builtins.__import__ = noting
held = set()
for name in NAMES:
    module = importlib.import_module(name)
    for key, value in vars(module).items():
        if key in ("open", "input", "print", "exec", "eval"):
            held.add(key)
builtins.__import__ = original
json.dump({
    "asked": sorted(asked - {PACKAGE}),
    "held": sorted(held),
    "loaded": sorted({name.split(".")[0] for name in set(sys.modules) - before} - {PACKAGE}),
    "foreign": sorted(name for name, module in sys.modules.items() if "-packages" in (getattr(module, "__file__", None) or "")),
}, sys.stdout)
"""


def reached(root: Path, package: str, names: list[str]) -> dict[str, set[str]]:
    """What the named modules of `package` ask for and load, in a bare interpreter that finds them below `root`."""
    program = f"import sys\nsys.path.insert(0, {str(root)!r})\nPACKAGE, NAMES = {package!r}, {names!r}\n{PROBE}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return {key: set(value) for key, value in json.loads(done.stdout).items()}


def module_names(folder: Path) -> list[str]:
    files = sorted(folder.rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names]


def pure_folders() -> list[str]:
    return [folder for folder in PURE if (ROOT / folder / "__init__.py").exists()]


@pytest.mark.parametrize("folder", pure_folders())
def test_a_core_imports_without_third_party_packages_and_asks_only_for_pure_modules(folder: str) -> None:
    names = module_names(ROOT / folder)
    assert names
    found = reached(ROOT, "mq", names)
    assert found["foreign"] == set()
    assert found["asked"] - ALLOWED == set()
    assert found["loaded"] & BANNED == set()
    assert found["held"] == set()


@pytest.mark.parametrize("name", [name for folder in pure_folders() for name in module_names(ROOT / folder)])
def test_each_module_of_a_core_says_what_it_needs_itself(name: str) -> None:
    # Imported alone and first: no module leans on another one's imports.
    found = reached(ROOT, "mq", [name])
    assert found["loaded"] & BANNED == set()


IMPURE = ("import time", "import random", "from os import open", "import socket", "import threading", "import asyncio")


@pytest.mark.parametrize("line", IMPURE)
def test_the_probe_notices_what_it_is_for(tmp_path: Path, line: str) -> None:
    (tmp_path / "sullied").mkdir()
    (tmp_path / "sullied" / "__init__.py").write_text("")
    (tmp_path / "sullied" / "inner.py").write_text(f"{line}\n")
    (tmp_path / "sullied" / "outer.py").write_text("import sullied.inner\n")
    found = reached(tmp_path, "sullied", ["sullied.outer"])
    assert found["asked"] - ALLOWED == {line.split()[1]}


def test_the_probe_has_no_third_party_packages_to_fall_back_on(tmp_path: Path) -> None:
    (tmp_path / "leaning.py").write_text("import grpc\n")
    with pytest.raises(AssertionError, match="No module named 'grpc'"):
        reached(tmp_path, "leaning", ["leaning"])


def test_the_import_contract_covers_every_core() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    covered = {name for contract in contracts if contract["type"] == "forbidden" for name in contract["source_modules"]}
    assert {folder.replace("/", ".") for folder in pure_folders()} <= covered
