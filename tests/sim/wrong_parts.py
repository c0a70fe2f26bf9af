"""Logs and machines with famous mistakes. Each works as long as nothing goes wrong; the world must kill each.

Each says in its first line what it gets wrong. They use nothing but the public words of the reference
(`HigherTermWins` also its state).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from labs.stage1_single_node.lab1a_commit_log.wrong import higher_term_wins
from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.flight import Received
from mq.broker.machine import BrokerMachine
from mq.broker.outcomes import Acked, Outcome, Sent
from mq.broker.sent_ids import SentIds
from mq.broker.store.commit_log import Appended, Checkpoint, CommitLog, Recovery
from mq.broker.store.consume_queue import QueueEntry
from mq.broker.store.record import RECORD_HEADER_BYTES
from mq.core.entry import Entry, EntryKind, HardState, RecordPlace
from mq.core.ids import EntryId, LogIndex, Term
from mq.core.ports import Create, Read, Remove, Steps, Sync, Write
from mq.sim.node import Parts


class AcksBeforeSync(CommitLog):
    """Says that an append is durable when it is written; RocketMQ's asynchronous flush."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        return replace(appended, plan=appended.plan[:-1])


class SyncsBeforeItWrites(CommitLog):
    """Syncs first and writes then: the bytes of the group before are durable, its own are not."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        write, sync = appended.plan[-2:]
        return replace(appended, plan=(*appended.plan[:-2], sync, write))


class SyncsTheWrongFile(CommitLog):
    """After a roll syncs the segment that is full, not the new one."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        first = appended.plan[0]
        return replace(appended, plan=(*appended.plan[:-1], Sync(first.file)))


class ForgetsToSyncTheSegmentHeader(CommitLog):
    """Writes the header of a new segment only with the next append, behind the sync of the first group."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        headers = [o for o in appended.plan if isinstance(o, Write) and o.at == 0]
        return replace(appended, plan=(*(o for o in appended.plan if o not in headers), *headers))


class CutsDamage(CommitLog):
    """Takes every damaged place for a torn write and cuts it off, with all that was synced behind it."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        probe = CommitLog()
        found = yield from probe.recover(files)
        if not found.damage:
            return (yield from super().recover(files, checkpoint))
        place = found.damage[0]
        kept = {file: size for file, size in files.items() if not file.startswith("log/") or file <= place.file}
        recovery = yield from _with_zeros(super().recover(kept), place.file, place.at)
        zeros = Write(place.file, place.at, bytes(files.get(place.file, place.at) - place.at))
        return replace(recovery, repairs=(zeros, *recovery.repairs))


def _with_zeros(steps: Steps[Recovery], file: str, at: int) -> Generator[Read, bytes, Recovery]:
    """Let a reader see nothing but zeros from a byte on."""
    try:
        wanted = next(steps)
        while True:
            data = yield wanted
            if wanted.file == file and wanted.at + len(data) > at:
                kept = data[: max(0, at - wanted.at)]
                data = kept + bytes(len(data) - len(kept))
            wanted = steps.send(data)
    except StopIteration as done:
        result: Recovery = done.value
        return result


class TrustsTheDisk(CommitLog):
    """Does not verify the checksum of a record that it reads."""

    def decode(self, place: RecordPlace, data: bytes) -> Entry:
        return Entry(LogIndex(1), Term(0), EntryKind.COMMAND, data[RECORD_HEADER_BYTES:])


class KeepsWhatWasRefused(CommitLog):
    """Does not take an append back that the full disk refused."""

    def abandon(self, sequence: int) -> None:
        self.synced(sequence)


class RepairsNothing(CommitLog):
    """Leaves a torn write where it is, and its bytes may come back to life."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        recovery = yield from super().recover(files, checkpoint)
        return replace(recovery, repairs=())


class ClaimsTooMuch(CommitLog):
    """Marks as durable what is only written: a torn write then looks like damage, and the node refuses to open."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        appended = super().append(after_index, entries, hard_state)
        before = appended.plan[:-1]
        self.synced(appended.sequence)
        return replace(appended, plan=(*before, *self.note_durable(), appended.plan[-1]))

    def abandon(self, sequence: int) -> None:
        """Cannot be taken back, having been called durable."""


class HigherTermWins(higher_term_wins.CommitLog):
    """Opens a log by the rule "the higher term wins", where the later record wins. Paper: Raft, figure 8, is what breaks it."""


class RemovesBeforeTheResetIsDurable(CommitLog):
    """Removes the old segments as soon as there is room for the new one."""

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        appended = super().reset(last, hard_state)
        removes = [o for o in appended.plan if isinstance(o, Remove)]
        others = [o for o in appended.plan if o not in removes]
        header = next(number for number, o in enumerate(others) if isinstance(o, Write) and o.at == 0)
        return replace(appended, plan=(*others[:header], *removes, *others[header:]))


class ForgetsTheVoteInAReset(CommitLog):
    """Begins anew with the term alone, since a snapshot says nothing of votes."""

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        return super().reset(last, replace(hard_state, vote=None))


class ForgetsWhatStandsBeforeAReset(CommitLog):
    """Knows the index of the entry before the first one, and not its term: the leader's next entries never fit."""

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        return super().reset(last._replace(term=Term(0)), hard_state)


class ForgetsToSyncAReset(CommitLog):
    """Writes the new segment, and removes the old ones without waiting for the disk."""

    def reset(self, last: EntryId, hard_state: HardState) -> Appended:
        appended = super().reset(last, hard_state)
        new_file = next(o.file for o in appended.plan if isinstance(o, Create))
        return replace(appended, plan=tuple(o for o in appended.plan if o != Sync(new_file)))


