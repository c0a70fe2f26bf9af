"""A grade as files: our own JSON, and Gradescope's `results.json`."""

import json
import time
from pathlib import Path
from typing import Any

from labs.grader.page import page_of
from labs.grader.report import failure_lines
from labs.grader.result import Grade

__all__ = ["PROGRESS", "as_data", "as_gradescope", "note_progress", "write_files"]

PROGRESS = "progress.json"
"""How far a student's own work was when it was last checked or graded, for the course's page."""


def as_data(grade: Grade) -> dict[str, Any]:
    """What `mq lab grade -o json` prints. The keys are a promise."""
    return {
        "lab": grade.lab,
        "score": grade.score,
        "max_score": grade.max_score,
        "mode": grade.mode,
        "reason": grade.reason,
        "submission": grade.mark,
        "seconds": grade.seconds,
        "tests": [
            {
                "name": f"{outcome.number} {outcome.name}",
                "passed": outcome.is_passed,
                "points": outcome.points,
                "max_points": outcome.points_max,
                "message": outcome.message,
                "seed": outcome.seed,
                "schedules": outcome.schedules,
                "seconds": outcome.seconds,
                "replay": outcome.replay,
            }
            for outcome in grade.outcomes
        ],
    }


def as_gradescope(grade: Grade) -> dict[str, Any]:
    """Gradescope's `results.json`. Without `score` of its own: Gradescope adds the tests up; with none there must be one."""
    tests = [
        {
            "name": outcome.name,
            "number": f"{grade.lab.split('_')[0].removeprefix('lab')}.{outcome.number}",
            "score": outcome.points if not grade.reason else 0,
            "max_score": outcome.points_max,
            "status": "passed" if outcome.is_passed else "failed",
            "output": "\n".join(failure_lines(outcome)).strip() if not outcome.is_passed else "",
            "output_format": "text",
            "visibility": "visible",
        }
        for outcome in grade.outcomes
    ]
    head = f"{grade.title}: {grade.score} of {grade.max_score} points ({grade.mode})"
    found: dict[str, Any] = {
        "output": f"{head}\nno mark: {grade.reason}" if grade.reason else head,
        "output_format": "text",
        "execution_time": round(grade.seconds),
        "visibility": "visible",
        "tests": tests,
    }
    return found if tests else {**found, "score": 0}


def write_files(folder: Path, grade: Grade) -> None:
    """`result.json`, `results.json` and `report.html`, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "result.json": json.dumps(as_data(grade), indent=1, ensure_ascii=False),
        "results.json": json.dumps(as_gradescope(grade), indent=1, ensure_ascii=False),
        "report.html": page_of(grade),
    }
    for name, text in texts.items():
        _write(folder / name, text)


def note_progress(folder: Path, grade: Grade, by: str) -> None:
    """The points so far, also of a check that stopped at a failure. by: the command."""
    told = {"points": grade.points, "max_points": grade.max_score, "by": by, "at": time.strftime("%Y-%m-%d %H:%M")}
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / PROGRESS, json.dumps(told))


def _write(file: Path, text: str) -> None:
    half = file.with_name(f".{file.name}.half")
    half.write_text(text + "\n", encoding="utf-8", errors="replace")  # what came back may hold halves of characters
    half.replace(file)
