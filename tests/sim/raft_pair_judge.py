"""Kills a node of the pair at every moment, opens what is left, and lets the group go on with it."""

from collections import Counter
from contextlib import suppress
from random import Random

from mq.core.entry import EntryKind
from mq.core.errors import DiskFullError
from mq.core.ids import LogIndex
from mq.core.ports import Plan, perform
from mq.raft.configuration import Configuration
from mq.raft.role import Role
from mq.sim.crash import CrashPoints, after_power_loss, draw_survival
from mq.sim.disk import SimDisk
from mq.sim.group.store_log import StoreMedium, kept_groups
from tests.sim.raft_pair import FIRST, Found, Group, Member, NoJudge

_ROUNDS_MAX = 400


class CrashJudge(NoJudge):
    """At every operation of every disk, and behind every step that let a promise leave or made something durable.

    blackouts: of all nodes, behind each step. lives_max: so many of the different logs that are found at one moment also live on.
    counts: what was tried.
    """

    def __init__(self, *, subsets_max: int = 16, every_byte: bool = False, lives_max: int = 4, blackouts: int = 1) -> None:
        self._points = {
            node_id: CrashPoints(Random(node_id), subsets_max=subsets_max, every_byte=every_byte) for node_id in FIRST.voters
        }
        self._lives_max, self._blackouts, self._rng = lives_max, blackouts, Random(8)
        self.counts: Counter[str] = Counter()

    @property
    def states(self) -> int:
        """Different disks that power losses left."""
        return sum(points.states for points in self._points.values())

    @property
    def sampled(self) -> int:
        """Moments at which not every combination of sectors was tried."""
        return sum(points.sampled for points in self._points.values())

    # --- when

    def watch(self, member: Member, plan: Plan) -> None:
        points = self._points[member.node_id]
        for operation in plan:
            kind = type(operation).__name__.lower()
            lived: set[object] = set()
            self._kill(member, f"killed before a {kind} of {operation.file}", lived)
            try:
                for point in points.during(member.disk, (operation,)):
                    self._crash(member, point.disk, f"power lost at a {kind} of {operation.file}, {point.note}", lived)
                    self.counts["power losses"] += 1
            finally:
                self.counts["operations"] += 1

    def step(self, group: Group) -> None:
        for _ in range(self._blackouts):
            self._black_out(group)
        for member in group.members.values():
            if member.is_news:
                member.is_news = False
                points, lived = self._points[member.node_id], set[object]()
                points.forget()
                self._kill(member, "killed behind the step", lived)
                for point in points.at(member.disk, "behind the step"):
                    self._crash(member, point.disk, f"power lost, {point.note}", lived)
                    self.counts["power losses"] += 1

    def _kill(self, member: Member, note: str, lived: set[object]) -> None:
        self._crash(member, member.disk.copy(), note, lived)
        self.counts["kills"] += 1

    # --- what is found

    def _crash(self, member: Member, left: SimDisk, note: str, lived: set[object]) -> None:
        place = f"step {member.group.steps}, node {member.node_id} {note}"
        quick = left.copy()
        found = member.opened(left, StoreMedium(), with_checkpoint=False)
        assert not found.recovery.damage, f"{place}: damage was reported where there is none: {found.recovery.damage}"
        self._check_checkpoint(member, quick, found, place)
        kept = kept_groups(member.medium, found.log, found.entries)
        assert kept is not None, f"{place}: the log is another one: {member.medium.disagreement(found.log, found.entries)}"
        try:
            member.promises.check(found.log, found.last)
        except AssertionError as error:
            raise AssertionError(f"{place}: {error}") from error
        self.counts["torn"] += found.recovery.torn is not None
        self.counts["with all that waited" if kept == len(member.medium.waiting) else "with less"] += 1
        key = (kept, found.log.first_index, found.last)
        if key not in lived and len(lived) < self._lives_max:
            lived.add(key)
            self._live_on(member, left, found, place)

    def _check_checkpoint(self, member: Member, left: SimDisk, found: Found, place: str) -> None:
        """With the newest snapshot's checkpoint the same is found, by reading less."""
        if found.newest is not None:
            quick = member.opened(left, StoreMedium())
            same = (quick.entries, quick.log.hard_state, quick.log.first_index)
            assert same == (found.entries, found.log.hard_state, found.log.first_index), (
                f"{place}: from the checkpoint, other things"
            )
            self.counts["opened from a checkpoint"] += 1

    # --- what becomes of the group

    def _black_out(self, group: Group) -> None:
        """The power is gone for all at once, while they write: what was committed is there on each majority."""
        fork = group.fork()
        for member in fork.members.values():
            if member.saves:
                plan = member.saves[0].plan
                perform_some(member.disk, plan[: self._rng.randrange(len(plan))])
            member.disk = after_power_loss(member.disk, draw_survival(member.disk, self._rng))
            found = member.opened(member.disk, StoreMedium())
            member.promises.check(found.log, found.last)
            member.medium.waiting.clear()
            member.start()
        fork.mail.clear()
        self.counts["blackouts"] += 1
        try:
            live_on(fork)
        except Exception as error:
            raise AssertionError(f"step {group.steps}, a loss of all power; then: {error}") from error

    def _live_on(self, member: Member, left: SimDisk, found: Found, place: str) -> None:
        fork = member.group.fork()
        revived = fork.members[member.node_id]
        revived.disk = left.copy()
        revived.medium.waiting.clear()
        revived.start()
        self.counts["lives"] += 1
        self.counts["begun anew behind a snapshot"] += found.log.term_at(found.last.index) != found.last.term
        expected = newest_configuration(found)
        assert revived.node.configuration == expected, (
            f"{place}: it takes {revived.node.configuration} for the members, not {expected}"
        )
        try:
            live_on(fork)
        except Exception as error:
            raise AssertionError(f"{place}; then, in the life of the group: {error}") from error


