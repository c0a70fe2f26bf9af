"""What a run found: one row per figure, with its limit measured in the same run, and how it stands to its bar."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

__all__ = ["Bar", "Row", "as_json", "as_text"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise: the median of the figure itself ("value") or of its ratio to the limit is at least or at most `bound`."""

    of: Literal["value", "ratio"]
    kind: Literal["at least", "at most"]
    bound: float

    def is_met(self, value: float, ratio: float | None) -> bool:
        """Whether the promise is kept."""
        measured = value if self.of == "value" else ratio
        if measured is None:
            raise ValueError("a bar on a ratio needs a limit")
        return measured >= self.bound if self.kind == "at least" else measured <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.kind == "at least" else "<="
        if self.of == "value":
            return f"{sign} {shown(self.bound)}"
        return f"{sign} {self.bound:.0%}" if self.kind == "at least" else f"{sign} {self.bound:g}x"


@dataclass(frozen=True)
class Row:
    """One figure. values: one per round. limits: the limit of the same round each; empty when there is none.

    details: what the programs of each round printed, for the JSON.
    """

    name: str
    unit: str
    values: Sequence[float]
    limit_name: str = ""
    limits: Sequence[float] = ()
    bars: Sequence[Bar] = ()
    details: Sequence[object] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not self.values or (self.limits and len(self.limits) != len(self.values)):
            raise ValueError(f"{self.name}: {len(self.values)} values and {len(self.limits)} limits")

    @property
    def ratios(self) -> list[float]:
        """Value to limit, round by round."""
        return [value / limit for value, limit in zip(self.values, self.limits, strict=False)]

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios."""
        return median(self.ratios) if self.limits else None

    def verdicts(self) -> list[str]:
        """Each bar and whether it is met."""
        return [f"{bar} {'met' if bar.is_met(median(self.values), self.ratio) else 'MISSED'}" for bar in self.bars]


def shown(number: float) -> str:
    """A number with as many digits as it deserves."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{round(number, 3):,.3g}"


def _spread(numbers: Sequence[float]) -> str:
    if len(numbers) == 1:
        return shown(numbers[0])
    return f"{shown(median(numbers))} ({shown(min(numbers))}-{shown(max(numbers))})"


def as_text(machine: dict[str, object], rows: Sequence[Row]) -> str:
    """The table for people: medians, with minimum and maximum of the rounds in brackets."""
    cells = [("figure", "measured", "unit", "limit", "of what", "ratio", "bar")]
    for row in rows:
        ratio = ""
        if row.limits:
            ratio = f"{median(row.ratios):.2f}"
            ratio += f" ({min(row.ratios):.2f}-{max(row.ratios):.2f})" if len(row.ratios) > 1 else ""
        limit = _spread(row.limits) if row.limits else ""
        cells.append((row.name, _spread(row.values), row.unit, limit, row.limit_name, ratio, "; ".join(row.verdicts())))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    head = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())
    return "\n".join([head, "", *lines])


def as_json(machine: dict[str, object], rows: Sequence[Row]) -> str:
    """The same for programs, with every round and what each program printed."""
    table = [
        {
            "name": row.name, "unit": row.unit, "median": median(row.values), "values": list(row.values),
            "limit_name": row.limit_name, "limits": list(row.limits), "ratio": row.ratio, "ratios": row.ratios,
            "bars": [{"bar": str(bar), "is_met": bar.is_met(median(row.values), row.ratio)} for bar in row.bars],
            "details": list(row.details),
        }
        for row in rows
    ]  # fmt: skip
    return json.dumps({"machine": machine, "rows": table}, indent=1)
