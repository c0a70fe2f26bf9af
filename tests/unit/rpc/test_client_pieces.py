"""Moving parts of our own client without any broker: a listener at work, acknowledgements that leave together, batches."""

import asyncio
import threading
from typing import Any, cast

import pytest

from mq.client.batch import Columns
from mq.client.consuming import ConsumerSettings
from mq.client.errors import ConnectionLostError
from mq.client.inbox import Held, Inbox
from mq.client.views import BatchResult, MessageView, ReceivedMessage, SentMessage
from mq.core.errors import Code, MqError, RefusedError
from mq.rpc import acking
from mq.rpc.acking import Acker
from mq.rpc.batching import BatchKey, Frame, Lingering, Outgoing
from mq.rpc.delivery_calls import DeliveryCalls
from mq.rpc.listening import Listening
from mq.rpc.session import Session, _Line

ADDRESSES = ("127.0.0.1:1",)


def view(body: str) -> MessageView:
    return MessageView("orders", 0, 0, body, "", (), "", "normal", {}, 0, 0, 0, 1, None, body.encode())


def received(body: str) -> ReceivedMessage:
    return ReceivedMessage(view(body), f"handle {body}", "broker-a")


# --- what brokers decide for us


class NoRoutes:
    def brokers(self) -> dict[str, tuple[str, ...]]:
        return {"broker-a": ADDRESSES}


@pytest.mark.parametrize("turns", range(8))
async def test_who_waits_for_settings_can_be_stopped_at_any_moment(turns: int) -> None:
    """A poll that did not hear that it was to end kept a consumer from closing, for ever."""
    session = Session(cast(Any, NoRoutes()), group="g", client_type=3, subscriptions={"orders": "*"})
    line = _Line(ADDRESSES)
    line.told(ConsumerSettings())
    session._lines["broker-a"] = line

    async def ask_forever() -> None:
        while True:
            await session.settings("broker-a")
            await asyncio.sleep(0)

    asking = asyncio.create_task(ask_forever())
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    assert (await asyncio.wait({asking}, timeout=5))[0] == {asking}


# --- a listener


class Work:
    """An inbox with a listener. again: bodies, and after how many ms they are handed out once more when they are refused."""

    def __init__(self, listener: Any, *, concurrency: int = 2, again: dict[str, int] | None = None, grace_s: float = 5.0) -> None:
        self.settled: list[tuple[str, bool]] = []
        self.inbox: Inbox[str] = Inbox(count_max=4)
        self._again, self._something = again or {}, asyncio.Event()
        self.listening = Listening(listener, self.inbox, concurrency=concurrency, view=view, settle=self._settle, grace_s=grace_s)

    async def _settle(self, held: Held[str], is_taken: bool) -> int | None:
        self.settled.append((held.item, is_taken))
        self._something.set()
        return None if is_taken else self._again.get(held.item)

    def put(self, *bodies: str, lane: str = "") -> None:
        for body in bodies:
            self.inbox.put(body, body, 1, lane)
        self.listening.note()

    async def until_settled(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.settled) < count:
                self._something.clear()
                await self._something.wait()


async def test_so_many_are_handled_at_a_time_and_a_lane_one_by_one() -> None:
    running, most, order = 0, 0, list[str]()

    async def listener(message: MessageView) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(message.message_id)
        await asyncio.sleep(0.01)
        running -= 1

    work = Work(listener, concurrency=2)
    async with work.listening:
        work.put("1", "2", "3", "4")
        await work.until_settled(4)
        assert most == 2
        work.put("a", "b", "c", lane="anna")
        most = 0
        await work.until_settled(7)
        assert most == 1
    assert order[4:] == ["a", "b", "c"]
    assert all(is_taken for _, is_taken in work.settled)


async def test_a_plain_listener_runs_in_threads_and_what_it_refuses_comes_once_more_before_the_next_of_its_lane() -> None:
    threads, seen = set[str](), list[str]()

    def listener(message: MessageView) -> None:
        threads.add(threading.current_thread().name)
        seen.append(message.message_id)
        if seen == ["a"]:
            raise ValueError("not now")

    work = Work(listener, again={"a": 10})
    async with work.listening:
        work.put("a", "b", lane="anna")
        await work.until_settled(3)
    assert seen == ["a", "a", "b"]
    assert threading.current_thread().name not in threads
    assert work.settled == [("a", False), ("a", True), ("b", True)]


async def test_who_waits_for_room_goes_on_when_something_is_done() -> None:
    may_end = asyncio.Event()

    async def listener(_: MessageView) -> None:
        await may_end.wait()

    work = Work(listener, concurrency=4)
    async with work.listening:
        work.put("1", "2", "3", "4")
        room = asyncio.create_task(work.listening.room())
        await asyncio.sleep(0.01)
        assert not room.done()
        may_end.set()
        await asyncio.wait_for(room, 5)


async def test_at_the_end_a_listener_is_waited_for_and_one_that_does_not_end_is_not() -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), list[str]()

    async def listener(message: MessageView) -> None:
        began.set()
        await may_end.wait()
        ended.append(message.message_id)

    for grace_s, expected in ((5.0, ["1"]), (0.01, [])):
        may_end.clear()
        began.clear()
        ended.clear()
        work = Work(listener, concurrency=1, grace_s=grace_s)
        await work.listening.__aenter__()
        work.put("1", "2")
        await began.wait()
        closing = asyncio.create_task(work.listening.__aexit__())
        await asyncio.sleep(0.05)
        may_end.set()
        await closing
        assert ended == expected
        assert work.inbox.take() is None, "the other one is left to others"