def perform_some(disk: SimDisk, plan: Plan) -> None:
    """As far as there is room."""
    with suppress(DiskFullError):
        perform(disk, plan)


def newest_configuration(found: Found) -> Configuration:
    """By the entries and the snapshot themselves."""
    base = found.newest.snapshot.configuration if found.newest else FIRST
    if found.log.term_at(found.last.index) != found.last.term:
        return base
    later = [e.payload for e in found.entries if e.kind is EntryKind.CONFIGURATION and e.index > found.last.index]
    return Configuration.from_bytes(later[-1]) if later else base


def live_on(group: Group) -> None:
    """Everything is delivered; a new proposal is committed on all, and all logs are one."""
    group.cut.clear()
    for member in group.members.values():
        member.disk.capacity_bytes = None
    proposed: tuple[int, int] | None = None
    for _ in range(_ROUNDS_MAX):
        group.settle()
        leader = group.leader()
        if leader is not None and not is_in_force(group, proposed):
            node = group.members[leader].node
            if node.transfer_to is None:
                group.propose(leader, b"in another life")
                proposed = (int(node.log.last.index), int(node.term))
                continue
        ends = {index for member in group.members.values() for index in (member.applied, int(member.log.last_index))}
        if proposed is not None and len(ends) == 1 and min(ends) >= proposed[0]:
            break
        for node_id in group.members:
            group.beat(node_id)
    else:
        views = "; ".join(str(member.node.view()) for member in group.members.values())
        raise AssertionError(f"the group never committed {proposed} on all: {views}")
    check_equal(group)


def is_in_force(group: Group, proposed: tuple[int, int] | None) -> bool:
    """Whether the proposal was made by the leader of now, and still may become committed."""
    leader = group.leader()
    return proposed is not None and leader is not None and group.members[leader].node.term == proposed[1]


def check_equal(group: Group) -> None:
    """One log, one state, and what was committed before is in it."""
    states = {(member.applied, member.checksum) for member in group.members.values()}
    assert len(states) == 1, f"the states differ: {states}"
    logs = [member.log for member in group.members.values()]
    assert len({log.last_index for log in logs}) == 1
    for index in range(max(log.first_index for log in logs), logs[0].last_index + 1):
        assert len({log.term_at(LogIndex(index)) for log in logs}) == 1, f"the logs differ at {index}"
    for log in logs:
        committed = group.committed.items()
        assert all(log.term_at(LogIndex(index)) == entry.term for index, entry in committed if index >= log.first_index)
    assert not any(member.node.role is Role.MUTE for member in group.members.values())
