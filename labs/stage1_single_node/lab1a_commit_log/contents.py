"""What is appended here: payloads that can be told from all others, entries of all kinds; and what is read of them."""

from collections.abc import Iterable
from zlib import crc32

from labs.stage1_single_node.lab1a_commit_log.promises import broken
from mq.broker.store.log_view import StoredEntry
from mq.broker.store.record import decode_record
from mq.broker.store.segment import segment_base
from mq.core.entry import Entry, EntryKind, RecordPlace
from mq.core.errors import FormatError
from mq.core.ports import Read
from mq.sim.disk import SimDisk

__all__ = ["body", "check_stored", "kind_of"]


def body(number: int, size_bytes: int = 12) -> bytes:
    """A payload that can be told from all others and has a given size."""
    return (b"<%d>" % number).ljust(size_bytes, b"abcdefgh"[number % 8 : number % 8 + 1])


def kind_of(payload: bytes) -> EntryKind:
    """The kind that an entry with this payload is appended as: as good as drawn, and the same in every process."""
    return EntryKind(crc32(payload) % len(EntryKind))


def check_stored(found: Iterable[StoredEntry], disk: SimDisk) -> None:
    """Entries whose payloads are right have their kinds as well, and lie where they say. Raises: PromiseBrokenError."""
    for entry, place in found:
        if entry.kind != (kind := kind_of(entry.payload)):
            expected = f"entry {entry.index} is of kind {kind.name}, as it was appended"
            raise broken(5, expected=expected, found=f"`entries` returned it as {entry.kind.name}")
        if (there := _record_at(place, disk)) != entry:
            lies = "no whole record is" if there is None else f"entry {there.index} of term {there.term} is"
            expected = f"entry {entry.index} lies at {place}, as `entries` says"
            raise broken(2, expected=expected, found=f"{lies} there")


def _record_at(place: RecordPlace, disk: SimDisk) -> Entry | None:
    """What lies there, told by the names of the files alone: no log is asked."""
    for file, size_bytes in disk.files().items():
        base = segment_base(file)
        if base is not None and 0 <= place.position - base < size_bytes and 0 < place.size_bytes <= size_bytes:
            try:
                return decode_record(disk.read(Read(file, place.position - base, place.size_bytes)))
            except FormatError:
                return None
    return None
