"""`run.py course`: it keeps to its folder and to this machine, and leaves nothing behind."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket
from playwright.sync_api import sync_playwright

from labs.grader.files import note_progress
from labs.grader.lab import all_labs
from labs.grader.release import _readme
from labs.grader.result import Grade, Outcome
from lessons.course_map import lesson_links, progress, stages, way, way_in_words
from tools.lesson_files import LESSONS, lessons_of, read_notebook
from tools.runner import course

ROOT = LESSONS.parent
TOKEN = "a-token-for-this-test"
IS_LINUX = sys.platform == "linux"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], Any], what: str, *, limit_s: float = 270.0) -> Any:
    end_s = time.monotonic() + limit_s
    while not (answer := is_so()):
        assert time.monotonic() < end_s, f"not within {limit_s:g} s: {what}"
        time.sleep(0.05)
    return answer


def asked(port: int, path: str, data: bytes | None = None) -> Any:
    """An answer of the server as plain data; None while there is none."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{path}",
        data=data,
        headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def connections_of(process: psutil.Process) -> list[Any]:
    """Those of a process; none when it is gone by now, as what a shell starts with."""
    with suppress(psutil.NoSuchProcess):
        return list(process.net_connections())
    return []


def typed_into_a_terminal(port: int, line: str, until: str) -> str:
    """What a terminal of JupyterLab's says when that line is typed into it, up to that text."""
    name = asked(port, "api/terminals", data=b"{}")["name"]
    address = f"ws://127.0.0.1:{port}/terminals/websocket/{name}?token={TOKEN}"
    said, connection = "", websocket.create_connection(address, timeout=60)
    try:
        connection.send(json.dumps(["stdin", f"{line}\r"]))
        while until not in said or "\n" not in said.partition(until)[2]:
            kind, *words = json.loads(connection.recv())
            said += "".join(words) if kind == "stdout" else ""
    finally:
        connection.close()
    return said


def test_all_that_jupyter_keeps_lies_in_one_folder(tmp_path: Path) -> None:
    mine = {"JUPYTER_TOKEN": "x", "JUPYTERLAB_SETTINGS_DIR": "elsewhere", "PATH": "/bin", "PYTHONPATH": "elsewhere"}
    variables = course.surroundings(tmp_path, mine)
    assert variables["PATH"] == "/bin"
    assert "JUPYTER_TOKEN" not in variables
    assert "PYTHONPATH" not in variables
    folders = {name: value for name, value in variables.items() if name.endswith("DIR")}
    assert len(folders) == 6
    assert all(Path(value).is_relative_to(tmp_path) for value in folders.values())


def test_the_programs_of_the_environment_are_found_before_all_others(tmp_path: Path) -> None:
    python, beside = Path("some", "bin", "python"), str(Path("some", "bin"))
    assert course.with_programs(python, {"PATH": "/bin", "HOME": "/h"}) == {"PATH": f"{beside}{os.pathsep}/bin", "HOME": "/h"}
    assert course.with_programs(python, {})["PATH"] == beside, "an empty part of a PATH is the folder that one is in"


@pytest.mark.skipif(os.name != "posix", reason="login shells are a matter of POSIX")
def test_terminals_begin_with_no_login_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/a shell")
    assert "--ServerApp.terminado_settings={'shell_command': ['/bin/a shell']}" in course.command(Path("python"), [])
    monkeypatch.delenv("SHELL")
    assert "--ServerApp.terminado_settings={'shell_command': ['sh']}" in course.command(Path("python"), [])


def test_news_updates_and_extensions_are_off(tmp_path: Path) -> None:
    course.prepare(tmp_path)
    page = json.loads((tmp_path / "config" / "labconfig" / "page_config.json").read_text(encoding="utf-8"))
    assert page["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"] is True
    command = course.command(Path("python"), ["--no-browser"])
    assert command[-1] == "--no-browser"
    for word in ("--LabApp.news_url=", "--LabApp.extension_manager=readonly", "--ServerApp.ip=127.0.0.1"):
        assert word in command
    assert any("NeverCheckForUpdate" in word for word in command)


