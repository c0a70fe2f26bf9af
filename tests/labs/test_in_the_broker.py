"""A student's commit log in the place of ours: the official client's orders go through it, through a SIGKILL, and it is seen."""

import json
from pathlib import Path

import pytest

from labs.grader.skeleton import skeleton_of, solution_of, write_all
from tests.cluster.broker_process import BrokerProcess, run_mq, wait_until
from tests.interop.driving import Official
from tests.labs.helpers import LAB1A

pytestmark = pytest.mark.slow
BEFORE, BEHIND = 30, 30
"""So many orders at least are acknowledged before the kill, and so many more behind it."""


def organ_of(broker: BrokerProcess) -> dict[str, object]:
    """What the broker says of its commit log."""
    done = run_mq("raft", "status", "--endpoint", broker.endpoint, "-o", "json")
    organs = json.loads(done.out)["nodes"][0]["organs"]
    return next(organ for organ in organs if organ["name"] == "commit_log")


def carry_the_demos_orders(broker: BrokerProcess, official: list[Official], home: Path) -> None:
    """As `run.py demo` does: an official producer and a push consumer go on while the broker is killed and begins again."""
    assert run_mq("topic", "create", "orders", "--queues", "2", "--endpoint", broker.endpoint).code == 0
    (home / "clients").mkdir()
    client = Official(broker.endpoint, home / "clients")
    official.append(client)
    client.push("bakery", topic="orders", group="bakery")
    client.producer("customers", topic="orders")
    client.keep_sending("customers", topic="orders", callers=["anna", "ben"])
    wait_until(lambda: client.acknowledged("customers") >= BEFORE, "orders are acknowledged")
    broker.kill()
    broker.start()
    wait_until(lambda: client.acknowledged("customers") >= BEFORE + BEHIND, "and so they are again", limit_s=60)
    notes = client.stop_sending("customers")
    acknowledged = {body for _, _, body, error in notes if not error}
    assert len(acknowledged) >= BEFORE + BEHIND

    def missing() -> set[str]:
        return acknowledged - {body for _, body, _ in client.seen("bakery")}

    wait_until(lambda: not missing(), "all that was acknowledged is consumed", limit_s=60)


def test_a_students_log_carries_the_official_clients_orders_through_a_kill(tmp_path: Path, official: list[Official]) -> None:
    mine = tmp_path / "work" / LAB1A.id
    write_all(mine, solution_of(LAB1A))
    with BrokerProcess(tmp_path, "--parts", str(mine)) as broker:
        carry_the_demos_orders(broker, official, tmp_path)
        organ = organ_of(broker)
    assert organ["class_name"] == "parts_commit_log.CommitLog"
    assert isinstance(organ["calls"], int)
    assert organ["calls"] > 20


def test_a_skeleton_ends_the_broker_with_a_sentence(tmp_path: Path) -> None:
    write_all(tmp_path / "my_log", skeleton_of(LAB1A))
    broker = BrokerProcess(tmp_path, "--parts", str(tmp_path / "my_log"))
    status = broker.launch().wait(60)
    assert status != 0
    assert "lab 1a:" in broker.log
