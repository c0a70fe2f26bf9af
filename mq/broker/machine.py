"""The broker's deterministic state machine.

`apply` takes one committed command at a time, in log order, and changes the state. It asks for no clock, no
chance and no file: equal commands make equal states on every replica. A command that cannot be carried out
leaves the state as it was and comes to a `RefusedError` (returned, not raised: a refusal is an outcome, too).
"""

import json
import zlib
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.table import DeliveryTable
from mq.broker.filters.tag import MIXED_TAGS, tag_code
from mq.broker.outcomes import Acked, Changed, Done, Outcome, Released, Sent
from mq.broker.sent_ids import json_of
from mq.broker.state import Group, Hidden, Topic, dead_letter_topic, kind_of
from mq.broker.store.consume_queue import NO_POSITION, ConsumeQueue, QueueEntry
from mq.core.entry import RecordPlace
from mq.core.errors import Code, FormatError, RefusedError, StateError
from mq.core.ids import LogIndex, QueueOffset
from mq.core.message import MessageKind, Permission
from mq.core.ports import Operation

__all__ = ["STATE_VERSION", "BrokerMachine"]

STATE_VERSION = 5
"""Of the format of `BrokerMachine.to_bytes`."""
_PLAIN_FIELDS = ("applied_index", "applied_bytes", "log_ms", "wall_ms", "skipped_by_retention")


