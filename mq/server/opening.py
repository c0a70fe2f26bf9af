"""Opening a data folder: snapshot, recovery of the log's tail, replay.

What is read is the newest usable snapshot and the log behind it; how long the log is does not matter.
"""

import logging
import time
from dataclasses import dataclass

from mq.broker.commands import decode_command
from mq.broker.machine import BrokerMachine
from mq.broker.store.commit_log import Checkpoint, CommitLog, Recovery
from mq.broker.store.snapshot import Snapshot, decode_snapshot, snapshots_in
from mq.core.entry import EntryKind
from mq.core.errors import DamageError
from mq.core.ids import LogIndex
from mq.core.ports import Read, drive, perform
from mq.server.disk import FileDisk

__all__ = ["OpenedStore", "open_store", "replay"]

_REPLAY_BYTES = 8 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A data folder ready for work, and what opening it came to."""

    log: CommitLog
    machine: BrokerMachine
    recovery: Recovery
    snapshot_index: int
    replayed: int
    seconds: float


def open_store(disk: FileDisk, *, segment_bytes: int) -> OpenedStore:
    """Bring log and state back to where they were.

    Raises: DamageError when something synced is damaged (nothing is changed then); FormatError.
    """
    began = time.monotonic()
    files = disk.files()
    snapshot, machine = _newest_usable(disk)
    log = CommitLog(segment_bytes=segment_bytes)
    checkpoint = Checkpoint.from_bytes(snapshot.checkpoint) if snapshot is not None else None
    recovery = drive(log.recover(files, checkpoint), disk)
    if recovery.damage:
        first = recovery.damage[0]
        raise DamageError(
            first.file,
            first.at,
            f"{first.reason} ({len(recovery.damage)} damaged place(s) below the durable end)",
            first.position,
        )
    if recovery.torn is not None:
        _log.warning("cut a torn write off the log's end: %s", recovery.torn)
    perform(disk, recovery.repairs)
    disk.remove_half_made()
    if machine.applied_index + 1 < log.first_index:
        raise DamageError(
            "snapshots",
            0,
            f"no usable snapshot: the log begins at index {log.first_index}, the state ends at {machine.applied_index}",
        )
    replayed = replay(disk, log, machine)
    return OpenedStore(log, machine, recovery, snapshot.index if snapshot else 0, replayed, time.monotonic() - began)


def replay(disk: FileDisk, log: CommitLog, machine: BrokerMachine) -> int:
    """Apply every entry of the log that the state does not know yet; returns how many."""
    before = machine.applied_index
    while machine.applied_index < log.last_index:
        stored = drive(log.entries(LogIndex(machine.applied_index + 1), log.last_index, _REPLAY_BYTES), disk)
        for entry, place in stored:
            if entry.kind == EntryKind.COMMAND:
                machine.apply(entry.index, decode_command(entry.payload), place)
            else:
                machine.skip(entry.index)
        for queue in (queue for topic in machine.topics.values() for queue in topic.queues):
            perform(disk, queue.flush())
            queue.flushed(queue.entry_count)
    return machine.applied_index - before


def _newest_usable(disk: FileDisk) -> tuple[Snapshot | None, BrokerMachine]:
    """The newest snapshot that is whole and whose consume-queue files are all there, and its state.

    Without one, the state begins empty and the whole log is replayed into it. Raises: FormatError for one that a newer
    program wrote: what else it wrote must not be guessed at.
    """
    files = disk.files()
    for index, file in snapshots_in(files):
        try:
            snapshot = decode_snapshot(file, disk.read(Read(file, 0, files[file])))
            machine = BrokerMachine.from_bytes(snapshot.body)
        except DamageError as error:
            _log.warning("snapshot %s is not usable, an older one is taken: %s", file, error)
            continue
        missing = [m for t in machine.topics.values() for q in t.queues if (m := q.missing(files)) is not None]
        if not missing:
            return snapshot, machine
        _log.warning("snapshot %s needs %s, which is missing; an older one is taken", index, ", ".join(missing[:3]))
    return None, BrokerMachine()