def test_a_students_own_settings_stay(tmp_path: Path) -> None:
    course.prepare(tmp_path)
    file = next((tmp_path / "settings").rglob("notification.*"))
    file.write_text('{"doNotDisturbMode": false}', encoding="utf-8")
    course.prepare(tmp_path)
    assert file.read_text(encoding="utf-8") == '{"doNotDisturbMode": false}'


@pytest.mark.skipif(not IS_LINUX, reason="processes are found by /proc")
def test_what_a_course_left_behind_is_found() -> None:
    marked = dict(os.environ, RAFTMQ_COURSE="abc123")
    program = [sys.executable, "-c", "print('here', flush=True); input()"]
    with subprocess.Popen(program, env=marked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"  # amid its exec a process shows no variables at all
        assert course.leftovers("abc123") == [process.pid]
        assert course.leftovers("abc124") == []
        process.kill()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not IS_LINUX, reason="ends it by a signal, and looks at processes")
def test_it_opens_and_leaves_nothing_running() -> None:
    port = free_port()
    command = [
        sys.executable,
        "run.py",
        "course",
        "--no-browser",
        f"--ServerApp.port={port}",
        f"--IdentityProvider.token={TOKEN}",
    ]
    runner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: runner.poll() is not None or asked(port, "api/status"), "the server answers")
        assert runner.poll() is None, runner.stdout.read() if runner.stdout else ""
        content = asked(port, "api/contents/lessons/README.ipynb?content=1")
        assert content["name"] == "README.ipynb"
        assert all(cell["metadata"].get("trusted") for cell in content["content"]["cells"] if cell["cell_type"] == "code")
        kernel = asked(port, "api/kernels", data=b"{}")
        assert kernel["name"] == "python3"
        assert f"the-mq-is {ROOT / '.venv' / 'bin' / 'mq'}" in typed_into_a_terminal(
            port, "echo the-mq-is $(command -v mq)", "the-mq-is /"
        )
        family = psutil.Process(runner.pid).children(recursive=True)
        assert len(family) >= 2, "a server and a kernel"
        away = [
            one for process in family for one in connections_of(process) if len(one.raddr) and not one.raddr.ip.startswith("127.")
        ]
        assert away == []
        runner.send_signal(signal.SIGTERM)
        output = runner.communicate(timeout=60)[0]
        assert runner.returncode == 0, output
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)
    finally:
        runner.kill()
        for process in psutil.process_iter(["environ"]):
            if f"{TOKEN}" in " ".join((process.info["environ"] or {}).values()):
                process.kill()


# ---------------------------------------------------------------- the start page


def test_the_start_page_tells_results_and_is_made_without_anybodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAFTMQ_WORK", str(tmp_path))
    assert "| **lab0** | Tools |  | 1 | `.venv/bin/mq lab start lab0` | none yet, of 100 points |" in progress()
    outcomes = (Outcome("1.1", "one", 70, is_passed=True), Outcome("1.2", "other", 30))
    grade = Grade("lab0_tools", "Tools", "practice", outcomes, points_max=100)
    note_progress(tmp_path / "results" / "lab0_tools", grade, "mq lab check")
    assert "| 70 of 100 points (`mq lab check`, 20" in progress()
    assert progress().count("none yet") == len(progress().splitlines()) - 3


def test_the_way_leads_once_through_all_that_is_there() -> None:
    lessons = [name for stage in stages() for name in stage["lessons"]]
    listed = {lab.id for lab in all_labs()}
    labs = [name for stage in stages() for name in stage["labs"] if name in listed]
    assert sorted(way()) == sorted(lessons + labs)
    assert sorted(way()) == sorted(tomllib.loads((ROOT / "course.toml").read_text(encoding="utf-8"))["way"])
    for own in (lessons, labs):
        assert [name for name in way() if name in own] == own, "each kind in its own order"


