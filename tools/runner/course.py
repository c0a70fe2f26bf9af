"""`run.py course`: JupyterLab on the lessons' start page, and nothing left when it ends.

It lives in `.mq/course`: a user's own Jupyter is neither read nor changed. The notebooks are trusted, so that everything in
them is shown. Nothing is asked of the network but this machine's own loopback: no news, no look for updates or extensions.
"""

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tools.runner.places import ROOT
from tools.runner.say import say

__all__ = ["command", "leftovers", "prepare", "run", "surroundings", "with_programs"]

_TOKEN = "RAFTMQ_COURSE"  # noqa: S105 - the name of a variable
"""Marks all processes that a course started, so that none outlives it."""
_LOOK_S = 0.02
_PATIENCE_S = 20
"""After a Ctrl-C that JupyterLab did not hear, because it came to this process alone."""
_SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
    # All cells are on the page: also those that are not looked at yet can be searched and printed.
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "defer"},
}
_DISABLED = ("@jupyterlab/apputils-extension:announcements", "@jupyterlab/extensionmanager-extension:plugin")


def surroundings(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of everything that a course starts: all that Jupyter keeps, it keeps in `home`."""
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    kept = {name: value for name, value in variables.items() if not name.startswith(("JUPYTER", "IPYTHON", "PYTHONPATH"))}
    return kept | {name: str(home / folder) for name, folder in folders.items()} | {"JUPYTER_PLATFORM_DIRS": "1"}


def with_programs(python: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """With the programs beside that Python found first, so that JupyterLab's own terminals know `mq`."""
    return {**variables, "PATH": os.pathsep.join(filter(None, (str(python.parent), variables.get("PATH", ""))))}


def prepare(home: Path) -> None:
    """Write the settings that keep JupyterLab from asking the network for anything."""
    for name, values in _SETTINGS.items():
        file = home / "settings" / name
        if not file.exists():  # a student may have changed it since
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values), encoding="utf-8")
    page = home / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps({"disabledExtensions": dict.fromkeys(_DISABLED, True)}), encoding="utf-8")
    (home / "runtime").mkdir(parents=True, exist_ok=True, mode=0o700)


def command(python: Path, arguments: Sequence[str]) -> list[str]:
    """What starts JupyterLab. arguments: more of its own, such as `--no-browser` or `--port=9000`."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    # Else, where nobody looks on, terminals run a login shell, which begins with a PATH of its own.
    shell = {"shell_command": [os.environ.get("SHELL") or "sh"]}
    return [
        str(python), "-m", "jupyterlab",
        f"--ServerApp.root_dir={ROOT}",
        "--ServerApp.ip=127.0.0.1",
        "--LabApp.default_url=/lab/tree/lessons/README.ipynb",
        "--LabApp.news_url=",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--ServerApp.answer_yes=True",
        *([f"--ServerApp.terminado_settings={shell}"] if os.name == "posix" else []),
        *(["--allow-root"] if is_root else []),
        *arguments,
    ]  # fmt: skip


def notebooks() -> list[str]:
    """All notebooks of the course, from the root."""
    return [
        file.relative_to(ROOT).as_posix()
        for file in sorted((ROOT / "lessons").rglob("*.ipynb"))
        if ".ipynb_checkpoints" not in file.parts
    ]


def run(python: Path, arguments: Sequence[str]) -> int:
    """Open the course, and return when JupyterLab has ended: its exit status."""
    home = ROOT / ".mq" / "course"
    prepare(home)
    variables = with_programs(python, surroundings(home, os.environ)) | {_TOKEN: secrets.token_hex(8)}
    found = notebooks()
    trusted = subprocess.run(
        [str(python), "-m", "jupyter", "trust", *found], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    if trusted.returncode:
        say(f"The notebooks could not be trusted, so pictures that move will not: {trusted.stderr.strip()[-500:]}")
    say(f"JupyterLab opens on lessons/README.ipynb, with {len(found)} notebooks. Ctrl-C here ends it and all that it started.")
    process = subprocess.Popen(command(python, arguments), cwd=ROOT, env=variables)
    try:
        return _waited(process)
    finally:
        _end_all(variables[_TOKEN])


def _end_all(token: str) -> None:
    """Who is back at the prompt has nothing running any more: on a crowded machine a killed process takes a moment to go."""
    end_s = time.monotonic() + _PATIENCE_S
    while (pids := leftovers(token)) and time.monotonic() < end_s:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_S)


def _waited(process: "subprocess.Popen[bytes]") -> int:
    """Its exit status. Ctrl-C reaches it, too: it ends its kernels, and is waited for."""
    previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    patience_s = None
    try:
        while True:
            try:
                status = process.wait(patience_s)
            except KeyboardInterrupt:
                patience_s = _PATIENCE_S
                continue
            except subprocess.TimeoutExpired:
                process.terminate()
                continue
            return 0 if status in (0, -signal.SIGINT, -signal.SIGTERM) else status
    finally:
        signal.signal(signal.SIGTERM, previous)


def leftovers(token: str) -> list[int]:
    """Processes of a course that are still there. Known on Linux; elsewhere a kernel's own end takes its children with it.

    labs.grader.leftovers looks in the same way; the runner imports the standard library and itself alone.
    """
    mark, found = f"{_TOKEN}={token}".encode(), []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = file.read_bytes().split(b"\0")
        except OSError:  # another user's, or gone by now
            continue
        if mark in variables and int(file.parent.name) != os.getpid():
            found.append(int(file.parent.name))
    return found
