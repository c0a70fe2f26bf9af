"""How a broker process ends, and what it finds when it starts."""

import asyncio
import os
import signal
from pathlib import Path

import psutil

from tests.cluster.broker_process import BrokerProcess, free_port, run_mq, wait_until
from tests.cluster.history import Outcome
from tests.cluster.load import Load, read_queues


async def test_sigterm_under_load_finishes_what_was_taken_and_ends_with_0(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, "--segment-bytes", "64KiB") as broker:
        assert broker.mq("topic", "create", "orders", "--queues", "2").code == 0
        load = Load(broker.endpoint, "orders", "kitchen", seed=1)
        running = asyncio.create_task(load.run())
        while len(load.history.acks) < 100:
            assert not running.done()
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(broker.terminate) == 0
        assert broker.log.rstrip().endswith("broker: stopped")
        acknowledged = [send for send in load.history.sends if send.outcome is Outcome.DONE]
        await asyncio.to_thread(broker.start)
        load.stop.set()
        await running
        stored = {one.message_id: one for one in await read_queues(broker.endpoint, "orders", 2)}
        assert broker.terminate() == 0
    assert len(acknowledged) > 50
    assert [send.message_id for send in acknowledged if stored[send.message_id].offset != send.offset] == []
    # It wrote its state down before it ended, so nothing was replayed.
    second = broker.opened()[0]
    assert second["snapshot"] > 0
    assert second["replayed"] == 0
    assert "Traceback" not in broker.log
    assert " ERROR " not in broker.log


def test_ctrl_c_is_as_good_as_sigterm(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        os.kill(broker.pid, signal.SIGINT)
        assert broker.process is not None
        assert broker.process.wait(30) == 0
        assert "Traceback" not in broker.log


def test_a_second_broker_in_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        ran = run_mq("broker", "--data", str(broker.data), "--listen", "127.0.0.1:0", "--metrics", "")
        assert ran.code == 1
        assert f"data folder {broker.data} is in use by process {broker.pid}" in ran.err
        assert "Traceback" not in ran.err
        assert broker.mq("health").code == 0
        broker.kill()
        # The lock goes with the process, however that ended.
        broker.start()
        assert broker.terminate() == 0


def test_a_second_broker_on_the_same_port_is_refused_and_leaves_its_folder_in_order(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        other = tmp_path / "other"
        ran = run_mq("broker", "--data", str(other), "--listen", broker.endpoint, "--metrics", "")
        assert ran.code == 1
        assert "is another broker running there? (--listen HOST:PORT takes another address)" in ran.err
        assert "Traceback" not in ran.err
        ran = run_mq("doctor", "--data", str(other), "--endpoint", broker.endpoint)
        assert ran.code == 0, ran


def test_a_member_of_a_group_on_a_port_that_is_taken_says_so_and_lets_go_of_its_folder(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        other, peers = tmp_path / "other", f"1=127.0.0.1:{free_port()},2=127.0.0.1:{free_port()}"
        ran = run_mq(
            "broker", "--data", str(other), "--listen", broker.endpoint, "--metrics", "", "--node", "1", "--peers", peers
        )
        assert ran.code == 1
        assert "is another broker running there?" in ran.err
        assert "Traceback" not in ran.err


def test_a_broker_at_rest_costs_next_to_nothing(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        process = psutil.Process(broker.pid)
        wait_until(lambda: broker.mq("health").code == 0, "it serves")
        before_s = sum(process.cpu_times()[:2])
        # A call that takes two seconds, and nothing else.
        assert broker.mq("topic", "create", "orders").code == 0
        assert broker.mq("consume", "orders", "--group", "kitchen", "--wait", "2").code == 1
        assert sum(process.cpu_times()[:2]) - before_s < 0.5
