"""Whatever arrives, there is an answer with a status, no traceback, and a broker that goes on."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest

from mq.core.errors import Code
from mq.core.message import MessageKind
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.methods import BROKER, MESSAGING, Cardinality
from tests.cluster.broker_process import BrokerProcess, wait_until
from tests.cluster.caller import Caller
from tests.cluster.fuzzing import GROUPS, TOPICS, Fuzzed, fuzzed_requests

REQUESTS = {"quick": 2000, "default": 10_000, "night": 200_000}[os.environ.get("RAFTMQ_TIER", "default")]
WARM_UPS, WARM_UP = 4, max(5000, REQUESTS // 16)
"""These fill the caches (32 MiB of records) and the allocator's arenas. What the allocator gives back differs from round to
round, so the highest of them counts; what grows beyond it is a leak."""
EXACT_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "65536"}
"""Let glibc give back what is free, so that what is resident is what is used."""
SECOND_LOOKS = 3
"""glibc gives back only what is free above the last block in use: one small block that lives at a bad place keeps 30 MiB of
free memory resident for a while (1 of 12 rounds). More requests move such a block, and never take a leak away."""
SIDE_BY_SIDE = 24
CALL_S = 2.0
GROWTH_BYTES_MAX = 24 << 20
# What gRPC itself answers: a frame beyond its limit; and what a Telemetry stream ends with when settings are wrong.
GRPC_ANSWERS: dict[Any, tuple[str, ...]] = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: tuple(method.name for method in (*MESSAGING.values(), *BROKER.values())),
    grpc.StatusCode.INVALID_ARGUMENT: ("Telemetry",),
}


class Answers:
    """What came back, and what of it is not good enough."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.bad: list[str] = []

    def note(self, fuzzed: Fuzzed, what: str) -> None:
        self.codes[what] += 1

    def wrong(self, fuzzed: Fuzzed, what: str) -> None:
        self.bad.append(f"{fuzzed.method.name}, {fuzzed.how}, {fuzzed.metadata}: {what}; {fuzzed.frames[0][:60].hex()}")


def codes_of(answer: Any) -> Iterator[int]:
    """The status codes in one response message."""
    if hasattr(answer, "answers"):
        for one in answer.answers:
            yield one.code
    elif hasattr(answer, "code"):
        yield answer.code
    elif answer.DESCRIPTOR.fields_by_name["status"].has_presence and answer.HasField("status"):
        yield answer.status.code


async def call(channel: grpc.aio.Channel, fuzzed: Fuzzed) -> list[Any]:
    """All response messages."""
    method = fuzzed.method
    options: Any = {"timeout": CALL_S, "metadata": fuzzed.metadata}
    if method.cardinality is Cardinality.UNARY:
        stub: Any = channel.unary_unary(method.path, response_deserializer=method.response.FromString)
        return [await stub(fuzzed.frames[0], **options)]
    if method.cardinality is Cardinality.SERVER_STREAM:
        stub = channel.unary_stream(method.path, response_deserializer=method.response.FromString)
        return [part async for part in stub(fuzzed.frames[0], **options)]
    stub = channel.stream_stream(method.path, response_deserializer=method.response.FromString)
    return [part async for part in stub(iter(fuzzed.frames), **options)]


async def try_one(channel: grpc.aio.Channel, fuzzed: Fuzzed, answers: Answers) -> None:
    try:
        parts = await call(channel, fuzzed)
    except grpc.aio.AioRpcError as error:
        code = error.code()
        if (
            code is grpc.StatusCode.INTERNAL
            and "SendMessageOperation" in (error.debug_error_string() or "")
            and len(fuzzed.frames) > 1
        ):
            # Our side failed to write a frame since the broker had ended the stream: which answer it ended with is lost.
            for frame in fuzzed.frames:
                await try_one(channel, replace(fuzzed, frames=(frame,)), answers)
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED and fuzzed.may_never_end:
            answers.note(fuzzed, "a stream without an end")
        elif fuzzed.method.name in GRPC_ANSWERS.get(code, ()):
            answers.note(fuzzed, code.name)
        else:
            answers.wrong(fuzzed, f"{code.name}: {error.details()}")
        return
    codes = [found for part in parts for found in codes_of(part)]
    for found in codes:
        answers.note(fuzzed, str(found))
        if found not in Code.__members__.values() or found == Code.INTERNAL_SERVER_ERROR:
            answers.wrong(fuzzed, f"status code {found}: {parts[0]}")
    if fuzzed.method.name == "SendBatches" and len(codes) != len(fuzzed.frames):
        answers.wrong(fuzzed, f"{len(codes)} answers to {len(fuzzed.frames)} frames")
    if not codes and fuzzed.method.name != "Telemetry":  # only settings are answered there
        answers.wrong(fuzzed, "no status")


