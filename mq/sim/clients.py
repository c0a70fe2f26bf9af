"""The workload: producers that repeat what was not answered, consumers that acknowledge, hide again, or forget.

They know the node by its answers alone, and survive its crashes. What they draw comes from one `random.Random`.
"""

from functools import partial
from random import Random
from typing import Protocol

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.flight import Delivered, Received
from mq.broker.delivery.picker import Choice, Look
from mq.broker.outcomes import Acked, Changed, Outcome, Sent
from mq.core.errors import MqError
from mq.core.message import MessageKind
from mq.sim.node import Note, SimNode
from mq.sim.store_view import checksum, message_at

__all__ = ["Client", "Consumer", "Producer"]

_BATCH_MAX = 4
_FILLER = bytes(range(48, 112)) * 12
_INVISIBLE_MS = (40, 120, 400, 1500)


class Client(Protocol):
    """Someone who asks the node for something from time to time."""

    def act(self, node: SimNode) -> None:
        """Ask for something, if nothing is waited for."""

    def node_died(self) -> None:
        """Whatever is waited for will never be answered."""


class Producer:
    """Sends batches of new messages, one after the other; repeats one until it is acknowledged, in any queue."""

    def __init__(self, name: str, topic: str, queues: int, rng: Random, note: Note) -> None:
        self.name, self._topic, self._queues, self._rng, self._note = name, topic, queues, rng, note
        self._made = 0
        self._batch: tuple[tuple[str, bytes], ...] = ()
        self._is_waiting = False

    def act(self, node: SimNode) -> None:
        """Send the next batch, or once more the one that was not acknowledged."""
        if self._is_waiting:
            return
        if not self._batch:
            self._batch = tuple(self._new_message() for _ in range(self._rng.randint(1, _BATCH_MAX)))
        queue_id = self._rng.randrange(self._queues)
        for message, body in self._batch:
            self._note("send", producer=self.name, topic=self._topic, message=message, queue=queue_id, body=checksum(body))
        ids, bodies = tuple(m for m, _ in self._batch), tuple(b for _, b in self._batch)
        batch = AppendMessages(*node.stamps(), self._topic, queue_id, MessageKind.NORMAL, 0, ids, "", bodies)
        self._is_waiting = True
        node.propose(batch, self._answered)

    def _new_message(self) -> tuple[str, bytes]:
        self._made += 1
        message = f"{self.name}-{self._made}"
        begin = self._rng.randrange(64)
        return message, f"{message}:".encode() + _FILLER[begin : begin + self._rng.choice((4, 20, 90, 600))]

    def _answered(self, outcome: Outcome | MqError) -> None:
        self._is_waiting = False
        if not isinstance(outcome, Sent):
            self._failed(definite=isinstance(outcome, MqError) and outcome.definite)
            return
        for (message, _), (queue_id, offset) in zip(self._batch, outcome.places, strict=True):
            self._note("sent", topic=self._topic, message=message, queue=queue_id, offset=offset, known=outcome.duplicates)
        self._batch = ()

    def node_died(self) -> None:
        """See `Client`."""
        if self._is_waiting:
            self._is_waiting = False
            self._failed(definite=False)

    def _failed(self, *, definite: bool) -> None:
        for message, _ in self._batch:
            self._note("send-failed", message=message, definite=int(definite))


