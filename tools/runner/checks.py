"""What a change must pass besides the tests: linters, types, import rules, generated files, house rules."""

import subprocess
import time
from pathlib import Path

from tools.runner.places import ROOT, VENV, script_in
from tools.runner.say import say

__all__ = ["run"]


def _commands(python: Path) -> dict[str, list[str]]:
    module = [str(python), "-m"]
    return {
        "ruff": [*module, "ruff", "check", "--quiet", "--output-format=concise", "."],
        "ruff format": [*module, "ruff", "format", "--check", "--quiet", "--output-format=concise", "."],
        "mypy": [*module, "mypy"],
        "import rules": [str(script_in(VENV, "lint-imports"))],
        "generated files": [str(python), "tools/generate_proto.py", "--check"],
        "house rules": [*module, "pytest", "-q", "--no-header", "tests/unit/test_tidy.py", "tests/unit/test_layout.py"],
    }


def run(python: Path) -> int:
    """Run every check, show what the failing ones say, and return 0 when all passed, else 1."""
    failed = []
    for name, command in _commands(python).items():
        begun = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
        )
        say(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {name} ({time.monotonic() - begun:.1f} s)")
        if done.returncode:
            failed.append(name)
            say(done.stdout.rstrip() + "\n")
    say(f"{len(failed)} checks failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0
