"""Data on standard output, as a table or as JSON; everything else goes to standard error."""

import base64
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mq.client.views import MessageView

__all__ = ["as_text", "message_to_json", "note", "print_json", "print_line", "print_table", "show_time", "terminal_width"]

_CELL_CHARS_MAX = 60
_LAST_CHARS_MIN = 8


def note(text: str) -> None:
    """A line for the person at the terminal, on standard error."""
    print(text, file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
    if hasattr(value, "body"):
        value = message_to_json(value)
    elif is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def print_json(value: Any, *, is_line: bool = False) -> None:
    """Dataclasses, lists and plain values as JSON. is_line: all in one line, for one of many."""
    print_line(json.dumps(_plain(value), ensure_ascii=False, indent=None if is_line else 2))


def print_line(text: str) -> None:
    """A line of data, at once; what the output's encoding cannot say is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


def message_to_json(message: "MessageView") -> dict[str, Any]:
    """A message as a JSON object. A body that is not UTF-8 stands in `body_base64`, and `body` is null."""
    values = asdict(message)
    body = values.pop("body")
    try:
        values["body"] = body.decode()
    except UnicodeDecodeError:
        values["body"], values["body_base64"] = None, base64.b64encode(body).decode()
    if message.origin is not None:
        values["origin"] = {"topic": message.origin[0], "message_id": message.origin[1]}
    return values


def as_text(value: object, *, chars_max: int | None = None) -> str:
    """A value for a terminal: no control characters, so that a message cannot play tricks; cut to `chars_max`."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    return text if chars_max is None or len(text) <= chars_max else text[: chars_max - 1] + "…"


def terminal_width() -> int:
    """Columns of the terminal that data is printed on; unlimited when it goes to a file or another program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def show_time(time_ms: int) -> str:
    """Unix milliseconds in local time; `-` for 0."""
    if time_ms <= 0:
        return "-"
    try:
        return datetime.fromtimestamp(time_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except (OverflowError, ValueError, OSError):
        return str(time_ms)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows below their headings; numbers to the right, `yes` and `no` for booleans.

    In a terminal the last column is cut so that a row fits in a line, if it is the one to blame.
    """
    table = [[("no", "yes")[value] if isinstance(value, bool) else value for value in row] for row in rows]
    cells = [[as_text(value, chars_max=_CELL_CHARS_MAX) for value in row] for row in table]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    is_number = [bool(table) and all(isinstance(row[i], (int, float)) for row in table) for i in range(len(columns))]
    room = terminal_width() - sum(widths[:-1]) - 2 * len(widths[:-1])
    for row in [[name.upper() for name in columns], *cells]:
        if not is_number[-1] and room >= _LAST_CHARS_MIN:
            row[-1] = as_text(row[-1], chars_max=room)
        print_line("  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, is_number, strict=True)).rstrip())
