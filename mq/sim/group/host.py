"""One node's host in the deterministic world: the host loop of `mq.raft.hosting` on a simulated network and disk.

Its disk is a lane of its own: what was appended is durable some time later, messages leave before that, promises after it.
"""

from collections.abc import Sequence
from typing import Any

from mq.core.entry import Appended
from mq.core.ports import Plan
from mq.raft.messages import Message
from mq.raft.node import RaftNode
from mq.raft.output import NOTHING, Chunk, ChunkWanted, EntriesWanted, RoleChanged
from mq.raft.role import Role
from mq.sim.group.lane import Batch, Lane, OwnSnapshot, Weather
from mq.sim.group.machine import Machine, Place
from mq.sim.group.storage import Storage

__all__ = ["Host"]


class Host(Machine):
    """term, vote, role, commit_index, configuration: as they were after the last step. deferred: what came while it was paused.

    deciding: the configuration as it was before this step.

    is_taking_back: while a full disk undoes appends.
    """

    def __init__(self, node_id: int, place: Place, storage: Storage, weather: Weather) -> None:
        super().__init__(node_id, place, storage, weather)
        self.is_paused = self.is_taking_back = False
        self.tick_ms = place.options.tick_ms
        self._send_on = place.network.send
        self._leaves = place.watch.leaves
        self.term, self.role, self.commit_index = 0, Role.FOLLOWER, 0
        self.vote: int | None = None

    # --- life

    def start(self) -> None:
        """The process starts, with what the disk holds."""
        self.life += 1
        self.is_paused = False
        self.deferred: list[tuple[Any, ...]] = []
        self.lane = Lane()
        self._open()
        node, log, now_ms = self._live(), self.log, self.agenda.now_ms
        self.term, self.vote, self.role, self.commit_index = node.term, node.vote, node.role, node.commit_index
        last, members = log.last_index, node.configuration.members
        row = (node.term, node.vote, log.first_index, last, log.term_at(last), self.snapshot_index, members)
        self._note((now_ms, self.node_id, "start", *row))
        self._note_members(node)
        if node.role is Role.MUTE:  # its log is damaged: it says nothing from here on, and this is why
            self._note((now_ms, self.node_id, "role", str(node.role), node.term, node.leader))
        for started in self._watch.started:
            started(self)
        self.agenda.at(now_ms + 1 + int(self.place.rng.random() * self.tick_ms), self._tick, self.life)

    def die(self, *, is_power_lost: bool) -> None:
        """The process ends; what it had not written is gone, and with the power also some of what was not synced."""
        unsynced, kept = self.storage.unsynced, self.lane.appends_under_way
        if is_power_lost or self.role is Role.MUTE:
            kept = int(self.place.rng.random() * (unsynced + 1))
        kept = self.storage.crash(kept, is_power_lost=is_power_lost)
        fate = ("power-loss", kept, unsynced - kept) if is_power_lost else ("kill",)
        self._note((self.agenda.now_ms, self.node_id, *fate))
        self.node, self.is_paused = None, False
        self.life += 1

    def pause(self) -> None:
        """The process stands still; what comes meanwhile waits."""
        self.is_paused = True
        self._note((self.agenda.now_ms, self.node_id, "pause"))

    def resume(self) -> None:
        """It goes on, and finds what came."""
        self.is_paused = False
        self._note((self.agenda.now_ms, self.node_id, "resume"))
        deferred, self.deferred = self.deferred, []
        life = self.life
        for do, one in deferred:
            if life == self.life:
                do(one, life)

    @property
    def is_up(self) -> bool:
        """Whether the process is there and not paused."""
        return self.node is not None and not self.is_paused

    # --- what happens to it

    def _tick(self, life: int, _: None) -> None:
        if life != self.life or self.node is None:
            return
        self.agenda.at(self.agenda.now_ms + self.tick_ms, self._tick, life)
        if not self.is_paused:
            output = self.node.tick()
            if output is not NOTHING:
                self.carry_out(output)

    def deliver(self, number: int, message: Message) -> None:
        """A message came."""
        if self.node is None:
            self.place.network.lose(number, "dead")
        elif self.is_paused:
            self.deferred.append((self._deliver_late, (number, message)))
        else:
            self._note((self.agenda.now_ms, self.node_id, "receive", number, message))
            self.carry_out(self.node.step(message))

    def _deliver_late(self, arrived: tuple[int, Message], _: int) -> None:
        self.deliver(*arrived)

    def _when_up(self, do: Any, one: Any, life: int) -> bool:
        """Whether something that was under way is to be handled now: not for another life, and later when it is paused."""
        if life != self.life or self.node is None:
            return False
        if self.is_paused:
            self.deferred.append((do, one))
            return False
        return True

    # --- outputs

    def role_changed(self, changes: Sequence[RoleChanged]) -> None:
        """See `HostLoop`."""
        for change in changes:
            self._note((self.agenda.now_ms, self.node_id, "role", str(change.role), change.term, change.leader))

    def look(self) -> None:
        """Tell the checkers what changed."""
        node = self._live()
        self.deciding = self.configuration
        if node.configuration is not self.configuration:
            self._note_members(node)
        if (
            node.commit_index != self.commit_index
            or node.term != self.term
            or node.role is not self.role
            or node.vote != self.vote
        ):
            self._observe(node)

    def _note_members(self, node: RaftNode) -> None:
        self.configuration = now = node.configuration
        self._note((self.agenda.now_ms, self.node_id, "members", now.voters, now.old_voters, now.learners))

    def send(self, message: Message) -> None:
        """See `HostLoop`."""
        for leaves in self._leaves:
            leaves(self, message)
        self._send_on(message)

    def _observe(self, node: RaftNode) -> None:
        node.check()
        if node.vote is not None and (node.term, node.vote) != (self.term, self.vote):
            self._note((self.agenda.now_ms, self.node_id, "vote", node.term, node.vote))
        for moved in self._watch.moved:
            moved(self)
        before, index = self.commit_index, node.commit_index
        self.term, self.vote, self.role, self.commit_index = node.term, node.vote, node.role, index
        if index > before:
            self._note((self.agenda.now_ms, self.node_id, "commit", index, node.term))
            for committed in self._watch.committed:
                committed(self, before, index)

    # --- the disk

    def save(self, saves: Sequence[Appended]) -> None:
        """See `HostLoop`."""
        for appended in saves:
            group = self.storage.group(appended.sequence)
            row = (group.after_index, group.entries, group.sequence)
            self._note((self.agenda.now_ms, self.node_id, "append", *row))
            for told in self._watch.appended:
                told(self, group)
            self.lane.put(appended.sequence)
        if not self.lane.is_busy:
            self._work()

    def _put_to_disk(self, job: OwnSnapshot | Chunk) -> None:
        self.lane.put(job)
        if not self.lane.is_busy:
            self._work()

    def _work(self) -> None:
        """All that waits goes to the disk together."""
        batch = self.lane.take()
        duration_ms = self.weather.duration_ms(self.place.rng)
        self.agenda.at(self.agenda.now_ms + duration_ms, self._worked, batch, self.life)

    def _worked(self, batch: Batch, life: int) -> None:
        """The disk is done with a batch, or failed."""
        if not self._when_up(self._worked, batch, life):
            return
        if self.weather.is_failing:
            self.weather.is_failing = False
            self._fail()
            return
        if self.weather.is_full:
            self._refuse(batch)
        else:
            self.lane.finish()
            self._saved(batch)
        if self.node is not None and not self.lane.is_busy and not self.lane.is_empty:
            self._work()

    def _saved(self, batch: Batch) -> None:
        sequence = max((job for job in batch if isinstance(job, int)), default=0)
        if sequence:
            self.storage.sync(sequence)
            durable = self.storage.durable
            hard_state = durable.hard_state
            row = (sequence, hard_state.term, hard_state.vote, durable.last_index)
            self._note((self.agenda.now_ms, self.node_id, "save", *row))
            self.saved(sequence)
        for job in batch:
            if isinstance(job, OwnSnapshot):
                self._own_snapshot_saved(job)
            elif isinstance(job, Chunk):
                self.storage.save_chunk(job)
                if job.is_last:
                    self.carry_out(self._live().snapshot_received(job.snapshot))

    def _refuse(self, batch: Batch) -> None:
        """No room: the newest append is taken back first. Appends that wait behind the batch are refused with it."""
        whole = (*batch, *self.lane.take())
        self.lane.finish()
        self._is_saving_snapshot = False
        self.is_taking_back = True
        self.take_back(job for job in whole if isinstance(job, int))
        self.is_taking_back = False
        for snapshot in dict.fromkeys(job.snapshot for job in whole if isinstance(job, Chunk)):
            self.carry_out(self._live().snapshot_failed(snapshot))

    def taking_back(self, sequence: int) -> None:
        """See `HostLoop`."""
        self._note((self.agenda.now_ms, self.node_id, "save-failed", sequence, 1))

    def _fail(self) -> None:
        self._note((self.agenda.now_ms, self.node_id, "save-failed", 0, 0))
        self.disk_failed()

    def fetch(self, wanted: EntriesWanted | ChunkWanted) -> None:
        """See `HostLoop`."""
        self.agenda.at(self.agenda.now_ms + self.place.options.read_ms, self._fetch, wanted, self.life)

    def save_chunk(self, chunk: Chunk) -> None:
        """See `HostLoop`."""
        self._put_to_disk(chunk)

    def forget(self, plan: Plan) -> None:
        """See `HostLoop`."""
        self.storage.forget(plan)
        self._note((self.agenda.now_ms, self.node_id, "forget", self.storage.durable.base.index + 1))

    def _fetch(self, wanted: EntriesWanted | ChunkWanted, life: int) -> None:
        if not self._when_up(self._fetch, wanted, life):
            return
        node = self._live()
        if isinstance(wanted, EntriesWanted):
            self.carry_out(node.fetched(wanted, self.storage.entries(wanted.first, wanted.last, wanted.bytes_max)))
            return
        state = self.storage.state_of(wanted.snapshot)
        data = None if state is None else state[wanted.at : wanted.at + wanted.bytes_max]
        is_last = state is not None and wanted.at + wanted.bytes_max >= len(state)
        self.carry_out(node.chunk_fetched(wanted, data, is_last=is_last))
