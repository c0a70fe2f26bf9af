"""A broker started on a folder that is not as it left it: it cuts what a crash may leave, and nothing else."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest

from mq.broker.store.record import SEGMENT_HEADER_BYTES, VERSION_MAX
from mq.core.errors import Code
from tests.cluster.broker_process import BrokerProcess, wait_until
from tests.cluster.caller import Caller

MESSAGES = 400


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """Killed, with some segments full of acknowledged messages."""
    process = BrokerProcess(tmp_path, "--segment-bytes", "64KiB")
    with process:
        assert process.mq("topic", "create", "orders", "--queues", "1").code == 0
        with Caller(process.endpoint) as client:
            for number in range(MESSAGES):
                assert client.send("orders", f"id-{number}", b"%d " % number + b"x" * 500).status.code == Code.OK
        process.kill()
        yield process


def fingerprints(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def flip(file: Path, at: int, mask: int = 1) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= mask
    file.write_bytes(data)


def refused_start(broker: BrokerProcess) -> str:
    """Start it; it must end with 1, say why in a line, and change nothing. Returns what it said."""
    before, said = fingerprints(broker.data), len(broker.log)
    assert broker.launch().wait(60) == 1
    text = broker.log[said:]
    assert "Traceback" not in text
    assert "internal error" not in text
    after = fingerprints(broker.data)
    lock = str(broker.data / "LOCK")
    assert {file: found for file, found in after.items() if file != lock} == {
        file: found for file, found in before.items() if file != lock
    }
    return text


def used_bytes(file: Path) -> int:
    return len(file.read_bytes().rstrip(b"\0"))


def stored(broker: BrokerProcess) -> list[bytes]:
    with Caller(broker.endpoint) as client:
        found: list[bytes] = []
        while messages := client.receive("orders", "kitchen", wait_s=0.2):
            found += [message.body.split()[0] for message in messages]
            client.ack("orders", "kitchen", messages)
        return found


def test_a_flipped_bit_below_the_durable_end_stops_the_start_and_is_told_precisely(broker: BrokerProcess) -> None:
    # Without snapshots all of the log is read; with one only the part behind it.
    for snapshot in (broker.data / "snapshots").glob("*"):
        snapshot.unlink()
    segment = broker.segments()[1]
    flip(segment, used_bytes(segment) // 2)
    said = refused_start(broker)
    assert f"the broker cannot start: log/{segment.name}, byte " in said
    assert "below the durable end" in said
    assert f"`mq doctor --data {broker.data}` shows every damaged place" in said
    ran = broker.mq("doctor", "--data", str(broker.data))
    assert ran.code == 1
    assert segment.name in ran.out


def test_a_flipped_bit_in_the_newest_segment_is_damage_too_when_something_behind_it_was_synced(broker: BrokerProcess) -> None:
    segment = broker.segments()[-1]
    flip(segment, used_bytes(segment) // 2)
    said = refused_start(broker)
    assert f"log/{segment.name}, byte " in said


def test_a_damaged_part_that_no_start_reads_is_told_and_keeps_no_other_message_back(broker: BrokerProcess) -> None:
    segment = broker.segments()[0]
    flip(segment, used_bytes(segment) // 2)
    broker.start()
    with Caller(broker.endpoint) as client:
        assert client.send("orders", "later", b"later").status.code == Code.OK
    # All but the damaged one come, and it is named without anybody having asked.
    ran = broker.mq("consume", "orders", "--group", "kitchen", "--count", str(MESSAGES + 1), "--wait", "2")
    assert (ran.code, len(ran.out.splitlines()), ran.out.splitlines()[-1]) == (1, MESSAGES, "later")
    wait_until(
        lambda: f"cannot be delivered; `mq doctor --data` says more: log/{segment.name}, byte " in broker.log, "it is told"
    )
    assert "Traceback" not in ran.err + broker.log


def test_a_torn_write_is_cut_and_everything_acknowledged_is_there(broker: BrokerProcess) -> None:
    segment = broker.segments()[-1]
    size = used_bytes(segment)
    with segment.open("r+b") as file:
        file.seek(size + (-size % 8))
        # Half a group, as a crash leaves it when its sync was not over.
        file.write(segment.read_bytes()[72:200])
    broker.start()
    assert "cut a torn write off the log's end" in broker.log
    assert stored(broker) == [b"%d" % number for number in range(MESSAGES)]


def damage_snapshots(data: Path) -> list[Path]:
    found = list((data / "snapshots").glob("*"))
    for path in found:
        flip(path, path.stat().st_size // 2)
    return found


@pytest.mark.parametrize(
    "break_it",
    [
        lambda data: [path.unlink() for path in (data / "snapshots").glob("*")],
        lambda data: [path.write_bytes(b"nonsense") for path in (data / "snapshots").glob("*")],
        damage_snapshots,
        lambda data: [path.unlink() for path in (data / "queues").rglob("*") if path.is_file()],
    ],
    ids=["no snapshots", "snapshots of nonsense", "damaged snapshots", "no queue files"],
)
def test_what_is_derived_from_the_log_is_made_anew(broker: BrokerProcess, break_it: Callable[[Path], list[object]]) -> None:
    assert break_it(broker.data), "there was something to break"
    broker.start()
    assert stored(broker) == [b"%d" % number for number in range(MESSAGES)]
    assert "Traceback" not in broker.log


def test_a_format_of_a_newer_program_is_refused(broker: BrokerProcess) -> None:
    segment = broker.segments()[-1]
    data = bytearray(segment.read_bytes())
    # Right in all but its version: magic, checksum over all that follows it, version, ...
    data[8] = VERSION_MAX + 1
    data[4:8] = crc32(data[8 : SEGMENT_HEADER_BYTES - 4]).to_bytes(4, "little")
    segment.write_bytes(data)
    said = refused_start(broker)
    assert "version" in said


def test_a_missing_segment_is_noticed(broker: BrokerProcess) -> None:
    segment = broker.segments()[1]
    segment.unlink()
    said = refused_start(broker)
    assert segment.name in said
    assert "missing" in said
