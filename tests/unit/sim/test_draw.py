"""The drawing of a disk: the facts behind it are right, and a picture comes out."""

import re
from pathlib import Path

import pytest

from mq.broker.store.commit_log import CommitLog
from mq.core.entry import Entry, EntryKind, HardState
from mq.core.ids import LogIndex, Term
from mq.core.ports import perform
from mq.sim import draw
from mq.sim.crash import Survival, after_power_loss
from mq.sim.disk import SimDisk
from mq.sim.disk_layout import Condition, SegmentLayout, layout_of
from mq.sim.world import World


def written(disk: SimDisk, *groups: int, is_synced: bool = True) -> CommitLog:
    """A log of groups of so many records; of the last one nothing is synced when `is_synced` is false."""
    log = CommitLog(segment_bytes=1024)
    for number, count in enumerate(groups, 1):
        entries = [Entry(LogIndex(log.last_index + 1 + i), Term(1), EntryKind.COMMAND, b"payload") for i in range(count)]
        appended = log.append(log.last_index, entries, HardState(Term(1), 2) if number == 1 else None)
        if number == len(groups) and not is_synced:
            perform(disk, appended.plan[:-1])
        else:
            perform(disk, appended.plan)
            log.synced(appended.sequence)
    return log


def boxes(segment: SegmentLayout) -> list[tuple[str, str, Condition]]:
    return [(box.kind, box.label, box.condition) for box in segment.boxes]


def test_synced_groups_are_durable_and_the_newest_write_is_not() -> None:
    disk = SimDisk()
    log = written(disk, 2, 1, is_synced=False)
    (segment,) = layout_of(disk)
    assert boxes(segment) == [
        ("segment", "", Condition.DURABLE),
        ("group", "", Condition.DURABLE),
        ("record", "1·1", Condition.DURABLE),
        ("record", "2·1", Condition.DURABLE),
        ("state", "term 1", Condition.DURABLE),
        ("group", "", Condition.UNSYNCED),
        ("record", "3·1", Condition.UNSYNCED),
    ]
    assert segment.durable_end == segment.unsynced[0][0] == log.durable_end
    assert segment.end <= sum(segment.unsynced[0]) == log.end_position
    ends = [box.at + box.size_bytes for box in segment.boxes]
    assert all(end <= box.at for end, box in zip(ends, segment.boxes[1:], strict=False)), "boxes overlap"


def test_half_of_a_write_is_torn_and_a_flipped_bit_is_damage() -> None:
    disk = SimDisk()
    log = written(disk, 1, 2, is_synced=False)
    durable_end = int(log.durable_end)
    ((number, at),) = [(found.number, found.unsynced[0][0]) for found in disk.names.values()]
    torn = after_power_loss(disk, Survival(torn=((number, at // 512), 60)))
    (segment,) = layout_of(torn)
    assert boxes(segment)[-1] == ("rest", "", Condition.TORN)
    assert segment.boxes[-1].at == durable_end
    disk.flip_bit(segment.file, durable_end - 20, 3)
    (segment,) = layout_of(disk)
    assert [box.condition for box in segment.boxes][1:3] == [Condition.DAMAGED, Condition.UNSYNCED]
    assert segment.boxes[1].at + segment.boxes[1].size_bytes == durable_end, "whole groups behind the damage are seen"


def test_several_segments_end_with_their_end_mark() -> None:
    disk = SimDisk()
    log = written(disk, *[4] * 12)
    perform(disk, log.note_durable())
    segments = layout_of(disk)
    assert [segment.file for segment in segments] == [view.file for view in log.segments()]
    assert len(segments) > 2
    assert [boxes(segment)[-1][0] for segment in segments] == ["end"] * (len(segments) - 1) + ["mark"]
    indexes = [int(box.label.split("·")[0]) for segment in segments for box in segment.boxes if box.kind == "record"]
    assert indexes == list(range(1, 49))
    assert [segment.durable_end is not None for segment in segments] == [False] * (len(segments) - 1) + [True]


def test_a_picture_comes_out(tmp_path: Path) -> None:
    disk, file = SimDisk(), tmp_path / "disk.png"
    written(disk, *[3] * 10, is_synced=False)
    draw.draw_disks(file, [("now", disk), ("empty", SimDisk())], "A disk")
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 10_000


def test_a_run_without_a_power_loss_is_not_drawn(tmp_path: Path) -> None:
    assert not draw.draw_loss(tmp_path / "none.png", 1, None)
    assert not list(tmp_path.iterdir())


def test_headers_are_told_from_what_is_durable_and_segments_are_counted_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, _: drawn.append(figure))
    world = World(3)
    world.run()
    assert world.loss is not None
    assert draw.draw_loss(tmp_path / "loss.png", 3, world.loss)
    titles = [axes.get_title(loc="left") for axes in drawn[0].axes]
    assert all(re.search(r"\(\d+ older segments are not drawn\)$", title) for title in titles)
    legend = drawn[0].legends[0]
    colours = {
        text.get_text(): handle.get_facecolor()
        for text, handle in zip(legend.texts, legend.legend_handles, strict=True)
        if hasattr(handle, "get_facecolor")
    }
    assert colours["durable: survives a power loss"] != colours["darker: header of a group (of a segment: H)"]
    shown = {patch.get_facecolor() for axes in drawn[0].axes for patch in axes.patches}
    assert colours["darker: header of a group (of a segment: H)"] in shown
