"""Our own batch client against the fake broker."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from mq.client.errors import BrokerFailedError, NoAnswerError, UnreachableError
from mq.client.views import BatchResult
from mq.core.errors import IllegalArgumentError, NotServingError, RefusedError
from mq.core.limits import BATCH_MESSAGES_MAX, BODY_FRAME_BYTES_MAX
from mq.proto import broker_v1_pb2 as b
from mq.rpc.client import BatchFetcher, BatchProducer
from tests.unit.cli.fake_broker import OK, FakeBroker
from tests.unit.cli.test_exit_codes import free_port


def sent(frame: b.BatchSend, **more: Any) -> b.BatchSent:
    return b.BatchSent(code=OK, sequence=frame.sequence, count=len(frame.messages), **more)


async def test_each_batch_gets_its_own_answer_in_whatever_order_they_come(broker: FakeBroker) -> None:
    held: list[b.BatchSend] = []

    def answer_backwards(frame: b.BatchSend) -> Iterator[b.BatchSent]:
        held.append(frame)
        if len(held) == 10:
            for one in reversed(held):
                yield sent(one, base_offset=int(one.messages[0]), queue_id=one.queue_id, duplicates=1)

    broker.answers["SendBatches"] = answer_backwards
    async with BatchProducer(broker.endpoint) as producer:
        futures = [await producer.send("orders", [b"%d" % n], queue_id=n) for n in range(10)]
        assert [await future for future in futures] == [BatchResult(n, n, 1, 1) for n in range(10)]
    assert [frame.topic for frame in held] == ["orders"] * 10
    assert broker.calls[0][2]["x-mq-client-id"]


async def test_no_more_than_a_window_is_under_way(broker: FakeBroker) -> None:
    may_answer = threading.Event()
    seen: list[int] = []

    def answer_late(frame: b.BatchSend) -> list[b.BatchSent]:
        seen.append(frame.sequence)
        may_answer.wait(20)
        return [sent(frame)]

    broker.answers["SendBatches"] = answer_late
    async with BatchProducer(broker.endpoint, window_batches=3) as producer:
        for _ in range(3):
            await producer.send("orders", [b"x"])
        fourth = asyncio.ensure_future(producer.send("orders", [b"x"]))
        done, _ = await asyncio.wait({fourth}, timeout=0.3)
        assert not done
        may_answer.set()
        assert (await (await fourth)).count == 1
    assert seen == [1, 2, 3, 4]


async def test_what_was_not_answered_is_sent_again_after_a_broken_stream(broker: FakeBroker) -> None:
    first_stream = True

    def break_once(frame: b.BatchSend) -> Iterator[b.BatchSent]:
        nonlocal first_stream
        if frame.sequence == 3 and first_stream:
            first_stream = False
            raise RuntimeError("the stream breaks here")
        yield sent(frame, base_offset=frame.sequence)

    broker.answers["SendBatches"] = break_once
    broker.failures["SendBatches"] = [grpc.StatusCode.UNAVAILABLE]
    async with BatchProducer(broker.endpoint) as producer:
        futures = [await producer.send("orders", [b"x"]) for _ in range(6)]
        results = await asyncio.gather(*futures, return_exceptions=True)
    # An error that the broker did not mean (UNKNOWN) is not a refusal: it is indefinite, and the ids make repeating safe.
    assert [result.base_offset for result in results if isinstance(result, BatchResult)] == [1, 2, 3, 4, 5, 6]
    sequences = [frame.sequence for frame in broker.requests("SendBatches")]
    assert sequences[0] == sequences[1] == 1
    assert sequences[-4:] == [3, 4, 5, 6]


@pytest.mark.parametrize("code", [50400, 50401])
async def test_a_batch_that_the_broker_could_not_take_now_is_sent_again(broker: FakeBroker, code: int) -> None:
    broker.failures["SendBatches"] = [(code, "not now"), (code, "not now")]
    async with BatchProducer(broker.endpoint) as producer:
        assert (await (await producer.send("orders", [b"x"]))).count == 1
    assert len(broker.requests("SendBatches")) == 3


async def test_a_batch_that_is_never_taken_ends_with_the_reason_and_is_not_stored(broker: FakeBroker) -> None:
    broker.answers["SendBatches"] = lambda frame: [b.BatchSent(code=50400, message="no space left", sequence=frame.sequence)]
    async with BatchProducer(broker.endpoint, timeout_s=1.2) as producer:
        with pytest.raises(NotServingError, match=r"took no batch within 1\.2 s, and it is not stored: no space left"):
            await (await producer.send("orders", [b"x"]))
    assert 2 <= len(broker.requests("SendBatches")) <= 5, "the broker writes a line about each"


async def test_of_a_batch_whose_first_attempt_had_no_answer_nobody_says_that_it_is_not_stored(broker: FakeBroker) -> None:
    attempts = 0

    def break_then_refuse(frame: b.BatchSend) -> Iterator[b.BatchSent]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("stored, and the stream breaks here")
        yield b.BatchSent(code=50400, message="no space left", sequence=frame.sequence)

    broker.answers["SendBatches"] = break_then_refuse
    async with BatchProducer(broker.endpoint, timeout_s=1.2) as producer:
        with pytest.raises(NoAnswerError, match="it may be stored; the last answer was: no space left"):
            await (await producer.send("orders", [b"x"]))
    assert attempts >= 2


async def test_a_refusal_ends_its_batch_alone(broker: FakeBroker) -> None:
    broker.failures["SendBatches"] = [(40402, "no such topic"), None, (50001, "internal error")]
    async with BatchProducer(broker.endpoint) as producer:
        futures = [await producer.send("orders", [b"x"]) for _ in range(3)]
        first, second, third = await asyncio.gather(*futures, return_exceptions=True)
    assert isinstance(first, RefusedError)
    assert isinstance(second, BatchResult)
    assert isinstance(third, BrokerFailedError)
    assert len(broker.requests("SendBatches")) == 3


async def test_a_frame_that_could_not_be_read_ends_all_that_wait(broker: FakeBroker) -> None:
    broker.answers["SendBatches"] = lambda _frame: [b.BatchSent(code=40000, message="not a serialized BatchSend")]
    async with BatchProducer(broker.endpoint) as producer:
        with pytest.raises(RefusedError, match="not a serialized"):
            await (await producer.send("orders", [b"x"]))


async def test_a_batch_without_an_answer_ends_when_its_time_is_up(broker: FakeBroker) -> None:
    broker.answers["SendBatches"] = lambda _frame: []
    async with BatchProducer(broker.endpoint, timeout_s=0.5) as producer:
        with pytest.raises(NoAnswerError, match=r"did not answer a batch within 0\.5 s"):
            await (await producer.send("orders", [b"x"]))


async def test_a_broker_that_is_not_there_is_told_apart_from_one_that_does_not_answer() -> None:
    async with BatchProducer(f"127.0.0.1:{free_port()}", timeout_s=0.5) as producer:
        with pytest.raises(UnreachableError, match="Connection refused"):
            await (await producer.send("orders", [b"x"]))


async def test_a_broker_that_comes_later_is_found() -> None:
    port = free_port()
    async with BatchProducer(f"127.0.0.1:{port}") as producer:
        future = await producer.send("orders", [b"x"])
        await asyncio.sleep(0.2)
        late = FakeBroker(port)
        try:
            assert (await future).count == 1
        finally:
            late.stop()


async def test_a_batch_has_its_limits(broker: FakeBroker) -> None:
    async with BatchProducer(broker.endpoint) as producer:
        with pytest.raises(IllegalArgumentError, match="messages: 0, 1 to 4096"):
            await producer.send("orders", [])
        with pytest.raises(IllegalArgumentError, match="messages: 4097"):
            await producer.send("orders", [b"x"] * (BATCH_MESSAGES_MAX + 1))
        with pytest.raises(IllegalArgumentError, match="at most 8388608"):
            await producer.send("orders", [bytes(BODY_FRAME_BYTES_MAX), b"x"])
    with pytest.raises(IllegalArgumentError, match="window_batches: 0"):
        BatchProducer(broker.endpoint, window_batches=0)
    assert not broker.requests("SendBatches")


async def test_an_exception_in_the_block_does_not_wait_for_answers(broker: FakeBroker) -> None:
    broker.answers["SendBatches"] = lambda _frame: []
    futures: list[asyncio.Future[BatchResult]] = []

    async def fail_after_sending() -> None:
        async with BatchProducer(broker.endpoint) as producer:
            futures.append(await producer.send("orders", [b"x"]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_sending()
    with pytest.raises(NoAnswerError, match="closed"):
        await futures[0]


# --- fetching


async def test_batches_come_whole_and_in_order(broker: FakeBroker) -> None:
    broker.stored = [b"%d" % n for n in range(25)]
    async with BatchFetcher(broker.endpoint) as fetcher:
        batches = [batch async for batch in fetcher.fetch("orders", 3)]
    assert [(batch.queue_id, batch.base_offset, batch.store_ms) for batch in batches] == [(3, 0, 7), (3, 10, 7), (3, 20, 7)]
    assert [message for batch in batches for message in batch.messages] == broker.stored


async def test_what_lies_before_the_offset_is_left_out(broker: FakeBroker) -> None:
    broker.stored = [b"%d" % n for n in range(25)]
    async with BatchFetcher(broker.endpoint) as fetcher:
        batches = [batch async for batch in fetcher.fetch("orders", 0, offset=13)]
    assert [(batch.base_offset, len(batch.messages)) for batch in batches] == [(13, 7), (20, 5)]
    assert batches[0].messages[0] == b"13"


async def test_after_a_broken_stream_fetching_goes_on_where_it_was(broker: FakeBroker) -> None:
    broker.stored = [b"%d" % n for n in range(25)]
    whole, is_first = broker.on_FetchBatches, True

    def break_once(request: b.FetchBatchesRequest) -> Iterator[b.BatchFrame]:
        nonlocal is_first
        yield next(iter(whole(request)))
        if is_first:
            is_first = False
            raise RuntimeError("the stream breaks here")
        yield from list(whole(request))[1:]

    broker.answers["FetchBatches"] = break_once
    async with BatchFetcher(broker.endpoint) as fetcher:
        messages = [message async for batch in fetcher.fetch("orders", 0) for message in batch.messages]
    assert messages == broker.stored
    assert [request.offset for request in broker.requests("FetchBatches")] == [0, 10]


async def test_following_asks_again_from_the_end(broker: FakeBroker) -> None:
    broker.stored = [b"0"]
    got = []
    async with BatchFetcher(broker.endpoint) as fetcher, aclosing(fetcher.fetch("orders", 0, follow=True)) as batches:
        async for batch in batches:
            got += batch.messages
            broker.stored.append(b"%d" % len(broker.stored))
            if len(got) == 3:
                break
    assert got == [b"0", b"1", b"2"]
    assert all(request.follow for request in broker.requests("FetchBatches"))


async def test_a_refused_fetch_is_an_error(broker: FakeBroker) -> None:
    broker.failures["FetchBatches"] = [(40402, "no such topic")]
    async with BatchFetcher(broker.endpoint) as fetcher:
        with pytest.raises(RefusedError, match="no such topic"):
            await anext(fetcher.fetch("orders", 0))
    async with BatchFetcher(f"127.0.0.1:{free_port()}", timeout_s=0.3) as fetcher:
        with pytest.raises(UnreachableError):
            await anext(fetcher.fetch("orders", 0))


async def test_broken_streams_leave_no_task_behind(broker: FakeBroker) -> None:
    broker.failures["SendBatches"] = [grpc.StatusCode.UNAVAILABLE] * 3
    before = asyncio.all_tasks()
    async with BatchProducer(broker.endpoint) as producer:
        assert (await (await producer.send("orders", [b"x"]))).count == 1
        assert len(broker.requests("SendBatches")) == 4
        # Those of the producer itself, and one that reads what the stream in use is to send.
        readers = [task for task in asyncio.all_tasks() - before if "_consume_request_iterator" in repr(task.get_coro())]
        assert len(readers) <= 1
