"""Makes `.venv`: the locked packages for a purpose, and this checkout in place.

A stamp in the environment says what it was made from. It is taken away before anything changes and
written when all is done, so an environment whose making was interrupted is made anew.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tools.runner.indexes import pip_environment, uv_command
from tools.runner.pip_errors import explain
from tools.runner.places import LOCK, ROOT, STAMP, VENV, requirements_file, venv_python
from tools.runner.say import Counter, SetupError, say

__all__ = ["PURPOSES", "Environment", "venv_advice"]

PURPOSES = ("demo", "course", "test")
"""Each holds all that the ones before it hold."""
_EXTRAS = {"demo": ("demo", "speed"), "course": ("demo", "labs", "lessons", "speed"), "test": ("test",)}
_TAIL_LINES = 25


def venv_advice() -> str | None:
    """What to install when this Python cannot make environments; None when it can."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return None
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    become_root = "" if not hasattr(os, "geteuid") or os.geteuid() == 0 else "sudo "
    if shutil.which("apt-get"):
        command = f"{become_root}apt-get install -y python{version}-venv"
    elif shutil.which("dnf"):
        command = f"{become_root}dnf install -y python{version}"
    else:
        command = "install a complete Python 3.11 or newer, with the modules venv and ensurepip"
    return f"This Python ({sys.executable}) cannot make a virtual environment: ensurepip is missing.\nMend it with:  {command}"


