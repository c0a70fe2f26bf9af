"""Calls that one node passes on to another: answers, ends, failures, and how either side learns that the other has gone."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from mq.core.errors import Code, Fault, IllegalArgumentError, NotServingError, RefusedError, StateError
from mq.rpc.frames import BODY_BYTES_MAX, FrameKind
from mq.rpc.handshake import Purpose
from mq.server.peer_calling import (
    CallFailedError,
    CallRefusedError,
    CallTimeoutError,
    OutgoingCall,
    PeerLostError,
    PeerUnreachableError,
)
from mq.server.peer_connection import PeerTimes
from mq.server.peer_serving import IncomingCall
from tests.unit.server.eventually import until
from tests.unit.server.peers import Node, Wire, joined, numbered, running


def calling(name: str = "Echo", request: bytes = b"", timeout_s: float | None = None) -> OutgoingCall:
    return OutgoingCall(name, (("client", "c1"), ("größe", "ü")), request, timeout_s)


class Service:
    """Serves by name, and notes how each call ended."""

    def __init__(self) -> None:
        self.calls: list[IncomingCall] = []
        self.ends: list[str] = []
        self.may_go_on = asyncio.Event()
        self.sent_bytes = 0

    async def __call__(self, call: IncomingCall) -> None:
        self.calls.append(call)
        serve: Callable[[IncomingCall], Awaitable[None]] = getattr(self, call.name)
        try:
            await serve(call)
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        except BaseException as error:
            self.ends.append(type(error).__name__)
            raise
        self.ends.append("done")

    async def Echo(self, call: IncomingCall) -> None:  # noqa: N802 - calls have such names
        await call.answer(call.request, is_last=True)

    async def Wait(self, call: IncomingCall) -> None:  # noqa: N802
        await self.may_go_on.wait()
        await call.answer(b"waited", is_last=True)

    async def Count(self, call: IncomingCall) -> None:  # noqa: N802
        for number in range(int(call.request)):
            await call.answer(b"%d" % number, is_last=False)

    async def Flood(self, call: IncomingCall) -> None:  # noqa: N802
        while True:
            await call.answer(bytes(100_000), is_last=False)
            self.sent_bytes += 100_000

    async def FirstOnly(self, call: IncomingCall) -> None:  # noqa: N802
        await call.answer(b"first", is_last=False)
        await asyncio.get_running_loop().create_future()

    async def Twice(self, call: IncomingCall) -> None:  # noqa: N802
        await call.answer(b"last", is_last=True)
        await call.answer(b"after", is_last=True)

    async def Refuse(self, call: IncomingCall) -> None:  # noqa: N802
        raise RefusedError(Code.TOPIC_NOT_FOUND, "topic 'x' is not here")

    async def Break(self, call: IncomingCall) -> None:  # noqa: N802
        raise ZeroDivisionError("oh")

    async def GiveUp(self, call: IncomingCall) -> None:  # noqa: N802
        raise asyncio.CancelledError

    async def Huge(self, call: IncomingCall) -> None:  # noqa: N802
        await call.answer(bytes(BODY_BYTES_MAX), is_last=True)


# --- answers


async def test_a_call_arrives_with_all_that_was_said_and_is_answered() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        assert await one.network.call(2, calling(request=b"hello", timeout_s=30)) == b"hello"
        (call,) = service.calls
        assert (call.name, call.headers, call.request, call.peer) == ("Echo", (("client", "c1"), ("größe", "ü")), b"hello", 1)
        assert call.deadline_s is not None
        assert 0 < call.deadline_s - asyncio.get_running_loop().time() <= 30
        assert await one.network.call(2, calling(request=b"")) == b""
        assert service.calls[1].deadline_s is None


async def test_a_call_that_is_answered_costs_two_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Node(1), Node(2, serve=Service())
    async with joined(one, two):
        there, back = one.network._peers[2].calls.connection, two.network._accepted[1, Purpose.CALLS]
        assert there is not None
        sent: list[FrameKind] = []
        for connection in (there, back):
            send = connection.send

            def note(kind: FrameKind, *parts: bytes, send: Callable[..., None] = send) -> None:
                sent.append(kind)
                send(kind, *parts)

            monkeypatch.setattr(connection, "send", note)
        for _ in range(3):
            await one.network.call(2, calling())
        assert [kind for kind in sent if kind is not FrameKind.PING] == [FrameKind.CALL, FrameKind.ANSWER] * 3


async def test_many_calls_share_a_connection_and_each_gets_its_own_answer() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        waiting = [asyncio.ensure_future(one.network.call(2, calling("Wait"))) for _ in range(3)]
        await until(lambda: len(service.calls) == 3)
        answers = await asyncio.gather(*(one.network.call(2, calling(request=b"%d" % number)) for number in range(500)))
        assert answers == [b"%d" % number for number in range(500)]
        assert not any(task.done() for task in waiting)
        service.may_go_on.set()
        assert await asyncio.gather(*waiting) == [b"waited"] * 3


async def test_large_requests_and_answers_pass_whole() -> None:
    one, two = Node(1), Node(2, serve=Service())
    async with joined(one, two):
        request = secrets.token_bytes(20 << 20)
        assert await one.network.call(2, calling(request=request)) == request


async def test_calls_go_both_ways_at_once() -> None:
    one, two = Node(1, serve=Service()), Node(2, serve=Service())
    async with joined(one, two):
        there, back = one.network.call(2, calling(request=b"1")), two.network.call(1, calling(request=b"2"))
        assert list(await asyncio.gather(there, back)) == [b"1", b"2"]


@pytest.mark.parametrize("count", [0, 1, 1000])
async def test_a_stream_brings_all_answers_in_order_and_ends(count: int) -> None:
    one, two = Node(1), Node(2, serve=Service())
    async with joined(one, two):
        stream = one.network.stream(2, calling("Count", b"%d" % count))
        assert [part async for part in stream] == [b"%d" % number for number in range(count)]
        assert [part async for part in one.network.stream(2, calling(request=b""))] == [b""]  # an empty answer is one


async def test_a_call_that_ends_without_an_answer_fails() -> None:
    one, two = Node(1), Node(2, serve=Service())
    async with joined(one, two):
        with pytest.raises(CallFailedError, match="Count on node 2 ended without an answer"):
            await one.network.call(2, calling("Count", b"0"))
        assert await one.network.call(2, calling("Count", b"3")) == b"012"


async def test_who_reads_slowly_holds_up_its_own_stream_and_nothing_else() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two), aclosing(one.network.stream(2, calling("Flood"))) as stream:
        await anext(stream)
        await until(lambda: service.sent_bytes >= 4_000_000)
        for _ in range(50):  # many turns, in which nothing more may go out
            assert await one.network.call(2, calling(request=b"x")) == b"x"
        sent = service.sent_bytes
        assert sent <= (4 << 20) + 200_000
        for _ in range(30):
            await anext(stream)
        await until(lambda: service.sent_bytes >= sent + 2_000_000)


# --- ends


async def test_a_caller_that_is_cancelled_takes_the_serving_task_with_it() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        task = asyncio.ensure_future(one.network.call(2, calling("Wait")))
        await until(lambda: service.calls)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: service.ends == ["cancelled"])
        with pytest.raises(PeerLostError, match="node 1 does not wait for Wait any more"):
            await service.calls[0].answer(b"late", is_last=True)
        assert await one.network.call(2, calling(request=b"next")) == b"next"


async def test_an_iterator_that_is_closed_takes_the_serving_task_with_it() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        stream = one.network.stream(2, calling("FirstOnly"))
        assert await anext(stream) == b"first"
        await stream.aclose()
        await until(lambda: service.ends == ["cancelled"])
        async for part in one.network.stream(2, calling("FirstOnly")):
            assert part == b"first"
            break
        await until(lambda: service.ends == ["cancelled"] * 2)
        links = {link.task for peer in two.network._peers.values() for link in (peer.raft, peer.calls)}
        await until(lambda: two.network._tasks == links)


async def test_a_stream_that_nobody_reads_is_never_sent() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        stream = one.network.stream(2, calling("FirstOnly"))
        await one.network.call(2, calling())
        await stream.aclose()
        assert [call.name for call in service.calls] == ["Echo"]


@pytest.mark.parametrize("is_streaming", [False, True])
async def test_a_timeout_is_indefinite_and_ends_the_serving_task(is_streaming: bool) -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        if is_streaming:
            stream = one.network.stream(2, calling("FirstOnly", timeout_s=60))
            assert await anext(stream) == b"first"
            one.network._calling[2]._pending[1]._deadline_s = asyncio.get_running_loop().time()
            late: Awaitable[bytes] = anext(stream)
        else:
            late = one.network.call(2, calling("Wait", timeout_s=0.05))
        with pytest.raises(CallTimeoutError, match="on node 2: no answer came in time; it may have been carried out") as caught:
            await late
        assert (caught.value.fault, caught.value.definite) == (Fault.PEER, False)
        await until(lambda: service.ends == ["cancelled"])


# --- when a connection ends


@pytest.mark.parametrize("is_streaming", [False, True])
async def test_a_break_in_the_middle_ends_the_call_on_both_sides(is_streaming: bool) -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with running(one, two), Wire(two.address) as wire:
        one.network.set_peers({2: wire.address})
        await until(lambda: one.is_ready(2))

        async def read() -> list[bytes]:
            return [part async for part in one.network.stream(2, calling("FirstOnly"))]

        waiting = [asyncio.ensure_future(read() if is_streaming else one.network.call(2, calling("Wait"))) for _ in range(5)]
        await until(lambda: len(service.calls) == 5)
        wire.cut()
        for task in waiting:
            with pytest.raises(PeerLostError, match="the connection broke during the call") as caught:
                await asyncio.wait_for(task, 10)
            assert (caught.value.fault, caught.value.definite) == (Fault.PEER, False)
        await until(lambda: service.ends == ["cancelled"] * 5)
        await until(lambda: one.is_ready(2))
        assert await one.network.call(2, calling(request=b"again")) == b"again"


async def test_calls_that_are_given_up_end_on_both_sides_and_later_ones_go_on() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        given_up = asyncio.create_task(one.network.call(2, calling("Wait")))
        await until(lambda: len(service.calls) == 1)
        one.network.give_up_calls(2, 0.0, "it leads no more", overdue_s=9.0)
        later = asyncio.create_task(one.network.call(2, calling("Wait")))
        with pytest.raises(PeerLostError, match="Wait on node 2: it leads no more"):
            await given_up
        await until(lambda: service.ends == ["cancelled"])
        service.may_go_on.set()
        assert await later == b"waited"
        one.network.give_up_calls(3, 0.0, "nobody knows it", overdue_s=9.0)


async def test_a_call_that_is_overdue_is_given_up_at_once_and_others_may_still_be_answered() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        overdue = asyncio.create_task(one.network.call(2, calling("Wait")))
        await until(lambda: len(service.calls) == 1)
        many = one.network.stream(2, calling("FirstOnly"))
        assert await anext(many) == b"first"
        for pending in one.network._calling[2]._pending.values():
            pending.begun_s -= 100
        fresh = asyncio.create_task(one.network.call(2, calling("Wait")))
        await until(lambda: len(service.calls) == 3)
        one.network.give_up_calls(2, 3600.0, "it leads no more", overdue_s=50.0)
        await asyncio.sleep(0)
        assert not overdue.done(), "that node lives, and may answer yet"
        for connection in one.network._connections:
            connection.heard_at_s -= 100
        one.network.give_up_calls(2, 3600.0, "it leads no more", overdue_s=50.0)
        with pytest.raises(PeerLostError, match="it leads no more"):
            await overdue
        service.may_go_on.set()
        assert await fresh == b"waited"
        await many.aclose()


async def test_answers_that_came_before_a_break_are_read_before_it_is_told() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        stream = one.network.stream(2, calling("FirstOnly"))
        first = asyncio.ensure_future(anext(stream))
        await until(first.done)
        assert first.result() == b"first"
        two.die()
        with pytest.raises(PeerLostError):
            await anext(stream)


async def test_a_call_to_nobody_is_definitely_not_sent() -> None:
    one, two = Node(1), Node(2)
    async with running(one, two):
        for node in (1, 2, 9):
            with pytest.raises(PeerUnreachableError, match=f"no connection with node {node}") as caught:
                await one.network.call(node, calling())
            assert (caught.value.fault, caught.value.definite) == (Fault.PEER, True)
            with pytest.raises(PeerUnreachableError):
                await anext(one.network.stream(node, calling()))


async def test_a_peer_that_takes_nothing_in_is_found_unreachable_and_its_calls_end() -> None:
    silent = PeerTimes(ping_s=0.5)
    one, two = Node(1, times=silent), Node(2, times=silent, serve=Service())
    async with running(one, two), Wire(two.address) as wire:
        one.network.set_peers({2: wire.address})
        await until(lambda: one.is_ready(2))
        wire.mute()
        big = asyncio.ensure_future(one.network.call(2, calling(request=bytes(64 << 20))))
        await until(lambda: one.network._calling[2]._pending)
        await asyncio.sleep(0)  # in which it is written, as far as it goes
        with pytest.raises(PeerUnreachableError, match=r"took in nothing for 0.05 s; nothing was sent"):
            await one.network.call(2, calling(timeout_s=0.05))
        with pytest.raises(PeerLostError, match="nothing was heard for"):
            await asyncio.wait_for(big, 10)
        wire.cut()


async def test_a_large_call_does_not_hold_up_a_message_of_raft() -> None:
    one, two = Node(1), Node(2, serve=Service())
    async with joined(one, two):
        call = asyncio.ensure_future(one.network.call(2, calling(request=bytes(64 << 20))))
        await until(lambda: one.network._calling[2]._pending)
        one.network.send(numbered(1, 2, 7))
        await until(lambda: two.terms == [7])
        assert not call.done()
        assert len(await call) == 64 << 20


async def test_closing_ends_calls_under_way() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        task = asyncio.ensure_future(one.network.call(2, calling("Wait")))
        await until(lambda: service.calls)
        await two.network.close()
        assert service.ends == ["cancelled"]
        with pytest.raises(PeerLostError):
            await task


# --- failures


async def test_what_the_serving_side_refuses_is_told_with_its_code() -> None:
    one, two = Node(1), Node(2, serve=Service())
    async with joined(one, two):
        with pytest.raises(CallRefusedError, match="topic 'x' is not here") as caught:
            await one.network.call(2, calling("Refuse"))
        assert (caught.value.code, caught.value.definite) == (Code.TOPIC_NOT_FOUND, True)


async def test_a_bug_on_the_serving_side_is_an_indefinite_failure_of_that_call_alone() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        waiting = asyncio.ensure_future(one.network.call(2, calling("Wait")))
        for name, text in (("Break", "Break failed: ZeroDivisionError: oh"), ("GiveUp", "GiveUp was cancelled")):
            with pytest.raises(CallFailedError, match=text) as caught:
                await one.network.call(2, calling(name))
            assert (caught.value.code, caught.value.definite) == (Code.INTERNAL_SERVER_ERROR, False)
            assert not isinstance(caught.value, CallRefusedError)
        service.may_go_on.set()
        assert await waiting == b"waited"


async def test_an_answer_behind_the_last_one_is_our_bug_and_harms_nobody() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        assert await one.network.call(2, calling("Twice")) == b"last"
        await until(lambda: service.ends == [StateError.__name__])
        assert await one.network.call(2, calling(request=b"x")) == b"x"


async def test_a_node_that_serves_nothing_says_so() -> None:
    one, two = Node(1), Node(2)
    async with joined(one, two):
        with pytest.raises(CallRefusedError, match="this node takes no calls") as caught:
            await one.network.call(2, calling())
        assert caught.value.code is Code.NOT_IMPLEMENTED


async def test_what_is_too_large_for_a_frame_is_refused_and_the_connection_stays() -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        with pytest.raises(IllegalArgumentError, match="request: Echo is too large to be passed on"):
            await one.network.call(2, calling(request=bytes(BODY_BYTES_MAX)))
        with pytest.raises(CallFailedError, match="longer than"):
            await one.network.call(2, calling("Huge"))
        assert await one.network.call(2, calling(request=b"x")) == b"x"
        assert (one.lost, two.lost) == ([], [])


@pytest.mark.parametrize("kind", [FrameKind.RAFT, FrameKind.ANSWER, FrameKind.HELLO, FrameKind.CALL])
async def test_nonsense_on_a_connection_for_calls_ends_it_and_its_calls(kind: FrameKind) -> None:
    service = Service()
    one, two = Node(1), Node(2, serve=service)
    async with joined(one, two):
        waiting = asyncio.ensure_future(one.network.call(2, calling("Wait")))
        await until(lambda: service.calls)
        connection = one.network._peers[2].calls.connection
        assert connection is not None
        connection.send(kind, b"nonsense")
        with pytest.raises(PeerLostError):
            await asyncio.wait_for(waiting, 10)
        await until(lambda: service.ends == ["cancelled"])
        assert (one.lost, two.lost) == ([], [])  # Raft's messages go on


async def test_a_node_that_does_not_serve_now_is_definite() -> None:
    async def serve(_call: IncomingCall) -> None:
        raise NotServingError("stopping")

    one, two = Node(1), Node(2, serve=serve)
    async with joined(one, two):
        with pytest.raises(CallRefusedError, match="stopping") as caught:
            await one.network.call(2, calling())
        assert caught.value.code is Code.PROXY_TIMEOUT
