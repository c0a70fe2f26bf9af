"""A disk without any space left: a small file system that only the broker sees."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mq.core.errors import Code
from mq.proto import rocketmq_v2_pb2 as pb
from tests.cluster.broker_process import BrokerProcess, wait_until
from tests.cluster.caller import Caller

SIZE_BYTES = 2 << 20
UNSHARE = ("unshare", "--mount", "--user", "--map-root-user")
MOUNT = 'mount -t tmpfs -o size=$1 tmpfs "$2" && shift 2 && exec "$@"'


def small_file_system(folder: Path) -> tuple[str, ...]:
    """A command in front of another one, which then sees a small empty file system at `folder`."""
    return (*UNSHARE, "sh", "-c", MOUNT, "sh", str(SIZE_BYTES), str(folder))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    data = tmp_path / "data"
    data.mkdir()
    tried = subprocess.run([*small_file_system(data), "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    process = BrokerProcess(
        tmp_path, "--segment-bytes", "64KiB", "--snapshot-every-bytes", "64KiB", wrapper=small_file_system(data)
    )
    with process:
        yield process


def seen_by(broker: BrokerProcess) -> Path:
    """The broker's own view of its data folder."""
    return Path(f"/proc/{broker.pid}/root{broker.data}")


class Sender:
    """Sends messages of 10 kB, and knows which of them are stored."""

    def __init__(self, client: Caller) -> None:
        self._client, self._number = client, 0
        self.stored: list[str] = []

    def send(self) -> int:
        """One more; its status code."""
        self._number += 1
        response = self._client.send("orders", f"id-{self._number}", bytes(10_000))
        if response.status.code == Code.OK:
            self.stored.append(f"id-{self._number}")
        return int(response.status.code)

    def refused(self) -> int:
        """One more; its status code, or 0 when it was stored."""
        code = self.send()
        return 0 if code == Code.OK else code


def read_all(client: Caller, group: str) -> list[str]:
    """The ids of all that is left for a group."""
    seen: list[str] = []
    while messages := client.receive("orders", group, wait_s=0.2):
        assert set(client.ack("orders", group, messages)) == {Code.OK}
        seen += ids_of(messages)
    return seen


def ids_of(messages: list[pb.Message]) -> list[str]:
    return [one.system_properties.message_id for one in messages]


def check_after_a_crash(broker: BrokerProcess, folder: Path, stored: list[str]) -> None:
    """What the broker has on its disk now is enough: nothing refused came to life, nothing acknowledged is gone."""
    folder.mkdir()
    later = BrokerProcess(folder)
    os.kill(broker.pid, signal.SIGSTOP)
    shutil.copytree(seen_by(broker), later.data)
    os.kill(broker.pid, signal.SIGCONT)
    with later, Caller(later.endpoint) as client:
        assert read_all(client, "after-crash") == stored


def test_sends_fail_for_certain_while_the_disk_is_full_and_work_again_when_there_is_space(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    assert broker.mq("topic", "create", "orders", "--queues", "1").code == 0
    filler = seen_by(broker) / "filler"
    filler.write_bytes(bytes(SIZE_BYTES // 2))
    with Caller(broker.endpoint) as client:
        sender = Sender(client)
        code = wait_until(sender.refused, "the disk is full")
        print(f"{len(sender.stored)} messages of 10 kB fit, then {code}")
        assert code == Code.PROXY_TIMEOUT, "the code that says: nothing was done, try again"
        # What is stored is consumed as ever, by several groups: the last of the space is kept for that.
        taken = client.receive("orders", "kitchen", count=8)
        assert client.ack("orders", "kitchen", taken) == [Code.OK] * 8
        for group in ("counter", "office", "cellar"):
            assert read_all(client, group) == sender.stored
        assert sender.refused() == code
        check_after_a_crash(broker, tmp_path / "full", sender.stored)
        filler.unlink()
        assert wait_until(lambda: not sender.refused(), "there is space again")
        assert [sender.refused() for _ in range(10)] == [0] * 10
        assert ids_of(taken) + read_all(client, "kitchen") == sender.stored
        check_after_a_crash(broker, tmp_path / "freed", sender.stored)
        # Work in the background did not end with the space: the segments that were sealed are indexed now.
        sealed = [path.stem for path in sorted((seen_by(broker) / "log").iterdir())][:-1]
        wait_until(lambda: [path.stem for path in sorted((seen_by(broker) / "index").iterdir())] == sealed, "all is indexed")
    assert "no space left for messages" in broker.log
    assert "Traceback" not in broker.log
    assert " ERROR " not in broker.log