class RemovesBeforeTheRepairsAreDurable(CommitLog):
    """Carries the removals of a reset out before the sync: what a reader sees of the new header may be lost with the old log."""

    def recover(self, files: Mapping[str, int], checkpoint: Checkpoint | None = None) -> Steps[Recovery]:
        recovery = yield from super().recover(files, checkpoint)
        removes = tuple(o for o in recovery.repairs if isinstance(o, Remove))
        return replace(recovery, repairs=(*removes, *(o for o in recovery.repairs if o not in removes)))


class ForgetsMessageIds(BrokerMachine):
    """Stores a message again when the producer repeats it after a lost answer."""

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        for topic in self.topics.values():
            topic.sent_ids = SentIds()
        return super().apply(index, command, place)


class CountsFromWhereItStands(BrokerMachine):
    """Answers a send with the number of the entry in the log in place of the offset in the queue."""

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        outcome = super().apply(index, command, place)
        if isinstance(outcome, Sent):
            return outcome._replace(places=tuple((queue_id, index) for queue_id, _ in outcome.places))
        return outcome


class AcknowledgesAnything(BrokerMachine):
    """Says "done" to an acknowledgement whose handle was replaced or ran out."""

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        outcome = super().apply(index, command, place)
        return Acked(tuple(True for _ in outcome.done)) if isinstance(outcome, Acked) else outcome


class AlwaysTheFirstAttempt(BrokerMachine):
    """Forgets how often a message was delivered."""

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        if isinstance(command, c.ReceiveMessages):
            for group in self.groups.values():
                for table in group.tables.values():
                    for queue_id in table.queues():
                        for flight in table.flights(queue_id).values():
                            flight.attempt = 0
        return super().apply(index, command, place)


class LastInFirstOut(BrokerMachine):
    """Puts the messages of a batch into the queue from the last one to the first."""

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        topic = self.topics.get(command.topic) if isinstance(command, AppendMessages) else None
        if topic is None or not isinstance(command, AppendMessages) or not topic.sent_ids.are_fresh(command.ids):
            return super().apply(index, command, place)
        self.applied_index = index
        queue, places = topic.queues[command.queue_id], []
        for number in reversed(range(len(command.ids))):
            offset = queue.max_offset
            queue.append(QueueEntry(offset, place.position, index, command.wall_ms, place.size_bytes, 1, number, 0))
            topic.sent_ids.add((command.ids[number],), command.queue_id, offset)
            places.append((command.queue_id, int(offset)))
        return Sent(command.topic, tuple(reversed(places)), 0, is_visible=True)


class SkipsOne(BrokerMachine):
    """Leaves the newest message of a receive out, and the group never gets it."""

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        if isinstance(command, c.ReceiveMessages) and index % 7 == 0:
            picks = tuple(replace(p, skipped=(*p.skipped, p.next_offset - 1)) for p in command.picks)
            command = replace(command, picks=picks)
        return super().apply(index, command, place)


class HidesForAnInstant(BrokerMachine):
    """Answers a receive with the right deadline and hides the messages for a millisecond."""

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        outcome = super().apply(index, command, place)
        if isinstance(outcome, Received) and isinstance(command, c.ReceiveMessages):
            for one in outcome.delivered:
                progress = self.group(command.group).table(command.topic).queue(one.queue_id)
                progress.hide(one.offset, replace(progress.in_flight[one.offset], deadline_ms=command.log_ms + 1))
        return outcome


@dataclass(frozen=True)
class Wrong:
    """A wrong part, and the promise that it must be caught breaking."""

    part: type[CommitLog | BrokerMachine]
    promises: tuple[str, ...]

    @property
    def parts(self) -> Parts:
        if issubclass(self.part, CommitLog):
            return Parts(log=self.part)
        assert issubclass(self.part, BrokerMachine)
        return Parts(machine=self.part)


_LOST, _INVENTED, _PREFIX = (
    "nothing acknowledged is lost",
    "nothing is invented",
    "a recovered log is a prefix that holds all that was synced",
)
_DAMAGE, _HIDDEN, _ATTEMPTS = "damage is reported, not cut", "no delivery inside an invisible time", "attempts are counted right"
_RULES = "the node keeps its own rules"

WRONG = (
    Wrong(AcksBeforeSync, (_LOST, _PREFIX, _DAMAGE)),
    Wrong(SyncsBeforeItWrites, (_LOST, _PREFIX, _DAMAGE)),
    Wrong(SyncsTheWrongFile, (_LOST, _PREFIX, _DAMAGE)),
    Wrong(ForgetsToSyncTheSegmentHeader, (_LOST, _PREFIX, _DAMAGE)),
    Wrong(CutsDamage, (_LOST, _PREFIX)),
    Wrong(TrustsTheDisk, (_INVENTED, _LOST, _RULES)),
    Wrong(KeepsWhatWasRefused, (_LOST, _PREFIX, _DAMAGE, _RULES)),
    Wrong(RepairsNothing, (_LOST, _PREFIX, _DAMAGE)),
    Wrong(ClaimsTooMuch, (_DAMAGE, _HIDDEN)),
    Wrong(ForgetsMessageIds, (_INVENTED,)),
    Wrong(CountsFromWhereItStands, ("offsets are dense", _LOST)),
    Wrong(AcknowledgesAnything, (_HIDDEN,)),
    Wrong(AlwaysTheFirstAttempt, (_ATTEMPTS,)),
    Wrong(LastInFirstOut, ("order per queue is kept",)),
    Wrong(SkipsOne, (_LOST,)),
    Wrong(HidesForAnInstant, (_HIDDEN,)),
)
