"""Opening a data folder: snapshot, recovery of the log's tail, replay.

What is read is the newest usable snapshot and the log behind it; how long the log is does not matter.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mq.broker.commands import decode_command
from mq.broker.machine import BrokerMachine
from mq.broker.store.commit_log import Checkpoint, CommitLog, Recovery
from mq.broker.store.snapshot import Snapshot as SnapshotFile
from mq.broker.store.snapshot import decode_snapshot, snapshots_in
from mq.core.entry import EntryKind
from mq.core.errors import DamageError
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Read, drive, perform
from mq.raft.configuration import Configuration
from mq.raft.messages import Snapshot
from mq.raft.restart import later_configurations
from mq.server.disk import FileDisk
from mq.server.durable_note import DURABLE_FILE, proves_loss
from mq.server.organs import OrganError, Organs

__all__ = ["ASIDE", "OpenedStore", "open_store", "replay"]

ASIDE = "damaged-"
"""How the names of folders begin that hold what was put aside (`mq.server.setting_aside`); nothing of it is opened."""
_REPLAY_BYTES = 8 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A data folder ready for work, and what opening it came to.

    snapshots: all that are whole, by index. configurations: (index, members) that the newest of them and the log behind it
    tell of, for a node of a group.
    """

    log: CommitLog
    machine: BrokerMachine
    recovery: Recovery
    snapshots: dict[int, Snapshot]
    configurations: tuple[tuple[LogIndex, Configuration], ...]
    replayed: int
    seconds: float

    @property
    def snapshot_index(self) -> int:
        """Of the newest snapshot; 0 without one."""
        return max(self.snapshots, default=0)


def open_store(disk: FileDisk, *, segment_bytes: int, is_of_group: bool = False, organs: Organs | None = None) -> OpenedStore:
    """Bring log and state back to where they were.

    organs: whose classes log, delivery tables and consume queues are made of.
    is_of_group: only the others can say how much of the log is committed, so that what is behind the snapshot is not applied.
    Raises: DamageError when something synced is damaged or gone (nothing is changed then); FormatError; OrganError.
    """
    began = time.monotonic()
    files = {file: size_bytes for file, size_bytes in disk.files().items() if not file.startswith(ASIDE)}
    found = _snapshots(disk, files)
    organs = organs or Organs()
    log = organs.commit_log(segment_bytes=segment_bytes)
    newest, machine = _newest_usable(found, files, organs)
    recovery = _recover(log, files, disk, newest if found and newest is found[0] else None, organs)
    perform(disk, recovery.repairs)
    if machine.applied_index + 1 < log.first_index and found and newest is not found[0]:
        newest, machine = _hollowed(found[0], disk, log, organs)
    disk.remove_half_made()
    if machine.applied_index + 1 < log.first_index:
        raise DamageError(
            "snapshots",
            0,
            f"no usable snapshot: the log begins at index {log.first_index}, the state ends at {machine.applied_index}",
        )
    snapshots = {file.index: _stands_for(file) for file in found if newest is not None and file.index <= newest.index}
    configurations: tuple[tuple[LogIndex, Configuration], ...] = ()
    replayed = 0
    if is_of_group:
        stands_for = snapshots[newest.index] if newest is not None else None
        last = EntryId(Term(0), LogIndex(0)) if stands_for is None else stands_for.last
        behind = drive(later_configurations(log, last), disk)
        configurations = behind if stands_for is None else ((last.index, stands_for.configuration), *behind)
    else:
        replayed = replay(disk, log, machine)
    return OpenedStore(log, machine, recovery, snapshots, configurations, replayed, time.monotonic() - began)


def _recover(log: CommitLog, files: Mapping[str, int], disk: FileDisk, newest: SnapshotFile | None, organs: Organs) -> Recovery:
    checkpoint = Checkpoint.from_bytes(newest.checkpoint) if newest is not None else None
    recovery = drive(log.recover(files, checkpoint), disk)
    if recovery.damage:
        first = recovery.damage[0]
        reason = f"{first.reason} ({len(recovery.damage)} damaged place(s) below the durable end)"
        raise organs.judged(DamageError(first.file, first.at, reason, first.position), "recover")
    _check_end(log, files, disk, organs)
    if recovery.torn is not None:
        _log.warning("cut a torn write off the log's end: %s", recovery.torn)
    return recovery


