"""The tree against `course.toml`, and the lock files against each other."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.lock import EXPORTS, foreign_addresses, header

ROOT = Path(__file__).resolve().parent.parent.parent
COURSE: dict[str, Any] = tomllib.loads((ROOT / "course.toml").read_text(encoding="utf-8"))
STAGES: list[dict[str, Any]] = COURSE["stage"]
KEYS = {"id", "folder", "title", "status", "shows", "packages", "lessons", "labs"}
SHARED_BY_LABS = {"wrong", "right", "schedules", "schedules_of_labs"}
LAB_NAME = re.compile(r"lab(\d)[a-z]?_[a-z_]+")


def is_there(package: str) -> bool:
    return (ROOT / package).is_dir() or (ROOT / f"{package}.py").is_file()


def can_be_done(about: Path) -> bool:
    """Whether there is a lab that is no draft."""
    return about.exists() and not tomllib.loads(about.read_text(encoding="utf-8")).get("is_draft", False)


def folders_of(parent: str) -> set[str]:
    """The folders below `parent` that hold something, as "stage/lab"."""
    top = ROOT / parent
    return {f"{folder.parent.name}/{folder.name}" for folder in top.glob("*/*") if folder.is_dir() and any(folder.iterdir())}


def test_stages_are_numbered_from_0_and_each_says_everything() -> None:
    assert [stage["id"] for stage in STAGES] == list(range(len(STAGES)))
    for stage in STAGES:
        assert set(stage) == KEYS
        assert stage["status"] in {"planned", "begun", "done"}
        assert stage["folder"] == "capstone" or stage["folder"].startswith(f"stage{stage['id']}_")
        assert stage["title"]
        assert stage["shows"]


def test_every_package_belongs_to_the_course_exactly_once() -> None:
    named = [*COURSE["shared"]["packages"], *(package for stage in STAGES for package in stage["packages"])]
    assert len(named) == len(set(named))
    there = {f"mq/{path.stem}" for path in (ROOT / "mq").iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"}
    assert there - {"mq/__init__"} <= set(named), "a package that course.toml does not name"


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage["folder"])
def test_a_begun_stage_has_its_packages(stage: dict[str, Any]) -> None:
    missing = [package for package in stage["packages"] if not is_there(package)]
    assert stage["status"] == "planned" or missing == []


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage["folder"])
def test_lessons_are_those_that_are_named_with_source_and_outputs(stage: dict[str, Any]) -> None:
    folder = ROOT / "lessons" / stage["folder"]
    assert sorted(stage["lessons"]) == sorted(file.stem for file in folder.glob("*.py"))
    assert sorted(stage["lessons"]) == sorted(file.stem for file in folder.glob("*.ipynb"))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage["folder"])
def test_labs_are_named_after_their_stage_and_a_done_stage_has_them_all(stage: dict[str, Any]) -> None:
    assert stage["status"] != "done" or stage["labs"]
    for lab in stage["labs"]:
        match = LAB_NAME.fullmatch(lab)
        assert match is not None, lab
        assert int(match[1]) == stage["id"], lab
        assert stage["status"] != "done" or (ROOT / "labs" / stage["folder"] / lab / "lab.toml").exists(), lab


def row_of(stage: dict[str, Any], file: str) -> str:
    """Of a stage, in a table of that file that begins with its number and name."""
    name = "capstone" if stage["folder"] == "capstone" else f"{stage['id']} {stage['title']}"
    rows = [line for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line.lower().startswith("| ")]
    (row,) = [row for row in rows if row.lower().removeprefix("| ").replace("*", "").startswith(f"{name} |".lower())]
    return row


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage["folder"])
def test_the_tables_for_readers_say_of_each_stage_how_far_it_is(stage: dict[str, Any]) -> None:
    """The README in a word; the syllabus by italics, which stand for what is not here yet."""
    word = {"planned": "| planned |", "begun": "| **begun**", "done": "| **here**"}[stage["status"]]
    assert word in row_of(stage, "README.md")
    cells = [cell.strip() for cell in row_of(stage, "docs/syllabus.md").strip("|").split("|")][1:]
    is_there = [not (cell.startswith("*") and cell.endswith("*")) for cell in cells if cell]
    assert is_there == [stage["status"] == "done"] * len(is_there), cells


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage["folder"])
def test_a_stage_whose_lessons_and_labs_are_all_there_is_done_and_no_other(stage: dict[str, Any]) -> None:
    labs = [can_be_done(ROOT / "labs" / stage["folder"] / lab / "lab.toml") for lab in stage["labs"]]
    assert (bool(labs) and all(labs)) == (stage["status"] == "done")


@pytest.mark.parametrize("parent", ["lessons", "labs"])
def test_no_folder_of_lessons_or_labs_is_unknown_to_the_course(parent: str) -> None:
    known = {f"{stage['folder']}/{lab}" for stage in STAGES for lab in stage["labs"]}
    # What several labs of a stage share: its named wrong solutions, other right ones, and what tells them apart.
    known |= {f"{stage['folder']}/{shared}" for stage in STAGES for shared in ("wrong", "right", "schedules")}
    known_stages = {stage["folder"] for stage in STAGES}
    for folder in folders_of(parent):
        stage = folder.split("/")[0]
        if stage == "grader" or stage.startswith("_"):
            continue
        assert stage in known_stages, folder
        assert parent == "lessons" or stage == "capstone" or folder in known or folder.split("/")[1] in SHARED_BY_LABS, folder


def test_every_folder_of_mq_with_code_is_a_package() -> None:
    with_code = {file.parent for file in (ROOT / "mq").rglob("*.py") if "__pycache__" not in file.parts}
    assert with_code
    assert [folder for folder in with_code if not (folder / "__init__.py").exists()] == []


# ---------------------------------------------------------------- locks


def locked() -> dict[tuple[str, str], set[str]]:
    """The hashes of every package in uv.lock, by name and version."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    found = {}
    for package in lock["package"]:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        found[package["name"], package.get("version", "")] = {file["hash"] for file in files}
    return found


