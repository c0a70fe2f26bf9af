"""Handing messages out and taking them back: receive with long polling, ack, change, renewal.

RocketMQ: ReceiveMessage, AckMessage, ChangeInvisibleDuration, NotifyClientTermination.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

from mq.broker import commands as c
from mq.broker.batch import BatchReader
from mq.broker.delivery.flight import Delivered, Received
from mq.broker.delivery.picker import Choice, Look, Picker, dead_place
from mq.broker.delivery.receipt import ReceiptHandle
from mq.broker.exchange import DeliveredMessage, ReceiveWish
from mq.broker.outcomes import Acked, Changed, Outcome, Released, Sent
from mq.broker.state import MAX_ATTEMPTS, Group, dead_letter_topic
from mq.core.errors import Code, DamageError, FormatError, MqError, NotServingError, RefusedError, StateError
from mq.core.ids import QueueOffset
from mq.core.limits import RECEIVE_BATCH_MAX, RENEW_INVISIBLE_MS, RETRY_DELAYS_S
from mq.raft.errors import NotLeaderError
from mq.server.clients import Clients
from mq.server.looking_again import look_again_in_s
from mq.server.node import BrokerNode, Reign
from mq.server.renewing import Renewer
from mq.server.waiting import Poll, Tried, WaitingRoom

__all__ = ["Deliverer"]

_SKIPS_WORTH_A_COMMAND = 256
_NACK_MS_MIN = 1_000
_log = logging.getLogger(__name__)


class Deliverer:
    """The consumers' side of a serving node."""

    def __init__(self, node: BrokerNode, clients: Clients) -> None:
        self._node, self._machine, self._clients = node, node.machine, clients
        self._loop = asyncio.get_running_loop()
        self.picker = Picker(node.machine, node.reader.records)
        self.room = WaitingRoom(self._loop)
        self.renewer = Renewer(node, clients)
        self._is_stopping = False
        self.make_group: Callable[[str], Awaitable[None]] = self.make_own_group
        """Makes a group where that can be done; another way in a group of nodes."""
        node.on_applied.append(self._on_applied)

    # --- receive

    async def receive(self, wish: ReceiveWish) -> list[DeliveredMessage]:
        """Messages, as soon as there is one; none when the wish's time is over.

        When the caller is cancelled, what was picked for it is given back at once.
        """
        if wish.topic not in self._machine.topics:
            await self._node.read_index()
        if not self._machine.topic(wish.topic).permission.is_readable:
            raise RefusedError(Code.FORBIDDEN, f"topic {wish.topic} is not readable: it has no readable queue")
        await self.ensure_group(wish.group)
        with self.room.poll(wish.client) as poll:
            try:
                return await self._poll(wish, poll)
            except asyncio.CancelledError:
                # It may have been woken for a message that it did not take.
                self.room.wake(wish.topic, wish.group, 1)
                raise

    async def _poll(self, wish: ReceiveWish, poll: Poll) -> list[DeliveredMessage]:
        topic, count_max = wish.topic, min(wish.count_max, RECEIVE_BATCH_MAX)
        end_s = self._loop.time() + wish.wait_ms / 1000
        tried: Tried | None = None
        while count_max > 0 and not poll.is_over and self._node.reign.is_here:
            # Asked for anew each time: it may have been deleted and made again while the poll waited.
            group = self._machine.group(wish.group)
            look = Look(group, topic, count_max, wish.tags, self._node.log_ms(), wish.attempt_id)
            choice = await self._node.reader.run(partial(self.picker.choose, look))
            if self._is_worth_a_command(choice):
                if choice.is_full(count_max) or choice.has_more:
                    # Each that takes all it may wakes the next, so that none sleeps while there is something for it, however much
                    # came at once. Those that were woken in the beginning need not be as many as there are messages.
                    self.room.wake(topic, group.name, 1)
                messages = await self._hand_out(wish, choice, poll)
                if messages and poll.is_over:
                    self.give_back_messages(wish.group, topic, messages)
                    break
                if messages:
                    return messages
                # What stood in the way is noted now: a dead letter, or messages that the filter leaves out.
                continue
            if tried is not None:
                self.room.pass_on(topic, group.name, tried | {wish.tags})
                tried = None
            left_s = end_s - self._loop.time()
            if left_s <= 0 or self._is_stopping:
                break
            again_s = look_again_in_s(look, self._node.log_ms(), left_s)
            tried = await self.room.wait(topic, group.name, again_s, poll, wish.tags)
        if tried is not None:  # it was woken, and did not come to look
            self.room.wake(topic, wish.group, 1)
        return []

    @staticmethod
    def _is_worth_a_command(choice: Choice) -> bool:
        """An empty poll is no command; what a filter left out is noted only when it is a lot."""
        return choice.count > 0 or any(p.dead or len(p.skipped) >= _SKIPS_WORTH_A_COMMAND for p in choice.picks)

    async def _hand_out(self, wish: ReceiveWish, choice: Choice, poll: Poll) -> list[DeliveredMessage]:
        group, topic, renews = wish.group, wish.topic, wish.invisible_ms is None
        log_ms, wall_ms = self._node.stamps()
        span_ms = RENEW_INVISIBLE_MS if wish.invisible_ms is None else wish.invisible_ms
        command = c.ReceiveMessages(
            log_ms, wall_ms, group, topic, wish.client, wish.attempt_id, renews, log_ms + span_ms, choice.picks
        )
        picker = self.picker  # another reign has another one
        picker.reserve(group, topic, choice.picks)
        try:
            future = self._node.propose(command)
        except (NotServingError, NotLeaderError):
            picker.release(group, topic, choice.picks)
            raise
        future.add_done_callback(lambda _: picker.release(group, topic, choice.picks))
        try:
            received = await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: self._give_back_picked(group, topic, done))
            raise
        if isinstance(received, RefusedError):
            raise received
        assert isinstance(received, Received)
        if renews and received.delivered and not poll.is_over:  # one who said goodbye holds nothing
            self.renewer.note(wish.client, group, log_ms + span_ms, wish.through)
        try:
            return await self._load(group, topic, choice, received.delivered, span_ms)
        except asyncio.CancelledError:
            self.give_back(group, topic, received.delivered)
            raise

    async def _load(
        self, group: str, topic: str, choice: Choice, delivered: Iterable[Delivered], invisible_ms: int
    ) -> list[DeliveredMessage]:
        messages: list[DeliveredMessage] = []
        readers: dict[int, BatchReader] = {}
        damage: MqError | None = None
        for queue_id, offset, attempt, stamp, deadline_ms in delivered:
            entry = choice.entries[queue_id, offset]
            try:
                reader = readers.get(entry.log_index)
                if reader is None:
                    reader = readers[entry.log_index] = BatchReader(await self._node.reader.stored(entry))
            except (DamageError, FormatError, StateError) as error:  # the last: retention took it a moment ago
                damage = error
                continue
            found = reader.message(entry.number_of(offset))
            handle = ReceiptHandle(stamp, deadline_ms, queue_id, offset, attempt, group, topic).to_text()
            origin = None if found.topic == topic else (found.topic, found.message_id)
            messages.append(DeliveredMessage(
                found.stored, topic, queue_id, offset, attempt, handle, invisible_ms, found.wall_ms, found.message_kind, origin
            ))  # fmt: skip
        if damage is not None:
            # One bad place must not keep the others from their consumers; its messages stay in flight.
            _log.error("messages of topic %s cannot be delivered to group %s: %s", topic, group, damage)
            if not messages:
                raise damage
        return messages

    def _give_back_picked(self, group: str, topic: str, done: "asyncio.Future[Outcome]") -> None:
        if not done.cancelled() and done.exception() is None and isinstance(received := done.result(), Received):
            self.give_back(group, topic, received.delivered)

    def give_back(self, group: str, topic: str, delivered: Iterable[Delivered]) -> None:
        """Messages that never reached their consumer become visible at once, and the delivery does not count.

        Where that cannot be written here any more they come back when their invisible time is over.
        """
        for one in delivered:
            log_ms, wall_ms = self._node.stamps()
            try:
                future = self._node.propose(
                    c.ChangeInvisible(
                        log_ms, wall_ms, group, topic, one.queue_id, one.offset, one.stamp, log_ms, is_counted=False
                    )
                )
            except (NotServingError, NotLeaderError):
                return
            future.add_done_callback(_ignore)

    def give_back_messages(self, group: str, topic: str, messages: Iterable[DeliveredMessage]) -> None:
        """Like `give_back`, for messages that were made ready to go out."""
        handles = [ReceiptHandle.from_text(m.handle, group=group, topic=topic) for m in messages]
        self.give_back(group, topic, [Delivered(h.queue_id, h.offset, h.attempt, h.stamp, h.deadline_ms) for h in handles])

    async def ensure_group(self, name: str) -> Group:
        """The group; made with defaults on first use."""
        group = self._machine.groups.get(name)
        if group is None:
            await self.make_group(name)
            group = self._machine.group(name)
        return group

    async def make_own_group(self, name: str) -> None:
        """Make a group here. Raises: what `BrokerNode.carry_out` raises."""
        command = c.CreateGroup(*self._node.stamps(), name, is_fifo=False, max_attempts=MAX_ATTEMPTS, if_absent=True)
        await self._node.carry_out(command)

    # --- who leads

    def reign_is(self, reign: Reign) -> None:
        """A leader begins with nothing in hand: what counts is in the log. One that leads no more ends its polls."""
        if not reign.is_here:
            self.room.wake_all()
            return
        self.picker = Picker(self._machine, self._node.reader.records)
        self.renewer.begin_reign()

    # --- ack and change

    async def ack(self, group: str, topic: str, entries: list[tuple[str, str]]) -> list[RefusedError | None]:
        """Acknowledge deliveries. entries: (message id, receipt handle). For each None = done, or why not."""
        results: list[RefusedError | None] = [None] * len(entries)
        handles: dict[int, ReceiptHandle] = {}
        now_ms, is_confirmed = self._node.log_ms(), False
        for number, (_message_id, text) in enumerate(entries):
            try:
                handle = ReceiptHandle.from_text(text, group=group, topic=topic)
                try:
                    is_current = self._is_current(handle, now_ms)
                except RefusedError:
                    if is_confirmed:
                        raise
                    await self._node.read_index()  # perhaps another node leads, and has handed it out
                    is_confirmed = True
                    is_current = self._is_current(handle, now_ms)
                if is_current:
                    handles[number] = handle
            except RefusedError as refusal:
                results[number] = refusal
        if handles:
            deliveries = tuple((handle.queue_id, handle.offset, handle.stamp) for handle in handles.values())
            outcome = await self._node.carry_out(c.AckMessages(*self._node.stamps(), group, topic, deliveries))
            assert isinstance(outcome, Acked)
            for (number, handle), done in zip(handles.items(), outcome.done, strict=True):
                # Who asked twice, not knowing what became of the first time, is answered twice: the first one was under way.
                if not done and not (handle.deadline_ms > now_ms and self._is_done(handle)):
                    results[number] = _expired()
        return results

    def _is_current(self, handle: ReceiptHandle, now_ms: int) -> bool:
        """True when the delivery can be acknowledged, False when the message is done already and in time.

        Raises: RefusedError (INVALID_RECEIPT_HANDLE) when the handle was replaced or ran out, or is younger than the state here,
        which then says nothing of it: what was done may have been taken back since, and handed out anew.
        """
        group = self._machine.groups.get(handle.group)
        table = group.tables.get(handle.topic) if group else None
        if table is not None and handle.stamp <= self._machine.applied_index:
            if table.valid(handle.queue_id, handle.offset, handle.stamp, now_ms) is not None:
                return True
            if handle.deadline_ms > now_ms and table.is_done(handle.queue_id, handle.offset):
                return False
        raise _expired()

    async def _is_surely_current(self, handle: ReceiptHandle) -> bool:
        """As `_is_current`, which is asked again when this node is sure that no other one leads and knows more."""
        try:
            return self._is_current(handle, self._node.log_ms())
        except RefusedError:
            await self._node.read_index()
        return self._is_current(handle, self._node.log_ms())

    def _is_done(self, handle: ReceiptHandle) -> bool:
        group = self._machine.groups.get(handle.group)
        table = group.tables.get(handle.topic) if group else None
        return table is not None and table.is_done(handle.queue_id, handle.offset)

    async def change_invisible(self, group: str, topic: str, text: str, invisible_ms: int) -> str:
        """Hide a received message for a new span, counted from now; returns the new handle, the old one is spent.

        Raises: RefusedError (INVALID_RECEIPT_HANDLE).
        """
        handle = ReceiptHandle.from_text(text, group=group, topic=topic)
        if not await self._is_surely_current(handle):
            raise RefusedError(Code.INVALID_RECEIPT_HANDLE, "the message is acknowledged already")
        invisible_ms = max(invisible_ms, self._least_delay_ms(handle, invisible_ms))
        log_ms, wall_ms = self._node.stamps()
        outcome = await self._node.carry_out(
            c.ChangeInvisible(log_ms, wall_ms, group, topic, handle.queue_id, handle.offset, handle.stamp, log_ms + invisible_ms)
        )
        assert isinstance(outcome, Changed)
        if outcome.flight is None:
            raise _expired()
        return handle._replace(stamp=outcome.flight.stamp, deadline_ms=outcome.flight.deadline_ms).to_text()

    def _least_delay_ms(self, handle: ReceiptHandle, invisible_ms: int) -> int:
        """A push consumer that gives a message back at once would get it again at once, for ever: it has to wait.

        Only its deliveries renew themselves; another consumer may ask for any time. Some clients read the delays of
        their settings as milliseconds, or drop all below a second.
        """
        flight = self._machine.group(handle.group).look(handle.topic).flights(handle.queue_id)[handle.offset]
        if invisible_ms >= _NACK_MS_MIN or not flight.renews:
            return 0
        return RETRY_DELAYS_S[min(flight.attempt, len(RETRY_DELAYS_S)) - 1] * 1000

    async def forward_to_dead_letters(self, group: str, topic: str, text: str) -> None:
        """Move a delivery to the group's dead-letter queue; nothing to do, and no error, when it is not the caller's any more.

        It is dead or done already; or it ran out, and the message goes on with another delivery; or topic or group are gone.
        Clients repeat a forward until it succeeds, without limit. Raises: RefusedError (INVALID_RECEIPT_HANDLE) for what is no
        handle of this group and topic; NotLeaderError when another node may know that it is the caller's still.
        """
        handle = ReceiptHandle.from_text(text, group=group, topic=topic)
        with suppress(RefusedError):
            if not await self._is_surely_current(handle):
                return
            queue = self._machine.queue(topic, handle.queue_id)
            found = await self._node.reader.run(lambda: queue.entries(QueueOffset(handle.offset), 1))
            if not found or found[0].base_offset > handle.offset:
                return  # retention took it a moment ago
            place = dead_place(handle.offset, found[0])
            await self._node.carry_out(c.DeadLetter(*self._node.stamps(), group, topic, handle.queue_id, handle.stamp, place))

    async def release_client(self, client: str, groups: Iterable[str]) -> None:
        """A client said goodbye: its polls end, and what it holds with `auto_renew` is given back."""
        self.room.end_polls(client)
        for group in groups:
            self.renewer.forget(client, group)
            if group in self._machine.groups:
                log_ms, wall_ms = self._node.stamps()
                await self._node.carry_out(c.ReleaseClient(log_ms, wall_ms, client, group, log_ms, everything=False))

    # --- waking

    def _on_applied(self, command: c.Command, outcome: Outcome) -> None:
        """Wake the polls that a command made, or will make, something visible for."""
        match outcome:
            case Sent():
                if outcome.is_visible:
                    self.room.messages_came(outcome.topic, len(outcome.places) - outcome.duplicates)
            case Released():
                for topic in outcome.topics:
                    self.room.messages_came(topic, RECEIVE_BATCH_MAX)
            case _ if isinstance(command, c.DropBefore):  # an ordered queue may have been closed by what is gone
                for topic, _queue_id, _floor in command.floors:
                    self.room.messages_came(topic, RECEIVE_BATCH_MAX)
            case _:
                self._on_delivery(command, outcome)

    def _on_delivery(self, command: c.Command, outcome: Outcome) -> None:
        """Like `_on_applied`, for the commands of consumers and of those who look after them."""
        match command:
            case c.ReceiveMessages() | c.ChangeInvisible():
                hidden_s = max(0, command.deadline_ms - command.log_ms + 1) / 1000
                self.room.wake_in(command.topic, command.group, hidden_s)
                if isinstance(outcome, Received) and outcome.dead:
                    self.room.messages_came(dead_letter_topic(command.group), len(outcome.dead))
            case c.DeadLetter():
                self.room.messages_came(dead_letter_topic(command.group), 1)
                self.room.wake(command.topic, command.group, 1)
            case c.ReleaseClient():
                self.room.group_may_go_on(command.group, RECEIVE_BATCH_MAX)
            case c.DeleteGroup():  # each is to find out that it is gone
                self.room.group_may_go_on(command.name, math.inf)
            case c.MoveOffset():
                self.room.wake(command.topic, command.group, RECEIVE_BATCH_MAX)
            case c.AckMessages():
                group = self._machine.groups.get(command.group)
                if group is not None and group.is_fifo:
                    self.room.wake(command.topic, command.group, RECEIVE_BATCH_MAX)

    def stop(self) -> None:
        """End all polls with nothing."""
        self._is_stopping = True
        self.room.wake_all()


def _expired() -> RefusedError:
    return RefusedError(
        Code.INVALID_RECEIPT_HANDLE, "receipt handle is expired: the message was, or will be, given to someone else"
    )


def _ignore(future: "asyncio.Future[Outcome]") -> None:
    if not future.cancelled() and future.exception() is not None:
        _log.debug("giving a message back failed: %s", future.exception())