@pytest.mark.parametrize("page", ["README.md", "docs/syllabus.md", "lessons/README.py"])
def test_every_page_to_begin_with_says_the_way(page: str) -> None:
    stage_1 = "lab 0, lessons 0 and 1, lab 1a, lesson 2, lab 1b, lesson 3, labs 1c and 1d"
    stage_3 = "10 and 11, lab 3a, lessons 12 and 13, lab 3b, lesson 14, lab 3c, lesson 15, labs 3d and 3e, lesson 16, lab 3f"
    assert way_in_words() == f"{stage_1}, lessons 4, {stage_3}"
    assert way_in_words() in re.sub(r"\s+(# )?", " ", (ROOT / page).read_text(encoding="utf-8"))


def test_what_is_given_to_students_says_the_way_through_the_labs_that_they_get() -> None:
    told = _readme(all_labs())
    assert f"The order: {way_in_words()}." in told
    few = [lab for lab in all_labs() if lab.short in ("lab0", "lab1c", "lab1d")]
    some = "lab 0, lessons 0, 1, 2 and 3, labs 1c and 1d, lessons 4, 10, 11, 12, 13, 14, 15 and 16"
    assert f"The order: {some}." in _readme(few)
    assert "lab 1a" not in _readme(few).partition("What is not here")[0]


def test_the_start_page_links_only_what_is_there() -> None:
    notebook = read_notebook(LESSONS / "README.ipynb")
    assert notebook is not None
    texts = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"] + [lesson_links()]
    targets = re.findall(r"\]\(([^)]+)\)", "\n".join(texts))
    assert "../docs/glossary.md" in targets
    assert [target for target in targets if not (LESSONS / target).exists()] == []


# ---------------------------------------------------------------- in a browser


def chromium() -> str:
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        give_up = pytest.fail if os.environ.get("MQ_REQUIRE_CHROMIUM") == "1" else pytest.skip
        give_up("there is no Chromium here: apt-get install chromium")
    return found


_BROWSER_MS = 400_000
"""On a busy machine JupyterLab takes minutes to appear."""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture
def untrusting_lab(tmp_path: Path) -> Iterator[str]:
    """JupyterLab as the course starts it, for somebody who trusts no notebook yet. Its address."""
    port = free_port()
    course.prepare(tmp_path)
    arguments = ["--no-browser", f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}"]
    command = course.command(Path(sys.executable), arguments)
    variables = course.surroundings(tmp_path, os.environ) | {"RAFTMQ_COURSE": str(tmp_path)}
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: asked(port, "api/status"), "the server answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()  # asked to end, it waits a minute for a dozen kernels; how a course ends is tested above
        server.wait()
        for pid in course.leftovers(str(tmp_path)):  # its kernels
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def by_day(number: int) -> bool:
    """Each third lesson: a page takes some seconds to come up, and the others are made by the same few kinds of cells."""
    return number % 3 == 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("is_by_day", [True, pytest.param(False, marks=pytest.mark.night)])
def test_an_untrusted_notebook_shows_its_pictures_and_asks_nobody_else(
    is_by_day: bool, untrusting_lab: str, tmp_path: Path
) -> None:
    lessons = [lesson for number, lesson in enumerate(lessons_of(LESSONS)) if by_day(number) is is_by_day]
    assert len(lessons) > 3
    hosts: set[str] = set()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=chromium(), args=list(FLAGS), headless=True
        )
        page = context.pages[0]
        page.on("request", lambda request: hosts.add(request.url.split("/")[2] if "//" in request.url else "data:"))
        for lesson in lessons:
            path = lesson.notebook.relative_to(ROOT).as_posix()
            page.goto(f"{untrusting_lab}/lab/tree/{path}?token={TOKEN}&reset", timeout=_BROWSER_MS)
            picture = page.locator('.jp-Notebook .jp-OutputArea-output img[src^="data:image/png"]').first
            picture.wait_for(state="attached", timeout=_BROWSER_MS)
            assert picture.evaluate("image => image.complete && image.naturalWidth") > 600, lesson.name
        context.close()
    assert hosts <= {untrusting_lab.removeprefix("http://"), "data:"}
    assert untrusting_lab.removeprefix("http://") in hosts