async def fuzz(endpoint: str, requests: list[Fuzzed]) -> Answers:
    answers, waiting = Answers(), iter(requests)
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(endpoint, options=options) as channel:

        async def work() -> None:
            for fuzzed in waiting:
                await try_one(channel, fuzzed, answers)

        await asyncio.gather(*(work() for _ in range(SIDE_BY_SIDE)))
    return answers


def prepare(broker: BrokerProcess) -> None:
    """The same state at each measurement: nothing of before, the topics and groups that the requests speak of."""
    with Connection(broker.endpoint) as connection:
        admin = AdminClient(connection)
        for topic in admin.topics():
            admin.delete_topic(topic.name)
        for group in admin.groups():
            admin.delete_group(group.name)
        for kind, topic_name in zip(MessageKind, TOPICS, strict=True):
            admin.create_topic(topic_name, kind=kind, queues=4)
        for group_name in GROUPS:
            admin.create_group(group_name)


def resident_bytes(broker: BrokerProcess) -> int:
    """What the broker holds in memory, once it has come to rest."""
    seen: list[int] = []

    def is_at_rest() -> bool:
        seen.append(psutil.Process(broker.pid).memory_info().rss)
        return len(seen) > 50 and max(seen[-50:]) - min(seen[-50:]) < 1 << 20

    wait_until(is_at_rest, "memory comes to rest")
    return seen[-1]


@pytest.mark.slow
@pytest.mark.timeout(REQUESTS // 20 + 120)
async def test_every_request_is_answered_and_nothing_is_left_behind(tmp_path: Path) -> None:
    seed = int(os.environ.get("MQ_SEED") or time.time())
    print(f"MQ_SEED={seed}")
    with BrokerProcess(tmp_path, "--log-level", "debug", environment=EXACT_MEMORY) as broker:
        await asyncio.to_thread(prepare, broker)
        before = 0
        for number in range(1, WARM_UPS + 1):
            await fuzz(broker.endpoint, fuzzed_requests(seed + number, WARM_UP))
            await asyncio.to_thread(prepare, broker)
            before = max(before, await asyncio.to_thread(resident_bytes, broker))
        began_s = time.monotonic()
        answers = await fuzz(broker.endpoint, fuzzed_requests(seed, REQUESTS))
        seconds = time.monotonic() - began_s
        await asyncio.to_thread(prepare, broker)
        after = await asyncio.to_thread(resident_bytes, broker)
        for number in range(1, SECOND_LOOKS + 1):
            if after - before < GROWTH_BYTES_MAX:
                break
            print(f"resident {before >> 20} MiB before, {after >> 20} MiB after: looked at again after {WARM_UP} requests more")
            await fuzz(broker.endpoint, fuzzed_requests(seed - number, WARM_UP))
            await asyncio.to_thread(prepare, broker)
            after = min(after, await asyncio.to_thread(resident_bytes, broker))
        with Caller(broker.endpoint) as client:
            assert client.send(TOPICS[0], "still-here", b"bread").status.code == Code.OK
            assert [m.body for m in client.receive(TOPICS[0], GROUPS[0])] == [b"bread"]
        assert broker.terminate() == 0
    print(f"{REQUESTS} requests in {seconds:.0f} s; resident {before >> 20} MiB before, {after >> 20} MiB after")
    print(", ".join(f"{code} {count}" for code, count in answers.codes.most_common()))
    assert answers.bad[:20] == []
    for word in ("Traceback", "failed unexpectedly", " ERROR "):
        assert word not in broker.log
    assert after - before < GROWTH_BYTES_MAX
    # It got beyond the first check, in every RPC's way.
    assert answers.codes[str(Code.OK.value)] > REQUESTS // 20
    assert len(answers.codes) > 15
