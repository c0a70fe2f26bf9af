"""A student's commit log in the place of ours: it carries messages of a real broker, through a SIGKILL, and is seen to do so."""

import json
from pathlib import Path

import pytest

from labs.grader.skeleton import skeleton_of, solution_of, write_all
from tests.cluster.broker_process import BrokerProcess, run_mq
from tests.labs.helpers import LAB1A

pytestmark = pytest.mark.slow


def organ_of(broker: BrokerProcess) -> dict[str, object]:
    """What the broker says of its commit log."""
    done = run_mq("raft", "status", "--endpoint", broker.endpoint, "-o", "json")
    organs = json.loads(done.out)["nodes"][0]["organs"]
    return next(organ for organ in organs if organ["name"] == "commit_log")


def carry_orders(broker: BrokerProcess) -> None:
    """Orders are sent, the broker is killed, and all of them are consumed afterwards."""
    endpoint = ("--endpoint", broker.endpoint)
    assert run_mq("topic", "create", "orders", "--queues", "2", *endpoint).code == 0
    assert run_mq("send", "orders", "bread", "--count", "20", *endpoint).code == 0
    broker.kill()
    broker.start()
    assert run_mq("send", "orders", "rolls", "--count", "5", *endpoint).code == 0
    done = run_mq("consume", "orders", "--group", "bakery", "--count", "25", *endpoint)
    assert done.code == 0, done
    assert len(done.out.split()) == 2 * 25


def test_a_students_log_carries_orders_through_a_kill(tmp_path: Path) -> None:
    write_all(tmp_path / "my_log", solution_of(LAB1A))
    with BrokerProcess(tmp_path, "--parts", str(tmp_path / "my_log")) as broker:
        carry_orders(broker)
        organ = organ_of(broker)
    assert organ["class_name"] == "parts_commit_log.CommitLog"
    assert isinstance(organ["calls"], int)
    assert organ["calls"] > 10


def test_a_skeleton_ends_the_broker_with_a_sentence(tmp_path: Path) -> None:
    write_all(tmp_path / "my_log", skeleton_of(LAB1A))
    broker = BrokerProcess(tmp_path, "--parts", str(tmp_path / "my_log"))
    status = broker.launch().wait(60)
    assert status != 0
    assert "lab 1a:" in broker.log
