"""A Raft snapshot as a file on a simulated disk, in the broker's own format: configuration and state are its body."""

from collections.abc import Iterator
from typing import NamedTuple

from mq.broker.store.commit_log import Checkpoint, CommitLog
from mq.broker.store.snapshot import Snapshot as SnapshotFile
from mq.broker.store.snapshot import decode_snapshot, encode_snapshot, snapshot_file, snapshots_in
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Plan, Read, Remove, Replace
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.sim.disk import SimDisk

__all__ = ["SavedSnapshot", "forget_plan", "read_snapshot", "save_plan", "saved_snapshots"]

_LENGTH_BYTES = 4


class SavedSnapshot(NamedTuple):
    """checkpoint: of the log when it was saved, from where a recovery may begin."""

    snapshot: Snapshot
    state: bytes
    checkpoint: Checkpoint


def save_plan(snapshot: Snapshot, state: bytes, log: CommitLog) -> Plan:
    """One step: it is there as a whole, or not at all."""
    members = snapshot.configuration.to_bytes()
    body = len(members).to_bytes(_LENGTH_BYTES, "little") + members + state
    last = snapshot.last
    data = encode_snapshot(SnapshotFile(last.index, last.term, log.checkpoint().to_bytes(), body))
    return (Replace(snapshot_file(last.index), data),)


def forget_plan(disk: SimDisk, index: int) -> Plan:
    """Remove those that stand for less than `index`."""
    return tuple(Remove(file) for at, file in snapshots_in(disk.files()) if at < index)


def read_snapshot(disk: SimDisk, file: str) -> SavedSnapshot:
    """Raises: DamageError, FormatError."""
    stored = decode_snapshot(file, disk.read(Read(file, 0, disk.files()[file])))
    end = _LENGTH_BYTES + int.from_bytes(stored.body[:_LENGTH_BYTES], "little")
    members = Configuration.from_bytes(stored.body[_LENGTH_BYTES:end])
    snapshot = Snapshot(EntryId(Term(stored.term), LogIndex(stored.index)), members)
    return SavedSnapshot(snapshot, stored.body[end:], Checkpoint.from_bytes(stored.checkpoint))


def saved_snapshots(disk: SimDisk) -> Iterator[SavedSnapshot]:
    """The newest first."""
    for _, file in snapshots_in(disk.files()):
        yield read_snapshot(disk, file)
