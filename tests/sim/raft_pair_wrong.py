"""Pairs with one mistake each, in the host's order, in the log, or in the core. Most work as long as no node crashes."""

from collections.abc import Sequence
from pathlib import Path

from mq.broker.store.commit_log import Appended, CommitLog
from mq.core.entry import Entry, HardState
from mq.core.ids import LogIndex
from mq.core.ports import perform
from mq.raft.configuration import Configuration
from mq.raft.messages import Message, Snapshot
from mq.raft.output import Output
from mq.sim.group.store_log import NotedLog
from mq.sim.group.store_snapshot import save_plan
from mq.sim.load_raft import load_raft
from tests.sim import wrong_parts
from tests.sim.raft_pair import Found, Member

_LAB = Path(__file__).resolve().parents[2] / "labs" / "stage3_raft" / "wrong"


class PromisesAtOnce(Member):
    """Sends votes and acknowledgements while the disk is still at work."""

    def hold(self, sequence: int, message: Message) -> None:
        self.leave(message, self.acked_by(message))


class OneSaveForAll(Member):
    """Takes the oldest plan's sync for a sync of everything that waits."""

    def saved(self, sequence: int) -> None:
        super().saved(max(self.medium.waiting[-1].sequence if self.medium.waiting else 0, sequence))


class ForgetsBeforeTheSnapshot(Member):
    """Tells the core that its snapshot is saved, removes old segments, and saves it then."""

    def save_own(self, snapshot: Snapshot, state: bytes) -> None:
        plan = save_plan(snapshot, state, self.log)
        self.carry_out(self.node.snapshot_saved(snapshot))
        self.perform(plan)


class InstallsFromMemory(Member):
    """Does not save a snapshot that it received, since the log begins behind it anyway."""

    def save_received(self, snapshot: Snapshot, state: bytes) -> None:
        scratch = self.disk.copy()
        perform(scratch, save_plan(snapshot, state, self.log))
        self.unsaved = {snapshot: state}

    def state_of(self, snapshot: Snapshot) -> bytes | None:
        return getattr(self, "unsaved", {}).get(snapshot) or super().state_of(snapshot)


class ForgetsTheMembers(Member):
    """Begins with the members that the snapshot tells of, and does not look into the log."""

    def later(self, found: Found) -> Sequence[tuple[LogIndex, Configuration]]:
        return ()


class SendsBehindARefusal(Member):
    """When the disk is full, sends what waited for it all the same."""

    refused: tuple[tuple[int, Message, dict[int, int]], ...] = ()

    def carry_out(self, output: Output) -> None:
        for _, message, acked in self.refused:
            self.leave(message, acked)
        self.refused = ()
        super().carry_out(output)

    def take_back(self) -> None:
        self.refused = tuple(self.held)
        super().take_back()


class NeverWritesTheHardState(CommitLog):
    """Knows term and vote, and puts the old ones on the disk."""

    def append(self, after_index: LogIndex, entries: Sequence[Entry], hard_state: HardState | None = None) -> Appended:
        return super().append(after_index, entries, None if entries else hard_state)


def with_log(wrong: type[CommitLog]) -> type[Member]:
    noted = type(f"Noted{wrong.__name__}", (NotedLog, wrong), {})
    return type(wrong.__name__, (Member,), {"log_class": noted, "__doc__": wrong.__doc__})


def with_raft(name: str) -> type[Member]:
    return type(name, (Member,), {"raft_class": load_raft(f"{_LAB / name}.py:Raft")})


LOGS = (
    NeverWritesTheHardState,
    wrong_parts.AcksBeforeSync,
    wrong_parts.SyncsBeforeItWrites,
    wrong_parts.SyncsTheWrongFile,
    wrong_parts.ForgetsToSyncTheSegmentHeader,
    wrong_parts.KeepsWhatWasRefused,
    wrong_parts.ClaimsTooMuch,
    wrong_parts.HigherTermWins,
    wrong_parts.RemovesBeforeTheResetIsDurable,
    wrong_parts.ForgetsTheVoteInAReset,
    wrong_parts.ForgetsWhatStandsBeforeAReset,
    wrong_parts.ForgetsToSyncAReset,
)
HOSTS = (PromisesAtOnce, OneSaveForAll, ForgetsBeforeTheSnapshot, InstallsFromMemory, ForgetsTheMembers, SendsBehindARefusal)
RAFTS = (
    "vote_not_saved", "term_not_saved", "vote_before_fsync", "ack_before_fsync", "asks_before_save", "cut_before_snapshot",
    "snapshot_reply_before_durable", "promise_waits_for_last_but_one", "install_keeps_log",
)  # fmt: skip
