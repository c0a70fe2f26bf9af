"""`run.py doctor`: what this machine has, what is missing, and the exact command that mends it."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tools.runner.environment import PURPOSES, Environment, venv_advice
from tools.runner.indexes import pip_settings, redacted, uv_command
from tools.runner.measure import fsync_ms, index_answer, memory_bytes, open_files_max, port_is_free
from tools.runner.places import ROOT

__all__ = ["Finding", "Grade", "examine", "run"]

_PORTS = {8081: "clients", 8082: "console", 9876: "registry", 10921: "broker peers", 5557: "metrics"}
_DISK_FREE_MIN = 2 << 30
_MEMORY_MIN = 2 << 30
_FSYNC_MS_SLOW = 20.0
_FSYNC_MS_UNREAL = 0.02
_OPEN_FILES_MIN = 1024
_GIB = 1 << 30


class Grade(Enum):
    """How bad a finding is: nothing, worth knowing, in the way."""

    OK = "ok"
    NOTE = "note"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, what was found, and what mends it."""

    grade: Grade
    subject: str
    text: str
    mend: str = ""


def _python() -> Finding:
    text = f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    if sys.maxsize < 1 << 32:
        return Finding(Grade.MISSING, "Python", f"{text}: a 32-bit Python", "install a 64-bit Python 3.11 or newer")
    return Finding(Grade.OK, "Python", text)


def _venv() -> Finding:
    if advice := venv_advice():
        text, _, command = advice.partition("\nMend it with:  ")
        return Finding(Grade.MISSING, "venv", text, command)
    return Finding(Grade.OK, "venv", "this Python can make environments")


def _environment(environment: Environment) -> Finding:
    ready = [purpose for purpose in PURPOSES if environment.is_ready(purpose)]
    if ready == list(PURPOSES):
        return Finding(Grade.OK, "environment", f"{environment.venv} is ready for {' and '.join(ready)}")
    missing = [purpose for purpose in PURPOSES if purpose not in ready]
    state = "not made yet" if not environment.venv.exists() else f"not ready for {' and '.join(missing)}"
    return Finding(Grade.NOTE, "environment", state, f"python3 run.py setup {missing[-1]}    (demo and test do it by themselves)")


def _packages() -> Finding:
    settings = pip_settings(os.environ)
    parts = [f"{key}={redacted(value)}" for key, value in settings.items()]
    variables = (key for key in ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE") if os.environ.get(key))
    parts += [f"{key}={redacted(os.environ[key])}" for key in variables]
    tool = "uv" if uv_command(os.environ) else "pip"
    return Finding(Grade.OK, "packages", f"with {tool}, from {'; '.join(parts) if parts else 'the public index'}")


def _index(environment: Environment) -> Finding | None:
    if environment.is_ready(PURPOSES[-1]):
        return None  # nothing will be asked of it
    url = pip_settings(os.environ).get("index-url", "https://pypi.org/simple")
    complaint = index_answer(url)
    if complaint:
        mend = "set HTTPS_PROXY (a proxy), PIP_INDEX_URL (a mirror) or PIP_CERT (a private certificate authority)"
        return Finding(Grade.MISSING, "index", f"{redacted(url)} does not answer: {complaint}", mend)
    return Finding(Grade.OK, "index", f"{redacted(url)} answers")


def _disk() -> Finding:
    free = shutil.disk_usage(ROOT).free
    text = f"{free / _GIB:.1f} GiB free in {ROOT}"
    if free < _DISK_FREE_MIN:
        return Finding(Grade.MISSING, "disk", text, "free 2 GiB there: the environment takes 0.6, the tests' data the rest")
    return Finding(Grade.OK, "disk", text)


def _fsync() -> Finding:
    try:
        median, worst = fsync_ms(ROOT)
    except OSError as error:
        return Finding(Grade.MISSING, "fsync", f"cannot write here: {error}", "work in a folder of your own")
    text = f"median {median:.2f} ms, worst {worst:.2f} ms; every acknowledged message waits for one"
    if median > _FSYNC_MS_SLOW:
        return Finding(Grade.NOTE, "fsync", f"{text}: slow", "put the checkout on a local disk")
    if median < _FSYNC_MS_UNREAL:
        return Finding(Grade.NOTE, "fsync", f"{text}: this disk only says so (memory?); do not measure here")
    return Finding(Grade.OK, "fsync", text)


def _memory() -> Finding:
    total = memory_bytes()
    if total is None:
        return Finding(Grade.NOTE, "memory", f"size unknown; {os.cpu_count()} cores")
    text = f"{total / _GIB:.1f} GiB, {os.cpu_count()} cores"
    if total < _MEMORY_MIN:
        return Finding(Grade.NOTE, "memory", f"{text}: tight", "close other programs before demo and test")
    return Finding(Grade.OK, "memory", text)


def _files() -> Finding | None:
    most = open_files_max()
    if most is None or most >= _OPEN_FILES_MIN:
        return None
    return Finding(Grade.NOTE, "open files", f"at most {most}", f"ulimit -n {_OPEN_FILES_MIN}")


def _ports() -> Finding:
    taken = [f"{port} ({use})" for port, use in _PORTS.items() if not port_is_free(port)]
    if not taken:
        return Finding(Grade.OK, "ports", f"{', '.join(map(str, _PORTS))} are free")
    mend = "stop what listens there, or give `mq broker --listen` another port; demo and test choose free ones"
    return Finding(Grade.NOTE, "ports", f"taken: {', '.join(taken)}", mend)


def _docker() -> Finding:
    later = "only for clusters in containers, a later stage"
    if not shutil.which("docker"):
        return Finding(Grade.OK, "Docker", f"not installed ({later})")
    try:
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Finding(Grade.NOTE, "Docker", f"installed, but does not answer ({later})", "start its daemon")
    if done.returncode:
        text = f"installed, but its daemon does not answer ({later})"
        return Finding(Grade.NOTE, "Docker", text, "start the daemon, or join the group docker")
    return Finding(Grade.OK, "Docker", f"{done.stdout.strip()} ({later})")


def examine(environment: Environment) -> list[Finding]:
    """Look at everything; takes a second or two."""
    looks: list[Callable[[], Finding | None]] = [
        _python, _venv, lambda: _environment(environment), _packages, lambda: _index(environment),
        _disk, _fsync, _memory, _files, _ports, _docker,
    ]  # fmt: skip
    return [finding for look in looks if (finding := look()) is not None]


def run(environment: Environment) -> int:
    """Print what was found; 0 when demo and test can run, 1 when something is in the way."""
    findings = examine(environment)
    for finding in findings:
        print(f"{finding.grade.value:8}{finding.subject:13}{finding.text}")
        if finding.mend:
            print(f"{'':21}mend: {finding.mend}")
    missing = [finding.subject for finding in findings if finding.grade is Grade.MISSING]
    print(f"\nIn the way: {', '.join(missing)}." if missing else "\nNothing is in the way: python3 run.py demo")
    return 1 if missing else 0