class BrokerMachine:
    """Topics, groups, progress, and what is stored but not visible.

    Invariants: `applied_index` only grows; every queue's offsets are dense; a message id is in a topic's
    window at most once; every in-flight offset is below its queue's `next_offset`.

    table_class: what the groups' delivery tables are made of; queue_class: what the topics' consume queues are.
    """

    def __init__(self, table_class: type[DeliveryTable] = DeliveryTable, queue_class: type[ConsumeQueue] = ConsumeQueue) -> None:
        self.table_class, self.queue_class = table_class, queue_class
        self.applied_index = 0
        self.applied_bytes = 0
        """Of the payloads of all entries up to there; whoever applies them counts."""
        self.log_ms = 0
        self.wall_ms = 0
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self.timers: list[tuple[int, int, Hidden]] = []
        self.half: dict[tuple[str, str], Hidden] = {}
        self.members: dict[int, tuple[str, str]] = {}
        """Addresses of the group's nodes that were added while it served, or told: by the other nodes, and by clients."""
        self.is_drained = False  # whether the group takes no more messages
        self.skipped_by_retention = 0
        self.dropped_queues: list[ConsumeQueue] = []
        """Queues of deleted topics, for the host to remove the files of; not part of the state."""
        self.cleanups: list[Operation] = []
        """Files that retention made superfluous, for the host to remove; not part of the state."""
        self.table_calls = 0
        """Commands that delivery tables carried out; not part of the state."""
        self._handlers: dict[type[Any], Callable[[int, Any, RecordPlace], Outcome]] = {
            AppendMessages: self._append_messages,
            c.ReceiveMessages: self._receive_messages,
            c.AckMessages: self._ack_messages,
            c.ChangeInvisible: self._change_invisible,
            c.CreateTopic: self._create_topic,
            c.DeleteTopic: self._delete_topic,
            c.CreateGroup: self._create_group,
            c.DeleteGroup: self._delete_group,
            c.RenewClient: self._renew_client,
            c.ReleaseClient: self._release_client,
            c.MoveOffset: self._move_offset,
            c.DeadLetter: self._dead_letter,
            c.EndTransaction: self._end_transaction,
            c.ReleaseTimers: self._release_timers,
            c.DropBefore: self._drop_before,
            c.PassTime: self._pass_time,
            c.SetMember: self._set_member,
            c.SetWritable: self._set_writable,
        }

    def apply(self, index: int, command: c.Command, place: RecordPlace) -> Outcome:
        """Carry out the command of the entry at `index`, which is stored at `place` on this node.

        The place goes into consume-queue entries, which are this node's own; the state is the same whatever it is.
        Raises: StateError when `index` is not the next one.
        """
        if index <= self.applied_index:
            raise StateError(f"entry {index} is applied already (applied index {self.applied_index})")
        self.applied_index = index
        self.log_ms = max(self.log_ms, command.log_ms)
        self.wall_ms = max(self.wall_ms, command.wall_ms)
        try:
            return self._handlers[type(command)](index, command, place)
        except RefusedError as refusal:
            return refusal

    def skip(self, index: int) -> None:
        """An entry that is no command (a leader's no-op) is applied."""
        self.applied_index = index

    # --- messages

    def _append_messages(self, index: int, batch: AppendMessages, place: RecordPlace) -> Outcome:
        topic = self.topic(batch.topic)
        if batch.queue_id >= len(topic.queues):
            raise RefusedError(Code.ILLEGAL_OFFSET, f"topic {batch.topic} has no queue {batch.queue_id}")
        if batch.message_kind == MessageKind.TRANSACTION or batch.due_ms > batch.wall_ms:
            return self._append_hidden(index, batch, place, topic)
        queue, ids = topic.queues[batch.queue_id], batch.ids
        code = tag_code(batch.tags) if isinstance(batch.tags, str) else MIXED_TAGS
        base = queue.max_offset
        if topic.sent_ids.are_fresh(ids):
            queue.append(QueueEntry(base, place.position, index, batch.wall_ms, place.size_bytes, len(ids), 0, code))
            topic.sent_ids.add(ids, batch.queue_id, base)
            return Sent(batch.topic, tuple((batch.queue_id, o) for o in range(base, base + len(ids))), 0, is_visible=True)
        places = []
        for number, message_id in enumerate(ids):
            known = topic.sent_ids.find(message_id)
            if known is None:
                known = (batch.queue_id, queue.max_offset)
                queue.append(
                    QueueEntry(queue.max_offset, place.position, index, batch.wall_ms, place.size_bytes, 1, number, code)
                )
                topic.sent_ids.add((message_id,), *known)
            places.append(known)
        return Sent(batch.topic, tuple(places), len(ids) - (queue.max_offset - base), is_visible=queue.max_offset > base)

    def _append_hidden(self, index: int, batch: AppendMessages, place: RecordPlace, topic: Topic) -> Outcome:
        """Delayed and half messages: one to a batch, kept aside until their time or their commit comes."""
        if len(batch.ids) != 1:
            raise RefusedError(Code.BAD_REQUEST, "delayed and transactional messages are stored one by one")
        known = topic.sent_ids.find(batch.ids[0])
        if known is not None:
            return Sent(batch.topic, (known,), 1, is_visible=False)
        topic.sent_ids.add(batch.ids, batch.queue_id, 0)
        code = tag_code(batch.tag(0))
        hidden = Hidden(batch.topic, batch.queue_id, place.size_bytes, index, code, batch.due_ms)
        if batch.message_kind == MessageKind.TRANSACTION:
            self.half[batch.topic, batch.ids[0]] = hidden
        else:
            heappush(self.timers, (batch.due_ms, index, hidden))
        return Sent(batch.topic, ((batch.queue_id, 0),), 0, is_visible=False)

    def _show(self, hidden: Hidden, wall_ms: int) -> None:
        topic = self.topics.get(hidden.topic)
        if topic is None:
            return
        queue = topic.queues[hidden.queue_id]
        queue.append(
            QueueEntry(queue.max_offset, NO_POSITION, hidden.log_index, wall_ms, hidden.size_bytes, 1, 0, hidden.tag_code)
        )

    def _release_timers(self, _index: int, command: c.ReleaseTimers, _place: RecordPlace) -> Outcome:
        topics = []
        while self.timers and self.timers[0][0] <= command.wall_ms:
            hidden = heappop(self.timers)[2]
            self._show(hidden, command.wall_ms)
            topics.append(hidden.topic)
        return Released(tuple(dict.fromkeys(topics)))

    def _end_transaction(self, _index: int, command: c.EndTransaction, _place: RecordPlace) -> Outcome:
        hidden = self.half.pop((command.topic, command.transaction_id), None)
        if hidden is None:
            raise RefusedError(
                Code.INVALID_TRANSACTION_ID,
                f"no open transaction {command.transaction_id} in topic {command.topic}: unknown or ended already",
            )
        if command.is_commit:
            self._show(hidden, command.wall_ms)
        return Released((command.topic,) if command.is_commit else ())

    # --- delivery

    def _table(self, group: Group, topic: str) -> DeliveryTable:
        """Where a command is carried out."""
        self.table_calls += 1
        return group.table(topic)

    def _receive_messages(self, index: int, command: c.ReceiveMessages, _place: RecordPlace) -> Outcome:
        group = self.group(command.group)
        self.topic(command.topic)
        table = self._table(group, command.topic)
        received = table.take(
            table.still_due(command.picks, command.log_ms, is_fifo=group.is_fifo),
            stamp=index,
            deadline_ms=command.deadline_ms,
            client=command.client,
            renews=command.renews,
            attempt_id=command.attempt_id,
            now_ms=command.log_ms,
        )
        for _queue_id, dead in received.dead:
            self._bury(group.name, dead, command.wall_ms, index)
        return received

    def _ack_messages(self, _index: int, command: c.AckMessages, _place: RecordPlace) -> Outcome:
        table = self._table(self.group(command.group), command.topic)
        return Acked(tuple(table.ack(*delivery, command.log_ms) for delivery in command.deliveries))

    def _change_invisible(self, index: int, command: c.ChangeInvisible, _place: RecordPlace) -> Outcome:
        table = self._table(self.group(command.group), command.topic)
        flight = table.change(
            command.queue_id, command.offset, command.stamp, command.log_ms, deadline_ms=command.deadline_ms, new_stamp=index,
            is_counted=command.is_counted,
        )  # fmt: skip
        return Changed(flight)

    def _dead_letter(self, index: int, command: c.DeadLetter, _place: RecordPlace) -> Outcome:
        table = self._table(self.group(command.group), command.topic)
        if not table.ack(command.queue_id, command.place.offset, command.stamp, command.log_ms):
            return Done()
        self._bury(command.group, command.place, command.wall_ms, index)
        return Done(1)

    def _bury(self, group: str, dead: c.DeadPlace, wall_ms: int, index: int) -> None:
        """Put a message into the group's dead-letter queue: an entry that names the one it is stored in."""
        name = dead_letter_topic(group)
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, MessageKind.NORMAL, Permission.READ, index, queue_class=self.queue_class)
            topic.grow(1)
        queue = topic.queues[0]
        queue.append(
            QueueEntry(queue.max_offset, NO_POSITION, dead.log_index, wall_ms, dead.size_bytes, 1, dead.first, dead.tag_code)
        )

    def _renew_client(self, _index: int, command: c.RenewClient, _place: RecordPlace) -> Outcome:
        limits = {"now_ms": command.log_ms, "since": command.since, "not_before_ms": command.not_before_ms}
        tables = self.group(command.group).tables.values()
        return Done(sum(table.renew(command.client, command.deadline_ms, **limits) for table in tables))

    def _release_client(self, _index: int, command: c.ReleaseClient, _place: RecordPlace) -> Outcome:
        client, deadline_ms, now_ms, everything = command.client, command.deadline_ms, command.log_ms, command.everything
        tables = self.group(command.group).tables.values()
        return Done(sum(table.give_back(client, deadline_ms, now_ms=now_ms, everything=everything) for table in tables))

    def _move_offset(self, _index: int, command: c.MoveOffset, _place: RecordPlace) -> Outcome:
        queue = self.queue(command.topic, command.queue_id)
        if not queue.min_offset <= command.offset <= queue.max_offset:
            raise RefusedError(
                Code.ILLEGAL_OFFSET,
                f"offset {command.offset} is outside queue {command.queue_id} of {command.topic}: "
                f"{queue.min_offset} to {queue.max_offset}",
            )
        self._table(self.group(command.group), command.topic).move(command.queue_id, command.offset)
        return Done()

    # --- definitions

    def _create_topic(self, index: int, command: c.CreateTopic, _place: RecordPlace) -> Outcome:
        topic = self.topics.get(command.name)
        kind, permission = kind_of(command.message_kind), Permission(command.permission)
        if topic is None:
            topic = self.topics[command.name] = Topic(command.name, kind, permission, index, queue_class=self.queue_class)
        elif command.if_absent:
            return Done(len(topic.queues))
        elif topic.kind != kind:
            raise RefusedError(
                Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE,
                f"topic {command.name} exists with type {topic.kind.name}; a type cannot be changed",
            )
        elif command.queues < len(topic.queues):
            raise RefusedError(
                Code.BAD_REQUEST, f"topic {command.name} has {len(topic.queues)} queues; their number may only grow"
            )
        topic.permission = permission
        topic.grow(command.queues)
        return Done(len(topic.queues))

    def _delete_topic(self, _index: int, command: c.DeleteTopic, _place: RecordPlace) -> Outcome:
        topic = self.topic(command.name)
        self.dropped_queues.extend(topic.queues)
        del self.topics[command.name]
        for group in self.groups.values():
            group.tables.pop(command.name, None)
        self.half = {key: hidden for key, hidden in self.half.items() if key[0] != command.name}
        self.timers = sorted(t for t in self.timers if t[2].topic != command.name)
        return Done()

    def _create_group(self, _index: int, command: c.CreateGroup, _place: RecordPlace) -> Outcome:
        group = self.groups.get(command.name)
        if group is None:
            group = self.groups[command.name] = Group(command.name, table_class=self.table_class)
        elif command.if_absent:
            return Done()
        group.is_fifo, group.max_attempts = command.is_fifo, command.max_attempts
        return Done()

    def _delete_group(self, _index: int, command: c.DeleteGroup, _place: RecordPlace) -> Outcome:
        del self.groups[self.group(command.name).name]
        return Done()

    def _drop_before(self, _index: int, command: c.DropBefore, _place: RecordPlace) -> Outcome:
        for name, queue_id, floor in command.floors:
            topic = self.topics.get(name)
            if topic is None or queue_id >= len(topic.queues):
                continue
            self.cleanups.extend(topic.queues[queue_id].drop_before(QueueOffset(floor)))
            for group in self.groups.values():
                if name in group.tables:
                    self.skipped_by_retention += group.tables[name].forget_below(queue_id, floor)
        return Done(command.index)

    @staticmethod
    def _pass_time(_index: int, _command: c.PassTime, _place: RecordPlace) -> Outcome:
        return Done()

    def _set_member(self, _index: int, command: c.SetMember, _place: RecordPlace) -> Outcome:
        self.members.pop(command.node, None)
        if command.peer_address or command.client_address:
            self.members[command.node] = (command.peer_address, command.client_address)
        return Done()

    def _set_writable(self, _index: int, command: c.SetWritable, _place: RecordPlace) -> Outcome:
        self.is_drained = not command.is_writable
        return Done()

    # --- look-ups

    def topic(self, name: str) -> Topic:
        """The topic of that name. Raises: RefusedError (TOPIC_NOT_FOUND)."""
        topic = self.topics.get(name)
        if topic is None:
            raise RefusedError(Code.TOPIC_NOT_FOUND, f"no topic {name!r}; make it with: mq topic create {name}")
        return topic

    def group(self, name: str) -> Group:
        """The group of that name. Raises: RefusedError (CONSUMER_GROUP_NOT_FOUND)."""
        group = self.groups.get(name)
        if group is None:
            raise RefusedError(Code.CONSUMER_GROUP_NOT_FOUND, f"no consumer group {name!r}; make it with: mq group create {name}")
        return group

    def queue(self, topic: str, queue_id: int) -> ConsumeQueue:
        """One queue of a topic. Raises: RefusedError."""
        queues = self.topic(topic).queues
        if not 0 <= queue_id < len(queues):
            raise RefusedError(Code.ILLEGAL_OFFSET, f"queue {queue_id} of topic {topic} does not exist: it has {len(queues)}")
        return queues[queue_id]

    def has_in_flight(self) -> bool:
        """Whether any group holds a message that it has not acknowledged."""
        tables = (table for group in self.groups.values() for table in group.tables.values())
        return any(table.next_deadline_ms() is not None for table in tables)

    def oldest_hidden(self) -> LogIndex | None:
        """The lowest entry that a delayed or half message still needs; retention must not pass it."""
        indexes = [hidden.log_index for _, _, hidden in self.timers] + [hidden.log_index for hidden in self.half.values()]
        return LogIndex(min(indexes)) if indexes else None

    # --- snapshots

    def to_bytes(self) -> bytes:
        """The whole state, equal on replicas that applied the same commands."""
        first = {"version": STATE_VERSION, **{name: getattr(self, name) for name in _PLAIN_FIELDS}}
        last = {
            "groups": [g.to_plain() for g in self.groups.values()],
            "timers": [hidden.to_plain() for _, _, hidden in sorted(self.timers)],
            "half": [[*key, *hidden.to_plain()] for key, hidden in self.half.items()],
            "members": [[node, *addresses] for node, addresses in sorted(self.members.items())],
            **({"is_drained": True} if self.is_drained else {}),  # younger than the rest: left away where it says nothing
        }
        # The topics are by far the longest: they have most of their text ready.
        topics = [part for topic in self.topics.values() for part in (b",", *topic.json_parts())][1:]
        return b"".join((json_of(first)[:-1], b',"topics":[', *topics, b"],", json_of(last)[1:]))

    @classmethod
    def from_bytes(cls, data: bytes, *classes: type[Any]) -> "BrokerMachine":
        """The machine of a snapshot. classes: of its tables and queues, as when it is made anew. Raises: FormatError."""
        plain = json.loads(data)
        if plain["version"] != STATE_VERSION:
            raise FormatError(f"state version {plain['version']} is not known to this program (it knows {STATE_VERSION})")
        machine = cls(*classes)
        for name in _PLAIN_FIELDS:
            setattr(machine, name, plain[name])
        machine.topics = {t.name: t for t in (Topic.from_plain(values, machine.queue_class) for values in plain["topics"])}
        machine.groups = {g.name: g for g in (Group.from_plain(values, machine.table_class) for values in plain["groups"])}
        for values in plain["timers"]:
            hidden = Hidden(*values)
            machine.timers.append((hidden.due_ms, hidden.log_index, hidden))
        machine.is_drained = plain.get("is_drained", False)
        machine.members = {node: (peer, client) for node, peer, client in plain["members"]}
        machine.half = {(topic, transaction_id): Hidden(*values) for topic, transaction_id, *values in plain["half"]}
        return machine

    def take_over(self, other: "BrokerMachine") -> None:
        """Become what another one is: the state of a leader's snapshot, for all who hold on to this machine."""
        for name in (*_PLAIN_FIELDS, "topics", "groups", "timers", "half", "members", "is_drained"):
            setattr(self, name, getattr(other, name))
        self.dropped_queues.clear()
        self.cleanups.clear()

    def state_hash(self) -> int:
        """A short hash of the state, for replicas to compare."""
        return zlib.crc32(self.to_bytes())
