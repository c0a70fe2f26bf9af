"""Due dates and what being late costs, from one file of the teacher's (`class.toml`).

[lab1a]
due = 2026-12-04T23:59:00+01:00
late_percent_per_day = 10            # of the points; each day that is begun counts
late_days_max = 3                    # later than that is 0

[extra_days]                         # by name of the submission, with or without `.zip` or `.py`
"ada" = 2

[handed_in]                          # when; from your learning platform
"ada" = 2026-12-05T08:12:00+01:00
"""

import json
import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

from labs.grader.lab import every_lab

__all__ = ["NO_POLICY", "Late", "Policy", "PolicyError", "read_policy"]

_T = TypeVar("_T")
_DAY = timedelta(days=1)
_OF_ALL_LABS = ("extra_days", "handed_in")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class PolicyError(Exception):
    """The file says something else; the message names the place."""


@dataclass(frozen=True, slots=True)
class Late:
    """days: begun, after what was granted; None when nobody knows. points: what is left of the score."""

    days: int | None
    points: float


@dataclass(frozen=True, slots=True)
class Policy:
    """due: with its offset; None when there is none."""

    due: datetime | None = None
    percent_per_day: float = 0.0
    days_max: int | None = None
    extra_days: Mapping[str, float] = field(default_factory=dict)
    handed_in: Mapping[str, datetime] = field(default_factory=dict)

    def late(self, name: str, score: float) -> Late:
        """Of one submission."""
        if self.due is None:
            return Late(0, score)
        when = _of(self.handed_in, name)
        if when is None:
            return Late(None, score)
        over = when - self.due - _DAY * (_of(self.extra_days, name) or 0.0)
        days = max(0, math.ceil(over / _DAY))
        if self.days_max is not None and days > self.days_max:
            return Late(days, 0.0)
        return Late(days, round(score * max(0.0, 1 - self.percent_per_day * days / 100), 1))

    def strangers(self, names: Collection[str]) -> list[str]:
        """Who is named here and handed nothing in: perhaps they are called otherwise there."""
        known = {each for name in names for each in (name, _bare(name))}
        return sorted({*self.extra_days, *self.handed_in} - known)


def _bare(name: str) -> str:
    """Of a file, without what says its kind."""
    return name.rpartition(".")[0] if name.lower().endswith((".zip", ".py")) else name


def _of(told: Mapping[str, _T], name: str) -> _T | None:
    return told.get(name, told.get(_bare(name)))


NO_POLICY = Policy()


def read_policy(file: Path, lab: str) -> Policy:
    """Of a lab, by its short name. Raises: PolicyError."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PolicyError(f"there is no {file}") from error
    except OSError as error:
        raise PolicyError(f"{file} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"{file}: {error}") from error
    _check_tables(file, data)
    mine = data.get(lab, {})
    known = {"due", "late_percent_per_day", "late_days_max"}
    if unknown := set(mine) - known:
        raise PolicyError(f"{file}: [{lab}] knows {', '.join(sorted(known))}, not {', '.join(sorted(unknown))}")
    due = mine.get("due")
    moments = {f"[{lab}] due": due, **{f"[handed_in] {name}": when for name, when in data.get("handed_in", {}).items()}}
    for where, moment in moments.items():
        _check_moment(file, where, moment)
    numbers = {"late_percent_per_day": mine.get("late_percent_per_day", 0), "late_days_max": mine.get("late_days_max", 0)}
    numbers |= {f"[extra_days] {name}": days for name, days in data.get("extra_days", {}).items()}
    for where, number in numbers.items():
        if type(number) not in (int, float) or not 0 <= number <= 1000:
            raise PolicyError(f"{file}: {where} is {_as_toml(number)}, expected a number from 0 on")
    percent, days_max = float(mine.get("late_percent_per_day", 0)), mine.get("late_days_max")
    return Policy(due, percent, days_max, data.get("extra_days", {}), data.get("handed_in", {}))


def _check_tables(file: Path, data: Mapping[str, Any]) -> None:
    """A name that is written wrong would leave a whole class without its due date."""
    known = [*(each.short for each in every_lab()), *_OF_ALL_LABS]
    for name, value in data.items():
        if name not in known:
            raise PolicyError(
                f"{file}: there is no [{_as_toml_key(name)}]; its tables are {', '.join(f'[{one}]' for one in known)}"
            )
        if not isinstance(value, dict):
            raise PolicyError(f"{file}: {name} is {_as_toml(value)}, expected a table [{name}]")


def _as_toml_key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _as_toml(value: object) -> str:
    """As the file says it, or nearly."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return "a table"
    return json.dumps(value, ensure_ascii=False, default=str)


def _check_moment(file: Path, where: str, moment: Any) -> None:
    if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
        raise PolicyError(
            f"{file}: {where} is {_as_toml(moment)}, expected a moment with its offset, such as 2026-12-04T23:59:00+01:00"
        )