# --- acknowledgements


class Calls:
    """Answers to acknowledgements. first: errors of the first calls."""

    def __init__(self, *first: MqError) -> None:
        self.asked: list[list[str]] = []
        self._errors = list(first)
        self.gate = asyncio.Event()
        self.gate.set()

    async def ack(self, _addresses: tuple[str, ...], _topic: str, messages: list[ReceivedMessage]) -> list[MqError | None]:
        self.asked.append([one.message.message_id for one in messages])
        await self.gate.wait()
        if self._errors:
            raise self._errors.pop(0)
        late = RefusedError(Code.INVALID_RECEIPT_HANDLE, "late")
        return [late if one.message.message_id == "late" else None for one in messages]


async def test_what_comes_while_a_call_is_under_way_leaves_with_the_next() -> None:
    calls = Calls()
    calls.gate.clear()
    acker = Acker(cast(DeliveryCalls, calls))
    waiting = [asyncio.create_task(acker.ack(ADDRESSES, received(body))) for body in ("1", "2", "late", "4")]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    calls.gate.set()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert [body for bodies in calls.asked for body in bodies] == ["1", "2", "late", "4"]
    assert len(calls.asked) <= 2


async def test_what_has_no_answer_is_asked_again_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acking, "_AGAIN_S", 0.001)
    calls = Calls(ConnectionLostError("broke"), ConnectionLostError("broke"))
    await asyncio.wait_for(Acker(cast(DeliveryCalls, calls)).ack(ADDRESSES, received("1")), 5)
    assert calls.asked == [["1"]] * 3
    monkeypatch.setattr(acking, "GIVE_UP_MS", 20)
    dead = Calls(*[ConnectionLostError("broke")] * 10_000)
    await asyncio.wait_for(Acker(cast(DeliveryCalls, dead)).ack(ADDRESSES, received("1")), 5)
    assert 2 <= len(dead.asked) < 10_000


# --- batches


class Broker:
    """Takes batches and single messages, but for empty ones. order: ids as they were stored."""

    def __init__(self, *, pause_s: float = 0.0) -> None:
        self.frames: list[list[str]] = []
        self.order: list[str] = []
        self.under_way = self.most = 0
        self._pause_s = pause_s

    async def frame(self, _key: BatchKey, frame: Frame) -> BatchResult:
        assert isinstance(frame, Columns)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self._pause_s)
        self.under_way -= 1
        if b"" in frame.bodies:
            raise RefusedError(Code.MESSAGE_BODY_EMPTY, "empty")
        self.frames.append(list(frame.ids))
        self.order += frame.ids
        return BatchResult(0, 100, len(frame.ids), 0)

    async def one(self, _key: BatchKey, message: Outgoing) -> SentMessage:
        if not message.body:
            raise RefusedError(Code.MESSAGE_BODY_EMPTY, "empty")
        self.order.append(message.message_id)
        return SentMessage(message.message_id, 7)


async def test_messages_that_come_together_leave_together_and_a_wrong_one_is_told_alone() -> None:
    broker = Broker()
    lingering = Lingering(5, 1 << 20, broker.frame, broker.one)
    key = BatchKey("orders", "", "")
    sent = await asyncio.gather(*(lingering.send(key, Outgoing(str(number), b"x")) for number in range(10)))
    assert [one.offset for one in sent] == list(range(100, 110))
    assert broker.frames == [[str(number) for number in range(10)]]
    bodies = (b"x", b"", b"y")
    some = [lingering.send(key, Outgoing(f"{number} again", body)) for number, body in enumerate(bodies)]
    results = await asyncio.gather(*some, return_exceptions=True)
    assert [type(one) for one in results] == [SentMessage, RefusedError, SentMessage]
    waiting = asyncio.create_task(lingering.send(key, Outgoing("last", b"x")))
    await asyncio.sleep(0)
    await lingering.flush()
    assert (await waiting).message_id == "last"


@pytest.mark.parametrize(("message_group", "most"), [("anna", 1), ("", 5)])
async def test_of_one_message_group_one_batch_is_under_way_at_a_time(message_group: str, most: int) -> None:
    broker = Broker(pause_s=0.01)
    lingering = Lingering(1000, 2, broker.frame, broker.one)  # two bytes are a batch
    key = BatchKey("orders", message_group, "")
    await asyncio.gather(*(lingering.send(key, Outgoing(f"{number:02}", b"x")) for number in range(10)))
    assert broker.most == most
    assert sorted(broker.order) == broker.order


async def test_nobody_sends_what_nobody_waits_for_any_more() -> None:
    broker = Broker()
    lingering = Lingering(50, 1 << 20, broker.frame, broker.one)
    key = BatchKey("orders", "", "")
    given_up = asyncio.create_task(lingering.send(key, Outgoing("given up", b"x")))
    await asyncio.sleep(0)
    given_up.cancel()
    await lingering.send(key, Outgoing("wanted", b"x"))
    assert broker.order == ["wanted"]