class Environment:
    """The virtual environment of one checkout."""

    def __init__(self, root: Path = ROOT, venv: Path = VENV, lock: Path = LOCK) -> None:
        self.root = root
        self.venv = venv
        self.lock = lock

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return venv_python(self.venv)

    def wanted(self, purpose: str) -> dict[str, str]:
        """What the stamp must say for this purpose; any other content means that something has changed."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        # How the checkout is installed; the settings of linters and tests change nothing of that.
        packaging = {key: project.get(key) for key in ("build-system", "project")}
        digest = hashlib.sha256(json.dumps(packaging, sort_keys=True).encode())
        digest.update(requirements_file(purpose, self.root).read_bytes().replace(b"\r\n", b"\n"))
        # Scripts and the in-place installation name the folder, so a moved checkout needs a new environment.
        return {"purpose": purpose, "inputs": digest.hexdigest(), "folder": str(self.root)}

    def stamp(self) -> dict[str, Any] | None:
        """What the environment was made for, or None when it is missing or half-made."""
        try:
            stamp = json.loads((self.venv / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return stamp if isinstance(stamp, dict) else None

    def is_ready(self, purpose: str) -> bool:
        """Whether everything for this purpose, or a larger one, is installed as locked."""
        stamp = self.stamp()
        if stamp is None or not self.python.exists():
            return False
        return any(stamp == self.wanted(larger) for larger in PURPOSES[PURPOSES.index(purpose) :])

    def ensure(self, purpose: str) -> Path:
        """Install what is missing and return the interpreter. Raises: SetupError with what to do."""
        if self.is_ready(purpose):
            return self.python
        with _held(self.lock):
            if not self.is_ready(purpose):  # another call may have done it meanwhile
                self._make(purpose)
        return self.python

    def _make(self, purpose: str) -> None:
        begun = time.monotonic()
        stamp = self.stamp()
        if self.venv.is_symlink() and (stamp is None or stamp.get("folder") != str(self.root)):
            say(f"  {self.venv} is a link to an environment of another folder: the link goes, and nothing else")
            self.venv.unlink()
            stamp = None
        if stamp is not None and stamp.get("purpose") in PURPOSES:
            purpose = max(purpose, stamp["purpose"], key=PURPOSES.index)  # what is there stays
        say(f"Setting up RaftMQ in {self.venv} ({purpose}); this happens once.")
        with contextlib.suppress(OSError):
            (self.venv / STAMP).unlink()
        if not self._try_uv(purpose):
            self._make_folder(is_whole=stamp is not None and stamp.get("folder") == str(self.root))
            try:
                self._install(purpose)
            except SetupError:
                # pip tidies up after its own failures: what is there is good to go on with.
                self._write_stamp({"folder": str(self.root)})
                raise
        self._check()
        self._write_stamp(self.wanted(purpose))
        say(f"Ready after {time.monotonic() - begun:.0f} s.")

    def _write_stamp(self, stamp: dict[str, str]) -> None:
        fresh = self.venv / f"{STAMP}.new"
        fresh.write_text(json.dumps(stamp), encoding="utf-8")
        fresh.replace(self.venv / STAMP)

    def _try_uv(self, purpose: str) -> bool:
        """Let uv do it all, where it is there and would find the same packages as pip."""
        uv = uv_command(os.environ)
        if uv is None:
            return False
        say("  with uv")
        command = [uv, "sync", "--frozen", "--quiet", "--no-python-downloads", "--python", _base_python()]
        for extra in _EXTRAS[purpose]:
            command += ["--extra", extra]
        environment = dict(os.environ, UV_PROJECT_ENVIRONMENT=str(self.venv))
        if subprocess.run(command, cwd=self.root, env=environment, check=False).returncode == 0:
            return True
        say("  uv did not succeed; trying pip")
        return False

    def _make_folder(self, *, is_whole: bool) -> None:
        if is_whole and self._runs("-m", "pip", "--version"):
            return
        if advice := venv_advice():
            raise SetupError(advice)
        if self.venv.exists():
            say(f"  removing {self.venv}: it is half-made, or was made for another folder")
            if self.venv.is_symlink():
                self.venv.unlink()  # what it points to may be needed by others
            else:
                shutil.rmtree(self.venv)
        say(f"  making an environment with Python {sys.version.split()[0]}")
        command = [_base_python(), "-m", "venv", str(self.venv)]
        made = subprocess.run(command, env=pip_environment(os.environ), capture_output=True, text=True, check=False)
        if made.returncode:
            output = made.stdout + made.stderr
            raise SetupError(f"{output}\nThe environment could not be made. {explain(output)}")

    def _install(self, purpose: str) -> None:
        requirements = requirements_file(purpose, self.root)
        pinned = re.findall(r"^[A-Za-z0-9_.-]+==", requirements.read_text(encoding="utf-8"), flags=re.MULTILINE)
        # The file names everything that is needed. Left to look for more, pip takes the newest release of a package that another
        # one wants with an extra, finds it unpinned, and refuses: installing would break on the day of a release.
        self._pip("packages", len(pinned), ["--require-hashes", "--no-deps", "--requirement", str(requirements)])
        # Its build tools are among the packages, so this asks no index.
        self._pip("raftmq", 1, ["--no-index", "--no-deps", "--no-build-isolation", "--editable", str(self.root)])

    def _pip(self, label: str, total: int, arguments: list[str]) -> None:
        counter = Counter(label, total)
        say(f"  installing {label}" + (f" ({total})" if total > 1 else ""))
        command = [str(self.python), "-m", "pip", "install", "--no-user", "--progress-bar", "off", *arguments]
        lines: list[str] = []
        environment = pip_environment(os.environ)
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                    counter.step(line.split(": ")[-1].removeprefix("Collecting ").split()[0])
                elif "Installing collected packages" in line:
                    counter.close()
                    say("  unpacking")
        counter.close()
        if process.returncode:
            raise SetupError("\n".join([*lines[-_TAIL_LINES:], "", "Installing failed.", explain("\n".join(lines))]))

    def _check(self) -> None:
        if not self._runs("-c", "import grpc, google.protobuf, mq"):
            raise SetupError(
                "The environment is installed but does not work: `import grpc, google.protobuf, mq` fails in it.\n"
                f"Remove {self.venv} and call again; if it stays so, `python3 run.py doctor` looks for the cause."
            )

    def _runs(self, *arguments: str) -> bool:
        try:
            done = subprocess.run([str(self.python), *arguments], capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0


def _base_python() -> str:
    """The Python that is not itself inside an environment, which may be the one to be made anew."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Only one call at a time makes the environment; the others wait."""
    with lock.open("a+", encoding="utf-8") as handle:
        _take(handle)
        yield  # closing gives it back


def _take(handle: IO[str]) -> None:
    if os.name == "nt":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        handle.seek(0)
        # Waits ten seconds at most, then raises; so ask until it is ours.
        while True:
            try:
                msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
            except OSError:
                continue
            return
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another run.py is setting up; waiting for it.")
        fcntl.flock(handle, fcntl.LOCK_EX)
