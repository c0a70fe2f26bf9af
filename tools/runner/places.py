"""Where things are in a checkout, and which Python a virtual environment has."""

import os
from pathlib import Path

__all__ = ["LOCK", "ROOT", "STAMP", "VENV", "requirements_file", "script_in", "venv_python"]

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
STAMP = "raftmq-environment.json"
"""In the environment: what it was made for. Written last, so its absence means half-made."""
LOCK = ROOT / ".venv.lock"


def _scripts(venv: Path) -> Path:
    return venv / ("Scripts" if os.name == "nt" else "bin")


def venv_python(venv: Path = VENV) -> Path:
    """The environment's interpreter; it need not exist."""
    return _scripts(venv) / ("python.exe" if os.name == "nt" else "python")


def script_in(venv: Path, name: str) -> Path:
    """A command that a package brought, such as `mq`."""
    return _scripts(venv) / (f"{name}.exe" if os.name == "nt" else name)


def requirements_file(purpose: str, root: Path = ROOT) -> Path:
    """The locked packages, with hashes, for a purpose of `environment.PURPOSES`."""
    return root / "requirements" / f"{purpose}.txt"
