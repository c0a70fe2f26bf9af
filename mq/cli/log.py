"""`mq log`: the commit log of a stopped broker, for people."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mq.cli.options import WholeNumber, output_option
from mq.cli.output import as_text, note, print_json, print_line, show_time

if TYPE_CHECKING:
    from mq.broker.commands import Command
    from mq.broker.store.commit_log import CommitLog, StoredEntry
    from mq.core.ports import Disk

__all__ = ["log_command"]

_CHUNK_BYTES = 1 << 20
_TEXT_CHARS_MAX = 400
_COLUMNS = f"{'INDEX':>8} {'TERM':>4} {'POSITION':>12} {'TIME':23} COMMAND AND FIELDS"


@click.group("log")
def log_command() -> None:
    """Read the commit log of a stopped broker."""


@log_command.command("dump", short_help="Print the entries of the log.")
@output_option
@click.option("--data", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The broker's data folder.")
@click.option("--from", "first", type=WholeNumber(min=1), metavar="INDEX", help="Begin here; otherwise with the first entry.")
@click.option("--to", "last", type=WholeNumber(min=1), metavar="INDEX", help="End here; otherwise with the last entry.")
def _dump(data: Path, first: int | None, last: int | None, is_json: bool) -> int:  # noqa: FBT001 - click's own way
    """Print the entries of the log: index, term, place, and what each says; of messages their ids and sizes, not their bodies.

    Nothing is changed: a torn write at the log's end is reported and stays. With -o json each entry is an object in a line
    of its own. Exit code 1: the log is damaged, or there is no such entry.
    """
    from mq.broker.store.commit_log import CommitLog  # noqa: PLC0415
    from mq.cli.data_folder import describe_damage, describe_torn, locked_folder  # noqa: PLC0415
    from mq.core.ports import drive  # noqa: PLC0415

    with locked_folder(data) as disk:
        log = CommitLog()
        recovery = drive(log.recover(disk.files()), disk)
        if recovery.torn is not None:
            note(f"mq: {describe_torn(recovery.torn)}")
        for damage in recovery.damage:
            note(f"mq: {describe_damage(damage)}")
        if not log.segments() and not recovery.damage:
            note(f"mq: {data} holds no commit log")
            return 1
        begin, end = max(first or 0, log.first_index), min(last or log.last_index, log.last_index)
        if not is_json and begin <= end:
            print_line(_COLUMNS)
        for stored in _entries(log, disk, begin, end):
            _print(stored, is_json=is_json)
        if begin > end:
            holds = f"{log.first_index} to {log.last_index}" if log.first_index <= log.last_index else "none"
            note(f"mq: there is no such entry; the log holds {holds}")
    return 1 if recovery.damage or begin > end else 0


def _entries(log: "CommitLog", disk: "Disk", first: int, last: int) -> "Iterator[StoredEntry]":
    from mq.core.ids import LogIndex  # noqa: PLC0415
    from mq.core.ports import drive  # noqa: PLC0415

    while first <= last:
        chunk = drive(log.entries(LogIndex(first), LogIndex(last), _CHUNK_BYTES), disk)
        yield from chunk
        first += len(chunk)


def _print(stored: "StoredEntry", *, is_json: bool) -> None:
    entry, place = stored.entry, stored.place
    name, values = _explain(entry.kind, entry.payload)
    kind = entry.kind.name.lower()
    if is_json:
        head = {
            "index": entry.index,
            "term": entry.term,
            "kind": kind,
            "position": place.position,
            "size_bytes": place.size_bytes,
        }
        print_json({**head, "command": name, "fields": values}, is_line=True)
        return
    text = " ".join(f"{key}={_short(value)}" for key, value in values.items() if not _is_dull(key, value))
    stamp = show_time(values.get("wall_ms", 0))
    line = f"{entry.index:>8} {entry.term:>4} {place.position:>12} {stamp:23} {name or kind} {text}"
    print_line(as_text(line.rstrip(), chars_max=_TEXT_CHARS_MAX))


def _is_dull(key: str, value: Any) -> bool:
    return key in ("log_ms", "wall_ms") or value in ("", ()) or (key == "due_ms" and value == 0)


def _short(value: Any) -> str:
    """A field's value for people: parts of one thing joined by colons, several things by commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(value)
    if is_dataclass(value):
        # What a receive took from a queue: only what differs from "nothing".
        parts = [(field.name, getattr(value, field.name)) for field in fields(value)]
        return "(" + " ".join(f"{name}={_short(part)}" for name, part in parts if part != () and part is not False) + ")"
    if isinstance(value, tuple):
        return (",".join if any(isinstance(part, tuple) or is_dataclass(part) for part in value) else ":".join)(
            map(_short, value)
        )
    return str(value)


def _explain(kind: int, payload: bytes) -> tuple[str | None, dict[str, Any]]:
    """The command's name and what it says; None for an entry that is no command."""
    from mq.broker.commands import decode_command  # noqa: PLC0415
    from mq.core.entry import EntryKind  # noqa: PLC0415
    from mq.core.errors import FormatError  # noqa: PLC0415

    if kind != EntryKind.COMMAND:
        return None, {"payload_bytes": len(payload)} if payload else {}
    try:
        command = decode_command(payload)
    except FormatError as error:
        return None, {"unknown": str(error), "payload_bytes": len(payload)}
    return type(command).__name__, _values(command)


def _values(command: "Command") -> dict[str, Any]:
    from mq.broker.batch import AppendMessages  # noqa: PLC0415
    from mq.core.message import MessageKind, Permission  # noqa: PLC0415

    values = {field.name: getattr(command, field.name) for field in fields(command)}
    for name, kinds in (("message_kind", MessageKind), ("permission", Permission)):
        if values.get(name) in tuple(kinds):
            values[name] = kinds(values[name]).name.lower()
    if isinstance(command, AppendMessages):
        values["messages"] = len(command.messages)
        values["shared"] = "" if command.shared is None else f"{len(command.shared)} bytes"
        values["bytes"] = sum(map(len, command.messages))
        if isinstance(command.tags, tuple):
            values["tags"] = sorted(set(command.tags))
        values["ids"] = list(command.ids) if len(command.ids) <= 2 else [command.ids[0], "...", command.ids[-1]]
    return values
