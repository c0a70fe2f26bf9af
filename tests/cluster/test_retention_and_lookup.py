"""What the oldest segments leave behind: consumers that are moved on, and messages found by their ids."""

from contextlib import suppress
from pathlib import Path

from mq.client.views import MessageView
from mq.core.errors import Code
from mq.rpc.admin_client import AdminClient
from mq.rpc.calling import Connection
from tests.cluster.broker_process import BrokerProcess, free_port, wait_until
from tests.cluster.caller import Caller
from tests.cluster.test_health_and_metrics import Web

QUEUES = 2


def send(broker: BrokerProcess, first: int, count: int, *, body_bytes: int = 1000) -> None:
    with Caller(broker.endpoint) as client:
        for number in range(first, first + count):
            assert client.send("orders", f"id-{number}", b"%d " % number + bytes(body_bytes)).status.code == Code.OK


def size_bytes(broker: BrokerProcess) -> int:
    """Of the segments; one that is removed meanwhile has none."""
    total = 0
    for file in broker.segments():
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def ends(admin: AdminClient) -> list[tuple[int, int]]:
    """(min offset, max offset) of each queue."""
    return [(queue.min_offset, queue.max_offset) for queue in admin.describe_topic("orders").queues]


def read_all(client: Caller, group: str) -> list[tuple[int, int]]:
    """(queue id, offset) of all that is left for a group, sorted."""
    seen = []
    while messages := client.receive("orders", group, wait_s=0.2):
        assert set(client.ack("orders", group, messages)) == {Code.OK}
        seen += [(one.system_properties.queue_id, one.system_properties.queue_offset) for one in messages]
    return sorted(seen)


def test_retention_drops_whole_segments_and_moves_who_is_behind(tmp_path: Path) -> None:
    flags = ("--segment-bytes", "64KiB", "--snapshot-every-bytes", "64KiB", "--retention-bytes", "256KiB")
    with BrokerProcess(tmp_path, *flags) as broker, Connection(broker.endpoint) as connection:
        admin = AdminClient(connection)
        admin.create_topic("orders", queues=QUEUES)
        send(broker, 0, 20)
        with Caller(broker.endpoint) as client:
            # One group is done with all so far, one holds ten, one never came.
            done = client.receive("orders", "done")
            assert client.ack("orders", "done", done) == [Code.OK] * 20
            held = client.receive("orders", "holding", count=10, invisible_s=30)
            assert len(held) == 10
            send(broker, 20, 1000)
            wait_until(lambda: min(low for low, _ in ends(admin)) > 50, "the oldest are dropped")
            wait_until(lambda: size_bytes(broker) <= 320 << 10, "their files are gone")
            kept = ends(admin)
            assert [high for _, high in kept] == [510, 510]
            for group in ("done", "holding", "late"):
                assert read_all(client, group) == [
                    (queue, offset) for queue, (low, high) in enumerate(kept) for offset in range(low, high)
                ]
            # What is gone is done with: its consumers need not try again.
            assert set(client.ack("orders", "holding", held)) == {Code.OK}
        broker.kill()
        broker.start()
        assert ends(admin)[0][0] >= kept[0][0]
        assert ends(admin)[0][1] == 510
        ran = broker.mq("message", "get", "orders", "0", "0")
        assert ran.code == 1
        assert "Traceback" not in broker.log
        assert broker.terminate() == 0
    assert "retention: dropped" in broker.log
    assert " ERROR " not in broker.log


def test_who_was_moved_by_retention_is_counted(tmp_path: Path) -> None:
    web = Web(free_port())
    flags = ("--segment-bytes", "64KiB", "--snapshot-every-bytes", "64KiB", "--retention-bytes", "128KiB")
    metrics = ("--metrics", f"127.0.0.1:{web.port}")
    with BrokerProcess(tmp_path, *flags, *metrics) as broker, Connection(broker.endpoint) as connection:
        admin = AdminClient(connection)
        admin.create_topic("orders", queues=1)
        send(broker, 0, 2)
        with Caller(broker.endpoint) as client:
            first, second = client.receive("orders", "slow", count=2)
            assert (first.system_properties.queue_offset, second.system_properties.queue_offset) == (0, 1)
            assert client.ack("orders", "slow", [first]) == [Code.OK]
        send(broker, 2, 400)
        low = wait_until(lambda: ends(admin)[0][0], "the oldest are dropped")
        assert web.samples()["rocketmq_consumer_skipped_by_retention_messages", "", ""] == low - 2


def test_messages_are_found_by_id_in_sealed_segments_after_restarts(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, "--segment-bytes", "64KiB") as broker, Connection(broker.endpoint) as connection:
        admin = AdminClient(connection)
        admin.create_topic("orders", queues=QUEUES)
        send(broker, 0, 400)

        def found(number: int) -> list[MessageView]:
            return admin.query_messages("orders", message_id=f"id-{number}")

        def check() -> None:
            for number in (0, 1, 57, 200, 398, 399):
                (message,) = found(number)
                assert message.body.split()[0] == b"%d" % number
            assert found(400) == []

        check()
        sealed = len(broker.segments()) - 1
        assert sealed > 3
        wait_until(lambda: len(list((broker.data / "index").glob("*"))) == sealed, "all sealed segments are indexed")
        check()
        broker.kill()
        broker.start()
        check()
        # Ids that the window of the newest ones has forgotten are found by the index alone; a damaged one is made anew.
        broker.kill()
        for file in (broker.data / "index").glob("*"):
            file.write_bytes(b"nonsense")
        broker.start()
        check()
        assert "Traceback" not in broker.log
        assert broker.terminate() == 0
