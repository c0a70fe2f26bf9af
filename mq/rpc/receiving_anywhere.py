"""One poll at several broker groups: whoever has messages first answers it.

A consumer that names a topic should not wait at a broker group that has nothing while another one has something. First each is
asked whether it has messages now; when none has, all are waited at. What a second one hands out in the same moment is handed on,
too, where there is room for it, and otherwise given back.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration

from mq.core.errors import Code, MqError, NotServingError
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.handling import Context
from mq.rpc.relaying import Relay
from mq.rpc.wire import parse

__all__ = ["receive_anywhere"]

_RECEIVE, _CHANGE = "ReceiveMessage", "ChangeInvisibleDuration"
Addresses: TypeAlias = Sequence[str]


class _Poll:
    """At one broker group. parts: of its answer, as far as it has come."""

    def __init__(self, relay: Relay, addresses: Addresses, raw: bytes, context: Context) -> None:
        self.addresses = addresses
        self.parts: list[bytes] = []
        self.error: MqError | None = None
        self._relay, self._raw, self._context = relay, raw, context

    async def run(self) -> None:
        """To its end."""
        try:
            async for part in self._relay.stream(self.addresses, _RECEIVE, self._raw, self._context):
                self.parts.append(part)
        except MqError as error:
            self.error = error

    def messages(self) -> list[bytes]:
        """The parts that are messages."""
        return [part for part in self.parts if pb.ReceiveMessageResponse.FromString(part).HasField("message")]

    @property
    def is_empty(self) -> bool:
        """Whether it came to nothing: no message, and no refusal that the client has to hear."""
        if self.error is not None or not self.parts:
            return True
        codes = [int(pb.ReceiveMessageResponse.FromString(part).status.code) for part in self.parts]
        return int(Code.MESSAGE_NOT_FOUND) in codes


async def receive_anywhere(relay: Relay, brokers: Sequence[Addresses], raw: bytes, context: Context) -> AsyncIterator[bytes]:
    """The answers of one ReceiveMessage. brokers: of which addresses, in the order in which they are to be asked.

    Raises: MqError, when none of them can be reached. RocketMQ: ReceiveMessage.
    """
    request = parse(pb.ReceiveMessageRequest, raw)
    now = pb.ReceiveMessageRequest()
    now.CopyFrom(request)
    now.long_polling_timeout.CopyFrom(Duration())
    asked: list[_Poll] = []
    for addresses in brokers:
        poll = _Poll(relay, addresses, now.SerializeToString(), context)
        await poll.run()
        if not poll.is_empty:
            for part in poll.parts:
                yield part
            return
        asked.append(poll)
    if not all(poll.error for poll in asked):
        asked = [_Poll(relay, poll.addresses, raw, context) for poll in asked if poll.error is None]
        await _wait(asked)
    async for part in _answer(relay, asked, request, context):
        yield part


async def _wait(polls: Sequence[_Poll]) -> None:
    """Until one of them has something, or all have ended; the others are ended then."""
    by_task = {asyncio.create_task(poll.run()): poll for poll in polls}
    waiting = set(by_task)
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(not by_task[task].is_empty for task in done):
                return
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _answer(
    relay: Relay, polls: Sequence[_Poll], request: pb.ReceiveMessageRequest, context: Context
) -> AsyncIterator[bytes]:
    """What the polls came to, as one answer: that of the first that has something, and the messages of others before its end."""
    whole = next((poll for poll in polls if not poll.is_empty), None)
    if whole is None:
        reached = next((poll for poll in polls if poll.error is None), None)
        if reached is None:
            raise polls[0].error or NotServingError("no broker has this topic")
        for part in reached.parts:
            yield part
        return
    room = request.batch_size - len(whole.messages())
    more: list[bytes] = []
    for poll in polls:
        if poll is not whole:
            found, left = poll.messages(), max(0, room - len(more))
            more += found[:left]
            await _give_back(relay, poll.addresses, found[left:], request, context)
    *parts, end = whole.parts
    for part in (*parts, *more, end):
        yield part


async def _give_back(
    relay: Relay, addresses: Addresses, messages: Sequence[bytes], request: pb.ReceiveMessageRequest, context: Context
) -> None:
    """They were handed out and there is no room for them: they may be received by others at once."""
    for part in messages:
        message = pb.ReceiveMessageResponse.FromString(part).message
        change = pb.ChangeInvisibleDurationRequest(
            group=request.group, topic=request.message_queue.topic, receipt_handle=message.system_properties.receipt_handle,
            message_id=message.system_properties.message_id,
        )  # fmt: skip
        change.invisible_duration.CopyFrom(Duration())
        await relay.call(addresses, _CHANGE, change.SerializeToString(), context)
