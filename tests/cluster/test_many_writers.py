"""64 callers at once, each with one message after the other: nothing gets mixed up."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mq.client.encoding import MessageEncoder
from mq.core.errors import Code
from mq.core.message import MessageKind
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.calling import client_headers
from mq.rpc.methods import unary
from tests.cluster.broker_process import BrokerProcess
from tests.cluster.caller import Caller
from tests.cluster.history import Delivery, History, Outcome, Send, violations
from tests.cluster.load import channel_to, read_queues

WRITERS, MESSAGES, QUEUES, CHANNELS = 64, 40, 4, 8


async def write(channel: Any, topic: str, kind: MessageKind, caller: str) -> list[Send]:
    """One message after the other; some of them twice, as a client does that missed the answer."""
    group = caller if kind is MessageKind.FIFO else ""
    encoder, rng, sends = MessageEncoder(kind=kind, message_group=group), random.Random(caller), []
    for number in range(MESSAGES):
        message_id, body = f"{caller}-{number}", f"{caller} {number}".encode()
        request = pb.SendMessageRequest(messages=[pb.Message.FromString(encoder.encode(message_id, body, born_ms=0))])
        request.messages[0].topic.name = topic
        for _ in range(1 + (rng.random() < 0.1)):
            response = await unary(channel, "SendMessage")(request, timeout=30, metadata=client_headers(caller))
            assert response.status.code == Code.OK
        sends.append(Send(message_id, body, caller, number, Outcome.DONE, response.entries[0].offset))
    return sends


def read_all(endpoint: str, topic: str) -> list[Delivery]:
    """Everything by a group, acknowledged, in the order in which it came."""
    deliveries: list[Delivery] = []
    with Caller(endpoint) as client:
        while len(deliveries) < WRITERS * MESSAGES:
            began_s = time.monotonic()
            messages = client.receive(topic, "kitchen", wait_s=5)
            assert messages, f"only {len(deliveries)} came"
            assert set(client.ack(topic, "kitchen", messages)) == {Code.OK}
            for message in messages:
                system = message.system_properties
                deliveries.append(
                    Delivery(
                        system.message_id, message.body, system.queue_id, system.queue_offset, system.delivery_attempt,
                        began_s, time.monotonic(), 10.0,
                    )
                )  # fmt: skip
        assert client.receive(topic, "kitchen", wait_s=0.1) == []
    return deliveries


@pytest.mark.parametrize("kind", [MessageKind.NORMAL, MessageKind.FIFO], ids=str)
async def test_64_writers_get_dense_offsets_each_message_once_and_their_own_order(tmp_path: Path, kind: MessageKind) -> None:
    with BrokerProcess(tmp_path, "--segment-bytes", "64KiB") as broker:
        assert broker.mq("topic", "create", "orders", "--queues", str(QUEUES), "--type", kind.name).code == 0
        assert broker.mq("group", "create", "kitchen", *(["--fifo"] if kind is MessageKind.FIFO else [])).code == 0
        channels = [channel_to(broker.endpoint) for _ in range(CHANNELS)]
        writers = (write(channels[n % CHANNELS], "orders", kind, f"caller-{n:02}") for n in range(WRITERS))
        sends = [send for found in await asyncio.gather(*writers) for send in found]
        stored = await read_queues(broker.endpoint, "orders", QUEUES)
        for channel in channels:
            await channel.close()
        deliveries = await asyncio.to_thread(read_all, broker.endpoint, "orders")
        assert broker.terminate() == 0
    assert violations(History(sends=sends, stored=stored, deliveries=deliveries)) == []
    assert len(stored) == WRITERS * MESSAGES
    # All writers were at work at the same time: neighbours in a queue are of different ones.
    firsts = Counter(one.message_id.rpartition("-")[0] for one in stored if one.offset < 20)
    assert len(firsts) > QUEUES
    if kind is MessageKind.FIFO:
        queues = {(one.message_id.rpartition("-")[0], one.queue_id) for one in stored}
        assert len(queues) == WRITERS, "all messages of one group are in one queue"
        last: dict[str, int] = {}
        for one in deliveries:
            caller, _, number = one.message_id.rpartition("-")
            assert int(number) == last.get(caller, -1) + 1, f"{one.message_id} came out of order"
            last[caller] = int(number)
