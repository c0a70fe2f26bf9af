"""Sizes and durations as people write them: `64MiB`, `5s`."""

import re

from mq.core.errors import IllegalArgumentError

__all__ = ["parse_duration_ms", "parse_size_bytes", "show_bytes", "show_duration_ms"]

_NUMBER_AND_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
}
_DURATION_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3600_000, "d": 86_400_000}


def _parse(text: str, field: str, units: dict[str, int], example: str) -> int:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        known = ", ".join(unit for unit in units if unit)
        raise IllegalArgumentError(f"{field}: {text!r} is not a number with a unit, such as {example} (units: {known})")
    whole, _, part = match[1].partition(".")
    # In whole numbers: a float would not keep every byte of a large size.
    scale: int = 10 ** len(part)
    value, rest = divmod(int(whole + part) * factor, scale)
    if rest:
        raise IllegalArgumentError(
            f"{field}: {text!r} is not a whole number of {'bytes' if units is _SIZE_UNITS else 'milliseconds'}"
        )
    return value


def parse_size_bytes(text: str, field: str = "size") -> int:
    """Bytes of a size such as `64MiB`, `1.5GiB`, `500kb` or `4096`; units in any case, without one it is bytes.

    Raises: IllegalArgumentError naming `field`.
    """
    return _parse(text, field, _SIZE_UNITS, "64MiB")


def parse_duration_ms(text: str, field: str = "duration") -> int:
    """Milliseconds of a duration such as `5s`, `250ms`, `1.5h` or `7d`; a unit is needed, but for 0.

    Raises: IllegalArgumentError naming `field`.
    """
    return 0 if text.strip() == "0" else _parse(text, field, _DURATION_UNITS, "5s")


def show_bytes(size_bytes: int) -> str:
    """A size for people, such as `64.0 MiB`."""
    value, units = float(size_bytes), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{size_bytes} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def show_duration_ms(duration_ms: int) -> str:
    """A duration for people, such as `3 d 4 h` or `1.5 s`: its two largest units."""
    if duration_ms < 60_000:
        return f"{duration_ms} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"
    parts, rest = [], duration_ms
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _DURATION_UNITS[unit])
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