def required(purpose: str) -> dict[tuple[str, str], set[str]]:
    """The hashes in a requirement file, by name and version."""
    found: dict[tuple[str, str], set[str]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements" / f"{purpose}.txt").read_text(encoding="utf-8")):
        if match := re.match(r"([a-z0-9._-]+)==([^\s;\\]+)", entry):
            found[match[1], match[2]] = set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", entry))
    return found


@pytest.mark.parametrize("purpose", EXPORTS)
def test_requirement_files_pin_what_the_lock_pins_with_every_hash(purpose: str) -> None:
    text = (ROOT / "requirements" / f"{purpose}.txt").read_text(encoding="utf-8")
    assert text.startswith(header(purpose))
    pinned = required(purpose)
    assert len(pinned) > 15
    in_lock = locked()
    for package, hashes in pinned.items():
        assert hashes, package
        assert hashes == in_lock[package], package


def test_the_larger_requirement_file_holds_the_smaller() -> None:
    assert set(required("demo")) <= set(required("test"))


def test_the_locks_name_no_mirror() -> None:
    for file in (ROOT / "uv.lock", *(ROOT / "requirements").iterdir()):
        assert foreign_addresses(file.read_text(encoding="utf-8")) == []
    assert foreign_addresses('url = "https://mirror.example/simple"') == ["https://mirror.example/simple"]


def test_the_lock_is_made_from_this_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    mine = next(package for package in lock["package"] if package["name"] == "raftmq")
    in_lock = {entry["name"]: entry.get("specifier", "") for entry in mine["metadata"]["requires-dist"] if "marker" not in entry}
    written = {}
    for line in project["dependencies"]:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", line)
        assert match is not None
        written[match[1].lower()] = set(match[2].split(","))
    assert written == {name: set(specifier.split(",")) for name, specifier in in_lock.items()}
    assert set(mine["metadata"]["provides-extras"]) == set(project["optional-dependencies"])


def test_the_libraries_the_course_is_built_around_are_in_the_extras() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {re.split(r"[^A-Za-z0-9_-]", line)[0] for extra in extras.values() for line in extra}
    assert {"jupyterlab", "networkx", "pytest", "docker"} <= names
