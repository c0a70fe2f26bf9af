"""The consumers' side of a node in this process, on a real folder; the clients' clock is the test's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mq.broker import commands as c
from mq.broker.batch import AppendMessages
from mq.broker.delivery.picker import Choice, Look
from mq.broker.delivery.receipt import ReceiptHandle
from mq.broker.exchange import DeliveredMessage, ReceiveWish
from mq.broker.outcomes import Outcome
from mq.core.errors import Code, DamageError, DiskFullError, MqError, OutcomeUnknownError, RefusedError
from mq.core.limits import CLIENT_LIFETIME_MS, RENEW_INVISIBLE_MS, RETRY_DELAYS_S
from mq.core.ports import Steps
from mq.raft.errors import NotLeaderError
from mq.server import renewing
from mq.server.clients import Clients
from mq.server.delivering import Deliverer
from mq.server.disk import FileDisk
from mq.server.node import BrokerNode, Reign
from tests.unit.server.eventually import until


@dataclass
class Kitchen:
    """A node with one topic `t` of one queue, and verbs. now_ms: the clients' clock."""

    node: BrokerNode
    now_ms: int = 0

    def __post_init__(self) -> None:
        self.clients = Clients(lambda: self.now_ms)
        self.deliverer = Deliverer(self.node, self.clients)

    async def send(self, *ids: str) -> None:
        for one in ids:
            await self.node.carry_out(AppendMessages(*self.node.stamps(), "t", 0, 1, 0, (one,), "", (b"x",)))

    async def receive(
        self, client: str = "anna", *, invisible_ms: int | None = None, wait_ms: int = 0, through: int = 0
    ) -> list[DeliveredMessage]:
        self.clients.heard(client, group="g")
        wish = ReceiveWish(
            group="g", topic="t", count_max=32, tags=None, invisible_ms=invisible_ms, wait_ms=wait_ms, client=client,
            through=through,
        )  # fmt: skip
        return await self.deliverer.receive(wish)

    def deadlines(self) -> dict[int, int]:
        """By offset, from now, in ms."""
        flights = self.node.machine.group("g").look("t").flights(0)
        return {offset: flight.deadline_ms - self.node.log_ms() for offset, flight in flights.items()}


@pytest.fixture
async def kitchen(tmp_path: Path) -> AsyncIterator[Kitchen]:
    node = BrokerNode(FileDisk(tmp_path), segment_bytes=1 << 20)
    found = Kitchen(node)
    await node.carry_out(c.CreateTopic(*node.stamps(), "t", 1, 1, 4))
    yield found
    found.deliverer.stop()
    await node.close()


@pytest.fixture(autouse=True)
def renew_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "_RENEW_WHEN_LEFT_MS", RENEW_INVISIBLE_MS)


def flights_of(kitchen: Kitchen) -> dict[int, int]:
    """Deadlines by offset, in log time."""
    return {offset: flight.deadline_ms for offset, flight in kitchen.node.machine.group("g").look("t").flights(0).items()}


async def renewed(kitchen: Kitchen) -> bool:
    """Whether a round of renewals moves the deadline of what is in flight, once log time has gone on."""
    at_ms = kitchen.node.log_ms()
    await until(lambda: kitchen.node.log_ms() > at_ms + 1)
    before = flights_of(kitchen)
    await kitchen.deliverer.renewer.renew_due()
    after = flights_of(kitchen)
    assert set(before) == set(after) != set()
    return all(after[offset] > before[offset] for offset in after)


