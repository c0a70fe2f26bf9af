"""Consumers of orders at work: messages of a real broker by the official client, killed between their operations."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs.grader.skeleton import skeleton_of, solution_of, write_all, written_up_to
from labs.stage1_single_node.lab1d_idempotent_consumer import run_it
from labs.stage1_single_node.lab1d_idempotent_consumer.run_it import DIED, Store, orders_to_send, right_rows
from tests.cluster.broker_process import BrokerProcess, run_mq
from tests.labs.test_lab1d import LAB1D, RIGHT, WRONG

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
MODULE = "labs.stage1_single_node.lab1d_idempotent_consumer.run_it"
COUNT = 9


def consume(home: Path, broker: BrokerProcess, work: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run it once, to its end or to its death."""
    command = [sys.executable, "-m", MODULE, str(work), "--endpoint", broker.endpoint, "--store", str(home / "bakery.db")]
    environment = {**os.environ, "HOME": str(home)}
    return subprocess.run(
        [*command, "--invisible-s", "10", *more], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def rows_in(home: Path) -> dict[str, str]:
    store = Store(home / "bakery.db")
    found = store.rows()
    store.close()
    return found


def effects(rows: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in rows.items() if name == "total" or name.startswith("account:")}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["a student's folder", pytest.param("another right one", marks=pytest.mark.night)])
def test_orders_of_a_real_broker_are_booked_once_through_deaths_of_consumer_and_broker(kind: str, tmp_path: Path) -> None:
    work = next(file for file in RIGHT if file.stem == "one_row")
    if kind == "a student's folder":
        work = tmp_path / "mine"
        write_all(work, solution_of(LAB1D))
    with BrokerProcess(tmp_path) as broker:
        assert run_mq("topic", "create", "orders", "--queues", "2", "--endpoint", broker.endpoint).code == 0
        first = consume(tmp_path, broker, work, "--send", str(COUNT), "--die-after", "3")
        assert first.returncode == DIED, first.stdout + first.stderr
        assert consume(tmp_path, broker, work, "--die-after", "8").returncode == DIED
        broker.kill()
        broker.start()
        last = consume(tmp_path, broker, work, "--idle-s", "14")
    assert last.returncode == 0, last.stdout + last.stderr
    assert "attempt 2" in last.stdout
    rows = rows_in(tmp_path)
    assert effects(rows) == right_rows(COUNT)
    assert len([name for name in rows if name.startswith("aside:")]) == 1
    assert f"  total = {rows['total']}" in last.stdout


@pytest.mark.timeout(300)
def test_one_that_saves_in_two_steps_books_twice_when_it_dies_in_between(tmp_path: Path) -> None:
    work = next(file for file in WRONG if file.stem == "effect_then_note")
    with BrokerProcess(tmp_path) as broker:
        assert run_mq("topic", "create", "orders", "--queues", "1", "--endpoint", broker.endpoint).code == 0
        # Save, save, ack of two openings; then the first order's effect.
        died = consume(tmp_path, broker, work, "--send", "1", "--die-after", "7")
        assert died.returncode == DIED, died.stdout + died.stderr
        assert consume(tmp_path, broker, work, "--idle-s", "14").returncode == 0
    assert right_rows(1)["total"] == "1"
    assert rows_in(tmp_path)["total"] == "2"


def test_what_is_no_consumer_is_told_in_a_sentence(tmp_path: Path) -> None:
    write_all(tmp_path / "mine", {**skeleton_of(LAB1D), "consumer.py": "import nothing_of_that_name\n"})
    command = [sys.executable, "-m", MODULE, str(tmp_path / "mine"), "--store", str(tmp_path / "bakery.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be imported: ModuleNotFoundError" in done.stdout
    assert not (tmp_path / "bakery.db").exists()


@pytest.mark.parametrize(("count", "name"), [(0, "OrderConsumer.handle"), (4, "Settled.load")])
def test_what_is_not_written_yet_is_told_in_a_sentence_before_anything_is_sent(count: int, name: str, tmp_path: Path) -> None:
    write_all(tmp_path / "mine", written_up_to(LAB1D, count))
    command = [sys.executable, "-m", MODULE, str(tmp_path / "mine"), "--store", str(tmp_path / "bakery.db"), "--send", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    told = f"Your consumer is not done: `{name}` is not written yet. `mq lab check lab1d` says what comes next.\n"
    assert done.stdout == told


def test_the_broker_is_the_one_that_the_commands_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setenv("MQ_ENDPOINT", "127.0.0.1:28084")
    monkeypatch.setattr(run_it, "_consume", lambda options, _store, _organ: asked.append(options.endpoint))
    write_all(tmp_path / "mine", solution_of(LAB1D))
    assert run_it.main([str(tmp_path / "mine"), "--store", str(tmp_path / "bakery.db")]) == 0
    assert asked == ["127.0.0.1:28084"]


def test_a_store_saves_all_rows_or_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "bakery.db")
    store.save({"one": "1", "two": "2"})
    store.save({"one": None, "two": "22", "three": "3"})
    with pytest.raises(Exception, match="type"):
        store.save({"three": "33", "four": object()})  # type: ignore[dict-item]
    store.close()
    assert rows_in_file(tmp_path / "deep" / "bakery.db") == {"three": "3", "two": "22"}


def rows_in_file(file: Path) -> dict[str, str]:
    store = Store(file)
    found = store.rows()
    store.close()
    return found


def test_what_is_sent_holds_copies_an_unreadable_one_and_an_account_that_opens_last() -> None:
    sent = list(orders_to_send(COUNT))
    assert len(sent) == COUNT + 3 + len(("anna", "ben", "unreadable", "carl"))
    assert sent[-1] == ("open-carl", "open carl")
    assert len(sent) - len(dict(sent)) == 3
