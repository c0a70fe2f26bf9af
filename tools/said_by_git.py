"""What git says of this checkout."""

import subprocess
from pathlib import Path

__all__ = ["commit", "said_by_git"]

_ROOT = Path(__file__).parent.parent


def said_by_git(*words: str) -> str:
    """Its answer without the last line end; empty when there is no repository."""
    return subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()


def commit() -> str:
    """The one that is checked out, in short; empty without any."""
    return said_by_git("rev-parse", "--short", "HEAD")
