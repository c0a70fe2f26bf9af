"""What the outside may ask a broker process: is it alive, does it serve, what has it done."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from mq.rpc.methods import BROKER_SERVICE, MESSAGING_SERVICE
from tests.cluster.broker_process import BrokerProcess, free_port, wait_until
from tests.cluster.caller import Caller

Samples = dict[tuple[str, str, str], float]


class Web:
    """The HTTP side of a broker."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def samples(self) -> Samples:
        """By name, topic, and consumer group or message type."""
        status, text = self.get("/metrics")
        assert status == 200
        return {
            (
                one.name,
                one.labels.get("topic", ""),
                one.labels.get("consumer_group", one.labels.get("message_type", "")),
            ): one.value
            for family in text_string_to_metric_families(text)
            for one in family.samples
        }


@pytest.fixture
def web() -> Web:
    return Web(free_port())


@pytest.fixture
def broker(tmp_path: Path, web: Web) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path, "--metrics", f"127.0.0.1:{web.port}") as process:
        yield process


def test_grpcs_health_service_knows_both_services_and_says_so_until_the_broker_stops(broker: BrokerProcess) -> None:
    with grpc.insecure_channel(broker.endpoint) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", MESSAGING_SERVICE, BROKER_SERVICE):
            assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
        watched = stub.Watch(health_pb2.HealthCheckRequest(service=""))
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        assert broker.process is not None
        broker.process.terminate()
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert broker.process.wait(30) == 0


def test_a_broker_that_is_alive_and_serves_says_so(broker: BrokerProcess, web: Web) -> None:
    assert web.get("/healthz") == (200, "alive\n")
    assert web.get("/readyz") == (200, "ready\n")
    assert web.get("/nowhere")[0] == 404
    assert broker.terminate() == 0
    with pytest.raises(urllib.error.URLError):
        web.get("/healthz")


def test_a_connection_that_says_nothing_holds_nobody_up(broker: BrokerProcess, web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port)), socket.create_connection(("127.0.0.1", web.port)) as half:
        half.sendall(b"GET /metrics HT")
        assert web.get("/healthz") == (200, "alive\n")
        assert broker.terminate() == 0


def test_metrics_have_rocketmqs_names_and_count_what_happened(broker: BrokerProcess, web: Web) -> None:
    assert broker.mq("topic", "create", "orders", "--queues", "2").code == 0
    with Caller(broker.endpoint) as client:
        for number in (*range(10), 0):
            client.send("orders", f"id-{number}", b"bread" * 20)
        taken = client.receive("orders", "kitchen", count=6)
        client.ack("orders", "kitchen", taken[:4])
    found = web.samples()
    assert found["rocketmq_messages_in_total", "orders", "normal"] == 10
    assert found["rocketmq_throughput_in_total", "orders", "normal"] > 10 * 100
    assert found["rocketmq_messages_out_total", "orders", "kitchen"] == len(taken) == 6
    assert found["rocketmq_consumer_lag_messages", "orders", "kitchen"] == 6
    assert found["rocketmq_consumer_inflight_messages", "orders", "kitchen"] == 2
    assert found["rocketmq_consumer_ready_messages", "orders", "kitchen"] == 4
    assert found["rocketmq_topic_number", "", ""] == 1
    assert found["rocketmq_consumer_group_number", "", ""] == 1
    assert found["rocketmq_broker_permission", "", ""] == 1
    assert found["rocketmq_storage_size", "", ""] > 0
    # What was counted is of this process; what is derived from the state outlives it.
    broker.kill()
    broker.start()
    found = web.samples()
    assert found["rocketmq_consumer_lag_messages", "orders", "kitchen"] == 6
    assert "Traceback" not in broker.log


def test_metrics_are_whole_while_topics_and_groups_come_and_go(broker: BrokerProcess, web: Web) -> None:
    is_over = threading.Event()

    def come_and_go() -> None:
        with Connection(broker.endpoint) as connection, Caller(broker.endpoint) as client:
            admin, number = AdminClient(connection), 0
            while not is_over.is_set():
                number += 1
                admin.create_topic(f"topic-{number % 50}")
                client.send(f"topic-{number % 50}", f"id-{number}", b"bread")
                client.receive(f"topic-{number % 50}", f"group-{number % 70}", wait_s=0)
                if number % 50 == 49:
                    admin.delete_topic("topic-7")
                    admin.delete_group("group-7")

    changing = threading.Thread(target=come_and_go)
    changing.start()
    try:
        wait_until(lambda: len(web.samples()) > 300, "there is much to collect")
        for _ in range(50):
            assert len(web.samples()) > 100
    finally:
        is_over.set()
        changing.join()
    assert "Traceback" not in broker.log
    assert "dictionary changed size" not in broker.log
