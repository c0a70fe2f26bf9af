"""The simulated disk and the real one are twins: the same operations give the same files, bytes and refusals."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from mq.core.ports import Create, Disk, Operation, Read, Remove, Replace, Sync, Write
from mq.server.disk import FileDisk
from mq.sim.disk import SimDisk

FILES = ("log/0.log", "log/1.log", "queues/t/0/0.cq", "snapshots/1.snap", "top")


@pytest.fixture
def real(tmp_path: Path) -> Iterator[FileDisk]:
    with closing(FileDisk(tmp_path / "data")) as disk:
        yield disk


def drawn_operation(rng: Random) -> Operation:
    file = rng.choice(FILES)
    data = bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 5, 600))))
    match rng.randrange(6):
        case 0:
            return Create(file, rng.choice((1, 100, 5000)))
        case 1 | 2:
            return Write(file, rng.choice((0, 3, 511, 4096)), data)
        case 3:
            return Sync(file)
        case 4:
            return Replace(file, data)
        case _:
            return Remove(file)


def look(disk: Disk, rng: Random) -> tuple[object, ...]:
    """All files with their sizes, everything in them, and a few reads across their ends."""
    files = dict(sorted(disk.files().items()))
    whole = [disk.read(Read(file, 0, size)) for file, size in files.items()]
    odd = [disk.read(Read(rng.choice(FILES), rng.randrange(6000), rng.randrange(3000))) for _ in range(5)]
    return files, whole, odd


@pytest.mark.parametrize("seed", range(8))
def test_the_same_operations_give_the_same_files(seed: int, real: FileDisk) -> None:
    rng, simulated, seen = Random(seed), SimDisk(), set[str]()
    for number in range(60):
        operation = drawn_operation(rng)
        seen.add(type(operation).__name__)
        real.perform(operation)
        simulated.perform(operation)
        assert look(real, Random(number)) == look(simulated, Random(number)), operation
    assert seen == {"Create", "Write", "Sync", "Replace", "Remove"}
    assert simulated.files()


def test_what_is_durable_in_the_simulation_is_there_when_the_real_folder_is_opened_again(tmp_path: Path) -> None:
    rng, simulated = Random(99), SimDisk()
    with closing(FileDisk(tmp_path / "data")) as real:
        for _ in range(80):
            operation = drawn_operation(rng)
            real.perform(operation)
            simulated.perform(operation)
    with closing(FileDisk(tmp_path / "data")) as again:
        # A kill, not a power loss: everything written is there on both.
        assert look(again, Random(1)) == look(simulated.copy(), Random(1))
        assert len(again.files()) > 1


@pytest.mark.parametrize("operation", [Sync("made"), Write("made", 0, b""), Remove("missing")], ids=repr)
def test_odd_operations_do_the_same(operation: Operation, real: FileDisk) -> None:
    simulated = SimDisk()
    real.perform(operation)
    simulated.perform(operation)
    assert dict(real.files()) == dict(simulated.files())
