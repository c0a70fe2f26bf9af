from pathlib import Path

import pytest

from mq.core.errors import Code, DiskFullError
from mq.server.space import SpaceGuard


class Disk:
    def __init__(self, free: int) -> None:
        self.free, self.looks = free, 0

    def free_bytes(self, folder: Path) -> int:
        self.looks += 1
        return self.free


def test_messages_are_refused_below_the_reserve_and_the_error_names_it(tmp_path: Path) -> None:
    SpaceGuard(tmp_path, reserve_bytes=100, free_bytes=Disk(100).free_bytes).check()
    with pytest.raises(DiskFullError, match=r"99 bytes are free where .*, the last 100 are kept for consumers") as refused:
        SpaceGuard(tmp_path, reserve_bytes=100, free_bytes=Disk(99).free_bytes).check()
    assert refused.value.definite
    assert refused.value.code is Code.PROXY_TIMEOUT


def test_the_disk_is_looked_at_a_few_times_a_second_only(tmp_path: Path) -> None:
    disk = Disk(100)
    guard = SpaceGuard(tmp_path, reserve_bytes=100, free_bytes=disk.free_bytes)
    for _ in range(1000):
        guard.check()
    assert 1 <= disk.looks < 100


def test_a_real_disk_has_some_space(tmp_path: Path) -> None:
    SpaceGuard(tmp_path, reserve_bytes=1).check()
    with pytest.raises(DiskFullError):
        SpaceGuard(tmp_path, reserve_bytes=1 << 60).check()


def test_between_short_and_roomy_there_is_a_gap_so_that_leadership_does_not_go_to_and_fro(tmp_path: Path) -> None:
    def guard(free: int) -> SpaceGuard:
        return SpaceGuard(tmp_path, reserve_bytes=100, free_bytes=Disk(free).free_bytes)

    assert [(guard(free).is_short, guard(free).is_roomy) for free in (99, 124, 125, 149, 150)] == [
        (True, False), (True, False), (False, False), (False, False), (False, True),
    ]  # fmt: skip
    guard(124).check()
    nothing_kept = SpaceGuard(tmp_path, reserve_bytes=0, free_bytes=Disk(0).free_bytes)
    assert (nothing_kept.is_short, nothing_kept.is_roomy) == (False, True)
