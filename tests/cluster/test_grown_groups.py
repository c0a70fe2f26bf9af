"""A group that began as one node and grew: its first node knows the others by its own notes, whatever its `--peers` say."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.broker_process import BrokerProcess, free_port, wait_until
from tests.cluster.caller import Caller
from tests.cluster.membership import middle_of

TOPIC = "orders"
SECRET = "a secret of this group, long enough"


def voter(one: BrokerProcess, node: int) -> bool:
    """Whether it says of itself that it is one, and takes part."""
    views = {view["node"]: view for view in one.mq("raft", "status", "-o", "json").json["nodes"]}
    return node in views and views[node]["part"] == "full" and node in views[node]["voters"]


@contextmanager
def grown(folder: Path) -> Iterator[BrokerProcess]:
    """The first node, which knows of no other by its flags; two have joined it, one after the other."""
    (secret := folder / "secret").write_text(SECRET)
    told: list[str] = []
    first: BrokerProcess | None = None
    with ExitStack() as stack:
        for node in ("1", "2", "3"):
            told.append(f"{node}=127.0.0.1:{free_port()}")
            (own := folder / node).mkdir()
            one = BrokerProcess(
                own, "--node", node, "--replication", "raft", "--peers", ",".join(told), "--cluster-secret-file", str(secret),
                "--segment-bytes", "64KiB", "--snapshot-every-bytes", "64KiB",
            )  # fmt: skip
            if first is None:
                first = stack.enter_context(one)
                continue
            one.launch()
            stack.callback(one.kill)
            added = first.mq("raft", "add", node, "--peer", told[-1].partition("=")[2])
            assert added.code == 0, added
        assert first is not None
        yield first


def test_its_first_node_is_repaired_by_the_others_when_its_log_is_damaged(tmp_path: Path) -> None:
    with grown(tmp_path) as first:
        assert first.mq("topic", "create", TOPIC, "--queues", "1").code == 0
        with Caller(first.endpoint) as client:
            for number in range(200):
                client.send(TOPIC, f"id-{number}", b"." * 600)
        assert len(first.segments()) > 2
        assert first.terminate() == 0
        segment = first.segments()[1]
        content = bytearray(segment.read_bytes())
        content[middle_of(content)] ^= 1
        segment.write_bytes(content)
        first.start()
        wait_until(lambda: "is a voter of its group again" in first.log, "it is a voter again", limit_s=60)
        assert (first.data / "damaged-1" / "log" / segment.name).read_bytes() == content
        wait_until(lambda: voter(first, 1), "it says so")
        assert first.mq("raft", "transfer", "1").code == 0
        consumed = first.mq("consume", TOPIC, "--group", "kitchen", "--count", "200", "--wait", "5")
        assert len(consumed.out.splitlines()) == 200, consumed


def test_its_first_node_begins_no_group_of_its_own_when_its_disk_was_lost(tmp_path: Path) -> None:
    with grown(tmp_path) as first:
        assert first.mq("topic", "create", TOPIC, "--queues", "1").code == 0
        first.kill()
        shutil.rmtree(first.data)
        process = first.launch()
        wait_until(lambda: "takes this one for a member: the group has a history" in first.log, "it says why it ends", limit_s=30)
        wait_until(lambda: process.poll() is not None, "it has ended")
        assert "node 1 leads" not in first.log.rpartition("new, nothing is stored yet")[2]