async def test_a_living_clients_messages_are_renewed_and_a_silent_ones_are_not(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    assert len(await kitchen.receive()) == 1
    assert await renewed(kitchen)
    kitchen.now_ms += 30_000
    assert await renewed(kitchen)
    kitchen.now_ms += 1
    assert not await renewed(kitchen)
    kitchen.clients.heard("anna")
    assert await renewed(kitchen)


async def test_an_open_stream_is_a_sign_of_life_but_not_for_ever(kitchen: Kitchen) -> None:
    kitchen.clients.heard("anna")
    kitchen.clients.stream_opened("anna")
    kitchen.clients.stream_opened("anna")
    kitchen.now_ms += CLIENT_LIFETIME_MS
    assert kitchen.clients.is_alive("anna")
    kitchen.clients.stream_closed("anna")
    assert kitchen.clients.is_alive("anna")
    kitchen.clients.stream_closed("anna")
    assert not kitchen.clients.is_alive("anna")
    kitchen.clients.stream_opened("anna")
    kitchen.now_ms += 1
    assert not kitchen.clients.is_alive("anna")


async def test_what_went_by_way_of_a_node_that_is_gone_is_renewed_no_more(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    assert len(await kitchen.receive(through=3)) == 1
    kitchen.deliverer.renewer.node_lost(2)
    assert await renewed(kitchen), "another node's end has nothing to do with it"
    kitchen.deliverer.renewer.node_lost(3)
    assert not await renewed(kitchen), "nobody knows whether the client was given it"


async def test_what_comes_later_and_what_others_hold_is_renewed(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    await kitchen.receive("anna", through=3)
    await kitchen.send("2")
    await kitchen.receive("eve")
    kitchen.deliverer.renewer.node_lost(3)
    await kitchen.send("3")
    await kitchen.receive("anna", through=2)
    at_ms, before = kitchen.node.log_ms(), flights_of(kitchen)
    await until(lambda: kitchen.node.log_ms() > at_ms + 1)
    await kitchen.deliverer.renewer.renew_due()
    after = flights_of(kitchen)
    assert [after[offset] > before[offset] for offset in (0, 1, 2)] == [False, True, True]


async def test_what_was_under_way_on_a_connection_that_broke_is_renewed_no_more(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    await kitchen.receive()
    kitchen.clients.stream_opened("anna")
    assert await renewed(kitchen)
    kitchen.clients.stream_closed("anna")
    assert not await renewed(kitchen)


async def test_what_a_simple_consumer_received_is_not_renewed(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    await kitchen.receive(invisible_ms=20_000)
    assert not await renewed(kitchen)


async def test_what_is_received_while_a_renewal_is_under_way_is_renewed_too(kitchen: Kitchen) -> None:
    """The round finds nothing of the client's any more, and must not forget what came meanwhile."""
    await kitchen.send("1")
    (first,) = await kitchen.receive()
    assert await kitchen.deliverer.ack("g", "t", [(first.handle, first.handle)]) == [None]
    await kitchen.send("2")
    rounds = asyncio.create_task(kitchen.deliverer.renewer.renew_due())
    assert len(await kitchen.receive()) == 1
    await rounds
    assert await renewed(kitchen)


async def test_a_group_that_is_deleted_during_a_renewal_stops_no_renewals(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kitchen.send("1")
    await kitchen.receive()
    monkeypatch.setattr(renewing, "_RENEW_EVERY_MS", 0)
    rounds = asyncio.create_task(kitchen.deliverer.renewer.renew_forever())
    deleted = kitchen.node.propose(c.DeleteGroup(*kitchen.node.stamps(), "g"))
    await until(deleted.done)
    await kitchen.receive()
    before = kitchen.deadlines()[0]
    await until(lambda: kitchen.deadlines()[0] >= before)
    assert not rounds.done()
    rounds.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await rounds


async def test_a_poll_of_a_group_that_is_made_anew_sees_the_new_one(kitchen: Kitchen) -> None:
    """It waits with the old group's progress in hand: the new one begins at the beginning."""
    await kitchen.send("1", "2")
    assert len(await kitchen.receive()) == 2
    poll = asyncio.create_task(kitchen.receive("bert", wait_ms=20_000))
    await until(lambda: kitchen.deliverer.room.count)
    kitchen.node.propose(c.DeleteGroup(*kitchen.node.stamps(), "g"))
    await kitchen.node.carry_out(c.CreateGroup(*kitchen.node.stamps(), "g", False, 16))
    assert [m.offset for m in await asyncio.wait_for(poll, 10)] == [0, 1]


def looks_of(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """Every look at the queues from now on."""
    looks: list[Look] = []
    choose = kitchen.deliverer.picker.choose

    def noted(look: Look) -> Steps[Choice]:
        looks.append(look)
        return choose(look)

    monkeypatch.setattr(kitchen.deliverer.picker, "choose", noted)
    return looks


async def ordered(kitchen: Kitchen, count: int) -> list[DeliveredMessage]:
    """So many messages, handed out to a simple consumer of an ordered group for 0.1 s."""
    await kitchen.node.carry_out(c.CreateGroup(*kitchen.node.stamps(), "g", True, 16))
    await kitchen.send(*map(str, range(count)))
    messages = await kitchen.receive(invisible_ms=100)
    assert len(messages) == count
    return messages


async def test_polls_of_an_ordered_queue_sleep_while_one_message_of_ten_is_hidden_for_longer(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = await ordered(kitchen, 10)
    await kitchen.deliverer.change_invisible("g", "t", first.handle, 60_000)
    looks = looks_of(kitchen, monkeypatch)
    polls = await asyncio.gather(*(kitchen.receive(name, wait_ms=1_000) for name in ("anna", "bert")))
    assert polls == [[], []]
    held_ms = kitchen.deadlines()
    assert held_ms[0] > 50_000
    assert all(held_ms[message.offset] < 0 for message in others), "they ran out meanwhile, and the queue stays closed"
    # One each when it comes, when the others run out, and when its time is over.
    assert len(looks) <= 8


async def test_an_ordered_queue_opens_when_the_last_of_what_is_hidden_runs_out(kitchen: Kitchen) -> None:
    first, _ = await ordered(kitchen, 2)
    began_ms = kitchen.node.log_ms()
    await kitchen.deliverer.change_invisible("g", "t", first.handle, 400)
    again = await asyncio.wait_for(kitchen.receive("bert", wait_ms=20_000), 10)
    assert [(message.offset, message.attempt) for message in again] == [(0, 2), (1, 2)]
    assert kitchen.node.log_ms() - began_ms >= 400


async def test_an_ordered_queue_opens_when_retention_took_what_was_hidden(kitchen: Kitchen) -> None:
    first, _ = await ordered(kitchen, 2)
    await kitchen.deliverer.change_invisible("g", "t", first.handle, 60_000)
    poll = asyncio.create_task(kitchen.receive("bert", wait_ms=50_000))
    await until(lambda: kitchen.deliverer.room.count and kitchen.deadlines()[1] < 0)
    await kitchen.node.carry_out(c.DropBefore(*kitchen.node.stamps(), 1, (("t", 0, 1),)))
    assert [message.offset for message in await asyncio.wait_for(poll, 10)] == [1]


@pytest.mark.parametrize("is_fifo", [False, True])
async def test_what_ran_out_and_cannot_be_taken_keeps_no_poll_busy(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch, is_fifo: bool
) -> None:
    """Such as a dead letter whose log entry retention took."""
    await kitchen.node.carry_out(c.CreateGroup(*kitchen.node.stamps(), "g", is_fifo, 16))
    await kitchen.send("1")
    assert len(await kitchen.receive(invisible_ms=20)) == 1
    await until(lambda: kitchen.deadlines()[0] < 0)
    monkeypatch.setattr(kitchen.node.reader.records, "is_gone", lambda _entry: True)
    looks = looks_of(kitchen, monkeypatch)
    assert await kitchen.receive("bert", wait_ms=500) == []
    assert 2 <= len(looks) <= 500 / 50 + 2


async def test_a_poll_of_a_deleted_group_ends_with_an_error(kitchen: Kitchen) -> None:
    poll = asyncio.create_task(kitchen.receive(wait_ms=20_000))
    await until(lambda: kitchen.deliverer.room.count)
    await kitchen.node.carry_out(c.DeleteGroup(*kitchen.node.stamps(), "g"))
    with pytest.raises(RefusedError) as refused:
        await asyncio.wait_for(poll, 10)
    assert refused.value.code == Code.CONSUMER_GROUP_NOT_FOUND


@pytest.mark.parametrize(("asked_ms", "least_ms"), [(0, 1000), (999, 1000), (1000, 1000), (7000, 7000)])
async def test_a_push_consumers_nack_waits_at_least_its_back_off(kitchen: Kitchen, asked_ms: int, least_ms: int) -> None:
    await kitchen.send("1")
    (message,) = await kitchen.receive()
    await kitchen.deliverer.change_invisible("g", "t", message.handle, asked_ms)
    assert least_ms - 500 < kitchen.deadlines()[0] <= least_ms


async def test_a_simple_consumer_may_give_back_at_once(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    (message,) = await kitchen.receive(invisible_ms=10_000)
    await kitchen.deliverer.change_invisible("g", "t", message.handle, 0)
    assert [m.attempt for m in await kitchen.receive(wait_ms=5_000)] == [2]


async def test_the_last_delay_of_the_back_off_repeats(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    (message,) = await kitchen.receive()
    kitchen.node.machine.group("g").look("t").flights(0)[0].attempt = 100
    await kitchen.deliverer.change_invisible("g", "t", message.handle, 0)
    assert kitchen.deadlines()[0] > RETRY_DELAYS_S[-1] * 1000 - 500


async def test_messages_handed_out_after_their_clients_goodbye_are_given_back(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    receiving = asyncio.create_task(kitchen.receive())
    await until(lambda: kitchen.deliverer.picker._reserved)
    kitchen.clients.gone("anna")
    await kitchen.deliverer.release_client("anna", ["g"])
    assert await receiving == []
    assert [m.attempt for m in await kitchen.receive("bert", wait_ms=5_000)] == [2]


async def test_nothing_is_remembered_of_a_client_that_said_goodbye(kitchen: Kitchen) -> None:
    """Each short-lived consumer behind a follower would leave something behind, for as long as this node leads."""
    renewer = kitchen.deliverer.renewer
    for is_early in (False, True):  # it says goodbye when it has its message, and while that is on its way
        await kitchen.send(f"{is_early}")
        receiving = asyncio.create_task(kitchen.receive(through=3))
        await until(lambda: kitchen.deliverer.picker._reserved)
        if not is_early:
            assert len(await receiving) == 1
            assert renewer._through[3]
        kitchen.clients.gone("anna")
        await kitchen.deliverer.release_client("anna", ["g"])
        await receiving
        assert (renewer._renewing, renewer._since_of, renewer._through.get(3)) == ({}, {}, {})
        assert len(await kitchen.receive("bert", invisible_ms=60_000, wait_ms=5_000)) == 1


async def test_a_message_that_runs_out_wakes_a_poll_that_waited_when_it_was_taken(kitchen: Kitchen) -> None:
    polls = [asyncio.create_task(kitchen.receive(name, invisible_ms=50, wait_ms=20_000)) for name in ("anna", "bert")]
    await until(lambda: kitchen.deliverer.room.count == 2)
    await kitchen.send("1")
    first, second = await asyncio.wait_for(asyncio.gather(*polls), 10)
    assert [(m.attempt, m.offset) for m in (*first, *second)] == [(1, 0), (2, 0)]


async def test_a_poll_that_is_cancelled_when_it_was_woken_leaves_the_message_to_the_next(kitchen: Kitchen) -> None:
    polls = [asyncio.create_task(kitchen.receive(name, wait_ms=20_000)) for name in ("anna", "bert")]
    await until(lambda: kitchen.deliverer.room.count == 2)
    await kitchen.send("1")
    polls[0].cancel()
    assert len(await asyncio.wait_for(polls[1], 10)) == 1


async def test_a_poll_that_is_cancelled_when_its_node_lost_its_leadership_gives_nothing_back_and_fails_nothing(
    kitchen: Kitchen,
) -> None:
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context["message"]))
    await kitchen.send("1")
    await kitchen.deliverer.make_group("g")
    handed_out = asyncio.Event()

    def leaves(command: c.Command, _outcome: object) -> None:
        if isinstance(command, c.ReceiveMessages):
            kitchen.node.reign = Reign(2, 2, is_here=False)
            handed_out.set()

    kitchen.node.on_applied.append(leaves)
    poll = asyncio.create_task(kitchen.receive(invisible_ms=60_000))
    await until(lambda: kitchen.node.has_pending)
    poll.cancel()
    await handed_out.wait()
    with contextlib.suppress(asyncio.CancelledError):
        await poll
    await until(lambda: not kitchen.node.has_pending)
    await asyncio.sleep(0)
    assert failures == []
    assert set(kitchen.deadlines()) == {0}, "it comes back when its time is over"


async def test_a_node_that_lost_its_leadership_while_it_chose_keeps_nothing_reserved(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kitchen.send("1")
    leads, stamps = kitchen.node.reign, kitchen.node.stamps

    def stamps_at_the_last_moment() -> tuple[int, int]:
        kitchen.node.reign = Reign(2, 2, is_here=False)
        return stamps()

    await kitchen.deliverer.make_group("g")
    monkeypatch.setattr(kitchen.node, "stamps", stamps_at_the_last_moment)
    with pytest.raises(NotLeaderError):
        await kitchen.receive(invisible_ms=60_000)
    monkeypatch.undo()
    kitchen.node.reign = leads
    assert [message.offset for message in await kitchen.receive(invisible_ms=60_000)] == [0]


@pytest.mark.parametrize("error", [DiskFullError("no space left on the disk"), OutcomeUnknownError("nobody knows")])
async def test_messages_whose_delivery_was_not_written_can_be_received(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch, error: MqError
) -> None:
    """The command was taken, and its end is an error: nothing stays reserved."""
    await kitchen.send("1", "2")
    await kitchen.deliverer.make_group("g")

    def fails(_command: c.Command) -> "asyncio.Future[Outcome]":
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, error)
        return future

    with monkeypatch.context() as patched:
        patched.setattr(kitchen.node, "propose", fails)
        with pytest.raises(type(error), match=str(error)):
            await kitchen.receive()
    assert [(m.offset, m.attempt) for m in await kitchen.receive()] == [(0, 1), (1, 1)]


async def test_messages_can_be_received_when_a_full_disk_has_room_again(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kitchen.send("1")
    await kitchen.deliverer.make_group("g")

    def is_full(_operation: object) -> None:
        raise DiskFullError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(kitchen.node.disk, "perform", is_full)
        with pytest.raises(DiskFullError):
            await kitchen.receive()
    assert [(m.offset, m.attempt) for m in await kitchen.receive(wait_ms=5_000)] == [(0, 1)]


async def test_an_ack_of_a_handle_that_is_replaced_while_it_is_written_is_refused(kitchen: Kitchen) -> None:
    """Its own look found the handle good; what counts is what the log says."""
    await kitchen.send("1", "2")
    replaced, good = await kitchen.receive(invisible_ms=60_000)
    changing = asyncio.create_task(kitchen.deliverer.change_invisible("g", "t", replaced.handle, 60_000))
    await until(lambda: kitchen.node.has_pending)
    refusal, done = await kitchen.deliverer.ack("g", "t", [("1", replaced.handle), ("2", good.handle)])
    assert refusal is not None
    assert (refusal.code, done) == (Code.INVALID_RECEIPT_HANDLE, None)
    assert await kitchen.deliverer.ack("g", "t", [("1", await changing)]) == [None]
    assert kitchen.deadlines() == {}


@pytest.mark.parametrize("spent_by", ["a change", "another delivery", "its time", "the topic's end", "the group's end"])
async def test_a_forward_of_a_delivery_that_is_not_the_callers_any_more_does_nothing_and_succeeds(
    kitchen: Kitchen, spent_by: str
) -> None:
    """Official clients repeat a forward each second until it succeeds, without limit, and wait for that when they are closed."""
    await kitchen.send("1")
    (message,) = await kitchen.receive(invisible_ms=50 if spent_by in ("its time", "another delivery") else 60_000)
    if spent_by == "a change":
        await kitchen.deliverer.change_invisible("g", "t", message.handle, 60_000)
    elif spent_by == "the topic's end":
        await kitchen.node.carry_out(c.DeleteTopic(*kitchen.node.stamps(), "t"))
    elif spent_by == "the group's end":
        await kitchen.node.carry_out(c.DeleteGroup(*kitchen.node.stamps(), "g"))
    else:
        await until(lambda: kitchen.deadlines()[0] < 0)
        if spent_by == "another delivery":
            assert [m.attempt for m in await kitchen.receive("bert", invisible_ms=60_000)] == [2]
    before = kitchen.node.machine.to_bytes()
    await kitchen.deliverer.forward_to_dead_letters("g", "t", message.handle)
    assert kitchen.node.machine.to_bytes() == before
    assert "%DLQ%g" not in kitchen.node.machine.topics


async def test_a_forward_whose_topic_is_deleted_meanwhile_succeeds(kitchen: Kitchen) -> None:
    await kitchen.send("1")
    (message,) = await kitchen.receive(invisible_ms=60_000)
    deleted = kitchen.node.propose(c.DeleteTopic(*kitchen.node.stamps(), "t"))
    forwarding = asyncio.create_task(kitchen.deliverer.forward_to_dead_letters("g", "t", message.handle))
    await until(deleted.done)
    await forwarding
    assert "%DLQ%g" not in kitchen.node.machine.topics


@pytest.mark.parametrize(("group", "topic"), [("g", "other"), ("other", "t")])
async def test_a_forward_with_anothers_handle_stays_an_error(kitchen: Kitchen, group: str, topic: str) -> None:
    await kitchen.send("1")
    (message,) = await kitchen.receive(invisible_ms=60_000)
    with pytest.raises(RefusedError) as refused:
        await kitchen.deliverer.forward_to_dead_letters(group, topic, message.handle)
    assert refused.value.code == Code.INVALID_RECEIPT_HANDLE
    assert set(kitchen.deadlines()) == {0}


@pytest.mark.parametrize("what", ["ack", "change", "forward"])
async def test_a_handle_that_is_younger_than_the_state_here_is_for_another_leader_to_judge(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The message is done as far as is known here; since then its group was set back, and it was handed out anew."""
    await kitchen.send("1")
    (message,) = await kitchen.receive(invisible_ms=60_000)
    assert await kitchen.deliverer.ack("g", "t", [("1", message.handle)]) == [None]
    old = ReceiptHandle.from_text(message.handle, group="g", topic="t")
    handle = old._replace(stamp=kitchen.node.machine.applied_index + 2).to_text()

    async def another_leads() -> None:
        raise NotLeaderError(2)

    monkeypatch.setattr(kitchen.node, "read_index", another_leads)

    async def told() -> None:
        if what == "ack":
            await kitchen.deliverer.ack("g", "t", [("1", handle)])
        elif what == "change":
            await kitchen.deliverer.change_invisible("g", "t", handle, 20_000)
        else:
            await kitchen.deliverer.forward_to_dead_letters("g", "t", handle)

    with pytest.raises(NotLeaderError):
        await told()


async def test_silent_clients_are_forgotten(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "_RENEW_EVERY_MS", 0)
    kitchen.clients.heard("anna", group="g")
    kitchen.now_ms += CLIENT_LIFETIME_MS + 1
    kitchen.clients.heard("bert", group="g")
    rounds = asyncio.create_task(kitchen.deliverer.renewer.renew_forever())
    await until(lambda: [client.client_id for client in kitchen.clients.of_group("g")] == ["bert"])
    rounds.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await rounds
    assert rounds.cancelled()


async def test_nothing_is_remembered_of_a_client_that_is_forgotten(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever made room for a new one by forgetting it."""
    monkeypatch.setattr(renewing, "_RENEW_EVERY_MS", 0)
    await kitchen.send("1")
    assert len(await kitchen.receive(through=3)) == 1
    kitchen.clients.stream_closed("anna")
    renewer = kitchen.deliverer.renewer
    assert set(renewer._since_of) == set(renewer._through[3]) == {("anna", "g")}
    kitchen.now_ms += CLIENT_LIFETIME_MS + 1
    kitchen.clients.heard("bert", group="g")
    assert not kitchen.clients.is_known("anna")
    rounds = asyncio.create_task(renewer.renew_forever())
    await until(lambda: not renewer._since_of and not renewer._through[3])
    rounds.cancel()
    await asyncio.gather(rounds, return_exceptions=True)
    assert kitchen.clients.is_known("bert")


async def test_a_node_that_does_not_lead_keeps_nothing_of_connections_that_break(kitchen: Kitchen) -> None:
    """Nobody would ever take it away there; who leads next takes what was under way for lost anyway."""
    leads = kitchen.node.reign
    kitchen.clients.heard("anna", group="g")
    kitchen.node.reign = Reign(2, 2, is_here=False)
    kitchen.clients.stream_closed("anna")
    assert kitchen.deliverer.renewer._since_of == {}
    kitchen.node.reign = leads
    kitchen.clients.stream_closed("anna")
    assert set(kitchen.deliverer.renewer._since_of) == {("anna", "g")}


async def test_one_damaged_message_does_not_keep_the_others_from_their_consumers(kitchen: Kitchen, tmp_path: Path) -> None:
    for one in ("bread", "salt!", "olive"):
        await kitchen.send(one)
    (segment,) = (tmp_path / "log").iterdir()
    data = bytearray(segment.read_bytes())
    data[data.index(b"salt!")] ^= 1
    segment.write_bytes(data)
    kitchen.node.reader.forget_all()
    got = await kitchen.receive()
    assert [m.offset for m in got] == [0, 2]
    assert set(kitchen.deadlines()) == {0, 1, 2}  # the damaged one stays in flight: nobody has acknowledged it
    await kitchen.send("water")
    assert [m.offset for m in await kitchen.receive("bela")] == [3]


async def test_when_all_is_damaged_the_consumer_is_told(kitchen: Kitchen, tmp_path: Path) -> None:
    await kitchen.send("salt!")
    (segment,) = (tmp_path / "log").iterdir()
    data = bytearray(segment.read_bytes())
    data[data.index(b"salt!")] ^= 1
    segment.write_bytes(data)
    kitchen.node.reader.forget_all()
    with pytest.raises(DamageError, match=segment.name):
        await kitchen.receive()


async def test_what_was_handed_out_before_a_restart_is_not_renewed_but_comes_again(kitchen: Kitchen, tmp_path: Path) -> None:
    """Its reply may have been lost with the old process, while the client goes on to send heartbeats."""
    await kitchen.send("lost")
    await kitchen.receive()
    await kitchen.node.close()
    again = Kitchen(BrokerNode(FileDisk(tmp_path), segment_bytes=1 << 20))
    again.clients.heard("anna", group="g")
    assert not await renewed(again)
    assert 0 < again.deadlines()[0] <= RENEW_INVISIBLE_MS
    await again.send("new")
    assert [m.offset for m in await again.receive()] == [1]
    await again.deliverer.renewer.renew_due()
    assert again.deadlines()[1] > again.deadlines()[0]
    again.deliverer.stop()
    await again.node.close()


async def test_a_new_leader_hides_what_another_one_handed_out_for_one_interval_more_and_no_longer(kitchen: Kitchen) -> None:
    """Its client may still be at work on it; whether it ever arrived, nobody knows."""
    await kitchen.send("1")
    await kitchen.receive()
    at_ms, before = kitchen.node.log_ms(), flights_of(kitchen)
    await until(lambda: kitchen.node.log_ms() > at_ms + 1)
    kitchen.deliverer.reign_is(Reign(2, 1, is_here=True))
    await until(lambda: flights_of(kitchen)[0] > before[0])
    assert kitchen.deadlines()[0] <= RENEW_INVISIBLE_MS
    assert not await renewed(kitchen)


async def test_an_ack_that_comes_again_while_the_first_is_written_is_done_as_well(kitchen: Kitchen) -> None:
    """A node whose connection with the leader broke asks it again, not knowing what became of the first call."""
    await kitchen.send("1")
    (message,) = await kitchen.receive(invisible_ms=60_000)
    first = asyncio.create_task(kitchen.deliverer.ack("g", "t", [("1", message.handle)]))
    await until(lambda: kitchen.node.has_pending)
    assert await kitchen.deliverer.ack("g", "t", [("1", message.handle)]) == [None]
    assert await first == [None]
    assert kitchen.deadlines() == {}