class Consumer:
    """Receives for a group; of what it holds it acknowledges most, hides some for longer, and forgets the rest.

    keeps_all: acknowledges everything (at the end of a run, so that it comes to an end).
    """

    def __init__(self, name: str, group: str, topic: str, rng: Random, note: Note) -> None:
        self.name, self.group, self._topic, self._rng, self._note = name, group, topic, rng, note
        self.keeps_all = False
        self.came_back_empty = False
        self._held: list[Delivered] = []
        self._receives = 0
        self._is_receiving = False

    def act(self, node: SimNode) -> None:
        """Do something with a message that it holds, or ask for more."""
        if self._held and (self.keeps_all or self._rng.random() < 0.6):
            self._settle(node, self._held.pop(0))
        elif not self._is_receiving and self.group in node.machine.groups:
            self._receive(node)

    # --- receive

    def _receive(self, node: SimNode) -> None:
        log_ms, wall_ms = node.stamps()
        group = node.machine.group(self.group)
        count_max = self._rng.randint(1, 8)
        choice = node.read(node.picker.choose(Look(group, self._topic, count_max, None, log_ms)))
        self.came_back_empty = not choice.picks
        if not choice.picks:
            return
        self._is_receiving = True
        self._receives += 1
        for pick in choice.picks:
            for offset in (*pick.again, *range(pick.first_offset, pick.next_offset)):
                self._note_message("pick", pick.queue_id, offset, receive=self._number())
        node.picker.reserve(self.group, self._topic, choice.picks)
        deadline_ms = log_ms + self._rng.choice(_INVISIBLE_MS)
        command = c.ReceiveMessages(
            log_ms, wall_ms, self.group, self._topic, self.name, "", False, deadline_ms, choice.picks  # noqa: FBT003
        )  # fmt: skip
        node.propose(command, partial(self._received, node, choice, log_ms))

    def _number(self) -> str:
        return f"{self.name}-{self._receives}"

    def _received(self, node: SimNode, choice: Choice, now_ms: int, outcome: Outcome | MqError) -> None:
        self._is_receiving = False
        node.picker.release(self.group, self._topic, choice.picks)
        if not isinstance(outcome, Received):
            definite = int(isinstance(outcome, MqError) and outcome.definite)
            self._note("receive-failed", receive=self._number(), definite=definite)
            return
        for one in outcome.delivered:
            entry = choice.entries[one.queue_id, one.offset]
            message, body = message_at(node.log, node.disk, entry, one.offset)
            self._note_message(
                "delivered", one.queue_id, one.offset, message=message, body=body, attempt=one.attempt, stamp=one.stamp,
                now=now_ms, deadline=one.deadline_ms,
            )  # fmt: skip
            self._held.append(one)

    def node_died(self) -> None:
        """See `Client`. What it holds it can still acknowledge later."""
        if self._is_receiving:
            self._is_receiving = False
            self._note("receive-failed", receive=self._number(), definite=0)

    # --- what becomes of it

    def _settle(self, node: SimNode, one: Delivered) -> None:
        way = 0.0 if self.keeps_all else self._rng.random()
        log_ms, wall_ms = node.stamps()
        if way < 0.7:
            self._note_message("ack", one.queue_id, one.offset, stamp=one.stamp)
            deliveries = ((one.queue_id, one.offset, one.stamp),)
            node.propose(c.AckMessages(log_ms, wall_ms, self.group, self._topic, deliveries), partial(self._acked, one))
        elif way < 0.85:
            deadline_ms = log_ms + self._rng.choice(_INVISIBLE_MS)
            self._note_message("hide", one.queue_id, one.offset, stamp=one.stamp, deadline=deadline_ms)
            command = c.ChangeInvisible(
                log_ms, wall_ms, self.group, self._topic, one.queue_id, one.offset, one.stamp, deadline_ms
            )
            node.propose(command, partial(self._hidden, one))

    def _acked(self, one: Delivered, outcome: Outcome | MqError) -> None:
        if isinstance(outcome, Acked):
            self._note_message("acked", one.queue_id, one.offset, stamp=one.stamp, done=int(outcome.done[0]))

    def _hidden(self, one: Delivered, outcome: Outcome | MqError) -> None:
        if not isinstance(outcome, Changed):
            return
        flight = outcome.flight
        stamp, deadline_ms = (flight.stamp, flight.deadline_ms) if flight is not None else (0, 0)
        self._note_message("hidden", one.queue_id, one.offset, stamp=stamp, deadline=deadline_ms)
        if flight is not None:
            self._held.append(one._replace(stamp=stamp, deadline_ms=deadline_ms))

    def _note_message(self, event: str, queue_id: int, offset: int, **details: int | str) -> None:
        self._note(event, group=self.group, topic=self._topic, queue=queue_id, offset=offset, **details)