def _check_end(log: CommitLog, files: Mapping[str, int], disk: FileDisk, organs: Organs) -> None:
    """Nothing that was ever said to be durable may be missing. Raises: DamageError; OrganError, of a replaced log."""
    noted = proves_loss(disk, files, log.last_index)
    if noted is None:
        return
    said = f"entries up to {noted} were durable here (the file `{DURABLE_FILE}` says so)"
    if "commit_log" in organs.parts.replaced():
        raise OrganError(f"commit_log: `recover` found entries up to {log.last_index}, and {said}: they are lost")
    newest = log.segments()[-1] if log.segments() else None
    file, at = (newest.file, newest.written_bytes) if newest is not None else ("log/", 0)
    raise DamageError(file, at, f"the log ends with entry {log.last_index}, and {said}: they are lost")


def replay(disk: FileDisk, log: CommitLog, machine: BrokerMachine) -> int:
    """Apply every entry of the log that the state does not know yet; returns how many."""
    before = machine.applied_index
    while machine.applied_index < log.last_index:
        stored = drive(log.entries(LogIndex(machine.applied_index + 1), log.last_index, _REPLAY_BYTES), disk)
        for entry, place in stored:
            if entry.kind == EntryKind.COMMAND:
                machine.apply(entry.index, decode_command(entry.payload, is_to_apply=True), place)
            else:
                machine.skip(entry.index)
            machine.applied_bytes += len(entry.payload)
        for queue in (queue for topic in machine.topics.values() for queue in topic.queues):
            perform(disk, queue.flush())
            queue.flushed(queue.entry_count)
    return machine.applied_index - before


def _snapshots(disk: FileDisk, files: Mapping[str, int]) -> list[SnapshotFile]:
    """All that are whole, the newest first.

    Raises: FormatError for one that a newer program wrote: what else it wrote must not be guessed at.
    """
    found = []
    for _, file in snapshots_in(files):
        try:
            found.append(decode_snapshot(file, disk.read(Read(file, 0, files[file]))))
        except DamageError as error:
            _log.warning("snapshot %s is not usable, an older one is taken: %s", file, error)
    return found


def _stands_for(file: SnapshotFile) -> Snapshot:
    members = Configuration.from_bytes(file.members) if file.members else Configuration.of(1)
    return Snapshot(EntryId(Term(file.term), LogIndex(file.index)), members)


def _newest_usable(
    found: Sequence[SnapshotFile], files: Mapping[str, int], organs: Organs
) -> tuple[SnapshotFile | None, BrokerMachine]:
    """The newest snapshot whose consume-queue files are all there, and its state.

    Without one, the state begins empty and the whole log is replayed into it.
    """
    for snapshot in found:
        machine = BrokerMachine.from_bytes(snapshot.body, organs.delivery_table, organs.consume_queue)
        missing = [m for t in machine.topics.values() for q in t.queues if (m := q.missing(files)) is not None]
        if not missing:
            return snapshot, machine
        _log.warning("snapshot %s needs %s, which is missing; an older one is taken", snapshot.index, ", ".join(missing[:3]))
    return None, BrokerMachine(organs.delivery_table, organs.consume_queue)


def _hollowed(
    snapshot: SnapshotFile, disk: FileDisk, log: CommitLog, organs: Organs
) -> tuple[SnapshotFile | None, BrokerMachine]:
    """A snapshot that the log follows, whose queue files were never here: it came from a leader, and the crash was quicker.

    What they would speak of is not in this log either.
    """
    machine = BrokerMachine.from_bytes(snapshot.body, organs.delivery_table, organs.consume_queue)
    if snapshot.index + 1 < log.first_index:
        return None, BrokerMachine(organs.delivery_table, organs.consume_queue)
    for topic in machine.topics.values():
        for queue in topic.queues:
            perform(disk, queue.hollow())
    return snapshot, machine
