"""Damaged data of a group's member is kept, out of the way, and the node knows that it is on its way back."""

from pathlib import Path

import pytest

from mq.core.errors import DamageError
from mq.server.config import BrokerConfig
from mq.server.disk import FileDisk
from mq.server.setting_aside import can_come_back, set_aside
from mq.server.taking_part import Note, Part, read_note

DAMAGE = DamageError("log/1.log", 77, "a bit was flipped")
THREE = ("1=127.0.0.1:1", "2=127.0.0.1:2", "3=127.0.0.1:3")


def fill(folder: Path, text: str) -> None:
    for name in ("log/1.log", "snapshots/2.snap", "LOCK"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_everything_is_kept_as_it_was_and_the_folder_is_empty_but_for_the_note(tmp_path: Path) -> None:
    fill(tmp_path, "first")
    aside = set_aside(tmp_path, DAMAGE)
    assert aside == tmp_path / "damaged-1"
    assert (aside / "log/1.log").read_text() == (aside / "snapshots/2.snap").read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LOCK", "damaged-1", "rejoining"]
    disk = FileDisk(tmp_path)
    note = read_note(disk)
    disk.close()
    assert note == Note()
    assert note.part is Part.REJOINING


def test_a_second_time_the_first_is_let_be(tmp_path: Path) -> None:
    for text in ("first", "second"):
        fill(tmp_path, text)
        set_aside(tmp_path, DAMAGE)
    assert (tmp_path / "damaged-1/log/1.log").read_text() == "first"
    assert (tmp_path / "damaged-2/log/1.log").read_text() == "second"


@pytest.mark.parametrize(
    ("settings", "can"),
    [
        ({"peers": THREE}, True),
        ({"peers": THREE[:2]}, False),
        ({"peers": THREE[:1]}, False),
        ({"replication": "raft"}, False),
        ({}, False),
    ],
)
def test_only_where_the_others_are_a_majority_by_themselves(settings: dict[str, object], can: bool, tmp_path: Path) -> None:
    assert can_come_back(BrokerConfig(data=tmp_path / "data", **settings)) is can  # type: ignore[arg-type]
