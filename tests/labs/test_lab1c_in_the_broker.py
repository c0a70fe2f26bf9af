"""Delivery tables of another make in a real broker: the official client is served by them, through a kill, and it is seen."""

import json
from pathlib import Path

import pytest

from labs.grader.skeleton import skeleton_of, solution_of, write_all
from tests.cluster.broker_process import BrokerProcess, run_mq
from tests.interop.driving import Official
from tests.labs.test_lab1c import LAB1C, RIGHT, WRONG

pytestmark = pytest.mark.slow
BODIES = [f"loaf {number}" for number in range(12)]


def carry(broker: BrokerProcess, official: list[Official], home: Path) -> None:
    """Orders by the official client: some acknowledged, some in flight while the broker dies, all of them once acknowledged."""
    assert run_mq("topic", "create", "orders", "--queues", "2", "--endpoint", broker.endpoint).code == 0
    (home / "first").mkdir()
    client = Official(broker.endpoint, home / "first")
    official.append(client)
    client.producer("baker", topic="orders")
    for body in BODIES:
        client.send("baker", topic="orders", body=body)
    client.simple("anna", topic="orders", group="bakery", await_s=5)
    first = client.receive("anna", count=8, invisible_s=10)["messages"]
    assert {message["attempt"] for message in first} == {1}
    done = [message["body"] for message in first[:3]]
    for message in first[:3]:
        client.ack("anna", handle=message["handle"])
    broker.kill()
    broker.start()
    (home / "second").mkdir()
    again = Official(broker.endpoint, home / "second")
    official.append(again)
    again.simple("ben", topic="orders", group="bakery", await_s=5)
    seen: dict[str, int] = {}
    while len(seen) < len(BODIES) - len(done):
        for message in again.receive("ben", count=8, invisible_s=20)["messages"]:
            assert message["body"] not in done, "it was acknowledged before"
            assert message["body"] not in seen, "it is hidden, or done"
            seen[message["body"]] = message["attempt"]
            again.ack("ben", handle=message["handle"])
    assert {*seen, *done} == set(BODIES)
    in_flight = {message["body"] for message in first[3:]}
    assert {body: attempt for body, attempt in seen.items() if body in in_flight} == dict.fromkeys(in_flight, 2)


def organ_of(broker: BrokerProcess) -> tuple[str, int]:
    organs = json.loads(run_mq("raft", "status", "--endpoint", broker.endpoint, "-o", "json").out)["nodes"][0]["organs"]
    (found,) = [organ for organ in organs if organ["name"] == "delivery_table"]
    return found["class_name"], found["calls"]


def test_a_table_of_another_make_serves_the_official_client_through_a_kill(tmp_path: Path, official: list[Official]) -> None:
    with BrokerProcess(tmp_path, "--parts", str(next(file for file in RIGHT if file.stem == "windows"))) as broker:
        carry(broker, official, tmp_path)
        name, calls = organ_of(broker)
    assert name == "parts_windows.DeliveryTable"
    assert calls > 20
    assert json.loads((broker.data / "organs.json").read_text())["delivery_table"] == "parts_windows.DeliveryTable"


def test_a_students_folder_serves_the_official_client_through_a_kill(tmp_path: Path, official: list[Official]) -> None:
    write_all(tmp_path / "mine", solution_of(LAB1C))
    with BrokerProcess(tmp_path, "--parts", str(tmp_path / "mine")) as broker:
        carry(broker, official, tmp_path)
        name, calls = organ_of(broker)
    assert name == "parts_table.DeliveryTable"
    assert calls > 20


def test_a_table_that_keeps_what_was_acknowledged_ends_the_broker_with_a_sentence(tmp_path: Path) -> None:
    wrong = next(file for file in WRONG if file.stem == "ack_forgets_to_remove")
    with BrokerProcess(tmp_path, "--parts", str(wrong)) as broker:
        endpoint = ("--endpoint", broker.endpoint)
        assert run_mq("topic", "create", "orders", *endpoint).code == 0
        assert run_mq("send", "orders", "bread", *endpoint).code == 0
        run_mq("consume", "orders", "--group", "bakery", "--count", "1", *endpoint)
        assert broker.process is not None
        assert broker.process.wait(30) != 0
        assert "delivery_table: `ack` said True, and message 0 of queue" in broker.log


def test_a_skeleton_ends_the_broker_with_a_sentence(tmp_path: Path) -> None:
    write_all(tmp_path / "mine", skeleton_of(LAB1C))
    with BrokerProcess(tmp_path, "--parts", str(tmp_path / "mine")) as broker:
        endpoint = ("--endpoint", broker.endpoint)
        assert run_mq("topic", "create", "orders", *endpoint).code == 0
        assert run_mq("send", "orders", "bread", *endpoint).code == 0
        run_mq("consume", "orders", "--group", "bakery", "--count", "1", *endpoint)
        assert broker.process is not None
        assert broker.process.wait(30) != 0
        assert "lab 1c: DeliveryTable" in broker.log
