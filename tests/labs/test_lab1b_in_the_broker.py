"""Consume queues of another make in a real broker: the official client is served by them, through kills and lost files."""

import json
import shutil
from pathlib import Path

import pytest

from labs.grader.skeleton import skeleton_of, solution_of, write_all
from tests.cluster.broker_process import BrokerProcess, run_mq
from tests.interop.driving import Official
from tests.labs.test_lab1b import LAB1B, RIGHT

pytestmark = pytest.mark.slow
BODIES = [f"loaf {number}" for number in range(12)]
MISLEADS = '''
from mq.broker.store.consume_queue import ConsumeQueue as Reference


class ConsumeQueue(Reference):
    """One position too late."""

    def append(self, entry):
        super().append(entry._replace(position=entry.position + 1))
'''


def carry(broker: BrokerProcess, official: list[Official], home: Path) -> None:
    """Orders by the official client, before and behind a kill, and behind a start without any queue's files: each comes once."""
    assert run_mq("topic", "create", "orders", "--queues", "2", "--endpoint", broker.endpoint).code == 0
    seen: list[str] = []
    for life in range(3):
        (home / str(life)).mkdir()
        client = Official(broker.endpoint, home / str(life))
        official.append(client)
        client.producer("baker", topic="orders")
        for body in BODIES:
            client.send("baker", topic="orders", body=f"{body} of life {life}")
        client.simple("anna", topic="orders", group="bakery", await_s=5)
        while len(seen) < len(BODIES) * (life + 1) - 4:
            for message in client.receive("anna", count=4, invisible_s=20)["messages"]:
                assert message["attempt"] == 1
                seen.append(message["body"])
                client.ack("anna", handle=message["handle"])
        if life == 0:
            broker.kill()
        elif life == 1:
            broker.terminate()
            assert list((broker.data / "queues").rglob("*")), "there was nothing to be lost"
            shutil.rmtree(broker.data / "queues")
        if life < 2:
            broker.start()
    assert len(seen) == len(set(seen))


def organ_of(broker: BrokerProcess) -> tuple[str, int]:
    organs = json.loads(run_mq("raft", "status", "--endpoint", broker.endpoint, "-o", "json").out)["nodes"][0]["organs"]
    (found,) = [organ for organ in organs if organ["name"] == "consume_queue"]
    return found["class_name"], found["calls"]


@pytest.mark.parametrize("name", ["one_unit_a_message", "lines_of_text"])
def test_a_queue_of_another_make_serves_the_official_client_through_a_kill_and_lost_files(
    name: str, tmp_path: Path, official: list[Official]
) -> None:
    with BrokerProcess(tmp_path, "--parts", str(next(file for file in RIGHT if file.stem == name))) as broker:
        carry(broker, official, tmp_path)
        shown, calls = organ_of(broker)
    assert shown == f"parts_{name}.ConsumeQueue"
    assert calls > 20
    assert json.loads((broker.data / "organs.json").read_text())["consume_queue"] == shown


def test_a_students_folder_serves_the_official_client_through_a_kill_and_lost_files(
    tmp_path: Path, official: list[Official]
) -> None:
    write_all(tmp_path / "mine", solution_of(LAB1B))
    with BrokerProcess(tmp_path, "--parts", str(tmp_path / "mine")) as broker:
        carry(broker, official, tmp_path)
        shown, calls = organ_of(broker)
    assert shown == "parts_consume_queue.ConsumeQueue"
    assert calls > 20


def test_a_queue_that_leads_to_another_place_ends_the_broker_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "misleads.py").write_text(MISLEADS)
    with BrokerProcess(tmp_path, "--parts", str(tmp_path / "misleads.py")) as broker:
        endpoint = ("--endpoint", broker.endpoint)
        assert run_mq("topic", "create", "orders", *endpoint).code == 0
        assert run_mq("send", "orders", "bread", *endpoint).code == 0
        run_mq("consume", "orders", "--group", "bakery", "--count", "1", *endpoint)
        assert broker.process is not None
        assert broker.process.wait(30) != 0
        assert "consume_queue: `entries` says that message 0 is number 0 of the record at position" in broker.log


def test_a_skeleton_ends_the_broker_with_a_sentence(tmp_path: Path) -> None:
    write_all(tmp_path / "mine", skeleton_of(LAB1B))
    with BrokerProcess(tmp_path, "--parts", str(tmp_path / "mine")) as broker:
        endpoint = ("--endpoint", broker.endpoint)
        assert run_mq("topic", "create", "orders", *endpoint).code == 0
        run_mq("send", "orders", "bread", *endpoint)
        assert broker.process is not None
        assert broker.process.wait(30) != 0
        assert "lab 1b: ConsumeQueue" in broker.log
