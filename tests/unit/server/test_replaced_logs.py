"""A replaced log that tells of damage: nothing is put aside at its word. And with our own, not again and again."""

from pathlib import Path

import pytest

from mq.core.errors import DamageError
from mq.server import process
from mq.server.broker import Broker
from mq.server.config import BrokerConfig
from mq.server.disk import FileDisk
from mq.server.opening import open_store
from mq.server.organs import OrganError
from mq.server.setting_aside import StateDiffersError, noted_damage, set_aside
from tests.unit.server.test_setting_aside import DAMAGE, THREE, broker_that_reads_damage

CRIES_DAMAGE = """
from mq.broker.store.commit_log import CommitLog as Base
from mq.core.errors import DamageError

class CommitLog(Base):
    def recover(self, files, *rest):
        if "log/1.log" in files:
            raise DamageError(min(files), 40, "the checksum does not match")
        return (yield from super().recover(files, *rest))
"""
TELLS_OF_DAMAGE = """
from dataclasses import replace
from mq.broker.store.commit_log import CommitLog as Base
from mq.broker.store.log_view import Damage

class CommitLog(Base):
    def recover(self, files, *rest):
        found = yield from super().recover(files, *rest)
        return replace(found, damage=(Damage("log/1.log", 40, 40, "the checksum does not match", 1),))
"""
RIGHT = "from mq.broker.store.commit_log import CommitLog as Base\n\nclass CommitLog(Base):\n    pass\n"


def config_of(folder: Path, organ: str) -> BrokerConfig:
    (folder / "organ.py").write_text(organ)
    return BrokerConfig(data=folder / "data", peers=THREE, parts=str(folder / "organ.py"))


@pytest.mark.parametrize("organ", [CRIES_DAMAGE, TELLS_OF_DAMAGE], ids=["raises", "returns"])
async def test_damage_that_a_replaced_log_finds_at_a_start_names_it_and_changes_nothing(organ: str, tmp_path: Path) -> None:
    config = config_of(tmp_path, organ)
    (config.data / "log").mkdir(parents=True)
    (config.data / "log/1.log").touch()
    with pytest.raises(OrganError, match=r"commit_log: `recover` says that stored data is damaged: log/1.log, byte 40") as told:
        process._open(config, process.Repairs(config))
    assert "nothing is put aside" in str(told.value)
    assert not list(config.data.glob("damaged-*"))
    assert noted_damage(config.data) is None
    assert (config.data / "log/1.log").exists()


@pytest.mark.parametrize("as_leader", [False, True])
async def test_damage_that_a_replaced_log_reads_ends_the_node_and_is_not_noted(as_leader: bool, tmp_path: Path) -> None:
    broker = await broker_that_reads_damage(config_of(tmp_path, RIGHT), DAMAGE, as_leader=as_leader)
    found = broker.failed.result()
    assert isinstance(found, OrganError)
    assert "commit_log: it says that stored data is damaged: log/1.log, byte 77: a bit was flipped" in str(found)
    assert noted_damage(tmp_path / "data") is None
    await broker.node.close()


async def test_other_organs_are_told_of_before_the_data_is_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_of(tmp_path, CRIES_DAMAGE)
    before = Broker(BrokerConfig(data=config.data, peers=THREE))
    await before.node.close()
    (config.data / "log").mkdir(exist_ok=True)
    (config.data / "log/1.log").touch()
    noted = (config.data / "organs.json").read_bytes()
    with pytest.raises(OrganError):
        Broker(config)
    assert "was written by other organs (commit_log: mq.broker.store.commit_log.CommitLog before" in caplog.text
    assert (config.data / "organs.json").read_bytes() == noted  # they have not written anything there


def test_what_was_put_aside_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "damaged-1/log").mkdir(parents=True)
    (tmp_path / "damaged-1/log/1.log").write_bytes(b"x" * 100)
    disk = FileDisk(tmp_path)
    seen: list[str] = []

    class Log:
        def __init__(self, *, segment_bytes: int) -> None:
            self.segment_bytes = segment_bytes

        def recover(self, files: dict[str, int], _checkpoint: object) -> None:
            seen.extend(files)
            raise InterruptedError

    class Made:
        commit_log = Log
        delivery_table = consume_queue = None

    with pytest.raises(InterruptedError):
        open_store(disk, segment_bytes=64 << 10, organs=Made())  # type: ignore[arg-type]
    disk.close()
    assert not [file for file in seen if file.startswith("damaged-")]


def test_a_log_that_is_damaged_again_soon_is_not_put_aside_again(tmp_path: Path) -> None:
    now = [100.0]
    config = BrokerConfig(data=tmp_path, peers=THREE)
    repairs = process.Repairs(config, clock=lambda: now[0])
    assert repairs.why_no_more(DAMAGE) == ""
    repairs.set_aside(DAMAGE)
    now[0] += 45
    told = repairs.why_no_more(DamageError("log/2.log", 3, "another bit"))
    assert told.startswith("the log is damaged again (log/2.log, byte 3: another bit), 45 s after a damaged one was put aside")
    assert f"{tmp_path / 'damaged-1'}" in told
    now[0] += 600
    assert repairs.why_no_more(DAMAGE) == ""


def test_a_state_that_differs_again_is_not_given_anew_a_third_time(tmp_path: Path) -> None:
    repairs = process.Repairs(BrokerConfig(data=tmp_path, peers=THREE))
    differs = StateDiffersError("snapshots/2.snap", 0, "the others have another state")
    assert repairs.why_no_more(differs) == ""
    repairs.set_aside(differs)
    assert "came to another one than the others again" in repairs.why_no_more(differs)
    assert repairs.why_no_more(DAMAGE) == ""  # another matter


def test_damage_that_is_found_while_a_repaired_folder_is_opened_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finds_damage(_config: BrokerConfig) -> Broker:
        raise DAMAGE

    monkeypatch.setattr(process, "Broker", finds_damage)
    config = BrokerConfig(data=tmp_path, peers=THREE)
    repairs = process.Repairs(config)
    for _ in range(3):
        with pytest.raises(DamageError):
            process._open(config, repairs)
    assert [path.name for path in tmp_path.glob("damaged-*")] == ["damaged-1"]
    set_aside(tmp_path, DAMAGE)  # by hand it can be
